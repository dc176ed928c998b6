/* Samplers that draw a varying number of uniforms: Poisson, gamma, Dirichlet, binomial,
   multinomial.  Operands are contiguous; results have the operands' floating dtype.

   Serial and scalar on purpose, without TT_KERNEL: one fused multiply-add may tip an
   acceptance, and then every later sample differs from PyTorch's, which fuses none. */
#ifndef TT_REJECTION_H
#define TT_REJECTION_H
#include <float.h>
#include "variates.h"

/* ---- Poisson ---- */

/* Transformed rejection (Hörmann 1993, PTRS) from rate 10 on. */
static double poisson_large(Rng *r, double rate) {
    const double log_rate = log(rate);
    const double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double quick = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = next_double(r) - 0.5, v = next_double(r);
        const double us = 0.5 - fabs(u);
        const double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= quick) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
            -rate + k * log_rate - lgamma(k + 1))
            return k;
    }
}

/* Multiplication of uniforms (Knuth) below. */
static double poisson(Rng *r, double rate) {
    if (rate >= 10) return poisson_large(r, rate);
    if (rate == 0) return 0;
    const double bound = exp(-rate);
    double k = 0, product = next_double(r);
    for (; product > bound; k++) product *= next_double(r);
    return k;
}

static void sample_poisson(Rng *r, int dtype, char *y, const char *rate, int64_t n) {
    double x[BLOCK], lambda[BLOCK];
    for (int64_t k; n > 0; n -= k, rate += k * WIDTH[dtype]) {
        k = MIN(n, BLOCK);
        tt_load[1][dtype](lambda, rate, k, 1);
        EACH(k) x[i] = poisson(r, lambda[i]);
        STORE_F64(k);
    }
}

/* ---- Gamma, Dirichlet ---- */

/* PyTorch calculates this in the operands' type: floats are rounded at each step. */
#define ROUND_T(x) (single ? (double)(float)(x) : (double)(x))

/* Marsaglia and Tsang (2000); the constants of PyTorch's are floats. */
static double gamma_variate(Rng *r, double shape, int single) {
    double scale = 1;
    if (shape < 1) {
        if (shape == 0) return 0;
        scale = pow(1 - next_double(r), ROUND_T(1 / shape));
        shape = ROUND_T(shape + 1);
    }
    const double d = ROUND_T(shape - 1.0f / 3.0f), c = 1 / sqrt(9 * d);
    for (;;) {
        double x, y;
        do {
            x = next_normal(r);
            y = 1 + c * x;
        } while (y <= 0);
        const double v = y * y * y, u = 1 - next_double(r), square = x * x;
        if (u < 1 - 0.0331f * square * square) return scale * d * v;
        if (log(u) < 0.5 * square + d * (1 - v + log(v))) return scale * d * v;
    }
}

/* float32 and float64; never below the smallest normal number */
static int sample_gamma(Rng *r, int dtype, char *y, const char *shape, int64_t n) {
    double x[BLOCK], alpha[BLOCK];
    const int single = dtype == TT_F32;
    const double least = single ? FLT_MIN : DBL_MIN;
    if (dtype != TT_F32 && dtype != TT_F64) return -1;
    for (int64_t k; n > 0; n -= k, shape += k * WIDTH[dtype]) {
        k = MIN(n, BLOCK);
        tt_load[1][dtype](alpha, shape, k, 1);
        EACH(k) {
            const double g = ROUND_T(gamma_variate(r, alpha[i], single));
            x[i] = g > least ? g : least;
        }
        STORE_F64(k);
    }
    return 0;
}

