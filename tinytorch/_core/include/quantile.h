/* How a sample moves with its distribution's parameter while its quantile stays:
   dx/da = -(dF/da) / f, for gamma and beta distributions.  F's series are
   differentiated term by term, all relative to the density f, so nothing overflows. */
#ifndef TT_QUANTILE_H
#define TT_QUANTILE_H
#include <math.h>
#include "special.h"

/* F(x; a) = sum over n of x^(a+n) e^-x / Gamma(a+n+1) */
static double gamma_slope_series(double a, double x) {
    double term = x / a, psi = tt_digamma(a + 1), sum = 0;
    const double log_x = log(x);
    for (int n = 0; n < 1000000; n++) {
        const double part = term * (log_x - psi);
        sum += part;
        if (a + n > x && fabs(part) < 1e-17 * fabs(sum)) break;
        psi += 1 / (a + n + 1);
        term *= x / (a + n + 1);
    }
    return -sum;
}

/* Far above the mean, 1 - F in falling powers of x:  f (1 + (a-1)/x + ...) */
static double gamma_slope_tail(double a, double x) {
    double term = 1, slope = 0, sum = 0, slopes = 0;
    for (int n = 1; n < 1000; n++) {
        sum += term;
        slopes += slope;
        const double next = term * (a - n) / x;
        if (fabs(next) < 1e-17 * fabs(sum) || (n > a && fabs(next) > fabs(term))) break;
        slope = (slope * (a - n) + term) / x;
        term = next;
    }
    return (log(x) - tt_digamma(a)) * sum + slopes;
}

/* The shape so large that x is nearly normal: Cornish and Fisher's expansion. */
static double gamma_slope_large(double a, double x) {
    const double root = sqrt(a), z0 = (x - a) / root;
    const double z = z0 - (z0 * z0 - 1) / (3 * root);
    return 1 + z / (2 * root) - z * (z * z - 7) / (72 * a * root);
}

static double gamma_slope(double a, double x) {
    if (!(x > 0) || !(a > 0)) return x == 0 ? 0 : NAN;
    if (a > 1e5) return gamma_slope_large(a, x);
    if (x > 20 && x > a + 6 * sqrt(a)) return gamma_slope_tail(a, x);
    return gamma_slope_series(a, x);
}

/* x/a (sum of the derived series of F) for x below the mean; `upper` is the same from
   the other end, where a is the second parameter of 1 - F. */
static double beta_slope_series(double x, double a, double b, int upper) {
    const double p = upper ? b : a, y = upper ? 1 - x : x, total = a + b;
    double term = 1, sum = 0;
    double inner = upper ? log1p(-y) - tt_digamma(a) + tt_digamma(total)
                         : log(y) - tt_digamma(a) + tt_digamma(total) - 1 / a;
    for (int n = 0; n < 1000000; n++) {
        const double part = term * inner;
        sum += part;
        if (fabs(part) < 1e-17 * fabs(sum) && y * (total + n) < p + 1 + n) break;
        inner += 1 / (total + n) - (upper ? 0 : 1 / (p + 1 + n));
        term *= y * (total + n) / (p + 1 + n);
    }
    return sum;
}

/* -(dF/da) / f / (1 - x) for the first parameter a of a beta distribution */
static double beta_slope(double x, double a, double total) {
    const double b = total - a;
    if (x <= 0 || x >= 1) return 0;
    if (x <= (a + 1) / (total + 2)) return -x / a * beta_slope_series(x, a, b, 0);
    return x / b * beta_slope_series(x, a, b, 1);
}

#define TT_FILE "quantile_loops.h"
#include "each_float.h"
TT_FLOAT_LOOPS(gamma_slope)
TT_FLOAT_LOOPS(beta_slope)
#endif
