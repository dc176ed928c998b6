/* Powers of magnitudes, p[0] = f(p[1]); s0 = the exponent.  Each is the other's slope:
     absolute_power  |x|^s          signed_power  sgn(x) |x|^s
   At x = 0 both are 0, except |0|^0 = 1: the subgradient that norms have there. */
#ifndef T
#ifndef TT_POWERS_H
#define TT_POWERS_H
#include "loops.h"
#define TT_FILE "powers.h"
#include "each_float.h"
#endif
#else
TT_INLINE T F(magnitude)(T x, T s) {
    x = F(abs)(x);
    return s == 0 ? 1 : s == 1 ? x : s == 2 ? x * x : s == -1 ? 1 / x : L(pow)(x, s);
}
TT_LOOP1(TT_COLD, K(absolute_power), T, T, x, TT_S1,
         x == 0 && s0 != 0 ? 0 : F(magnitude)(x, s0))
TT_LOOP1(TT_COLD, K(signed_power), T, T, x, TT_S1,
         x == 0 ? 0 : F(copysign)(F(magnitude)(x, s0), x))
#endif
