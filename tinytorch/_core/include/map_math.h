/* Unary mathematics: powers, exponentials, logarithms, circular and hyperbolic
   functions, rounding, sign.  p[0] = f(p[1]); where PyTorch keeps integers there is an
   _i64. */
#ifndef T
#ifndef TT_MAP_MATH_H
#define TT_MAP_MATH_H
#include "loops.h"
#define TT_FILE "map_math.h"
#include "each_float.h"

/* Unsigned arithmetic: the smallest integer wraps as in PyTorch. */
INT_MAP(neg, 0 - (uint64_t)x)
INT_MAP(abs, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
INT_MAP(sign, (x > 0) - (x < 0))
INT_MAP(square, (uint64_t)x * (uint64_t)x)
INT_MAP(copy, x) /* floor, ceil, trunc and round of integers */
INT_MAP(bitwise_not, ~x)
#endif
#else

MAP(neg, -x)
MAP(abs, F(abs)(x))
MAP(copy, x)
MAP(sign, (T)((x > 0) - (x < 0)))
MAP(square, x * x)
MAP(sqrt, L(sqrt)(x))
MAP(rsqrt, 1 / L(sqrt)(x))
MAP(reciprocal, 1 / x)

MAP(exp, F(exp)(x))
MAP(exp2, F(exp2)(x))
MAP(expm1, F(expm1)(x))
MAP(log, F(log)(x))
MAP(log2, F(log2)(x))
MAP(log10, F(log10)(x))
MAP(log1p, F(log1p)(x))

MAP_BOUNDED(sin, TRIG_LIMIT, F(sin)(x), L(sin)(x))
MAP_BOUNDED(cos, TRIG_LIMIT, F(cos)(x), L(cos)(x))
/* sin(pi x) / (pi x); the product is rounded to T first, as PyTorch does */
MAP_BOUNDED(sinc, TRIG_LIMIT / 4,
            x == 0 ? 1 : F(sin)((T)M_PI * x) / ((T)M_PI * x),
            x == 0 ? 1 : L(sin)((T)M_PI * x) / ((T)M_PI * x))
#if TT_SINGLE
MAP_BOUNDED(tan, TRIG_LIMIT, F(tan)(x), L(tan)(x))
MAP(asin, F(asin)(x))
MAP(acos, F(acos)(x))
MAP(atan, F(atan)(x))
#else
MAP_COLD(tan, tan(x))
MAP_COLD(asin, asin(x))
MAP_COLD(acos, acos(x))
MAP_COLD(atan, atan(x))
#endif
MAP(sinh, F(sinh)(x))
MAP(cosh, F(cosh)(x))
MAP(tanh, F(tanh)(x))
MAP_COLD(asinh, L(asinh)(x))
MAP_COLD(acosh, L(acosh)(x))
MAP_COLD(atanh, L(atanh)(x))
MAP(deg2rad, x * (T)0.017453292519943295769)
MAP(rad2deg, x * (T)57.295779513082320877)

MAP(ceil, L(ceil)(x))
MAP(floor, L(floor)(x))
MAP(trunc, L(trunc)(x))
MAP(round, L(rint)(x)) /* half to even */
MAP(frac, x - L(trunc)(x))

/* s[0].i decimals; negative ones round to tens, hundreds, ... */
TT_KERNEL void K(round_decimals)(char **p, int64_t n, const Scalar *s) {
    T *out = (T *)p[0];
    const T *in = (const T *)p[1];
    const int64_t decimals = s[0].i;
    const T power = L(pow)(10, (T)(decimals < 0 ? -decimals : decimals));
    if (decimals < 0)
        TT_ITEMS(out[i] = L(rint)(in[i] / power) * power;)
    else
        TT_ITEMS(out[i] = L(rint)(in[i] * power) / power;)
}

/* s0, s1, s2 take the place of NaN, +infinity and -infinity */
MAP_S3(nan_to_num, x != x ? s0 : x == (T)INFINITY ? s1 : x == -(T)INFINITY ? s2 : x)
#endif
