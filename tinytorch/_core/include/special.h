/* Special functions: error functions, gamma family, normal distribution.  All but erf
   and entr are computed in double and rounded; they are rare, so most are one scalar
   text for every instruction set. */
#ifndef T
#ifndef TT_SPECIAL_H
#define TT_SPECIAL_H
#include "loops.h"

/* ---- normal distribution and inverse error functions ---- */

/* The y > 0 with erfc(y) = q for 0 < q < 1.  Winitzki's formula starts; Halley steps on
   log erfc, which is nearly a parabola, converge from it also where q underflows. */
static double tt_erfc_inverse(double q) {
    const double a = 0.147, w = log(q * (2 - q)), t = 2 / (M_PI * a) + w / 2;
    double y = sqrt(sqrt(t * t - w / a) - t);
    for (int step = 0; step < 3; step++) {
        const double tail = erfc(y);
        const double slope = -M_2_SQRTPI * exp(-y * y) / tail;
        const double newton = log(tail / q) / slope;
        if (!isfinite(newton)) break; /* the tail is denormal: y is the best there is */
        y -= newton / (1 + newton * (y + slope / 2));
    }
    return y;
}

static const double tt_erfinv_near[] = {
    8.862269278004927e-01, 2.320135415164338e-01, 1.155042494976050e-02,
    -2.338715557965398e-03, -1.219168471609432e-04, 4.060778911804971e-05,
    5.639899585104977e-06, -2.375854984203707e-06, 2.684926006485843e-07,
    -9.199690381192315e-09, -4.865298848560660e-10, 3.533538765356324e-11,};
static const double tt_erfinv_far[] = {
    3.083885598356312e+00, 1.005258976445540e+00, 5.371801473075441e-03,
    -3.751305708777491e-03, 2.481061418226034e-03, -1.687722641478431e-03,
    9.961567582897201e-04, -3.584663544464186e-04, -4.969531675072532e-05,
    7.892228367158515e-05,};

/* erfinv(x) / x to 3e-9, enough for float: polynomials in w = -log(1 - x^2) up to 6 and
   in sqrt(w) - 3.25 up to 16.7, which the largest float below 1 has. */
TT_INLINE double tt_erfinv_ratio(double w) {
    const double r = sqrt(w) - 3.25;
    double near = 0, far = 0;
    for (int k = 11; k >= 0; k--) near = near * w + tt_erfinv_near[k];
    for (int k = 9; k >= 0; k--) far = far * r + tt_erfinv_far[k];
    return w < 6 ? near : far;
}

TT_INLINE float tt_erfinv_f32(float x) {
    const double z = x, w = -tt_log_f64((1 - z) * (1 + z));
    const float y = (float)(z * tt_erfinv_ratio(w));
    return tt_abs_f32(x) == 1 ? x * INFINITY : y; /* beyond 1 the logarithm is NaN */
}

static double tt_erfinv_f64(double x) {
    const double a = fabs(x), w = -log1p(-a * a);
    if (!(a < 1)) return a == 1 ? x * INFINITY : NAN;
    if (w > 16) return copysign(tt_erfc_inverse(1 - a), x);
    const double y = a * tt_erfinv_ratio(w);
    const double miss = a > 0.5 ? (1 - a) - erfc(y) : erf(y) - a;
    const double newton = miss / (M_2_SQRTPI * exp(-y * y));
    return copysign(y - newton / (1 + newton * y), x);
}

static double tt_ndtri(double p) {
    if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (p > 0.25 && p < 0.75) return M_SQRT2 * tt_erfinv_f64(2 * p - 1);
    return p < 0.5 ? -M_SQRT2 * tt_erfc_inverse(2 * p)
                   : M_SQRT2 * tt_erfc_inverse(2 * (1 - p));
}

static double tt_log_ndtr(double x) {
    const double t = -x * M_SQRT1_2;
    if (x > -1) return log1p(-erfc(-t) / 2);
    if (t < 25) return log(erfc(t) / 2);
    const double z = 1 / (2 * t * t); /* erfc's asymptotic series */
    const double series = -z * (1 - z * (3 - z * (15 - 105 * z)));
    return -t * t - log(2 * t / M_2_SQRTPI * 2) + log1p(series);
}

/* ---- gamma family ---- */

