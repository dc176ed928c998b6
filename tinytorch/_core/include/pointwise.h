/* The driver of element-wise calls: map, zip, where and the like.

   A Loop sees contiguous blocks of one compute type.  This driver makes any call look
   like that: an operand that is contiguous and of the right type is passed as it is;
   every other one (strided, broadcast, half, integer among floats) goes through a block
   buffer that stays in the first-level cache.  Blocks depend only on the shape, never
   on the number of threads. */
#ifndef TT_POINTWISE_H
#define TT_POINTWISE_H
#include "call.h"
#include "convert.h"

/* flag: the loop writes uint8_t truth values;
   the op gives it a contiguous bool output */
enum { TT_OUT_BOOL = 1 };
enum {
    TT_POINTWISE_OPERANDS = 8,
    TT_RUN = TT_PART(512, 32),
    TT_GRAIN = TT_PART(32768, 128)
};

typedef struct {
    char *data;
    /* elements, by coalesced dimension, innermost last */
    int64_t step[64];
    /* contiguous over the call and of the right type */
    int direct;
    int constant;                    /* every step is 0 */
    int dtype, size;
    Load load;
    Store store;
} PointwiseOperand;

typedef struct {
    Loop loop;
    const Scalar *scalar;
    int operands, outputs, dims, compute;
    int all_direct;
    int64_t shape[64];
    PointwiseOperand operand[TT_POINTWISE_OPERANDS];
} Pointwise;

/* Visit elements [first,
   first + n) of a strided operand in runs of the last dimension. */
