/* Gradients of unary and binary mathematics: p[0] = gx, p[1] = gy, then what was saved,
   x or y (GRAD, GRAD_OF_Y). */
#ifndef T
#ifndef TT_MATH_BACKWARD_H
#define TT_MATH_BACKWARD_H
#include "loops.h"
#define TT_FILE "math_backward.h"
#include "each_float.h"
#endif
#else

GRAD(abs, gy * (T)((x > 0) - (x < 0)))
GRAD(square, gy * (2 * x))
GRAD_OF_Y(sqrt, gy / (2 * y))
GRAD_OF_Y(rsqrt, (T)-0.5 * gy * (y * y * y))
GRAD_OF_Y(reciprocal, -gy * (y * y))

GRAD_OF_Y(exp, gy * y)
GRAD_OF_Y(exp2, gy * y * (T)M_LN2)
GRAD_OF_Y(expm1, gy * (y + 1))
GRAD(log, gy / x)
GRAD(log2, gy / (x * (T)M_LN2))
GRAD(log10, gy / (x * (T)M_LN10))
GRAD(log1p, gy / (x + 1))

GRAD_OF_Y(tan, gy * (1 + y * y))
GRAD(asin, gy / L(sqrt)(1 - x * x))
GRAD(acos, -gy / L(sqrt)(1 - x * x))
GRAD(atan, gy / (x * x + 1))
GRAD(sinh, gy * F(cosh)(x))
GRAD(cosh, gy * F(sinh)(x))
GRAD(asinh, gy / L(sqrt)(x * x + 1))
GRAD(acosh, gy / L(sqrt)(x * x - 1))
GRAD(atanh, gy / (1 - x * x))
GRAD(erf, gy * ((T)M_2_SQRTPI * F(exp)(-(x * x))))

/* s0 = exponent, not zero */
GRAD_COLD_S1(pow, gy * (s0 * L(pow)(x, s0 - 1)))

/* sin and cos see arguments of any size, so they go block by block as forward does */
#define TRIG_GRAD(name, vector, library)                                               \
    TT_LOOP2(TT_KERNEL, K(name##_backward_block), T, T, gy, x, TT_S0, vector)          \
    TT_LOOP2(TT_COLD, K(name##_backward_library), T, T, gy, x, TT_S0, library)         \
    TT_COLD void K(name##_backward)(char   **p, int64_t n, const Scalar *s) {          \
        for (int64_t start = 0; start < n; start += TT_BLOCK) {                        \
            const int64_t m = n - start < TT_BLOCK ? n - start : TT_BLOCK;             \
            const int64_t skip = start * (int64_t)sizeof(T);                           \
            char *q[3] = {p[0] + skip, p[1] + skip, p[2] + skip};                      \
            (F(within)((const T *)q[2], m, TRIG_LIMIT)                                 \
                 ? K(name##_backward_block) : K(name##_backward_library))(q, m, s);    \
        }                                                                              \
    }
TRIG_GRAD(sin, gy * F(cos)(x), gy * L(cos)(x))
TRIG_GRAD(cos, -gy * F(sin)(x), -gy * L(sin)(x))
#undef TRIG_GRAD

/* gradient of a / b for b, from gy, a, b */
TT_LOOP3(TT_KERNEL, K(div_backward_b), T, T, gy, a, b, TT_S0, -gy * ((a / b) / b))
#endif
