/* Series of Chebyshev polynomials, which the special functions are made of. */
#ifndef TT_CHEBYSHEV_H
#define TT_CHEBYSHEV_H

/* Clenshaw's sum of a Chebyshev series whose first coefficient counts half */
static inline double tt_chebyshev(const double *c, int terms, double x) {
    double next = 0, after = 0;
    for (int k = terms - 1; k > 0; k--) {
        const double here = c[k] + 2 * x * next - after;
        after = next;
        next = here;
    }
    return c[0] / 2 + x * next - after;
}
#define TT_SERIES(c, x) tt_chebyshev(c, sizeof(c) / sizeof(*c), x)
#endif
