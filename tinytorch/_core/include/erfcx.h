/* erfcx(x) = exp(x^2) erfc(x), computed in double for both types. */
#ifndef T
#ifndef TT_ERFCX_H
#define TT_ERFCX_H
#include "loops.h"

/* The rounding error of x^2 would be multiplied by x^2, so it is made up for.  From 25
   on, long before erfc vanishes, the asymptotic series in z = 1 / (2 x^2) is exact. */
static inline double tt_erfcx(double x) {
    const double square = x * x, z = 0.5 / square;
    if (x < 25) return exp(square) * (1 + fma(x, x, -square)) * erfc(x);
    const double tail = 1 - 5 * z * (1 - 7 * z * (1 - 9 * z * (1 - 11 * z)));
    return (1 - z * (1 - 3 * z * tail)) / x * (M_2_SQRTPI / 2);
}

#define TT_FILE "erfcx.h"
#include "each_float.h"
#endif
#else

MAP_COLD(erfcx, x < -26.7 ? (T)INFINITY : (T)tt_erfcx(x))
#endif