TT_INLINE void tt_gather(const Pointwise *p, const PointwiseOperand *o, char *block,
                         int64_t block_size, int64_t first, int64_t n, int scatter) {
    int64_t index[64], at = 0, rest = first;
    int last = p->dims - 1;
    for (int d = last; d >= 0; d--) {
        index[d] = rest % p->shape[d];
        rest /= p->shape[d];
        at += index[d] * o->step[d];
    }
    while (n > 0) {
        int64_t run = p->shape[last] - index[last];
        if (run > n) run = n;
        if (scatter) o->store(o->data + at * o->size, block, run, o->step[last]);
        else o->load(block, o->data + at * o->size, run, o->step[last]);
        block += run * block_size;
        n -= run;
        at += run * o->step[last];
        index[last] += run;
        for (int d = last; d > 0 && index[d] == p->shape[d]; d--) {
            at += o->step[d - 1] - p->shape[d] * o->step[d];
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

static void tt_pointwise_range(void *context, int64_t begin, int64_t end) {
    const Pointwise *p = (const Pointwise *)context;
    char *pointer[TT_POINTWISE_OPERANDS];
    if (p->all_direct) {
        for (int k = 0; k < p->operands; k++)
            pointer[k] = p->operand[k].data + begin * p->operand[k].size;
        p->loop(pointer, end - begin, p->scalar);
        return;
    }
    char buffer[TT_POINTWISE_OPERANDS][TT_RUN * 8] __attribute__((aligned(64)));
    int width = tt_compute_size[p->compute];
    for (int k = p->outputs; k < p->operands; k++)
        if (p->operand[k].constant)
            p->operand[k].load(buffer[k], p->operand[k].data,
                               end - begin < TT_RUN ? end - begin : TT_RUN, 0);
    for (int64_t i = begin; i < end; i += TT_RUN) {
        int64_t n = end - i < TT_RUN ? end - i : TT_RUN;
        for (int k = 0; k < p->operands; k++) {
            const PointwiseOperand *o = &p->operand[k];
            pointer[k] = o->direct ? o->data + i * o->size : buffer[k];
            if (!o->direct && !o->constant && k >= p->outputs)
                tt_gather(p, o, buffer[k], width, i, n, 0);
        }
        p->loop(pointer, n, p->scalar);
        for (int k = 0; k < p->outputs; k++) {
            const PointwiseOperand *o = &p->operand[k];
            if (!o->direct) tt_gather(p, o, buffer[k], width, i, n, 1);
        }
    }
}

/* Merge neighbouring dimensions that every operand walks through evenly. */
static void tt_coalesce(Pointwise *p) {
    int kept = 0;
    for (int d = 1; d < p->dims; d++) {
        int even = p->shape[kept] != 1;
        for (int k = 0; even && k < p->operands; k++)
            even = p->operand[k].step[kept] == p->shape[d] * p->operand[k].step[d];
        if (even && p->shape[d] != 1) {
            p->shape[kept] *= p->shape[d];
            for (int k = 0; k < p->operands; k++)
                p->operand[k].step[kept] = p->operand[k].step[d];
        } else if (p->shape[d] != 1) {
            if (p->shape[kept] != 1) kept++;
            p->shape[kept] = p->shape[d];
            for (int k = 0; k < p->operands; k++)
                p->operand[k].step[kept] = p->operand[k].step[d];
        }
    }
    p->dims = kept + 1;
}

/* Few elements and nothing strided: the small training step, so nothing is set up. */
TT_INLINE void tt_pointwise_small(const KernelCall *call, Loop loop, char **pointer,
                                  const int *direct) {
    char buffer[TT_POINTWISE_OPERANDS][TT_RUN * 8] __attribute__((aligned(64)));
    int64_t n = call->operand[0].numel;
    for (int k = call->outputs; k < call->operands; k++) {
        const View *v = &call->operand[k];
        if (direct[k]) continue;
        tt_load[call->compute][v->dtype](buffer[k], v->data, n, v->numel == n);
        pointer[k] = buffer[k];
    }
    for (int k = 0; k < call->outputs; k++)
        if (!direct[k]) pointer[k] = buffer[k];
    loop(pointer, n, call->scalar);
    for (int k = 0; k < call->outputs; k++) {
        const View *v = &call->operand[k];
        if (!direct[k]) tt_store[call->compute][v->dtype](v->data, buffer[k], n, 1);
    }
}

static int pointwise_driver(const KernelCall *call) {
    const View *out = &call->operand[0];
    Loop loop = (Loop)call->kernel->function[call->compute];
    int64_t n = out->numel;
    int is_bool = call->kernel->flags & TT_OUT_BOOL, flat = 1, all_direct = 1;
    int direct[TT_POINTWISE_OPERANDS];
    if (!loop) return TT_NO_KERNEL;
    if (n == 0) return TT_OK;

    char *pointer[TT_POINTWISE_OPERANDS];
    for (int k = 0; k < call->operands; k++) {
        const View *v = &call->operand[k];
        int dtype = call->compute == TT_COMPUTE_I64 ? TT_I64 : call->compute;
        if (is_bool && k < call->outputs) dtype = TT_BOOL;
        int whole = v->contiguous && v->numel == n;
        flat &= whole || v->numel == 1;
        direct[k] = whole && v->dtype == dtype;
        all_direct &= direct[k];
        pointer[k] = v->data;
    }
    if (all_direct && n <= TT_GRAIN) {
        loop(pointer, n, call->scalar);
        return TT_OK;
    }
    if (flat && n <= TT_RUN) {
        tt_pointwise_small(call, loop, pointer, direct);
        return TT_OK;
    }

    Pointwise p;
    p.loop = loop;
    p.scalar = call->scalar;
    p.operands = call->operands;
    p.outputs = call->outputs;
    p.compute = call->compute;
    p.all_direct = all_direct;
    p.dims = flat ? 1 : out->ndim;
    if (flat) p.shape[0] = n;
    else for (int d = 0; d < out->ndim; d++) p.shape[d] = out->shape[d];
    for (int k = 0; k < call->operands; k++) {
        const View *v = &call->operand[k];
        PointwiseOperand *o = &p.operand[k];
        o->data = v->data;
        o->dtype = v->dtype;
        o->size = tt_itemsize[v->dtype];
        o->load = tt_load[p.compute][v->dtype];
        o->store = tt_store[p.compute][v->dtype];
        if (flat) {
            o->step[0] = v->numel == 1 && n != 1 ? 0 : 1;
        } else {
            int shift = out->ndim - v->ndim;
            for (int d = 0; d < out->ndim; d++) {
                int e = d - shift;
                o->step[d] = e < 0 || v->shape[e] == 1 ? 0 : v->strides[e];
            }
        }
    }
    if (!flat) tt_coalesce(&p);
    for (int k = 0; k < p.operands; k++) {
        PointwiseOperand *o = &p.operand[k];
        int dtype = p.compute == TT_COMPUTE_I64 ? TT_I64 : p.compute;
        if (is_bool && k < p.outputs) dtype = TT_BOOL;
        int64_t expected = 1;
        o->direct = o->dtype == dtype;
        o->constant = k >= p.outputs;
        for (int d = p.dims - 1; d >= 0; d--) {
            if (p.shape[d] != 1) {
                o->direct &= o->step[d] == expected;
                o->constant &= o->step[d] == 0;
            }
            expected *= p.shape[d];
        }
        if (n == 1 && k >= p.outputs) o->constant = !o->direct;
    }
    if (n <= TT_GRAIN) tt_pointwise_range(&p, 0, n);
    else tt_parallel_for(tt_pointwise_range, &p, n, TT_GRAIN);
    return TT_OK;
}
#endif
