/* Choosing and combining three operands: where, clamp, addcmul, addcdiv, lerp. */
#ifndef T
#ifndef TT_SELECT_H
#define TT_SELECT_H
#include "loops.h"

/* p[1] is the condition in uint8_t; values are moved by width, whatever they mean. */
#define WHERE(name, WORD)                                                              \
    TT_KERNEL void name(char **p, int64_t n, const Scalar *s) {                        \
        WORD *out = (WORD *)p[0];                                                      \
        const uint8_t *condition = (const uint8_t *)p[1];                              \
        const WORD *in2 = (const WORD *)p[2], *in3 = (const WORD *)p[3];               \
        (void)s;                                                                       \
        TT_ITEMS(const WORD a = in2[i], b = in3[i]; out[i] = condition[i] ? a : b;)    \
    }
WHERE(where_8, uint8_t)
WHERE(where_16, uint16_t)
WHERE(where_32, uint32_t)
WHERE(where_64, uint64_t)
#undef WHERE

#define TT_FILE "select.h"
#include "each_float.h"

TT_LOOP3(TT_KERNEL, addcmul_i64, int64_t, int64_t, a, b, c, TT_S0,
         (uint64_t)a + (uint64_t)s[0].i * (uint64_t)b * (uint64_t)c)
TT_LOOP3(TT_KERNEL, clamp_tensor_i64, int64_t, int64_t, x, low, high, TT_S0,
         (x < low ? low : x) > high ? high : x < low ? low : x)
INT_MAP(clamp, (x < s[0].i ? s[0].i : x) > s[1].i ? s[1].i : x < s[0].i ? s[0].i : x)
INT_MAP(clamp_min, x < s[0].i ? s[0].i : x)
INT_MAP(clamp_max, x > s[0].i ? s[0].i : x)
#endif
#else

#define ZIP3_S1(name, ...)                                                             \
    TT_LOOP3(TT_KERNEL, K(name), T, T, a, b, c, TT_S1, __VA_ARGS__)
ZIP3_S1(addcmul, a + s0 * b * c)
ZIP3_S1(addcdiv, a + s0 * b / c)
#undef ZIP3_S1

/* From the nearer end, so that the weight 1 gives b exactly. */
TT_INLINE T F(lerp)(T a, T b, T weight) {
    return F(abs)(weight) < (T)0.5 ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}
ZIP_S1(lerp, F(lerp)(a, b, s0))
TT_LOOP3(TT_KERNEL, K(lerp_tensor), T, T, a, b, weight, TT_S0, F(lerp)(a, b, weight))

/* NaN passes, from x as from a bound; where low > high the result is high. */
TT_INLINE T F(clamp)(T x, T low, T high) {
    const T y = x < low || low != low ? low : x;
    return y > high || high != high ? (y != y ? y : high) : y;
}
TT_LOOP3(TT_KERNEL, K(clamp_tensor), T, T, x, low, high, TT_S0, F(clamp)(x, low, high))

/* With bounds that are numbers NaN is asked for once, not in each element. */
MAP_S2(clamp_within, F(min)(s1, F(max)(s0, x)))
MAP_S1(clamp_nan, x * 0 + s0)
TT_COLD void K(clamp)(char **p, int64_t n, const Scalar *s) { /* hardtanh too */
    const Scalar both = {.f = s[0].f + s[1].f};
    const int odd = s[0].f != s[0].f || s[1].f != s[1].f;
    (odd ? K(clamp_nan) : K(clamp_within))(p, n, odd ? &both : s);
}
MAP_S1(clamp_min, s0 != s0 ? s0 : F(max)(s0, x))
MAP_S1(clamp_max, s0 != s0 ? s0 : F(min)(s0, x))
#endif
