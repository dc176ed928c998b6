/* Connectionist temporal classification: the probability of a target, summed over all
   its alignments, in logarithms.

   A target t1 ... tS is read as blank t1 blank ... tS blank: 2 S + 1 states; alpha(t,s)
   is the probability of the first t + 1 steps that end in state s, beta of the rest.
   Forward:  y (N), alpha (N, steps, states), x (steps, N, C), targets, input lengths,
             target lengths, places of the targets (N)
   Backward: gx, gy (N), y, alpha, x, targets, input lengths, target lengths, places
   Scalars: blank, whether an infinite loss has the gradient 0. */
#ifndef T
#ifndef TT_CTC_H
#define TT_CTC_H
#include <math.h>
#include <stdlib.h>

#include "call.h"
#include "simd.h"

typedef struct {
    const KernelCall *call;
    int64_t steps, batch, classes, states, blank;
    const int64_t *targets, *input_lengths, *target_lengths, *places;
    const View *x, *alpha;
    int failed;
} Ctc;

TT_INLINE int64_t tt_ctc_label(const Ctc *c, int64_t n, int64_t s) {
    return s & 1 ? c->targets[c->places[n] + s / 2] : c->blank;
}

/* Whether a path may come to state s from s - 2: only between different labels. */
TT_INLINE int tt_ctc_skips(const Ctc *c, int64_t n, int64_t s) {
    return s > 1 && (s & 1) && tt_ctc_label(c, n, s) != tt_ctc_label(c, n, s - 2);
}

#define TT_FILE "ctc.h"
#include "each_float.h"

static Ctc tt_ctc(const KernelCall *call, int alpha) {
    const View *o = call->operand + alpha;
    Ctc c = {call, o[1].shape[0], o[1].shape[1], o[1].shape[2], o[0].shape[2],
             call->scalar[0].i, (const int64_t *)o[2].data, (const int64_t *)o[3].data,
             (const int64_t *)o[4].data, (const int64_t *)o[5].data, &o[1], &o[0], 0};
    return c;
}

static void tt_ctc_forward(void *context, int64_t begin, int64_t end) {
    Ctc *c = (Ctc *)context;
    for (int64_t n = begin; n < end; n++) {
        if (c->call->compute == TT_COMPUTE_F32) ctc_forward_f32(c, n);
        else ctc_forward_f64(c, n);
    }
}

static void tt_ctc_backward(void *context, int64_t begin, int64_t end) {
    Ctc *c = (Ctc *)context;
    const int64_t numbers = 2 * c->states + c->classes;
    char *work = (char *)malloc((size_t)numbers * 8);
    if (!work) c->failed = 1;
    for (int64_t n = begin; work && n < end; n++) {
        if (c->call->compute == TT_COMPUTE_F32) ctc_backward_f32(c, n, (float *)work);
        else ctc_backward_f64(c, n, (double *)work);
    }
    free(work);
}

static int ctc_driver(const KernelCall *call) {
    Ctc c = tt_ctc(call, 1);
    if (c.batch) tt_parallel_for(tt_ctc_forward, &c, c.batch, 1);
    return TT_OK;
}

static int ctc_backward_driver(const KernelCall *call) {
    Ctc c = tt_ctc(call, 3);
    if (c.batch) tt_parallel_for(tt_ctc_backward, &c, c.batch, 1);
    return c.failed ? TT_NO_MEMORY : TT_OK;
}
#endif
#else

/* log(exp(a) + exp(b)) */
TT_INLINE T K(ctc_add)(T a, T b) {
    const T top = a > b ? a : b, low = a > b ? b : a;
    return top == -(T)INFINITY ? top : top + L(log1p)(L(exp)(low - top));
}

static void K(ctc_forward)(const Ctc *c, int64_t n) {
    const int64_t states = 2 * c->target_lengths[n] + 1, steps = c->input_lengths[n];
    const T *x = (const T *)c->x->data + n * c->classes, none = -(T)INFINITY;
    T *a = (T *)c->alpha->data + n * c->steps * c->states;
    T *y = (T *)c->call->operand[0].data + n;
    if (steps == 0) {
        *y = states == 1 ? 0 : (T)INFINITY;
        return;
    }
    for (int64_t s = 0; s < states; s++)
        a[s] = s < 2 ? x[tt_ctc_label(c, n, s)] : none;
    for (int64_t t = 1; t < steps; t++) {
        const T *before = a;
        a += c->states;
        x += c->batch * c->classes;
        for (int64_t s = 0; s < states; s++) {
            T sum = before[s];
            if (s > 0) sum = K(ctc_add)(sum, before[s - 1]);
            if (tt_ctc_skips(c, n, s)) sum = K(ctc_add)(sum, before[s - 2]);
            a[s] = sum + x[tt_ctc_label(c, n, s)];
        }
    }
    *y = -(states > 1 ? K(ctc_add)(a[states - 1], a[states - 2]) : a[0]);
}

/* gx = gy (exp(x) - sum of alpha beta over the states of a label / exp(x) / all) */
static void K(ctc_backward)(const Ctc *c, int64_t n, T *work) {
    const int64_t states = 2 * c->target_lengths[n] + 1, steps = c->input_lengths[n];
    const int64_t stride = c->batch * c->classes;
    const T *x = (const T *)c->x->data + n * c->classes, none = -(T)INFINITY;
    const T *alpha = (const T *)c->alpha->data + n * c->steps * c->states;
    const T gy = ((const T *)c->call->operand[1].data)[n];
    const T loss = ((const T *)c->call->operand[2].data)[n];
    const int zero = c->call->scalar[1].i && loss == (T)INFINITY;
    T *gx = (T *)c->call->operand[0].data + n * c->classes;
    T *beta = work, *next = work + c->states, *sums = work + 2 * c->states;
    for (int64_t t = c->steps - 1; t >= 0; t--) {
        if (zero || t >= steps) {
            for (int64_t j = 0; j < c->classes; j++) gx[t * stride + j] = 0;
            continue;
        }
        for (int64_t j = 0; j < c->classes; j++) sums[j] = none;
        for (int64_t s = 0; s < states; s++) {
            const int64_t label = tt_ctc_label(c, n, s);
            T sum = t == steps - 1 && s >= states - 2 ? 0 : none;
            if (t < steps - 1) {
                sum = next[s];
                if (s + 1 < states) sum = K(ctc_add)(sum, next[s + 1]);
                if (s + 2 < states && tt_ctc_skips(c, n, s + 2))
                    sum = K(ctc_add)(sum, next[s + 2]);
            }
            beta[s] = sum + x[t * stride + label];
            sums[label] = K(ctc_add)(sums[label], alpha[t * c->states + s] + beta[s]);
        }
        for (int64_t j = 0; j < c->classes; j++) {
            const T log_p = x[t * stride + j];
            gx[t * stride + j] = gy * (L(exp)(log_p) - L(exp)(sums[j] + loss - log_p));
        }
        T *const swap = beta;
        beta = next;
        next = swap;
    }
}
#endif
