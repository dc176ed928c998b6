/* What the gradient of a linear layer needs beside products. */
#ifndef T
#ifndef TT_LINEAR_H
#define TT_LINEAR_H
#include "kernel.h"

enum { TT_RECTIFIED_GRAIN = TT_PART(32768, 64) }; /* elements of a task */

#define TT_FILE "linear.h"
#include "each_float.h"
#endif
#else

#define TT_LANES 8
#define VEC K(tt_row_vector)
typedef T VEC __attribute__((vector_size(TT_LANES * sizeof(T)), aligned(sizeof(T)),
                             may_alias));

/* N vectors of columns, two rows at a time to hide the latency of an addition.  Partial
   sums of 128 rows keep the rounding small. */
TT_INLINE void K(sum_columns)(const int N, T *y, const T *g, int64_t rows,
                              int64_t cols) {
#define X(i, v) (*(const VEC *)(g + (i) * cols + (v) * TT_LANES))
    VEC total[4];
    for (int v = 0; v < N; v++) total[v] = (VEC){0};
    for (int64_t i = 0; i < rows;) {
        const int64_t end = i + 128 < rows ? i + 128 : rows;
        VEC even[4], odd[4];
        for (int v = 0; v < N; v++) even[v] = odd[v] = (VEC){0};
        for (; i < end - 1; i += 2)
            for (int v = 0; v < N; v++) even[v] += X(i, v), odd[v] += X(i + 1, v);
        for (; i < end; i++)
            for (int v = 0; v < N; v++) even[v] += X(i, v);
        for (int v = 0; v < N; v++) total[v] += even[v] + odd[v];
    }
    for (int v = 0; v < N; v++) *(VEC *)(y + v * TT_LANES) = total[v];
#undef X
}

/* Fewer columns than lanes: as many rows as there are lanes are `cols` vectors, whose
   lanes belong to the columns in turn. */
TT_INLINE void K(sum_narrow)(const int COLS, T *y, const T *g, int64_t rows) {
    const int64_t block = TT_LANES * COLS, whole = rows / TT_LANES;
    T total[TT_LANES * TT_LANES] = {0};
    for (int64_t i = 0; i < whole;) {
        const int64_t end = i + 128 < whole ? i + 128 : whole;
        VEC part[TT_LANES];
        for (int v = 0; v < COLS; v++) part[v] = (VEC){0};
        for (; i < end; i++)
            for (int v = 0; v < COLS; v++)
                part[v] += *(const VEC *)(g + i * block + v * TT_LANES);
        for (int v = 0; v < COLS; v++) *(VEC *)(total + v * TT_LANES) += part[v];
    }
    for (int j = 0; j < COLS; j++) {
        T sum = 0;
        for (int p = j; p < block; p += COLS) sum += total[p];
        for (int64_t i = whole * TT_LANES; i < rows; i++) sum += g[i * COLS + j];
        y[j] = sum;
    }
}

/* y[j] = sum of g[i, j] over i: the gradient of a bias. */
TT_KERNEL void K(sum_rows)(T *y, const T *g, int64_t rows, int64_t cols) {
    int64_t j = 0;
    switch (cols) {
#define TT_NARROW(n) case n: K(sum_narrow)(n, y, g, rows); return
        TT_NARROW(1);
        TT_NARROW(2);
        TT_NARROW(3);
        TT_NARROW(4);
        TT_NARROW(5);
        TT_NARROW(6);
        TT_NARROW(7);
#undef TT_NARROW
    }
    for (; cols - j >= 4 * TT_LANES; j += 4 * TT_LANES)
        K(sum_columns)(4, y + j, g + j, rows, cols);
    if (cols - j >= 2 * TT_LANES) {
        K(sum_columns)(2, y + j, g + j, rows, cols);
        j += 2 * TT_LANES;
    }
    if (cols - j >= TT_LANES) {
        K(sum_columns)(1, y + j, g + j, rows, cols);
        j += TT_LANES;
    }
    if (j < cols) /* the last vector overlaps the one before */
        K(sum_columns)(1, y + cols - TT_LANES, g + cols - TT_LANES, rows, cols);
}

/* The gradient in front of relu, whose result is y. */
TT_KERNEL void K(rectified_gradient)(T *restrict to, const T *gy, const T *y,
                                    int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = y[i] <= 0 ? 0 : gy[i];
}
#undef VEC
#undef TT_LANES
#endif
