/* The transpose of a square of elements inside registers. */
#ifndef T
#ifndef TT_VECTOR_TRANSPOSE_H
#define TT_VECTOR_TRANSPOSE_H
#include "kernel.h"
#define TT_FILE "vector_transpose.h"
#include "each_vector.h"
#endif
#else

#define VEC K(tt_square_row)
/* Aligned like their elements: operands start anywhere. */
typedef T VEC __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));

/* y[i * y_step + j] = x[j][p + i] for i, j < VL */
TT_INLINE void K(tt_transpose)(T *y, int64_t y_step, const T *const *x, int64_t p) {
#define S(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define X(j) (*(const VEC *)(x[j] + p))
#define Y(i) (*(VEC *)(y + (i) * y_step))
#if VL == 8
    VEC u[8];
    for (int h = 0; h < 8; h += 4) {
        const VEC a = S(X(h), X(h + 1), 0, 8, 1, 9, 4, 12, 5, 13);
        const VEC b = S(X(h), X(h + 1), 2, 10, 3, 11, 6, 14, 7, 15);
        const VEC c = S(X(h + 2), X(h + 3), 0, 8, 1, 9, 4, 12, 5, 13);
        const VEC d = S(X(h + 2), X(h + 3), 2, 10, 3, 11, 6, 14, 7, 15);
        u[h] = S(a, c, 0, 1, 8, 9, 4, 5, 12, 13);
        u[h + 1] = S(a, c, 2, 3, 10, 11, 6, 7, 14, 15);
        u[h + 2] = S(b, d, 0, 1, 8, 9, 4, 5, 12, 13);
        u[h + 3] = S(b, d, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        Y(i) = S(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        Y(i + 4) = S(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    const VEC a = S(X(0), X(1), 0, 4, 2, 6), b = S(X(0), X(1), 1, 5, 3, 7);
    const VEC c = S(X(2), X(3), 0, 4, 2, 6), d = S(X(2), X(3), 1, 5, 3, 7);
    Y(0) = S(a, c, 0, 1, 4, 5);
    Y(1) = S(b, d, 0, 1, 4, 5);
    Y(2) = S(a, c, 2, 3, 6, 7);
    Y(3) = S(b, d, 2, 3, 6, 7);
#endif
#undef S
#undef X
#undef Y
}
#undef VEC
#endif
