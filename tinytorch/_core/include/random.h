/* Around the streams of rng: checks of probabilities, dropout, randomised relu.

   The streams themselves are drawn by the caller, in blocks of TT_RANDOM_BLOCK. */
#ifndef TT_RANDOM_H
#define TT_RANDOM_H
#include "call.h"
#include "convert.h"

enum { TT_RANDOM_BLOCK = 512 };

/* Whether all of x lies in [low, high]; NaN does not. */
static int random_within(const View *x, double low, double high) {
    double block[TT_RANDOM_BLOCK];
    int64_t size = tt_itemsize[x->dtype];
    int ok = 1;
    for (int64_t i = 0; i < x->numel; i += TT_RANDOM_BLOCK) {
        int64_t n = x->numel - i < TT_RANDOM_BLOCK ? x->numel - i : TT_RANDOM_BLOCK;
        tt_load[TT_COMPUTE_F64][x->dtype](block, x->data + i * size, n, 1);
        for (int64_t k = 0; k < n; k++) ok &= block[k] >= low && block[k] <= high;
    }
    return ok;
}

/* Whether all of x are integers; infinities are. */
static int random_whole(const View *x) {
    double block[TT_RANDOM_BLOCK];
    int64_t size = tt_itemsize[x->dtype];
    int ok = 1;
    for (int64_t i = 0; i < x->numel; i += TT_RANDOM_BLOCK) {
        int64_t n = x->numel - i < TT_RANDOM_BLOCK ? x->numel - i : TT_RANDOM_BLOCK;
        tt_load[TT_COMPUTE_F64][x->dtype](block, x->data + i * size, n, 1);
        for (int64_t k = 0; k < n; k++) ok &= block[k] == trunc(block[k]);
    }
    return ok;
}

/* y = x m with the mask m = (0 or 1) / keep; m holds zeros and ones when this begins.
   m is rounded to the dtype before it is used, as where PyTorch multiplies tensors. */
#define DROPOUT(C, T, compute)                                                         \
    static void dropout_##C(int dtype, char *y, char *m, const char *x, int64_t n,     \
                            double keep) {                                             \
        T a[TT_RANDOM_BLOCK], b[TT_RANDOM_BLOCK];                                      \
        const T scale = (T)1 / (T)keep;                                                \
        tt_load[compute][dtype](b, m, n, 1);                                           \
        for (int64_t k = 0; k < n; k++) b[k] *= scale;                                 \
        tt_store[compute][dtype](m, b, n, 1);                                          \
        tt_load[compute][dtype](b, m, n, 1);                                           \
        tt_load[compute][dtype](a, x, n, 1);                                           \
        for (int64_t k = 0; k < n; k++) a[k] *= b[k];                                  \
        tt_store[compute][dtype](y, a, n, 1);                                          \
    }
DROPOUT(f32, float, TT_COMPUTE_F32)
DROPOUT(f64, double, TT_COMPUTE_F64)

static void dropout_block(int dtype, char *y, char *m, const char *x, int64_t n,
                          double keep) {
    if (dtype == TT_F64) dropout_f64(dtype, y, m, x, n, keep);
    else dropout_f32(dtype, y, m, x, n, keep);
}

/* How many of n elements are not above zero: each of them takes one draw. */
static int64_t rrelu_draws(int dtype, const char *x, int64_t n) {
    double a[TT_RANDOM_BLOCK];
    int64_t count = 0;
    tt_load[TT_COMPUTE_F64][dtype](a, x, n, 1);
    for (int64_t k = 0; k < n; k++) count += a[k] <= 0;
    return count;
}

/* y = x noise, where noise is 1 above zero and a slope elsewhere: the next of the draws
   u in [0, 1), from s[0] to s[1], which PyTorch rounds to float for all but double. */
static void rrelu_block(int dtype, char *y, char *noise, const char *x, const double *u,
                        int64_t n, const Scalar *s) {
    double a[TT_RANDOM_BLOCK], r[TT_RANDOM_BLOCK];
    const int single = dtype != TT_F64;
    const double low = single ? (float)s[0].f : s[0].f;
    const double high = single ? (float)s[1].f : s[1].f;
    tt_load[TT_COMPUTE_F64][dtype](a, x, n, 1);
    for (int64_t k = 0, next = 0; k < n; k++) {
        r[k] = 1;
        if (a[k] <= 0) {
            const double slope = u[next++] * (high - low) + low;
            r[k] = single ? (float)slope : slope;
            a[k] = single ? (float)a[k] * (float)r[k] : a[k] * r[k];
        }
    }
    tt_store[TT_COMPUTE_F64][dtype](y, a, n, 1);
    tt_store[TT_COMPUTE_F64][dtype](noise, r, n, 1);
}
#endif
