/* The tables of loads and stores that convert.h declares, compiled once for all
   kernels.  What is strided is gathered as it is, and cast in a block that stays in the
   first-level cache. */
#include "convert.h"
#include "half.h"

enum { TT_CONVERT_RUN = 256 };

#define MOVE(bits)                                                                     \
    TT_KERNEL void gather_##bits(void *t, const void *f, int64_t n, int64_t step) {    \
        uint##bits##_t *y = (uint##bits##_t *)t;                                       \
        const uint##bits##_t *x = (const uint##bits##_t *)f;                           \
        if (step == 1) memcpy(y, x, n * sizeof *y);                                    \
        else if (step == 0) { uint##bits##_t v = *x;                                   \
            for (int64_t i = 0; i < n; i++) y[i] = v; }                                \
        else for (int64_t i = 0; i < n; i++) y[i] = x[i * step];                       \
    }                                                                                  \
    TT_KERNEL void scatter_##bits(void *t, const void *f, int64_t n, int64_t step) {   \
        uint##bits##_t *y = (uint##bits##_t *)t;                                       \
        const uint##bits##_t *x = (const uint##bits##_t *)f;                           \
        if (step == 1) memcpy(y, x, n * sizeof *y);                                    \
        else for (int64_t i = 0; i < n; i++) y[i * step] = x[i];                       \
    }
MOVE(8) MOVE(16) MOVE(32) MOVE(64)
const Load tt_move_in[9] = {
    0, gather_8, gather_16, 0, gather_32, 0, 0, 0, gather_64};
const Store tt_move_out[9] = {
    0, scatter_8, scatter_16, 0, scatter_32, 0, 0, 0, scatter_64};

#define TT_RUNS(...)                                                                   \
    for (int64_t i = 0; i < n; i += TT_CONVERT_RUN) {                                  \
        const int64_t run = n - i < TT_CONVERT_RUN ? n - i : TT_CONVERT_RUN;           \
        __VA_ARGS__                                                                    \
    }

/* D, C: indices of tt_cast; bits: of an element in memory; value: a compute type */
#define CONVERT(d, D, bits, c, C, value)                                               \
    static void load_##d##_##c(void *to, const void *from, int64_t n, int64_t step) {  \
        uint##bits##_t block[TT_CONVERT_RUN];                                          \
        if (step == 1) tt_cast[D][C](to, from, n);                                     \
        else TT_RUNS(                                                                  \
            gather_##bits(block, (const uint##bits##_t *)from + i * step, run, step);  \
            tt_cast[D][C]((value *)to + i, block, run);)                               \
    }                                                                                  \
    static void store_##c##_##d(void *to, const void *from, int64_t n, int64_t step) { \
        uint##bits##_t block[TT_CONVERT_RUN];                                          \
        if (step == 1) tt_cast[C][D](to, from, n);                                     \
        else TT_RUNS(                                                                  \
            tt_cast[C][D](block, (const value *)from + i, run);                        \
            scatter_##bits((uint##bits##_t *)to + i * step, block, run, step);)        \
    }
#define CONVERT_HALVES_AND_INTEGERS(c, C, value)                                       \
    CONVERT(f16, TT_F16, 16, c, C, value) CONVERT(bf16, TT_BF16, 16, c, C, value)      \
    CONVERT(i32, TT_I32, 32, c, C, value) CONVERT(i16, TT_I16, 16, c, C, value)        \
    CONVERT(i8, TT_I8, 8, c, C, value) CONVERT(u8, TT_U8, 8, c, C, value)              \
    CONVERT(bool, TT_BOOL, 8, c, C, value)

CONVERT_HALVES_AND_INTEGERS(f32, TT_F32, float)
CONVERT_HALVES_AND_INTEGERS(f64, TT_F64, double)
CONVERT_HALVES_AND_INTEGERS(i64, TT_I64, int64_t)
CONVERT(f64, TT_F64, 64, f32, TT_F32, float)
CONVERT(i64, TT_I64, 64, f32, TT_F32, float)
CONVERT(f32, TT_F32, 32, f64, TT_F64, double)
CONVERT(i64, TT_I64, 64, f64, TT_F64, double)
CONVERT(f32, TT_F32, 32, i64, TT_I64, int64_t)
CONVERT(f64, TT_F64, 64, i64, TT_I64, int64_t)
#define load_f32_f32 gather_32
#define load_f64_f64 gather_64
#define load_i64_i64 gather_64
#define store_f32_f32 scatter_32
#define store_f64_f64 scatter_64
#define store_i64_i64 scatter_64

#define TT_ROW(kind, c)                                                                \
    {kind(c, f32), kind(c, f64), kind(c, f16), kind(c, bf16), kind(c, i64),            \
     kind(c, i32), kind(c, i16), kind(c, i8), kind(c, u8), kind(c, bool)}
#define TT_LOAD_NAME(c, d) load_##d##_##c
#define TT_STORE_NAME(c, d) store_##c##_##d
const Load tt_load[3][10] = {
    TT_ROW(TT_LOAD_NAME, f32), TT_ROW(TT_LOAD_NAME, f64), TT_ROW(TT_LOAD_NAME, i64)};
const Store tt_store[3][10] = {
    TT_ROW(TT_STORE_NAME, f32), TT_ROW(TT_STORE_NAME, f64), TT_ROW(TT_STORE_NAME, i64)};
