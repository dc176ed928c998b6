/* Normalisation per channel:  y = (x - mean) rstd w + b  over x as (N, C, S).

   Batch norm has one mean per channel, taken from x or, outside training, from running
   averages, which training updates.  Group norm has one per sample and group.
   Batch forward:  y, mean, rstd[, running mean, running variance], x[, w][, b]
     scalars: C, S, eps, momentum, training, whether there are averages, w, b
   Batch backward: gx, gw, gb, x, gy, mean, rstd[, w]; scalars: C, S, training, w
   Group forward:  y, mean, rstd, x[, w][, b]; scalars: C, S, eps, groups, w, b
   Group backward: gx, gw, gb, x, gy, mean, rstd[, w]; scalars: C, S, groups, w
   All operands have the compute type. */
#ifndef TT_BATCH_NORM_H
#define TT_BATCH_NORM_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "rows.h"

enum {
    TT_CHANNEL_RUN = 16,                /* shorter runs S are summed column by column */
    TT_CHANNEL_WIDTH = TT_PART(64, 16), /* columns side by side */
    TT_CHANNEL_GRAIN = TT_PART(16384, 32)
};

typedef struct ChannelNorm ChannelNorm;
struct ChannelNorm {
    char *y, *gx, *gw, *gb, *mean, *rstd, *running_mean, *running_var, *x, *gy, *w, *b;
    char *partial;         /* group norm: what each sample adds to gw and gb */
    int64_t samples, channels, run, groups, block;
    double eps, momentum;
    int training;
    void (*loop)(const ChannelNorm *n, int64_t begin, int64_t end);
};

static void tt_channel_range(void *context, int64_t begin, int64_t end) {
    const ChannelNorm *n = (const ChannelNorm *)context;
    n->loop(n, begin, end);
}

static ChannelNorm tt_channel_norm(const KernelCall *call) {
    ChannelNorm n = {.channels = call->scalar[0].i, .run = call->scalar[1].i};
    n.loop = (void (*)(const ChannelNorm *, int64_t, int64_t))
                 call->kernel->function[call->compute];
    n.samples = call->operand[0].numel / (n.channels * n.run);
    n.block = n.run >= TT_CHANNEL_RUN ? 1 : TT_CHANNEL_WIDTH / n.run;
    return n;
}

TT_INLINE int64_t tt_channel_blocks(const ChannelNorm *n) {
    return (n->channels + n->block - 1) / n->block;
}

static void tt_channel_run(ChannelNorm *n, int64_t tasks, int64_t cost) {
    const int64_t grain = cost < TT_CHANNEL_GRAIN ? TT_CHANNEL_GRAIN / cost : 1;
    if (tasks <= grain) n->loop(n, 0, tasks);
    else tt_parallel_for(tt_channel_range, n, tasks, grain);
}

static void tt_channel_affine(ChannelNorm *n, const KernelCall *call, int next, int w,
                              int b) {
    if (w) n->w = call->operand[next++].data;
    if (b) n->b = call->operand[next++].data;
}

static int batch_norm_driver(const KernelCall *call) {
    const Scalar *s = call->scalar;
    if (call->operand[0].numel == 0) return TT_OK;
    ChannelNorm n = tt_channel_norm(call);
    int next = 3;
    n.eps = s[2].f;
    n.momentum = s[3].f;
    n.training = s[4].i != 0;
    n.y = call->operand[0].data;
    n.mean = call->operand[1].data;
    n.rstd = call->operand[2].data;
    if (s[5].i) {
        n.running_mean = call->operand[next++].data;
        n.running_var = call->operand[next++].data;
    }
    n.x = call->operand[next++].data;
    tt_channel_affine(&n, call, next, s[6].i != 0, s[7].i != 0);
    tt_channel_run(&n, tt_channel_blocks(&n), n.samples * n.run * n.block);
    return TT_OK;
}

static void tt_channel_gradients(ChannelNorm *n, const KernelCall *call) {
    n->gx = call->operand[0].data;
    n->gw = call->operand[1].data;
    n->gb = call->operand[2].data;
    n->x = call->operand[3].data;
    n->gy = call->operand[4].data;
    n->mean = call->operand[5].data;
    n->rstd = call->operand[6].data;
    tt_channel_affine(n, call, 7, call->scalar[3].i != 0, 0);
}

static int batch_norm_backward_driver(const KernelCall *call) {
    if (call->operand[0].numel) {
        ChannelNorm n = tt_channel_norm(call);
        n.training = call->scalar[2].i != 0;
        tt_channel_gradients(&n, call);
        tt_channel_run(&n, tt_channel_blocks(&n), n.samples * n.run * n.block);
        return TT_OK;
    }
    for (int k = 1; k < 3; k++)
        memset(call->operand[k].data, 0,
               call->operand[k].numel * tt_compute_size[call->compute]);
    return TT_OK;
}

static int group_norm_driver(const KernelCall *call) {
    const Scalar *s = call->scalar;
    if (call->operand[0].numel == 0) return TT_OK;
    ChannelNorm n = tt_channel_norm(call);
    n.eps = s[2].f;
    n.groups = s[3].i;
    n.y = call->operand[0].data;
    n.mean = call->operand[1].data;
    n.rstd = call->operand[2].data;
    n.x = call->operand[3].data;
    tt_channel_affine(&n, call, 4, s[4].i != 0, s[5].i != 0);
    tt_channel_run(&n, n.samples * n.groups, n.channels / n.groups * n.run);
    return TT_OK;
}

#define TT_FILE "batch_norm_loops.h"
#include "each_float.h"

static int group_norm_backward_driver(const KernelCall *call) {
    ChannelNorm n = {.channels = call->scalar[0].i};
    tt_channel_gradients(&n, call);
    if (call->operand[0].numel) {
        const size_t numbers = (size_t)(2 * call->operand[0].numel / call->scalar[1].i);
        n = tt_channel_norm(call);
        tt_channel_gradients(&n, call);
        n.groups = call->scalar[2].i;
        n.partial = (char *)malloc(numbers * tt_compute_size[call->compute]);
        if (!n.partial) return TT_NO_MEMORY;
        tt_channel_run(&n, n.samples * n.groups, n.channels / n.groups * n.run);
    }
    if (call->compute == TT_COMPUTE_F32) group_norm_join_f32(&n);
    else group_norm_join_f64(&n);
    free(n.partial);
    return TT_OK;
}
#endif
