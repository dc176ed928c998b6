/* The loops of the reductions, one line each (driver: reduce.h).

   REDUCE(name, NAME, T, A, compute, identity, step, merge, finish)
   makes NAME_reduction: it reads T and accumulates in A.  The expressions see
   a accumulator, x element, c centre (0 without), b another accumulator, s0 the first
   scalar (0 if there is none), count the number of elements per output. */
#ifndef T
#ifndef TT_REDUCTIONS_H
#define TT_REDUCTIONS_H
#include "reduce.h"
#include "simd.h"

/* Independent accumulators of a row: enough for the latency of the adder. */
#define TT_LANES(A) (256 / (int64_t)sizeof(A))

#define TT_REDUCE_STEP(T, A, LANES, STEP)                                             \
    _Pragma("omp simd") for (int64_t j = 0; j < LANES; j++) {                          \
        const A a = acc[j];                                                            \
        const T x = in[i + j];                                                         \
        acc[j] = (A)(STEP);                                                            \
    }

/* The rest of a row goes to the first lanes, then to one: all indices are constants, so
   the accumulators stay in registers. */
#define TT_REDUCE_LANES(T, A, LANES, IDENTITY, STEP, MERGE)                            \
    A acc[LANES], rest = IDENTITY;                                                     \
    for (int64_t j = 0; j < LANES; j++) acc[j] = IDENTITY;                             \
    int64_t i = 0;                                                                     \
    for (; i + LANES <= n; i += LANES) { TT_REDUCE_STEP(T, A, LANES, STEP) }          \
    if (LANES > 8)                                                                     \
        for (; i + 8 <= n; i += 8) { TT_REDUCE_STEP(T, A, 8, STEP) }                  \
    for (; i < n; i++) {                                                               \
        const A a = rest;                                                              \
        const T x = in[i];                                                             \
        rest = (A)(STEP);                                                              \
    }                                                                                  \
    for (int64_t k = 8; k < LANES; k += 8) {                                           \
        _Pragma("omp simd") for (int64_t j = 0; j < 8; j++) {                          \
            const A a = acc[j], b = acc[j + k];                                        \
            acc[j] = (A)(MERGE);                                                       \
        }                                                                              \
    }                                                                                  \
    A one[8];                                                                          \
    _Pragma("GCC unroll 8") for (int64_t j = 0; j < 8; j++) one[j] = acc[j];           \
    _Pragma("GCC unroll 3") for (int64_t w = 4; w > 0; w /= 2)                         \
        _Pragma("GCC unroll 4") for (int64_t j = 0; j < w; j++) {                      \
            const A a = one[j], b = one[j + w];                                        \
            one[j] = (A)(MERGE);                                                       \
        }                                                                              \
    {                                                                                  \
        const A a = one[0], b = rest;                                                  \
        one[0] = (A)(MERGE);                                                           \
    }                                                                                  \
    const A a = *total, b = one[0];                                                    \
    *total = (A)(MERGE);

#define TT_REDUCE_SETUP(A)                                                             \
    const A s0 = (A)s[0].f;                                                            \
    (void)s0;

#define TT_COLUMN_STEP(T, k, STEP)                                                     \
    {                                                                                  \
        const T x = in[j + (k) * stride];                                              \
        a = (STEP);                                                                    \
    }

