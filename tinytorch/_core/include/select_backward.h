/* Gradients of choices: p[0] = gx, p[1] = gy, then what was saved. */
#ifndef T
#ifndef TT_SELECT_BACKWARD_H
#define TT_SELECT_BACKWARD_H
#include "loops.h"
#define TT_FILE "select_backward.h"
#include "each_float.h"
#endif
#else

/* within the bounds s0 and s1, both included; NaN is outside */
GRAD_S2(clamp, x >= s0 && x <= s1 ? gy : 0)

/* what the first of two operands gets: all, none, or half of a tie; NaN gets all */
TT_LOOP3(TT_KERNEL, K(maximum_backward), T, T, gy, a, b, TT_S0,
         a == b ? gy / 2 : a < b ? 0 : gy)
#endif
