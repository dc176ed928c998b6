/* x = mantissa * 2^exponent with 0.5 <= |mantissa| < 1; 0, NaN and infinity keep 0. */
#ifndef T
#ifndef TT_FREXP_H
#define TT_FREXP_H
#include "loops.h"
#define TT_FILE "frexp.h"
#include "each_float.h"
#endif
#else

TT_INLINE T F(frexp)(T x, int *exponent) {
    *exponent = 0;
    return F(abs)(x) < (T)INFINITY ? L(frexp)(x, exponent) : x;
}
static T F(exponent_of)(T x) {
    int exponent;
    F(frexp)(x, &exponent);
    return (T)exponent;
}
static T F(mantissa_of)(T x) {
    int exponent;
    return F(frexp)(x, &exponent);
}
MAP_COLD(mantissa, F(mantissa_of)(x))
MAP_COLD(exponent, F(exponent_of)(x))
#endif
