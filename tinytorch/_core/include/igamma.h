/* The incomplete gamma functions P(a, x), Q = 1 - P, in double for both types.
   Temme, "The asymptotic expansion of the incomplete gamma functions", 1979. */
#ifndef T
#ifndef TT_IGAMMA_H
#define TT_IGAMMA_H
#include "loops.h"

/* x^a e^-x / Gamma(a + 1); by Stirling's series where lgamma would be too large to be
   exact after exp */
static double tt_gamma_weight(double a, double x) {
    if (a < 20) return exp(a * log(x) - x - lgamma(a + 1));
    const double d = (x - a) / a, z = 1 / (a * a);
    const double tail = (1 / 12. - z * (1 / 360. - z * (1 / 1260. - z / 1680))) / a;
    return exp(a * (log1p(d) - d) - tail) / sqrt(2 * M_PI * a);
}

/* Q for large a: its error is below a^-1.5 / 1000 */
static double tt_gamma_large(double a, double x) {
    const double d = (x - a) / a, half = d - log1p(d);
    const double eta = copysign(sqrt(2 * half), d);
    const double c = fabs(eta) < 1e-2
        ? -1 / 3. + eta * (1 / 12. - eta * (2 / 135. - eta / 864))
        : 1 / d - 1 / eta;
    return erfc(eta * sqrt(a / 2)) / 2 + exp(-a * half) / sqrt(2 * M_PI * a) * c;
}

/* P, or Q if upper: whichever is small is computed, the other one is the rest to 1 */
static double tt_igamma(double a, double x, int upper) {
    if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0) || (isinf(a) && isinf(x)))
        return NAN;
    if (a == 0 || isinf(x)) return !upper;
    if (x == 0 || isinf(a)) return upper;
    if (a > 1e6) return tt_gamma_large(a, x) * (upper ? 1 : -1) + !upper;
    const double weight = tt_gamma_weight(a, x);
    if (x < a + 1) { /* the power series of P */
        double term = 1, sum = 1;
        for (double k = a + 1; term > sum * 1e-17; k++) sum += term *= x / k;
        return upper ? 1 - weight * sum : weight * sum;
    }
    /* Legendre's continued fraction of Q, by Lentz */
    double b = x + 1 - a, c = 1e300, d = 1 / b, y = d;
    for (int k = 1; k < 100000; k++) {
        const double n = -k * (k - a);
        b += 2;
        d = 1 / (b + n * d);
        c = b + n / c;
        y *= c * d;
        if (fabs(c * d - 1) < 1e-16) break;
    }
    return upper ? weight * a * y : 1 - weight * a * y;
}

#define TT_FILE "igamma.h"
#include "each_float.h"
#endif
#else

ZIP_COLD(igamma, (T)tt_igamma(a, b, 0))
ZIP_COLD(igammac, (T)tt_igamma(a, b, 1))
ZIP_COLD(gamma_density, (T)exp((a - 1) * log((double)b) - b - lgamma((double)a)))
#endif