/* rows of cols concentrations; work: cols doubles */
static int sample_dirichlet(Rng *r, int dtype, char *y, const char *alpha, double *work,
                            int64_t rows, int64_t cols) {
    const int single = dtype == TT_F32;
    const double least = single ? FLT_MIN : DBL_MIN;
    const double most = single ? 1 - 0x1p-24 : 1 - 0x1p-53;
    if (dtype != TT_F32 && dtype != TT_F64) return -1;
    for (; rows > 0; rows--, alpha += cols * WIDTH[dtype]) {
        const double *x = work;
        double sum = 0;
        tt_load[1][dtype](work, alpha, cols, 1);
        EACH(cols) {
            const double g = gamma_variate(r, work[i], 0);
            sum += work[i] = g > DBL_MIN ? g : DBL_MIN;
        }
        EACH(cols) {
            const double share = ROUND_T(work[i] / sum);
            work[i] = share < least ? least : share > most ? most : share;
        }
        STORE_F64(cols);
    }
    return 0;
}

/* ---- Binomial ---- */

/* log k! less Stirling's approximation to it */
static double stirling_tail(double k) {
    static const double TAIL[] = {
        0.0810614667953272, 0.0413406959554092, 0.0276779256849983,
        0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
        0.0118967099458917, 0.0104112652619720, 0.00925546218271273,
        0.00833056343336287};
    if (k < 10) return TAIL[(int)k];
    const double square = (k + 1) * (k + 1);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

/* Sums of geometric variates, for a mean below 10. */
static double binomial_small(Rng *r, double n, double p, int single) {
    const double log_q = single ? (double)log1pf(-(float)p) : log1p(-p);
    double successes = 0;
    for (double sum = 0;; successes++) {
        sum += ceil(log(next_double(r)) / log_q);
        if (sum > n) return successes;
    }
}

/* Transformed rejection (Hörmann 1993, BTRS), for a mean of 10 and more, p <= 1/2. */
static double binomial_large(Rng *r, double n, double p, int single) {
    const double mean = ROUND_T(n * p), q = ROUND_T(1 - p);
    const double deviation = ROUND_T(sqrt(ROUND_T(mean * q)));
    const double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p;
    const double c = mean + 0.5, quick = 0.92 - 4.2 / b, odds = ROUND_T(p / q);
    const double alpha = (2.83 + 5.1 / b) * deviation;
    const double n1 = ROUND_T(n + 1), mode = floor(ROUND_T(n1 * p));
    for (;;) {
        const double u = next_double(r) - 0.5, v = next_double(r);
        const double us = 0.5 - fabs(u);
        const double k = ROUND_T(floor((2 * a / us + b) * u + c));
        if (k < 0 || k > n) continue;
        if (us >= 0.07 && v <= quick) return k;
        const double others = ROUND_T(n - k), others1 = ROUND_T(others + 1);
        const double bound =
            (mode + 0.5) * log((mode + 1) / (odds * (n - mode + 1))) +
            n1 * log((n - mode + 1) / others1) +
            (k + 0.5) * log(odds * others1 / ROUND_T(k + 1)) + stirling_tail(mode) +
            stirling_tail(n - mode) - stirling_tail(k) - stirling_tail(others);
        if (log(v * alpha / (a / (us * us) + b)) <= bound) return k;
    }
}

static double binomial(Rng *r, double n, double p, int single) {
    if (n <= 0 || p <= 0) return 0;
    if (p >= 1) return n;
    if (!(n <= DBL_MAX) || p != p) return NAN;  /* PyTorch hangs where n is NaN */
    const double less = p <= 0.5 ? p : ROUND_T(1 - p);
    const double k = ROUND_T(n * less) >= 10 ? binomial_large(r, n, less, single)
                                             : binomial_small(r, n, less, single);
    return p <= 0.5 ? k : n - k;
}

static int sample_binomial(Rng *r, int dtype, char *y, const char *count,
                           const char *prob, int64_t n) {
    double x[BLOCK], p[BLOCK];
    const int single = dtype == TT_F32;
    if (dtype != TT_F32 && dtype != TT_F64) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        tt_load[1][dtype](x, count, k, 1);
        tt_load[1][dtype](p, prob, k, 1);
        count += k * WIDTH[dtype], prob += k * WIDTH[dtype];
        EACH(k) x[i] = binomial(r, x[i], p[i], single);
        STORE_F64(k);
    }
    return 0;
}
#endif
