/* Losses of pairs (x, t) of elements: the loops, and the driver that adds them up.

   PAIR(name, l of x and t)         l(x, t), with the parameter s0
   SLOPE(name, dl/dx of x and t)    gx = gy factor dl/dx; scalars: the parameter, factor
   `pair_loss_driver` runs a PAIR loop block by block and keeps only the sum or mean:
   operands y, x, t, contiguous; scalars: the parameter, whether to average.
   Chunks follow from the size alone, so results do not depend on threads. */
#ifndef T
#ifndef TT_PAIRS_H
#define TT_PAIRS_H
#include <stdlib.h>

#include "call.h"
#include "convert.h"
#include "loops.h"
#include "rows.h"

#define TT_FILE "pairs.h"
#include "each_float.h"

enum { TT_PAIR_BLOCK = TT_PART(512, 32), TT_PAIR_CHUNK = TT_PART(16384, 64) };

typedef struct {
    const KernelCall *call;
    double *partial;
} PairLoss;

static double tt_pair_chunk(const KernelCall *call, int64_t begin, int64_t end) {
    char buffer[3][TT_PAIR_BLOCK * 8] __attribute__((aligned(64)));
    char *p[3] = {buffer[0]};
    double total = 0;
    for (int64_t i = begin; i < end; i += TT_PAIR_BLOCK) {
        const int64_t n = end - i < TT_PAIR_BLOCK ? end - i : TT_PAIR_BLOCK;
        for (int k = 1; k < 3; k++) {
            const View *v = &call->operand[k];
            p[k] = v->data + i * tt_itemsize[v->dtype];
            if (v->dtype == call->compute) continue;
            tt_load[call->compute][v->dtype](buffer[k], p[k], n, 1);
            p[k] = buffer[k];
        }
        ((Loop)call->kernel->function[call->compute])(p, n, call->scalar);
        if (call->compute == TT_COMPUTE_F32) total += block_sum_f32((float *)p[0], n);
        else total += block_sum_f64((double *)p[0], n);
    }
    return total;
}

static void tt_pair_range(void *context, int64_t begin, int64_t end) {
    const PairLoss *p = (const PairLoss *)context;
    const int64_t n = p->call->operand[1].numel;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k * TT_PAIR_CHUNK, last = first + TT_PAIR_CHUNK;
        p->partial[k] = tt_pair_chunk(p->call, first, last < n ? last : n);
    }
}

static int pair_loss_driver(const KernelCall *call) {
    const View *y = &call->operand[0];
    const int64_t n = call->operand[1].numel;
    double total = 0;
    if (n <= TT_PAIR_CHUNK) {
        total = tt_pair_chunk(call, 0, n);
    } else {
        const int64_t chunks = (n + TT_PAIR_CHUNK - 1) / TT_PAIR_CHUNK;
        PairLoss p = {call, (double *)malloc((size_t)chunks * sizeof(double))};
        if (!p.partial) return TT_NO_MEMORY;
        tt_parallel_for(tt_pair_range, &p, chunks, 1);
        for (int64_t k = 0; k < chunks; k++) total += p.partial[k];
        free(p.partial);
    }
    if (call->scalar[1].i) total /= (double)n;
    tt_store[TT_COMPUTE_F64][y->dtype](y->data, &total, 1, 1);
    return TT_OK;
}

/* Fails if an element of operand 0 is not in [0, 1].  The loop counts those. */
static int refuse_outside_unit_driver(const KernelCall *call) {
    char buffer[TT_PAIR_BLOCK * 8] __attribute__((aligned(64)));
    const View *v = &call->operand[0];
    for (int64_t i = 0; i < v->numel; i += TT_PAIR_BLOCK) {
        const int64_t n = v->numel - i < TT_PAIR_BLOCK ? v->numel - i : TT_PAIR_BLOCK;
        const char *x = v->data + i * tt_itemsize[v->dtype];
        tt_load[call->compute][v->dtype](buffer, x, n, 1);
        if (call->compute == TT_COMPUTE_F32 ? outside_unit_f32((float *)buffer, n)
                                            : outside_unit_f64((double *)buffer, n))
            return TT_BAD_VALUE;
    }
    return TT_OK;
}
#endif
#else

/* f64 sums of f32 would halve the speed; blocks are short enough for f32 */
TT_KERNEL double K(block_sum)(const T *x, int64_t n) { return F(row_sum)(x, n); }

TT_KERNEL int64_t K(outside_unit)(const T *x, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += !(x[i] >= 0 && x[i] <= 1);
    return count;
}

/* log(1 + exp(x)) as softplus of simd.h, but 0 from about x = -87 on, and so in half
   the time.  With e = exp(-|x|) and u = 1 + e,
   what u has lost of e is added to its f. */
TT_INLINE T F(loss_softplus)(T x) {
    T n;
    const T e = F(exp_negative)(-F(abs)(x)), u = 1 + e;
    const T f = F(log_split)(u, &n) + (e - (u - 1)) * (1 - n * (T)0.5);
    return F(log_core)(f, n) + (x < 0 ? 0 : x);
}

#define PAIR(name, ...)                                                                \
    TT_LOOP2(TT_KERNEL, K(name), T, T, x, t, TT_S1 (void)s0;, __VA_ARGS__)
#define SLOPE(name, ...)                                                               \
    TT_LOOP3(TT_KERNEL, K(name##_backward), T, T, gy, x, t, TT_S2 (void)s0;,           \
             gy * s1 * (__VA_ARGS__))

PAIR(mse_loss, (x - t) * (x - t))
SLOPE(mse_loss, 2 * (x - t))
PAIR(l1_loss, F(abs)(x - t))
SLOPE(l1_loss, (x > t) - (T)(x < t))

/* d^2 / (2 s0) up to s0, |d| - s0 / 2 beyond */
PAIR(smooth_l1_loss, F(abs)(x - t) < s0 ? (T)0.5 * (x - t) * (x - t) / s0
                                        : F(abs)(x - t) - (T)0.5 * s0)
SLOPE(smooth_l1_loss, F(abs)(x - t) < s0 ? (x - t) / s0 : F(copysign)(1, x - t))
/* the same times s0 */
PAIR(huber_loss, F(abs)(x - t) < s0 ? (T)0.5 * (x - t) * (x - t)
                                    : s0 * (F(abs)(x - t) - (T)0.5 * s0))
SLOPE(huber_loss, F(abs)(x - t) < s0 ? x - t : F(copysign)(s0, x - t))

/* -t log(x) - (1 - t) log(1 - x), with logarithms of at least -100 */
PAIR(binary_cross_entropy, (t - 1) * F(max)(-100, F(log1p)(-x)) -
                               t * F(max)(-100, F(log)(x)))
SLOPE(binary_cross_entropy, (x - t) / F(max)((T)1e-12, (1 - x) * x))
/* log(1 + exp(x)) - t x */
PAIR(binary_cross_entropy_with_logits, F(loss_softplus)(x) - (t == 0 ? 0 : t * x))
SLOPE(binary_cross_entropy_with_logits, F(sigmoid)(x) - t)
/* log(1 + exp(-t x)) */
PAIR(soft_margin_loss, F(loss_softplus)(-t * x))
SLOPE(soft_margin_loss, -t * F(sigmoid)(-t * x))
/* t (log(t) - x), and with s0 != 0 the same where t is a logarithm */
PAIR(kl_div, s0 != 0 ? F(exp)(t) * (t - x) : (t == 0 ? 0 : t * F(log)(t)) - t * x)
SLOPE(kl_div, (void)x, s0 != 0 ? -F(exp)(t) : -t)
#undef PAIR
#undef SLOPE
#endif
