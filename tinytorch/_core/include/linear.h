/* Sums of the rows of a matrix: the gradient of a bias. */
#ifndef T
#ifndef TT_LINEAR_H
#define TT_LINEAR_H
#include "kernel.h"

#define TT_FILE "linear.h"
#include "each_float.h"
#endif
#else

/* y[j] = sum of g[i, j] over i.  Partial sums of 128 rows keep the rounding small. */
TT_KERNEL void K(sum_rows)(T *y, const T *g, int64_t rows, int64_t cols) {
    for (int64_t j0 = 0; j0 < cols; j0 += 64) {
        const int64_t n = cols - j0 < 64 ? cols - j0 : 64;
        T total[64] = {0};
        for (int64_t i0 = 0; i0 < rows; i0 += 128) {
            const int64_t end = i0 + 128 < rows ? i0 + 128 : rows;
            T part[64] = {0};
            for (int64_t i = i0; i < end; i++) {
                const T *row = g + i * cols + j0;
                for (int64_t j = 0; j < n; j++) part[j] += row[j];
            }
            for (int64_t j = 0; j < n; j++) total[j] += part[j];
        }
        for (int64_t j = 0; j < n; j++) y[j0 + j] = total[j];
    }
}
#endif
