/* The driver of `where`: operands are the result, the condition (one byte each) and two
   sources.  Values are moved by width, whatever they mean; a source of one element may
   have any dtype and is converted once.  All others have the result's dtype. */
#ifndef TT_WHERE_H
#define TT_WHERE_H
#include "pointwise.h"
#include "loops.h"

typedef void (*WhereRun)(char *y, const char *c, const char *a, const char *b,
                         int64_t n, const int64_t *step);

#define WHERE_RUN(WORD)                                                                \
    TT_KERNEL void where_##WORD(char *py, const char *pc, const char *pa,              \
                                const char *pb, int64_t n, const int64_t *step) {      \
        WORD *y = (WORD *)py;                                                          \
        const uint8_t *c = (const uint8_t *)pc;                                        \
        const WORD *a = (const WORD *)pa, *b = (const WORD *)pb;                       \
        const int64_t sy = step[0], sc = step[1], sa = step[2], sb = step[3];          \
        const int even = sy == 1 && sc == 1;                                           \
        if (even && sa == 1 && sb == 1) {                                              \
            TT_ITEMS(const WORD v = a[i], w = b[i]; y[i] = c[i] ? v : w;)              \
        } else if (even && sa == 1 && sb == 0) {                                       \
            const WORD w = *b;                                                         \
            TT_ITEMS(const WORD v = a[i]; y[i] = c[i] ? v : w;)                        \
        } else if (even && sa == 0 && sb == 1) {                                       \
            const WORD v = *a;                                                         \
            TT_ITEMS(const WORD w = b[i]; y[i] = c[i] ? v : w;)                        \
        } else {                                                                       \
            for (int64_t i = 0; i < n; i++)                                            \
                y[i * sy] = c[i * sc] ? a[i * sa] : b[i * sb];                         \
        }                                                                              \
    }
WHERE_RUN(uint8_t)
WHERE_RUN(uint16_t)
WHERE_RUN(uint32_t)
WHERE_RUN(uint64_t)
#undef WHERE_RUN

static WhereRun tt_where_run(int size) {
    return size == 4 ? where_uint32_t : size == 8 ? where_uint64_t
         : size == 2 ? where_uint16_t : where_uint8_t;
}

/* Elements [begin, end), in runs of the last dimension. */
static void tt_where_range(void *context, int64_t begin, int64_t end) {
    const Pointwise *p = (const Pointwise *)context;
    const WhereRun run = tt_where_run(p->operand[0].size);
    const int last = p->dims - 1;
    int64_t index[64], rest = begin, step[4];
    char *at[4];
    for (int k = 0; k < 4; k++) {
        at[k] = p->operand[k].data;
        step[k] = p->operand[k].step[last];
    }
    for (int d = last; d >= 0; d--) {
        index[d] = rest % p->shape[d];
        rest /= p->shape[d];
        for (int k = 0; k < 4; k++)
            at[k] += index[d] * p->operand[k].step[d] * p->operand[k].size;
    }
    while (begin < end) {
        int64_t n = p->shape[last] - index[last];
        if (n > end - begin) n = end - begin;
        run(at[0], at[1], at[2], at[3], n, step);
        begin += n;
        for (int k = 0; k < 4; k++) at[k] += n * step[k] * p->operand[k].size;
        index[last] += n;
        for (int d = last; d > 0 && index[d] == p->shape[d]; d--) {
            for (int k = 0; k < 4; k++) {
                const PointwiseOperand *o = &p->operand[k];
                at[k] += (o->step[d - 1] - p->shape[d] * o->step[d]) * o->size;
            }
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

/* One element in the result's dtype. */
static void tt_where_constant(PointwiseOperand *o, const View *v, int dtype,
                              char *room) {
    const int compute = v->dtype > TT_BF16 ? TT_COMPUTE_I64 : TT_COMPUTE_F64;
    char wide[8];
    tt_load[compute][v->dtype](wide, v->data, 1, 1);
    tt_store[compute][dtype](room, wide, 1, 1);
    o->data = room;
}

static int where_driver(const KernelCall *call) {
    const View *out = &call->operand[0];
    const int64_t n = out->numel;
    char room[2][8] __attribute__((aligned(8)));
    int flat = 1;
    Pointwise p;
    if (n == 0) return TT_OK;
    for (int k = 0; k < 4; k++) {
        const View *v = &call->operand[k];
        flat &= (v->contiguous && v->numel == n) || v->numel == 1;
        p.operand[k].data = v->data;
        p.operand[k].size = tt_itemsize[k == 1 ? v->dtype : out->dtype];
        if (k > 1 && v->numel == 1)
            tt_where_constant(&p.operand[k], v, out->dtype, room[k - 2]);
    }
    if (flat && n <= TT_GRAIN) {
        int64_t step[4];
        for (int k = 0; k < 4; k++) step[k] = call->operand[k].numel != 1 || n == 1;
        tt_where_run(p.operand[0].size)(p.operand[0].data, p.operand[1].data,
                                        p.operand[2].data, p.operand[3].data, n, step);
        return TT_OK;
    }
    p.operands = 4;
    p.dims = flat || out->ndim == 0 ? 1 : out->ndim;
    p.shape[0] = n;
    for (int k = 0; k < 4; k++) {
        const View *v = &call->operand[k];
        const int shift = out->ndim - v->ndim;
        p.operand[k].step[0] = v->numel != 1;
        if (!flat) for (int d = 0; d < out->ndim; d++) {
            const int e = d - shift;
            p.shape[d] = out->shape[d];
            p.operand[k].step[d] =
                e < 0 || v->numel == 1 || v->shape[e] == 1 ? 0 : v->strides[e];
        }
    }
    if (!flat) tt_coalesce(&p);
    if (n <= TT_GRAIN) tt_where_range(&p, 0, n);
    else tt_parallel_for(tt_where_range, &p, n, TT_GRAIN);
    return TT_OK;
}
#endif
