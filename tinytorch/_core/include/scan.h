/* Scans: running sums, products, extrema, and the linear recurrence that their
   derivatives are made of.  Driver: line.h.  Sums of float run in double, as in
   PyTorch. */
#ifndef T
#ifndef TT_SCAN_H
#define TT_SCAN_H
#include "line.h"
#include "simd.h"

/* s[1]: 0 forward, 1 backward; `i` walks that way */
#define TT_WALK(n)                                                                     \
    const int64_t step = line->s[1].i ? -1 : 1;                                        \
    int64_t i = line->s[1].i ? (n) - 1 : 0;                                            \
    for (int64_t k = 0; k < (n); k++, i += step)

#define TT_SCAN(NAME, T, A, IDENTITY, STEP)                                            \
    static void NAME(const Line *line) {                                               \
        const T *in = (const T *)line->x;                                              \
        T *y = (T *)line->y;                                                           \
        A a = IDENTITY;                                                                \
        TT_WALK(line->n) {                                                             \
            const A x = (A)in[i];                                                      \
            a = (A)(STEP);                                                             \
            y[i] = (T)a;                                                               \
        }                                                                              \
    }

/* Of equal ones the last counts; a NaN stays. */
#define TT_SCAN_EXTREMUM(NAME, T, BETTER)                                              \
    static void NAME(const Line *line) {                                               \
        const T *in = (const T *)line->x;                                              \
        T *y = (T *)line->y, a = in[0];                                                \
        int64_t at = 0;                                                                \
        for (int64_t i = 0; i < line->n; i++) {                                        \
            const T x = in[i];                                                         \
            if (x != x || BETTER) a = x, at = i;                                       \
            y[i] = a;                                                                  \
            line->index[i] = at;                                                       \
        }                                                                              \
    }

/* y[k] = b[k] + a[k - shift] y[k - 1] along the walk; b is 1, 0, 0, ... without one */
#define TT_RECURRENCE(NAME, T)                                                         \
    static void NAME(const Line *line) {                                               \
        const T *a = (const T *)line->x, *b = (const T *)line->w;                      \
        const int64_t shift = line->s[2].i;                                            \
        T *y = (T *)line->y, last = 0;                                                 \
        TT_WALK(line->n) {                                                             \
            const T term = b ? b[i] : k == 0;                                          \
            last = k == 0 ? term : term + a[i - shift * step] * last;                  \
            y[i] = last;                                                               \
        }                                                                              \
    }

/* y[k] = x[k - 1] along the walk, 0 at its beginning */
#define TT_SHIFTED(NAME, T)                                                            \
    static void NAME(const Line *line) {                                               \
        const T *x = (const T *)line->x;                                               \
        T *y = (T *)line->y, last = 0;                                                 \
        TT_WALK(line->n) {                                                             \
            const T here = x[i];                                                       \
            y[i] = last;                                                               \
            last = here;                                                               \
        }                                                                              \
    }

#define TT_FILE "scan.h"
#include "each_float.h"
TT_SCAN(cumsum_i64, int64_t, uint64_t, 0, a + x)
TT_SCAN(cumprod_i64, int64_t, uint64_t, 1, a * x)
TT_SCAN_EXTREMUM(cummax_i64, int64_t, x >= a)
TT_SCAN_EXTREMUM(cummin_i64, int64_t, x <= a)
#endif
#else
TT_SCAN(K(cumsum), T, double, 0, a + x)
TT_SCAN(K(cumprod), T, double, 1, a * x)
TT_SCAN_EXTREMUM(K(cummax), T, x >= a)
TT_SCAN_EXTREMUM(K(cummin), T, x <= a)
TT_RECURRENCE(K(recurrence), T)
TT_SHIFTED(K(shifted), T)

/* log(e^a + e^x); equal infinities have no difference */
TT_INLINE double F(log_add)(double a, double x) {
    const double most = a > x || a != a ? a : x, least = a > x || a != a ? x : a;
    if (most != most || least != least) return a + x;
    return least == most && most - most != 0 ? most : most + log1p(exp(least - most));
}
TT_SCAN(K(logcumsumexp), T, double, -(double)INFINITY, F(log_add)(a, x))
#endif
