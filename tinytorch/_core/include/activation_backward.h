/* Gradients of the activations: p[0] = gx, p[1] = gy, p[2] = what was saved, the input
   x (GRAD) or the output y (GRAD_OF_Y).  Scalars as in map_activation.h. */
#ifndef T
#ifndef TT_ACTIVATION_BACKWARD_H
#define TT_ACTIVATION_BACKWARD_H
#include "loops.h"
#define TT_FILE "activation_backward.h"
#include "each_float.h"
#endif
#else

GRAD_OF_Y(relu, y <= 0 ? 0 : gy)
GRAD(relu6, x > 0 && x < 6 ? gy : 0)
GRAD_S1(leaky_relu, x > 0 ? gy : gy * s0)
GRAD_S1(threshold, x <= s0 ? 0 : gy)
GRAD_S2(hardtanh, x > s0 && x < s1 ? gy : 0)
GRAD_S1(hardshrink, x < -s0 || x > s0 ? gy : 0) /* softshrink's too */
GRAD(hardsigmoid, x > -3 && x < 3 ? gy / 6 : 0)
GRAD(hardswish, x >= 3 ? gy : x <= -3 ? 0 : gy * (x / 3 + (T)0.5))

GRAD_OF_Y(tanh, gy * (1 - y * y))
GRAD_OF_Y(sigmoid, gy * (1 - y) * y)
GRAD(log_sigmoid, gy * F(sigmoid)(-x))
GRAD_S2(softplus, x * s0 > s1 ? gy : gy * F(sigmoid)(x * s0))
GRAD(softsign, gy / ((1 + F(abs)(x)) * (1 + F(abs)(x))))
GRAD_OF_Y(tanhshrink, gy * y * y) /* y = tanh(x) */

/* alpha, scale, input_scale; celu and selu are special cases */
GRAD_S3(elu, x > 0 ? gy * s1 : gy * s2 * (s0 * s1) * F(exp)(x * s2))

TT_INLINE T F(silu_slope)(T x) {
    const T s = F(sigmoid)(x);
    return s * (1 + x * (1 - s));
}
GRAD(silu, gy * F(silu_slope)(x))

/* d/dx x Phi(x) = Phi(x) + x phi(x) */
#if TT_SINGLE
TT_INLINE float tt_gelu_slope(float x, float end, float far_end) {
    const float a = tt_abs_f32(x), b = tt_min_f32(far_end, a);
    const float h = tt_normal_tail(tt_min_f32(end, a));
    const float exponent = -0.72134752f * b; /* log2(e) / 2 */
    const float pdf = tt_half_exp2(exponent * b) * 0.79788456f;
    return (x > 0 ? 1 - h : h) + tt_copysign_f32(b, x) * pdf;
}
TT_LOOP2(TT_KERNEL, gelu_backward_f32, float, float, gy, x,
         const float end = tt_hidden(6.5f); const float far_end = tt_hidden(13);,
         gy * tt_gelu_slope(x, end, far_end))
#else
TT_INLINE double tt_gelu_slope_f64(double x) {
    const double cdf = 0.5 * (1 + erf(x * M_SQRT1_2));
    return cdf + x * (tt_exp_f64(-0.5 * x * x) * (M_2_SQRTPI * M_SQRT1_2 * 0.5));
}
GRAD(gelu, gy * tt_gelu_slope_f64(x))
#endif

TT_INLINE T F(gelu_tanh_slope)(T x) {
    const T beta = (T)(M_SQRT2 * M_2_SQRTPI * 0.5), kappa = (T)0.044715, z = x * x;
    const T t = F(tanh)(beta * (x + kappa * z * x));
    const T inner = beta * (1 + 3 * kappa * z);
    return (T)0.5 * (1 + t) + (T)0.5 * x * (1 - t * t) * inner;
}
GRAD(gelu_tanh, gy * F(gelu_tanh_slope)(x))

/* t + x (1 - t^2) sigmoid(x) with t = tanh(softplus(x)) as in tt_mish */
TT_INLINE T F(mish_slope)(T x) {
    const T e = F(exp)(x), m = e * (e + 2), t = m / (m + 2);
    const T slope = t + x * (1 - t * t) * F(sigmoid)(x);
    return x > 20 ? 1 : slope;
}
GRAD(mish, gy * F(mish_slope)(x))

/* gy / (x (1 - x)); zero outside [eps, 1 - eps], NaN outside [0, 1] without eps */
TT_KERNEL void K(logit_backward)(char **p, int64_t n, const Scalar *s) {
    T *out = (T *)p[0];
    const T *in1 = (const T *)p[1], *in2 = (const T *)p[2];
    const T eps = (T)s[0].f, low = eps >= 0 ? eps : 0, high = eps >= 0 ? 1 - eps : 1;
    const T outside = eps >= 0 ? 0 : (T)NAN;
    TT_ITEMS(const T gy = in1[i], x = in2[i];
             out[i] = x >= low && x <= high ? gy / (x * (1 - x)) : outside;)
}
#endif
