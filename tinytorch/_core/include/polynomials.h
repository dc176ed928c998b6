/* Orthogonal polynomials of degree n at x: p[0] = P_n(x), x in p[1], n in p[2], whose
   integer part counts; 0 for negative degrees.

   Three terms in a row give the next one.  The Chebyshev kinds are circular functions
   inside their interval, which high degrees use, and known at its ends. */
#ifndef T
#ifndef TT_POLYNOMIALS_H
#define TT_POLYNOMIALS_H
#include "loops.h"

/* what NaN and degrees beyond int64 become is of no interest, but must be defined */
TT_INLINE int64_t tt_degree(double n) {
    return n > -1e18 && n < 1e18 ? (int64_t)n : -1;
}

#define TT_FILE "polynomials.h"
#include "each_float.h"
#endif
#else

/* q = P_1(x), then P_2, ... by `next` of the last two, p and q, for k = 1, 2, ... */
#define RECURRENCE(first, next)                                                        \
    T p = 1, q = (first);                                                              \
    if (n == 0) return p;                                                              \
    for (int64_t k = 1; k < n && q == q; k++) {                                        \
        const T r = (next);                                                            \
        p = q;                                                                         \
        q = r;                                                                         \
    }                                                                                  \
    return q;
#define POLYNOMIAL(name) ZIP(name, K(tt_##name)(a, tt_degree(b)))

/* y: x on [-1, 1].  The recurrence is the same for all four kinds, and the degree from
   which the circular functions serve differs as in PyTorch. */
#define CHEBYSHEV(name, y, degree, first, inside, right, left)                         \
    TT_INLINE T K(tt_##name)(T x, int64_t n) {                                         \
        const T z = (y), even = n % 2 ? -1 : 1;                                        \
        (void)even;                                                                    \
        if (n < 0) return 0;                                                           \
        if (z == 1) return (T)(right);                                                 \
        if (z == -1) return (T)(left);                                                 \
        if (n > degree && z > -1 && z < 1) {                                           \
            const T angle = L(acos)(z);                                                \
            return inside;                                                             \
        }                                                                              \
        RECURRENCE(first, (z + z) * q - p)                                             \
    }                                                                                  \
    POLYNOMIAL(name)
#define CHEBYSHEV_T(name, y, degree)                                                   \
    CHEBYSHEV(name, y, degree, z, L(cos)(n * angle), 1, even)
#define CHEBYSHEV_U(name, y, degree)                                                   \
    CHEBYSHEV(name, y, degree, z + z, L(sin)((n + 1) * angle) / L(sin)(angle),         \
              n + 1, even * (n + 1))
#define CHEBYSHEV_V(name, y, degree)                                                   \
    CHEBYSHEV(name, y, degree, z + z - 1,                                              \
              L(cos)((n + (T)0.5) * angle) / L(cos)(angle / 2), 1, even * (2 * n + 1))
#define CHEBYSHEV_W(name, y, degree)                                                   \
    CHEBYSHEV(name, y, degree, z + z + 1,                                              \
              L(sin)((n + (T)0.5) * angle) / L(sin)(angle / 2), 2 * n + 1, even)

CHEBYSHEV_T(chebyshev_polynomial_t, x, 6)
CHEBYSHEV_U(chebyshev_polynomial_u, x, 8)
CHEBYSHEV_V(chebyshev_polynomial_v, x, 8)
CHEBYSHEV_W(chebyshev_polynomial_w, x, 8)
CHEBYSHEV_T(shifted_chebyshev_polynomial_t, x + x - 1, 6)
CHEBYSHEV_U(shifted_chebyshev_polynomial_u, x + x - 1, 6)
CHEBYSHEV_V(shifted_chebyshev_polynomial_v, x + x - 1, 6)
CHEBYSHEV_W(shifted_chebyshev_polynomial_w, x + x - 1, 4)

TT_INLINE T K(tt_hermite_polynomial_h)(T x, int64_t n) {
    if (n < 0) return 0;
    RECURRENCE(x + x, (x + x) * q - (T)(2 * k) * p)
}
TT_INLINE T K(tt_hermite_polynomial_he)(T x, int64_t n) {
    if (n < 0) return 0;
    RECURRENCE(x, x * q - (T)k * p)
}
TT_INLINE T K(tt_laguerre_polynomial_l)(T x, int64_t n) {
    if (n < 0) return 0;
    if (x == 0) return 1;
    RECURRENCE(1 - x, (((T)(2 * k) + (1 - x)) * q - (T)k * p) / (T)(k + 1))
}
TT_INLINE T K(tt_legendre_polynomial_p)(T x, int64_t n) {
    if (n < 0) return 0;
    if (x == 1 || x == -1) return x == 1 || n % 2 == 0 ? 1 : -1;
    RECURRENCE(x, ((T)(2 * k + 1) * x * q - (T)k * p) / (T)(k + 1))
}
POLYNOMIAL(hermite_polynomial_h)
POLYNOMIAL(hermite_polynomial_he)
POLYNOMIAL(laguerre_polynomial_l)
POLYNOMIAL(legendre_polynomial_p)

#undef RECURRENCE
#undef POLYNOMIAL
#undef CHEBYSHEV
#undef CHEBYSHEV_T
#undef CHEBYSHEV_U
#undef CHEBYSHEV_V
#undef CHEBYSHEV_W
#endif
