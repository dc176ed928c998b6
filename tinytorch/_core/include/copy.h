/* Copies, casts and fills.  y takes x's values;
   x broadcasts and may be an immediate. */
#ifndef TT_COPY_H
#define TT_COPY_H
#include "pointwise.h"
#include "transpose.h"

static void tt_move_range(void *context, int64_t begin, int64_t end) {
    const Pointwise *p = (const Pointwise *)context;
    const PointwiseOperand *y = &p->operand[0], *x = &p->operand[1];
    int64_t size = y->size;
    char block[TT_RUN * 8] __attribute__((aligned(64)));
    if (y->direct && x->direct) {
        memcpy(y->data + begin * size, x->data + begin * size, (end - begin) * size);
    } else if (y->direct) {
        tt_gather(p, x, y->data + begin * size, size, begin, end - begin, 0);
    } else if (x->direct) {
        tt_gather(p, y, x->data + begin * size, size, begin, end - begin, 1);
    } else for (int64_t i = begin; i < end; i += TT_RUN) {
        int64_t n = end - i < TT_RUN ? end - i : TT_RUN;
        tt_gather(p, x, block, size, i, n, 0);
        tt_gather(p, y, block, size, i, n, 1);
    }
}

/* Exchange two dimensions of a call: elements are the same,
   visited in another order. */
static void tt_swap_dims(Pointwise *p, int a, int b) {
    int64_t n = p->shape[a];
    p->shape[a] = p->shape[b];
    p->shape[b] = n;
    for (int k = 0; k < p->operands; k++) {
        n = p->operand[k].step[a];
        p->operand[k].step[a] = p->operand[k].step[b];
        p->operand[k].step[b] = n;
    }
}

static int tt_unit_dim(const Pointwise *p, int k) {
    for (int d = p->dims - 1; d >= 0; d--)
        if (p->operand[k].step[d] == 1 && p->shape[d] >= 8) return d;
    return -1;
}

/* Arrange for y to run along the last dimension and x along the one before it; 0 if the
   call is no transposition. */
static int tt_find_transpose(Pointwise *p) {
    int last = p->dims - 1, y = tt_unit_dim(p, 0), x = tt_unit_dim(p, 1);
    if (x < 0 || y < 0 || x == y || p->operand[1].step[y] == 0) return 0;
    if (y != last) {
        tt_swap_dims(p, y, last);
        if (x == last) x = y;
    }
    if (x != last - 1) tt_swap_dims(p, x, last - 1);
    return 1;
}

static void tt_transpose_range(void *context, int64_t begin, int64_t end) {
    const Pointwise *p = (const Pointwise *)context;
    const PointwiseOperand *y = &p->operand[0], *x = &p->operand[1];
    int cols = p->dims - 1, rows = cols - 1;
    int64_t tiles = (p->shape[rows] + TT_TILE - 1) / TT_TILE;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t r = unit % tiles * TT_TILE, rest = unit / tiles;
        int64_t to = r * y->step[rows], from = r;
        int64_t n = p->shape[rows] - r < TT_TILE ? p->shape[rows] - r : TT_TILE;
        for (int d = rows - 1; d >= 0; d--) {
            to += rest % p->shape[d] * y->step[d];
            from += rest % p->shape[d] * x->step[d];
            rest /= p->shape[d];
        }
        for (int64_t c = 0; c < p->shape[cols]; c += TT_TILE) {
            int64_t m = p->shape[cols] - c < TT_TILE ? p->shape[cols] - c : TT_TILE;
            tt_transpose_tile[y->size](
                y->data + (to + c) * y->size, y->step[rows],
                x->data + (from + c * x->step[cols]) * y->size, x->step[cols], n, m);
        }
    }
}

static int tt_transpose(Pointwise *p, int64_t numel) {
    int64_t cols = p->shape[p->dims - 1], rows = p->shape[p->dims - 2];
    int64_t units = numel / (rows * cols) * ((rows + TT_TILE - 1) / TT_TILE);
    int64_t grain = TT_GRAIN / (TT_TILE * cols) + 1;
    if (numel <= TT_GRAIN) tt_transpose_range(p, 0, units);
    else tt_parallel_for(tt_transpose_range, p, units, grain);
    return TT_OK;
}

/* The same where the dtypes differ: what has gaps goes through a block on either side
   of the cast. */
static void tt_cast_range(void *context, int64_t begin, int64_t end) {
    const Pointwise *p = (const Pointwise *)context;
    const PointwiseOperand *y = &p->operand[0], *x = &p->operand[1];
    const Cast cast = tt_cast[x->dtype][y->dtype];
    char in[TT_RUN * 8] __attribute__((aligned(64)));
    char out[TT_RUN * 8] __attribute__((aligned(64)));
    const int64_t most = x->direct && y->direct ? end - begin : TT_RUN;
    for (int64_t i = begin; i < end; i += most) {
        const int64_t n = end - i < most ? end - i : most;
        if (!x->direct) tt_gather(p, x, in, x->size, i, n, 0);
        cast(y->direct ? y->data + i * y->size : out,
             x->direct ? x->data + i * x->size : in, n);
        if (!y->direct) tt_gather(p, y, out, y->size, i, n, 1);
    }
}

/* Same dtype: bytes move as they are. */
static int copy_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    int size = tt_itemsize[y->dtype], same = y->dtype == x->dtype;
    char *data = x->data;
    int64_t one;
    if (y->numel == 0) return TT_OK;
    if (x->numel == 1 && !same) {  /* cast once, then spread */
        tt_cast[x->dtype][y->dtype](&one, data, 1);
        data = (char *)&one;
        same = 1;
    }
    if (y->contiguous && y->numel <= TT_GRAIN && x->numel == 1) {
        tt_move_in[size](y->data, data, y->numel, 0);
        return TT_OK;
    }
    if (y->contiguous && y->numel <= TT_GRAIN && x->contiguous &&
        x->numel == y->numel) {
        if (same) memmove(y->data, data, y->numel * size);
        else tt_cast[x->dtype][y->dtype](y->data, data, y->numel);
        return TT_OK;
    }
    Pointwise p;
    p.operands = 2;
    p.outputs = 1;
    p.dims = y->ndim ? y->ndim : 1;
    p.shape[0] = 1;
    for (int d = 0; d < y->ndim; d++) p.shape[d] = y->shape[d];
    for (int k = 0; k < 2; k++) {
        const View *v = &call->operand[k];
        PointwiseOperand *o = &p.operand[k];
        int shift = p.dims - v->ndim;
        o->data = k ? data : v->data;
        o->dtype = same ? y->dtype : v->dtype;
        o->size = tt_itemsize[o->dtype];
        o->load = tt_move_in[o->size];
        o->store = tt_move_out[o->size];
        for (int d = 0; d < p.dims; d++)
            o->step[d] = d < shift || v->shape[d - shift] == 1 ? 0 :
                v->strides[d - shift];
    }
    tt_coalesce(&p);
    if (p.dims > 1 && same && tt_find_transpose(&p)) return tt_transpose(&p, y->numel);
    for (int k = 0; k < 2; k++) {
        int64_t expected = 1;
        p.operand[k].direct = 1;
        for (int d = p.dims - 1; d >= 0; d--) {
            p.operand[k].direct &= p.shape[d] == 1 || p.operand[k].step[d] == expected;
            expected *= p.shape[d];
        }
    }
    const ParallelBody body = same ? tt_move_range : tt_cast_range;
    if (y->numel <= TT_GRAIN) body(&p, 0, y->numel);
    else tt_parallel_for(body, &p, y->numel, TT_GRAIN);
    return TT_OK;
}
#endif
