/* Activations, p[0] = f(p[1]); scalars in the order of PyTorch's arguments.  Written so
   that NaN passes: the comparison that fails keeps x. */
#ifndef T
#ifndef TT_MAP_ACTIVATION_H
#define TT_MAP_ACTIVATION_H
#include "loops.h"
#define TT_FILE "map_activation.h"
#include "each_float.h"

INT_MAP(relu, x < 0 ? 0 : x)
INT_MAP(relu6, x < 0 ? 0 : x > 6 ? 6 : x)
INT_MAP(threshold, x <= s[0].i ? s[1].i : x)
#endif
#else

TT_INLINE T F(gelu_tanh)(T x) {
    const T inner = x + (T)0.044715 * x * x * x;
    return (T)0.5 * x * (1 + F(tanh)((T)(M_SQRT2 * M_2_SQRTPI * 0.5) * inner));
}

/* tanh(log(1 + e)) = m / (m + 2) with e = exp(x), m = e (e + 2); it is 1 beyond 20 */
TT_INLINE T F(mish)(T x) {
    const T e = F(exp)(x), m = e * (e + 2), y = x * (m / (m + 2));
    return x > 20 ? x : y;
}

MAP(relu, x < 0 ? 0 : x)
MAP(relu6, x < 0 ? 0 : x > 6 ? 6 : x)
MAP_S1(leaky_relu, x > 0 ? x : x * s0)
MAP_S2(threshold, x <= s0 ? s1 : x)

MAP(sigmoid, F(sigmoid)(x))
MAP(log_sigmoid, F(min)(0, x) - F(log1p)(F(exp)(-F(abs)(x))))
/* beta x beyond s1 = threshold is taken as linear */
MAP_S2(softplus, x * s0 > s1 ? x : F(softplus)(x * s0) / s0)
MAP(softsign, x / (1 + F(abs)(x)))
MAP(silu, x * F(sigmoid)(x))
MAP(tanhshrink, x - F(tanh)(x))

/* alpha, scale, input_scale */
MAP_S3(elu, x > 0 ? x * s1 : F(expm1)(x * s2) * (s0 * s1))
MAP_S1(celu, x > 0 ? x : F(expm1)(x / s0) * s0)
MAP(selu, x > 0 ? x * (T)1.0507009873554804934
                : F(expm1)(x) * (T)(1.6732632423543772848 * 1.0507009873554804934))

#if TT_SINGLE
/* x Phi(x) = relu(x) - |x| Phi(-|x|), which has a tail where 1 + erf has none */
TT_LOOP1(TT_KERNEL, gelu_f32, float, float, x, const float end = tt_hidden(6.5f);,
         tt_max_f32(0, x) - tt_min_f32(end, tt_abs_f32(x)) *
                                tt_normal_tail(tt_min_f32(end, tt_abs_f32(x))))
#else
MAP(gelu, x * 0.5 * (1 + erf(x * M_SQRT1_2)))
#endif
MAP(gelu_tanh, F(gelu_tanh)(x))
MAP(mish, F(mish)(x))

MAP(hardsigmoid, F(min)(6, F(max)(0, x + 3)) / 6)
MAP(hardswish, x * F(min)(6, F(max)(0, x + 3)) / 6)
MAP_S1(hardshrink, x >= -s0 && x <= s0 ? 0 : x)
MAP_S1(softshrink, x > s0 ? x - s0 : x < -s0 ? x + s0 : x != x ? x : 0)

/* s0 = eps; a negative or NaN eps does not clamp */
TT_KERNEL void K(logit)(char **p, int64_t n, const Scalar *s) {
    T *out = (T *)p[0];
    const T *in = (const T *)p[1];
    const T eps = (T)s[0].f, low = eps >= 0 ? eps : -(T)INFINITY;
    const T high = eps >= 0 ? 1 - eps : (T)INFINITY;
    TT_ITEMS(const T x = F(min)(high, F(max)(low, in[i]));
             out[i] = F(log)(x / (1 - x));)
}
#endif