static double tt_lgamma(double x) {
    int sign; /* lgamma itself writes a global variable */
    return lgamma_r(x, &sign);
}

/* B_2k / (2k), k = 1.. */
static const double tt_digamma_tail[] = {
    1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12};
/* B_2k, k = 1.. */
static const double tt_bernoulli[] = {
    1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730, 7. / 6, -3617. / 510,
    43867. / 798, -174611. / 330};

/* log x - 1/(2x) - sum B_2k / (2k x^2k) from x = 10 on, reached by recurrence */
static double tt_digamma(double x) {
    if (x == 0) return copysign(INFINITY, -x);
    if (isinf(x)) return x > 0 ? x : NAN;
    double y = 0;
    if (x < 0) {
        double whole;
        const double part = modf(x, &whole);
        if (part == 0) return NAN;
        y = -M_PI / tan(M_PI * part);
        x = 1 - x;
    }
    for (; x < 10; x++) y -= 1 / x;
    const double z = 1 / (x * x);
    double tail = 0;
    for (int k = 6; k >= 0; k--) tail = (tail + tt_digamma_tail[k]) * z;
    return y + log(x) - 0.5 / x - tail;
}

/* 1/x + 1/(2x^2) + sum B_2k / x^(2k+1) */
static double tt_trigamma(double x) {
    double y = 0, sign = 1;
    if (x < 0.5) {
        const double sine = sin(M_PI * x);
        y = -(M_PI * M_PI) / (sine * sine);
        x = 1 - x;
        sign = -1;
    }
    for (; x < 10; x++) y += 1 / (x * x);
    const double z = 1 / (x * x);
    double tail = 0;
    for (int k = 7; k >= 0; k--) tail = (tail + tt_bernoulli[k]) * z;
    return sign * (y + 1 / x + z / 2 + tail / x);
}

/* Hurwitz zeta, sum (q + k)^-x, by Euler and Maclaurin after the first terms */
static double tt_zeta(double x, double q) {
    if (x == 1) return INFINITY;
    if (!(x > 1) || q != q) return NAN;
    if (q <= 0) {
        if (q == floor(q)) return INFINITY;
        if (x != floor(x)) return NAN; /* a negative base without a real power */
    }
    double y = 0;
    for (int k = 0; k < 9 || q <= 9; k++, q++) {
        const double term = pow(q, -x);
        y += term;
        if (fabs(term) < 1e-17 * fabs(y) && q > 0) return y;
    }
    const double end = pow(q, -x);
    y += end * q / (x - 1) + end / 2;
    double factor = end * x / q / 2;
    for (int k = 0; k < 10; k++) {
        const double term = tt_bernoulli[k] * factor;
        y += term;
        if (fabs(term) < 1e-17 * fabs(y)) break;
        factor *= (x + 2 * k + 1) * (x + 2 * k + 2) / (q * q);
        factor /= (2 * k + 3.) * (2 * k + 4.);
    }
    return y;
}

static double tt_polygamma(int64_t order, double x) {
    if (order == 0) return tt_digamma(x);
    if (order == 1) return tt_trigamma(x);
    return (order & 1 ? 1 : -1) * exp(tt_lgamma(order + 1.)) * tt_zeta(order + 1., x);
}

#define TT_FILE "special.h"
#include "each_float.h"
#endif
#else

#if TT_SINGLE
MAP(erf, F(erf)(x))
MAP(erfinv, F(erfinv)(x))
#else
MAP_COLD(erfinv, F(erfinv)(x))
MAP_COLD(erf, erf(x))
#endif
MAP_COLD(erfc, L(erfc)(x))
MAP_COLD(ndtr, (T)(0.5 * erfc(-x * M_SQRT1_2)))
MAP_COLD(ndtri, (T)tt_ndtri(x))
MAP_COLD(log_ndtr, (T)tt_log_ndtr(x))
MAP(entr, x < 0 ? -(T)INFINITY : x == 0 ? 0 : -x * F(log)(x))

MAP_COLD(lgamma, (T)tt_lgamma(x))
MAP_COLD(digamma, (T)tt_digamma(x))
MAP_COLD(polygamma, (T)tt_polygamma(s[0].i, x)) /* order >= 0 */
ZIP_COLD(zeta, (T)tt_zeta(a, b))
#endif
