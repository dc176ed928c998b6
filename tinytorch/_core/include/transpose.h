/* Copies between two orders of dimensions: y runs along one dimension, x along another.

   Walking such a pair in y's order would touch a new cache line and page of x with
   every element.  Tiles of TT_TILE x TT_TILE are read and written while their lines are
   in the first-level cache; elements of four and eight bytes change places inside
   registers. */
#ifndef TT_TRANSPOSE_H
#define TT_TRANSPOSE_H
#include "kernel.h"
#include "vector_transpose.h"

enum { TT_TILE = 64 };

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
TRANSPOSE_TILE(8) TRANSPOSE_TILE(16)
#undef TRANSPOSE_TILE

/* The same in squares of VL elements, which change places inside registers. */
#define TRANSPOSE_TILE(bits, T, suffix, VL)                                            \
    TT_KERNEL void transpose_tile_##bits(char *to, int64_t y_step, const char *from,   \
                                         int64_t x_step, int64_t rows, int64_t cols) { \
        T *y = (T *)to;                                                                \
        const T *x = (const T *)from;                                                  \
        int64_t r = 0;                                                                 \
        for (; r + VL <= rows; r += VL) {                                              \
            int64_t c = 0;                                                             \
            for (; c + VL <= cols; c += VL) {                                          \
                const T *columns[VL];                                                  \
                for (int k = 0; k < VL; k++) columns[k] = x + (c + k) * x_step;        \
                tt_transpose_##suffix(y + r * y_step + c, y_step, columns, r);         \
            }                                                                          \
            for (; c < cols; c++)                                                      \
                for (int k = 0; k < VL; k++)                                           \
                    y[(r + k) * y_step + c] = x[r + k + c * x_step];                   \
        }                                                                              \
        for (; r < rows; r++)                                                          \
            for (int64_t c = 0; c < cols; c++) y[r * y_step + c] = x[r + c * x_step];  \
    }
TRANSPOSE_TILE(32, float, f32, 8) TRANSPOSE_TILE(64, double, f64, 4)
#undef TRANSPOSE_TILE

typedef void (*TransposeTile)(char *, int64_t, const char *, int64_t, int64_t, int64_t);
static const TransposeTile tt_transpose_tile[9] = {
    0, transpose_tile_8, transpose_tile_16, 0, transpose_tile_32, 0, 0, 0,
    transpose_tile_64};
#endif
