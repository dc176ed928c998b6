/* Copies between two orders of dimensions: y runs along one dimension, x along another.

   Walking such a pair in y's order would touch a new cache line and page of x with
   every element.  Tiles of TT_TILE x TT_TILE are read and written while their lines are
   in the first-level cache; elements of four bytes change places inside registers. */
#ifndef TT_TRANSPOSE_H
#define TT_TRANSPOSE_H
#include "kernel.h"

enum { TT_TILE = 64 };

typedef int32_t TransposeVector __attribute__((vector_size(16), aligned(4)));

/* Four rows of four elements, x_step apart, become four columns. */
TT_INLINE void tt_transpose_4x4(int32_t *y, int64_t y_step, const int32_t *x,
                                int64_t x_step) {
    typedef TransposeVector V;
    V a = *(const V *)x, b = *(const V *)(x + x_step);
    V c = *(const V *)(x + 2 * x_step), d = *(const V *)(x + 3 * x_step);
    V ab = __builtin_shuffle(a, b, (V){0, 4, 1, 5});
    V cd = __builtin_shuffle(c, d, (V){0, 4, 1, 5});
    *(V *)y = __builtin_shuffle(ab, cd, (V){0, 1, 4, 5});
    *(V *)(y + y_step) = __builtin_shuffle(ab, cd, (V){2, 3, 6, 7});
    ab = __builtin_shuffle(a, b, (V){2, 6, 3, 7});
    cd = __builtin_shuffle(c, d, (V){2, 6, 3, 7});
    *(V *)(y + 2 * y_step) = __builtin_shuffle(ab, cd, (V){0, 1, 4, 5});
    *(V *)(y + 3 * y_step) = __builtin_shuffle(ab, cd, (V){2, 3, 6, 7});
}

/* y[r * y_step + c] = x[r + c * x_step] for one tile */
#define TRANSPOSE_TILE(bits)                                                           \
    TT_KERNEL void transpose_tile_##bits(char *to, int64_t y_step, const char *from,   \
                                         int64_t x_step, int64_t rows, int64_t cols) { \
        uint##bits##_t *y = (uint##bits##_t *)to;                                      \
        const uint##bits##_t *x = (const uint##bits##_t *)from;                        \
        for (int64_t r = 0; r < rows; r++)                                             \
            for (int64_t c = 0; c < cols; c++)                                         \
                y[r * y_step + c] = x[r + c * x_step];                                 \
    }
TRANSPOSE_TILE(8) TRANSPOSE_TILE(16) TRANSPOSE_TILE(64)

static void transpose_tile_32(char *to, int64_t y_step, const char *from,
                              int64_t x_step, int64_t rows, int64_t cols) {
    int32_t *y = (int32_t *)to;
    const int32_t *x = (const int32_t *)from;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        int64_t c = 0;
        for (; c + 4 <= cols; c += 4)
            tt_transpose_4x4(y + r * y_step + c, y_step, x + r + c * x_step, x_step);
        for (; c < cols; c++)
            for (int k = 0; k < 4; k++) y[(r + k) * y_step + c] = x[r + k + c * x_step];
    }
    for (; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) y[r * y_step + c] = x[r + c * x_step];
}

typedef void (*TransposeTile)(char *, int64_t, const char *, int64_t, int64_t, int64_t);
static const TransposeTile tt_transpose_tile[9] = {
    0, transpose_tile_8, transpose_tile_16, 0, transpose_tile_32, 0, 0, 0,
    transpose_tile_64};
#endif
