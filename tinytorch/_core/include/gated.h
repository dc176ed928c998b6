/* Activations of two operands, each with the gradients of both: p[0] = f(a, b), or gx
   of gy and those of a, b that matter. */
#ifndef T
#ifndef TT_GATED_H
#define TT_GATED_H
#include "loops.h"
#define TT_FILE "gated.h"
#include "each_float.h"
#endif
#else

#define GRAD2(name, ...) \
    TT_LOOP3(TT_KERNEL, K(name), T, T, gy, a, b, TT_S0, __VA_ARGS__)

/* b is the slope of negative a */
ZIP(prelu, a > 0 ? a : b * a)
GRAD2(prelu_backward_a, a > 0 ? gy : b * gy)
TT_LOOP2(TT_KERNEL, K(prelu_backward_b), T, T, gy, a, TT_S0, a > 0 ? 0 : a * gy)

/* b is the gate of a */
ZIP(glu, a * F(sigmoid)(b))
TT_LOOP2(TT_KERNEL, K(glu_backward_a), T, T, gy, b, TT_S0, gy * F(sigmoid)(b))
TT_INLINE T F(glu_slope_b)(T a, T b) {
    const T s = F(sigmoid)(b);
    return a * s * (1 - s);
}
GRAD2(glu_backward_b, gy * F(glu_slope_b)(a, b))
#undef GRAD2
#endif
