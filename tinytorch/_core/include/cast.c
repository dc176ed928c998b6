/* Casts of contiguous elements between any two dtypes: one function a pair, compiled
   once for all kernels.

   Floats become 32-bit integers, then narrower ones; uint8 and int64 are read from
   64-bit ones.  What does not fit becomes the smallest integer of that width, as x86
   hardware gives and PyTorch shows; in C the conversion would be undefined.  float16
   goes through float32, as do bfloat16 from and to int64: rounded twice where PyTorch
   rounds twice. */
#include "convert.h"
#include "half.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define TT_F16C 1
#else
#define TT_F16C 0
#endif

/* elements that stay in the first-level cache between the two halves of a cast */
enum { TT_CAST_RUN = 512 };

#define ARGUMENTS void *restrict to, const void *restrict from, int64_t n

#define TT_EACH(F, T, ...)                                                             \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) {                              \
        const F x = ((const F *)from)[i];                                              \
        ((T *)to)[i] = (T)(__VA_ARGS__);                                               \
    }

#define CAST(a, F, b, T, ...)                                                          \
    TT_KERNEL void cast_##a##_##b(ARGUMENTS) { TT_EACH(F, T, __VA_ARGS__) }

/* Vectors have no conversion between floats and 64-bit integers, but they have one for
   32 bits.  So a run takes that way if all of it fits: `beyond`, of the width W, is 0
   for all x. */
#define CAST_IF_FITS(a, F, b, T, W, beyond, narrow, wide)                              \
    TT_KERNEL void cast_##a##_##b##_run(ARGUMENTS) {                                   \
        W misfits = 0;                                                                 \
        _Pragma("omp simd reduction(| : misfits)") for (int64_t i = 0; i < n; i++) {   \
            const F x = ((const F *)from)[i];                                          \
            misfits |= (beyond);                                                       \
        }                                                                              \
        if (misfits == 0) TT_EACH(F, T, narrow)                                        \
        else TT_EACH(F, T, wide)                                                       \
    }                                                                                  \
    static void cast_##a##_##b(ARGUMENTS) {                                            \
        for (int64_t i = 0; i < n; i += TT_CAST_RUN)                                   \
            cast_##a##_##b##_run((T *)to + i, (const F *)from + i,                     \
                                 n - i < TT_CAST_RUN ? n - i : TT_CAST_RUN);           \
    }

#define CAST_THROUGH_F32(a, F, b, T)                                                   \
    static void cast_##a##_##b(ARGUMENTS) {                                            \
        float block[TT_CAST_RUN];                                                      \
        for (int64_t i = 0; i < n; i += TT_CAST_RUN) {                                 \
            const int64_t run = n - i < TT_CAST_RUN ? n - i : TT_CAST_RUN;             \
            cast_##a##_f32(block, (const F *)from + i, run);                           \
            cast_f32_##b((T *)to + i, block, run);                                     \
        }                                                                              \
    }

#define CAST_SAME(bytes)                                                               \
    static void cast_same_##bytes(ARGUMENTS) { memcpy(to, from, n * bytes); }
CAST_SAME(1) CAST_SAME(2) CAST_SAME(4) CAST_SAME(8)

/* ---- what one element becomes ---- */

TT_INLINE int32_t i32_of_f32(float x) {
    return (int32_t)(x >= -0x1p31f && x < 0x1p31f ? x : -0x1p31f);
}
TT_INLINE int32_t i32_of_f64(double x) {
    return (int32_t)(x >= -0x1p31 && x < 0x1p31 ? x : -0x1p31);
}
TT_INLINE int64_t i64_of_f64(double x) {
    return (int64_t)(x >= -0x1p63 && x < 0x1p63 ? x : -0x1p63);
}
#define BEYOND_F32 !(x >= -0x1p31f && x < 0x1p31f)
#define BEYOND_F64 !(x >= -0x1p31 && x < 0x1p31)
#define BEYOND_I64 (((uint64_t)x + 0x80000000) >> 32)

/* ---- float16: GCC does not vectorise it, so F16C is asked by name ---- */

