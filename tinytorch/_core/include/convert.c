/* The tables that convert.h declares: compiled once for all kernels. */
#include "convert.h"
#include "half.h"

#define TT_SAME(x) (x)
#define TT_TRUTH(x) ((x) != 0)

/* Out-of-range floats become the smallest integer, as x86 hardware gives and PyTorch
   shows; in C the conversion would be undefined. */
TT_INLINE int64_t i64_of_f64(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}

#define LOAD(from, F, to, T, read)                                                     \
    TT_KERNEL void load_##from##_##to(void *t, const void *f, int64_t n, int64_t step) \
    {                                                                                  \
        T *y = (T *)t; const F *x = (const F *)f;                                      \
        if (step == 1) for (int64_t i = 0; i < n; i++) y[i] = (T)read(x[i]);           \
        else for (int64_t i = 0; i < n; i++) y[i] = (T)read(x[i * step]);              \
    }
#define STORE(from, F, to, T, write)                                                   \
    TT_KERNEL void store_##from##_##to(void *t, const void *f, int64_t n, int64_t step)\
    {                                                                                  \
        T *y = (T *)t; const F *x = (const F *)f;                                      \
        if (step == 1) for (int64_t i = 0; i < n; i++) y[i] = (T)write(x[i]);          \
        else for (int64_t i = 0; i < n; i++) y[i * step] = (T)write(x[i]);             \
    }
#define BOTH_WAYS(c, C, to_int)                                                        \
    LOAD(f16, uint16_t, c, C, f32_of_f16) LOAD(bf16, uint16_t, c, C, f32_of_bf16)      \
    LOAD(i64, int64_t, c, C, TT_SAME) LOAD(i32, int32_t, c, C, TT_SAME)                \
    LOAD(i16, int16_t, c, C, TT_SAME) LOAD(i8, int8_t, c, C, TT_SAME)                  \
    LOAD(u8, uint8_t, c, C, TT_SAME) LOAD(bool, uint8_t, c, C, TT_TRUTH)               \
    STORE(c, C, f32, float, TT_SAME) STORE(c, C, f64, double, TT_SAME)                 \
    STORE(c, C, f16, uint16_t, f16_of_f32) STORE(c, C, bf16, uint16_t, bf16_of_f32)    \
    STORE(c, C, i64, int64_t, to_int) STORE(c, C, i32, int32_t, to_int)                \
    STORE(c, C, i16, int16_t, to_int) STORE(c, C, i8, int8_t, to_int)                  \
    STORE(c, C, u8, uint8_t, to_int) STORE(c, C, bool, uint8_t, TT_TRUTH)

#define TT_F16_TO_INT(h) i64_of_f64(f32_of_f16(h))
#define TT_BF16_TO_INT(h) i64_of_f64(f32_of_bf16(h))
BOTH_WAYS(f32, float, i64_of_f64)
BOTH_WAYS(f64, double, i64_of_f64)
LOAD(f32, float, f32, float, TT_SAME)
LOAD(f64, double, f32, float, TT_SAME)
LOAD(f32, float, f64, double, TT_SAME)
LOAD(f64, double, f64, double, TT_SAME)
LOAD(f32, float, i64, int64_t, i64_of_f64)
LOAD(f64, double, i64, int64_t, i64_of_f64)
LOAD(f16, uint16_t, i64, int64_t, TT_F16_TO_INT)
LOAD(bf16, uint16_t, i64, int64_t, TT_BF16_TO_INT)
LOAD(i64, int64_t, i64, int64_t, TT_SAME)
LOAD(i32, int32_t, i64, int64_t, TT_SAME)
LOAD(i16, int16_t, i64, int64_t, TT_SAME)
LOAD(i8, int8_t, i64, int64_t, TT_SAME)
LOAD(u8, uint8_t, i64, int64_t, TT_SAME)
LOAD(bool, uint8_t, i64, int64_t, TT_TRUTH)
STORE(i64, int64_t, f32, float, TT_SAME)
STORE(i64, int64_t, f64, double, TT_SAME)
STORE(i64, int64_t, f16, uint16_t, f16_of_f32)
STORE(i64, int64_t, bf16, uint16_t, bf16_of_f32)
STORE(i64, int64_t, i64, int64_t, TT_SAME)
STORE(i64, int64_t, i32, int32_t, TT_SAME)
STORE(i64, int64_t, i16, int16_t, TT_SAME)
STORE(i64, int64_t, i8, int8_t, TT_SAME)
STORE(i64, int64_t, u8, uint8_t, TT_SAME)
STORE(i64, int64_t, bool, uint8_t, TT_TRUTH)

#define TT_ROW(kind, c)                                                                \
    {kind(c, f32), kind(c, f64), kind(c, f16), kind(c, bf16), kind(c, i64),            \
     kind(c, i32), kind(c, i16), kind(c, i8), kind(c, u8), kind(c, bool)}
#define TT_LOAD_NAME(c, d) load_##d##_##c
#define TT_STORE_NAME(c, d) store_##c##_##d
const Load tt_load[3][10] = {
    TT_ROW(TT_LOAD_NAME, f32), TT_ROW(TT_LOAD_NAME, f64), TT_ROW(TT_LOAD_NAME, i64)};
const Store tt_store[3][10] = {
    TT_ROW(TT_STORE_NAME, f32), TT_ROW(TT_STORE_NAME, f64), TT_ROW(TT_STORE_NAME, i64)};
