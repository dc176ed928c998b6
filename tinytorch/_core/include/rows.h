/* Sums and maxima of a row.  One vector accumulator would wait for the adder's latency,
   so there are several: LANES elements side by side, then 8, then one by one.

   ROW_FOLD(result, cols, identity, step, merge): `step` makes the accumulator a from a
   and element number k, `merge` one of a and b. */
#ifndef T
#ifndef TT_ROWS_H
#define TT_ROWS_H
#include "simd.h"

#define TT_ROW_STEP(LANES, STEP)                                                       \
    _Pragma("omp simd") for (int64_t l = 0; l < LANES; l++) {                          \
        const int64_t k = j + l;                                                       \
        const T a = acc[l];                                                            \
        acc[l] = (STEP);                                                               \
    }
#define TT_ROW_MERGE(WIDTH, MERGE)                                                     \
    for (int64_t l = 0; l < WIDTH; l++) {                                              \
        const T a = acc[l], b = acc[(l + WIDTH) % LANES];                              \
        acc[l] = (MERGE);                                                              \
    }
#define ROW_FOLD(RESULT, COLS, IDENTITY, STEP, MERGE)                                  \
    T RESULT;                                                                          \
    {                                                                                  \
        enum { LANES = 128 / sizeof(T) };                                              \
        T acc[LANES], rest = IDENTITY;                                                 \
        int64_t j = 0;                                                                 \
        for (int64_t l = 0; l < LANES; l++) acc[l] = IDENTITY;                         \
        for (; j + LANES <= (COLS); j += LANES) { TT_ROW_STEP(LANES, STEP) }           \
        for (; j + 8 <= (COLS); j += 8) { TT_ROW_STEP(8, STEP) }                       \
        for (int64_t k = j; k < (COLS); k++) {                                         \
            const T a = rest;                                                          \
            rest = (STEP);                                                             \
        }                                                                              \
        if (LANES > 16) { TT_ROW_MERGE(16, MERGE) }                                    \
        TT_ROW_MERGE(8, MERGE)                                                         \
        TT_ROW_MERGE(4, MERGE)                                                         \
        TT_ROW_MERGE(2, MERGE)                                                         \
        TT_ROW_MERGE(1, MERGE)                                                         \
        const T a = acc[0], b = rest;                                                  \
        RESULT = (MERGE);                                                              \
    }

#define TT_FILE "rows.h"
#include "each_float.h"
#endif
#else

TT_INLINE T F(row_max)(const T *x, int64_t cols) {
    ROW_FOLD(peak, cols, -(T)INFINITY, x[k] > a ? x[k] : a, a > b ? a : b)
    return peak;
}

TT_INLINE T F(row_sum)(const T *x, int64_t cols) {
    ROW_FOLD(sum, cols, 0, a + x[k], a + b)
    return sum;
}

TT_INLINE T F(row_dot)(const T *x, const T *y, int64_t cols) {
    ROW_FOLD(dot, cols, 0, a + x[k] * y[k], a + b)
    return dot;
}

/* sum of y (x - centre) */
TT_INLINE T F(row_centred_dot)(const T *y, const T *x, T centre, int64_t cols) {
    ROW_FOLD(dot, cols, 0, a + y[k] * (x[k] - centre), a + b)
    return dot;
}

/* sum of (x - centre)^2 */
TT_INLINE T F(row_square)(const T *x, T centre, int64_t cols) {
    ROW_FOLD(sum, cols, 0, a + (x[k] - centre) * (x[k] - centre), a + b)
    return sum;
}
#endif