static void cast_f16_f32_each(ARGUMENTS) {
    for (int64_t i = 0; i < n; i++)
        ((float *)to)[i] = f32_of_f16(((const uint16_t *)from)[i]);
}
static void cast_f32_f16_each(ARGUMENTS) {
    for (int64_t i = 0; i < n; i++)
        ((uint16_t *)to)[i] = f16_of_f32(((const float *)from)[i]);
}

#if TT_F16C
__attribute__((target("avx,f16c"))) static void cast_f16_f32_f16c(ARGUMENTS) {
    float *y = (float *)to;
    const uint16_t *x = (const uint16_t *)from;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128((const __m128i *)(x + i));
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(half));
    }
    for (; i < n; i++) y[i] = _cvtsh_ss(x[i]);
}
__attribute__((target("avx,f16c"))) static void cast_f32_f16_f16c(ARGUMENTS) {
    uint16_t *y = (uint16_t *)to;
    const float *x = (const float *)from;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 wide = _mm256_loadu_ps(x + i);
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(wide, _MM_FROUND_TO_NEAREST_INT));
    }
    for (; i < n; i++) y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

/* Asked of the processor once, as GCC before 11 and older clangs have no word for it. */
static int has_f16c(void) {
    static int known = -1;
    unsigned a, b, c = 0, d;
    if (known < 0)
        known = __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) &&
                (c & bit_F16C) != 0;
    return known;
}
#define F16(name) (has_f16c() ? name##_f16c : name##_each)
#else
#define F16(name) name##_each
#endif
static void cast_f16_f32(ARGUMENTS) { F16(cast_f16_f32)(to, from, n); }
static void cast_f32_f16(ARGUMENTS) { F16(cast_f32_f16)(to, from, n); }

/* ---- the pairs ---- */

CAST(f32, float, f64, double, x)
CAST(f32, float, bf16, uint16_t, bf16_of_f32(x))
CAST(f32, float, i32, int32_t, i32_of_f32(x))
CAST(f32, float, i16, int16_t, i32_of_f32(x))
/* also uint8: a float that does not fit 32 bits is a multiple of 256 */
CAST(f32, float, i8, uint8_t, i32_of_f32(x))
CAST(f32, float, bool, uint8_t, x != 0)
CAST_IF_FITS(f32, float, i64, int64_t, int32_t, BEYOND_F32, (int32_t)x, i64_of_f64(x))

CAST(f64, double, f32, float, x)
CAST(f64, double, bf16, uint16_t, bf16_of_f32((float)x))
CAST(f64, double, i32, int32_t, i32_of_f64(x))
CAST(f64, double, i16, int16_t, i32_of_f64(x))
CAST(f64, double, i8, uint8_t, i32_of_f64(x))
CAST(f64, double, bool, uint8_t, x != 0)
CAST_IF_FITS(f64, double, i64, int64_t, int64_t, BEYOND_F64, (int32_t)x, i64_of_f64(x))
CAST_IF_FITS(f64, double, u8, uint8_t, int64_t, BEYOND_F64, (int32_t)x, i64_of_f64(x))

CAST(bf16, uint16_t, f32, float, f32_of_bf16(x))
CAST(bf16, uint16_t, f64, double, f32_of_bf16(x))
CAST(bf16, uint16_t, i32, int32_t, i32_of_f32(f32_of_bf16(x)))
CAST(bf16, uint16_t, i16, int16_t, i32_of_f32(f32_of_bf16(x)))
CAST(bf16, uint16_t, i8, uint8_t, i32_of_f32(f32_of_bf16(x)))
CAST(bf16, uint16_t, bool, uint8_t, (x & 0x7fff) != 0) /* float16 likewise */

CAST(i64, int64_t, i32, int32_t, x)
CAST(i64, int64_t, i16, int16_t, x)
CAST(i64, int64_t, i8, uint8_t, x)
CAST(i64, int64_t, bool, uint8_t, x != 0)
CAST_IF_FITS(i64, int64_t, f32, float, uint64_t, BEYOND_I64, (int32_t)x, x)
CAST_IF_FITS(i64, int64_t, f64, double, uint64_t, BEYOND_I64, (int32_t)x, x)

#define FROM_SMALL(a, F, read)                                                         \
    CAST(a, F, f32, float, read(x)) CAST(a, F, f64, double, read(x))                   \
    CAST(a, F, bf16, uint16_t, bf16_of_f32((float)read(x)))                            \
    CAST(a, F, i64, int64_t, read(x))