/* NAME may be a macro: it is expanded on the way. */
#define REDUCE(...) TT_REDUCE(__VA_ARGS__)
#define TT_REDUCE(NAME, T, A, COMPUTE, IDENTITY, STEP, MERGE, FINISH)                  \
    TT_KERNEL void NAME##_row(void *out, const void *from, int64_t n,                  \
                              const void *centre, const Scalar *s) {                   \
        const T *in = (const T *)from;                                                 \
        A *total = (A *)out;                                                           \
        const A c = centre ? *(const A *)centre : 0;                                   \
        TT_REDUCE_SETUP(A)(void) c;                                                    \
        if (n < 4 * TT_LANES(A)) {                                                     \
            TT_REDUCE_LANES(T, A, 8, IDENTITY, STEP, MERGE)                            \
        } else {                                                                       \
            TT_REDUCE_LANES(T, A, TT_LANES(A), IDENTITY, STEP, MERGE)                  \
        }                                                                              \
    }                                                                                  \
    TT_KERNEL void NAME##_columns(void *out, const void *from, int64_t n, int64_t rows,\
                                  int64_t stride, const void *centre,                  \
                                  const Scalar *s) {                                   \
        const T *in = (const T *)from;                                                 \
        A *restrict acc = (A *)out;                                                    \
        const A *middle = (const A *)(centre ? centre : tt_no_centre);                 \
        TT_REDUCE_SETUP(A)                                                             \
        for (; rows >= 4; rows -= 4, in += 4 * stride) {                               \
            _Pragma("omp simd") for (int64_t j = 0; j < n; j++) {                      \
                const A c = middle[j];                                                 \
                A a = acc[j];                                                          \
                (void)c;                                                               \
                TT_COLUMN_STEP(T, 0, STEP) TT_COLUMN_STEP(T, 1, STEP)                  \
                TT_COLUMN_STEP(T, 2, STEP) TT_COLUMN_STEP(T, 3, STEP) acc[j] = a;      \
            }                                                                          \
        }                                                                              \
        for (; rows > 0; rows--, in += stride) {                                       \
            _Pragma("omp simd") for (int64_t j = 0; j < n; j++) {                      \
                const A c = middle[j];                                                 \
                A a = acc[j];                                                          \
                (void)c;                                                               \
                TT_COLUMN_STEP(T, 0, STEP) acc[j] = a;                                 \
            }                                                                          \
        }                                                                              \
    }                                                                                  \
    static void NAME##_merge(void *into, const void *part, int64_t n) {                \
        A *acc = (A *)into;                                                            \
        const A *other = (const A *)part;                                              \
        for (int64_t j = 0; j < n; j++) {                                              \
            const A a = acc[j], b = other[j];                                          \
            acc[j] = (A)(MERGE);                                                       \
        }                                                                              \
    }                                                                                  \
    static void NAME##_clear(void *into, int64_t n, const Scalar *s) {                 \
        A *acc = (A *)into;                                                            \
        (void)s;                                                                       \
        for (int64_t j = 0; j < n; j++) acc[j] = IDENTITY;                             \
    }                                                                                  \
    static void NAME##_finish(void *into, int64_t n, double count, const void *centre, \
                              const Scalar *s) {                                       \
        const A *middle = (const A *)(centre ? centre : tt_no_centre);                 \
        A *acc = (A *)into;                                                            \
        TT_REDUCE_SETUP(A)(void) count;                                                \
        for (int64_t j = 0; j < n; j++) {                                              \
            const A a = acc[j], c = middle[j];                                         \
            (void)c;                                                                   \
            acc[j] = (A)(FINISH);                                                      \
        }                                                                              \
    }                                                                                  \
    static const Reduction NAME##_reduction __attribute__((unused)) = {                \
        NAME##_row, NAME##_columns, NAME##_merge, NAME##_clear, NAME##_finish, COMPUTE};

/* The three types of an op, as the executor takes them. */
#define TT_REDUCTIONS(name)                                                            \
    static void *name##_reductions[3] __attribute__((unused)) = {                      \
        (void *)&name##_f32_reduction, (void *)&name##_f64_reduction,                  \
        (void *)&name##_i64_reduction};
#define TT_FLOAT_REDUCTIONS(name)                                                      \
    static void *name##_reductions[3] __attribute__((unused)) = {                      \
        (void *)&name##_f32_reduction, (void *)&name##_f64_reduction, 0};

