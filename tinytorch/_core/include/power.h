/* Powers beyond zip_arithmetic.h: fixed exponents, and floats by way of double. */
#ifndef T
#ifndef TT_POWER_H
#define TT_POWER_H
#include "zip_arithmetic.h"
#define TT_FILE "power.h"
#include "each_float.h"

INT_MAP(cube, (uint64_t)x * (uint64_t)x * (uint64_t)x)

/* exp(b log a) in double is within 1e-14, far below float's rounding, but holds only for
   positive normal a and b that keep the result finite; other blocks go element by
   element through the C library. */
TT_KERNEL int tt_power_applies(const float *a, const float *b, int64_t n) {
    int32_t outside = 0;
    _Pragma("omp simd reduction(| : outside)") for (int64_t i = 0; i < n; i++)
        outside |= !(a[i] > 0) | !(a[i] < INFINITY) | !(tt_abs_f32(b[i]) < 0x1p20f);
    return !outside;
}
TT_INLINE double tt_within_exp(double x) {
    return x > 700 ? 700 : x < -700 ? -700 : x;
}
TT_LOOP2(TT_KERNEL, power_block_f32, float, float, a, b, TT_S0,
         (float)tt_exp_f64(tt_within_exp((double)b * tt_log_f64((double)a))))
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