#define VALUE(x) (x)
#define TRUTH(x) (int32_t)((x) != 0)
FROM_SMALL(i32, int32_t, VALUE)
CAST(i32, int32_t, i16, int16_t, x)
CAST(i32, int32_t, i8, uint8_t, x)
CAST(i32, int32_t, bool, uint8_t, x != 0)
FROM_SMALL(i16, int16_t, VALUE)
CAST(i16, int16_t, i32, int32_t, x)
CAST(i16, int16_t, i8, uint8_t, x)
CAST(i16, int16_t, bool, uint8_t, x != 0)
FROM_SMALL(i8, int8_t, VALUE)
CAST(i8, int8_t, i32, int32_t, x)
CAST(i8, int8_t, i16, int16_t, x)
CAST(i8, uint8_t, bool, uint8_t, x != 0) /* and from uint8 and bool to one byte */
FROM_SMALL(u8, uint8_t, VALUE)
CAST(u8, uint8_t, i32, int32_t, x)
CAST(u8, uint8_t, i16, int16_t, x)
FROM_SMALL(bool, uint8_t, TRUTH)
CAST(bool, uint8_t, i32, int32_t, TRUTH(x))
CAST(bool, uint8_t, i16, int16_t, TRUTH(x))

CAST_THROUGH_F32(bf16, uint16_t, i64, int64_t)
CAST_THROUGH_F32(i64, int64_t, bf16, uint16_t)
CAST_THROUGH_F32(f16, uint16_t, f64, double)
CAST_THROUGH_F32(f16, uint16_t, bf16, uint16_t)
CAST_THROUGH_F32(f16, uint16_t, i64, int64_t)
CAST_THROUGH_F32(f16, uint16_t, i32, int32_t)
CAST_THROUGH_F32(f16, uint16_t, i16, int16_t)
CAST_THROUGH_F32(f16, uint16_t, i8, uint8_t)
CAST_THROUGH_F32(f64, double, f16, uint16_t)
CAST_THROUGH_F32(bf16, uint16_t, f16, uint16_t)
CAST_THROUGH_F32(i64, int64_t, f16, uint16_t)
CAST_THROUGH_F32(i32, int32_t, f16, uint16_t)
CAST_THROUGH_F32(i16, int16_t, f16, uint16_t)
CAST_THROUGH_F32(i8, int8_t, f16, uint16_t)
CAST_THROUGH_F32(u8, uint8_t, f16, uint16_t)
CAST_THROUGH_F32(bool, uint8_t, f16, uint16_t)

/* The pairs that another function serves: the same bytes come out. */
#define cast_f32_f32 cast_same_4
#define cast_f64_f64 cast_same_8
#define cast_f16_f16 cast_same_2
#define cast_bf16_bf16 cast_same_2
#define cast_i64_i64 cast_same_8
#define cast_i32_i32 cast_same_4
#define cast_i16_i16 cast_same_2
#define cast_i8_i8 cast_same_1
#define cast_u8_u8 cast_same_1
#define cast_u8_i8 cast_same_1
#define cast_i8_u8 cast_same_1
#define cast_bool_bool cast_same_1
#define cast_bool_i8 cast_i8_bool
#define cast_bool_u8 cast_i8_bool
#define cast_u8_bool cast_i8_bool
#define cast_f32_u8 cast_f32_i8
#define cast_f16_u8 cast_f16_i8
#define cast_f16_bool cast_bf16_bool
#define cast_bf16_u8 cast_bf16_i8
#define cast_i64_u8 cast_i64_i8
#define cast_i32_u8 cast_i32_i8
#define cast_i16_u8 cast_i16_i8

#define FROM(a)                                                                        \
    {cast_##a##_f32, cast_##a##_f64, cast_##a##_f16, cast_##a##_bf16, cast_##a##_i64,  \
     cast_##a##_i32, cast_##a##_i16, cast_##a##_i8, cast_##a##_u8, cast_##a##_bool}
const Cast tt_cast[10][10] = {
    FROM(f32), FROM(f64), FROM(f16), FROM(bf16), FROM(i64),
    FROM(i32), FROM(i16), FROM(i8), FROM(u8), FROM(bool)};