#define INT_REDUCE(name, IDENTITY, STEP, MERGE)                                        \
    REDUCE(name##_i64, int64_t, int64_t, TT_COMPUTE_I64, IDENTITY, STEP, MERGE, a)

#define TT_FILE "reductions.h"
#include "each_float.h"

INT_REDUCE(sum, 0, (uint64_t)a + (uint64_t)x, (uint64_t)a + (uint64_t)b)
INT_REDUCE(prod, 1, (uint64_t)a * (uint64_t)x, (uint64_t)a * (uint64_t)b)
INT_REDUCE(amax, INT64_MIN, x > a ? x : a, b > a ? b : a)
INT_REDUCE(amin, INT64_MAX, x < a ? x : a, b < a ? b : a)
INT_REDUCE(any, 0, a | (x != 0), a | b)
INT_REDUCE(all, 1, a & (x != 0), a & b)
INT_REDUCE(count_nonzero, 0, a + (x != 0), a + b)
#endif
#else

#define TT_HERE (TT_SINGLE ? TT_COMPUTE_F32 : TT_COMPUTE_F64)
#define FLOAT_REDUCE(name, IDENTITY, STEP, MERGE, FINISH)                              \
    REDUCE(K(name), T, T, TT_HERE, IDENTITY, STEP, MERGE, FINISH)

FLOAT_REDUCE(sum, 0, a + x, a + b, a)
FLOAT_REDUCE(mean, 0, a + x, a + b, a / (T)count)
FLOAT_REDUCE(nansum, 0, a + (x != x ? 0 : x), a + b, a)
FLOAT_REDUCE(prod, 1, a * x, a * b, a)

/* a NaN, once taken, stays: every comparison with it is false */
FLOAT_REDUCE(amax, -(T)INFINITY, x > a || x != x ? x : a, b > a || b != b ? b : a, a)
FLOAT_REDUCE(amin, (T)INFINITY, x < a || x != x ? x : a, b < a || b != b ? b : a, a)

/* c is the mean, s0 the correction; no degrees of freedom left: division by 0 */
#define TT_FREEDOM ((T)(count - s[0].f > 0 ? count - s[0].f : 0))
FLOAT_REDUCE(var, 0, a + (x - c) * (x - c), a + b, a / TT_FREEDOM)
FLOAT_REDUCE(std, 0, a + (x - c) * (x - c), a + b, L(sqrt)(a / TT_FREEDOM))
#undef TT_FREEDOM

/* c is the maximum; an infinite one has no differences and is left out */
#define TT_FINITE(c) (F(abs)(c) < (T)INFINITY ? c : 0)
FLOAT_REDUCE(logsumexp, 0, a + F(exp)(x - TT_FINITE(c)), a + b,
             F(log)(a) + TT_FINITE(c))
#undef TT_FINITE

/* (sum |x|^p)^(1/p); s0 = p */
FLOAT_REDUCE(norm_one, 0, a + F(abs)(x), a + b, a)
FLOAT_REDUCE(norm_two, 0, a + x * x, a + b, L(sqrt)(a))
FLOAT_REDUCE(norm_power, 0, a + L(pow)(F(abs)(x), s0), a + b, L(pow)(a, 1 / s0))
FLOAT_REDUCE(norm_zero, 0, a + (x != 0), a + b, a)
FLOAT_REDUCE(norm_most, 0, F(abs)(x) > a || x != x ? F(abs)(x) : a,
             b > a || b != b ? b : a, a)
FLOAT_REDUCE(norm_least, (T)INFINITY, F(abs)(x) < a || x != x ? F(abs)(x) : a,
             b < a || b != b ? b : a, a)

/* truth values and counts are whole numbers whatever is read */
#define COUNTING_REDUCE(name, IDENTITY, STEP, MERGE)                                   \
    REDUCE(K(name), T, int64_t, TT_COMPUTE_I64, IDENTITY, STEP, MERGE, a)
COUNTING_REDUCE(any, 0, a | (x != 0), a | b)
COUNTING_REDUCE(all, 1, a & (x != 0), a & b)
COUNTING_REDUCE(count_nonzero, 0, a + (x != 0), a + b)
#undef COUNTING_REDUCE
#undef FLOAT_REDUCE
#undef TT_HERE
#endif
