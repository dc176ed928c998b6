/* Regularised incomplete gamma functions, lower P(a, x) and upper Q(a, x) = 1 - P,
   computed in double for both types: a series below the mean, a continued fraction
   above it, so that the smaller of the two is exact. */
#ifndef T
#ifndef TT_INCOMPLETE_GAMMA_H
#define TT_INCOMPLETE_GAMMA_H
#include <math.h>
#include "special.h"

/* x^a e^-x / Gamma(a + 1).  For large a by Stirling's series: a log a cancels. */
static double tt_gamma_weight(double a, double x) {
    if (a < 10) return exp(a * log(x) - x - tt_lgamma(a + 1));
    const double mu = (x - a) / a, z = 1 / (a * a);
    const double stirling = (1. / 12 - z * (1. / 360 - z * (1. / 1260 - z / 1680))) / a;
    const double exponent = fabs(mu) < 0.5 ? log1p(mu) - mu : log(x / a) - mu;
    return exp(a * exponent - stirling) / sqrt(2 * M_PI * a);
}

/* P = weight (1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...) */
static double tt_gamma_series(double a, double x) {
    double term = 1, sum = 1;
    for (int n = 1; n < 10000000 && term > 1e-17 * sum; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return tt_gamma_weight(a, x) * sum;
}

/* Q = weight a / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), by Lentz's method */
static double tt_gamma_fraction(double a, double x) {
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, f = d;
    for (int n = 1; n < 10000000; n++) {
        const double step = -n * (n - a);
        b += 2;
        d = step * d + b;
        c = b + step / c;
        if (fabs(d) < tiny) d = tiny;
        if (fabs(c) < tiny) c = tiny;
        d = 1 / d;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return tt_gamma_weight(a, x) * a * f;
}

static double tt_igamma(double a, double x, int upper) {
    if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0)) return NAN;
    if (isinf(a)) return isinf(x) ? NAN : upper;
    if (x == 0) return upper;
    if (a == 0 || isinf(x)) return !upper;
    if (x < a + 1) {
        const double p = tt_gamma_series(a, x);
        return upper ? 1 - p : p;
    }
    const double q = tt_gamma_fraction(a, x);
    return upper ? q : 1 - q;
}

#define TT_FILE "incomplete_gamma.h"
#include "each_float.h"
#endif
#else

ZIP_COLD(igamma, (T)tt_igamma(a, b, 0))
ZIP_COLD(igammac, (T)tt_igamma(a, b, 1))
#endif
