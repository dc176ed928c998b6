/* Powers beyond zip_arithmetic.h: fixed exponents, and floats by way of double. */
#ifndef T
#ifndef TT_POWER_H
#define TT_POWER_H
#include "zip_arithmetic.h"
#define TT_FILE "power.h"
#include "each_float.h"

INT_MAP(cube, (uint64_t)x * (uint64_t)x * (uint64_t)x)

/* exp(b log |a|) in double is within 1e-14, far below float's rounding.  It holds for
   finite operands and a != 0; other blocks go through the C library. */
TT_KERNEL int tt_power_applies(const float *a, const float *b, int64_t n) {
    int32_t outside = 0;
    _Pragma("omp simd reduction(| : outside)") for (int64_t i = 0; i < n; i++)
        outside |= !(tt_abs_f32(a[i]) > 0) | !(tt_abs_f32(a[i]) < INFINITY) |
                   !(tt_abs_f32(b[i]) < 0x1p20f);
    return !outside;
}
/* A negative base has the sign of an odd exponent, and no power that is not whole. */
TT_INLINE float tt_power_sign(float a, float b) {
    const float half = b / 2, whole = truncf(b) == b ? 1 : NAN;
    return a > 0 ? 1 : truncf(half) == half ? whole : -whole;
}
TT_INLINE float tt_power(float a, float b) {
    const double x = (double)b * tt_log_f64((double)tt_abs_f32(a));
    const double y = tt_exp_f64(x > 700 ? 700 : x < -700 ? -700 : x);
    return tt_power_sign(a, b) * (float)y;
}
TT_LOOP2(TT_KERNEL, power_block_f32, float, float, a, b, TT_S0, tt_power(a, b))
TT_COLD void power_f32(char **p, int64_t n, const Scalar *s) {
    for (int64_t start = 0; start < n; start += TT_BLOCK) {
        const int64_t m = n - start < TT_BLOCK ? n - start : TT_BLOCK;
        const int64_t skip = start * (int64_t)sizeof(float);
        char *q[3] = {p[0] + skip, p[1] + skip, p[2] + skip};
        (tt_power_applies((const float *)q[1], (const float *)q[2], m)
             ? power_block_f32 : pow_f32)(q, m, s);
    }
}
#define power_f64 pow_f64
#define power_i64 pow_i64
#endif
#else

MAP(cube, x * x * x)
MAP(inverse_square, 1 / (x * x))
#endif
