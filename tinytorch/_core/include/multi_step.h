/* One optimizer step over all parameters in one call.

   Operands, n of each: parameters, states, counts, gradients; one more holds the
   scalars, if they may change between replays.  States are as large as the parameter;
   counts are single numbers, which the kernel's schedule (optim_schedules.h) advances.
   Flags: how many operands belong together, and in the second byte the counts. */
#ifndef TT_MULTI_STEP_H
#define TT_MULTI_STEP_H
#include "multi_tensor.h"
#include "optim_schedules.h"
#include "optim_steps.h"

enum { TT_STEPS_ON_STACK = 16 };

/* p[k] of a loop is parameter, gradient, states; operands have the gradients last. */
TT_INLINE const View *tt_step_operand(const Multi *m, int k, int64_t i) {
    const int place = k == 0 ? 0 : k == 1 ? m->per - 1 : k - 1;
    return &m->call->operand[place * m->n + i];
}

static void tt_step_body(Multi *m, int64_t i, int64_t begin, int64_t count,
                         int64_t task) {
    char buffer[TT_MULTI_MOST][TT_MULTI_BLOCK * 8] __attribute__((aligned(64)));
    const int compute = m->call->compute;
    Loop loop = (Loop)m->call->kernel->function[compute];
    char *p[TT_MULTI_MOST], *memory[TT_MULTI_MOST];
    int direct = 1;
    const int loops_over = m->per - m->counts;
    const Scalar *s = m->scalar + i * m->stride;
    (void)task;
    for (int k = 0; k < loops_over; k++) {
        const View *v = tt_step_operand(m, k, i);
        memory[k] = v->data + begin * tt_itemsize[v->dtype];
        direct &= v->dtype == compute;
    }
    if (direct) {
        loop(memory, count, s);
        return;
    }
    for (int64_t at = 0; at < count; at += TT_MULTI_BLOCK) {
        const int64_t n = count - at < TT_MULTI_BLOCK ? count - at : TT_MULTI_BLOCK;
        for (int k = 0; k < loops_over; k++) {
            const View *v = tt_step_operand(m, k, i);
            p[k] = buffer[k];
            const char *from = memory[k] + at * tt_itemsize[v->dtype];
            tt_load[compute][v->dtype](p[k], from, n, 1);
        }
        loop(p, n, s);
        for (int k = 0; k < loops_over; k++) {
            const View *v = tt_step_operand(m, k, i);
            char *to = memory[k] + at * tt_itemsize[v->dtype];
            if (k != 1) tt_store[compute][v->dtype](to, p[k], n, 1);
        }
    }
}

/* Advance the counts of all tensors and write the scalars that follow from them.
   Neighbours mostly have the same counts: then so are the scalars. */
static void tt_step_schedule(const Multi *m, int scalars, Scalar *s) {
    const Schedule schedule = (Schedule)m->call->kernel->function[2];
    double old[TT_STEP_COUNTS], last[TT_STEP_COUNTS], next[TT_STEP_COUNTS];
    for (int64_t i = 0; i < m->n; i++, s += TT_STEP_SCALARS) {
        const View *count = &m->call->operand[(m->per - 1 - m->counts) * m->n + i];
        int same = i > 0;
        for (int k = 0; k < m->counts; k++) {
            const View *v = &count[k * m->n];
            old[k] = v->dtype == TT_F32 ? *(float *)v->data : *(double *)v->data;
            same &= old[k] == last[k];
        }
        if (same) {
            memcpy(s, s - TT_STEP_SCALARS, TT_STEP_SCALARS * sizeof(Scalar));
        } else {
            memcpy(last, old, sizeof(old));
            memcpy(next, old, sizeof(old));
            memcpy(s, m->scalar, (size_t)scalars * sizeof(Scalar));
            schedule(next, m->scalar, s, count->dtype == TT_F32);
        }
        for (int k = 0; k < m->counts; k++) {
            const View *v = &count[k * m->n];
            if (v->dtype == TT_F32) *(float *)v->data = (float)next[k];
            else *(double *)v->data = next[k];
        }
    }
}

static int multi_step_driver(const KernelCall *call) {
    Scalar near[TT_STEPS_ON_STACK * TT_STEP_SCALARS], *own = near;
    Multi m = tt_multi(call, tt_step_body);
    m.counts = call->kernel->flags >> 8;
    int scalars = call->scalars;
    if (call->operands > m.n * m.per) {
        const View *last = &call->operand[call->operands - 1];
        m.scalar = (const Scalar *)last->data;
        scalars = (int)last->numel;
    }
    if (m.counts) {
        if (m.n > TT_STEPS_ON_STACK) {
            own = (Scalar *)malloc((size_t)m.n * TT_STEP_SCALARS * sizeof(Scalar));
            if (!own) return TT_NO_MEMORY;
        }
        tt_step_schedule(&m, scalars, own);
        m.scalar = own;
        m.stride = TT_STEP_SCALARS;
    }
    tt_multi_run(&m);
    if (own != near) free(own);
    return TT_OK;
}
#endif
