/* Elements by their index along one dimension, the rest of the place kept:
     take  y[o, k, j] = x[o, index[o, k, j], j]
     put   y[o, index[o, k, j], j] += x[o, k, j]     y is zeroed first
   All three operands (y, x, index) are contiguous; scalars: n of the indexed dimension,
   m of the index, the size of what lies inside. */
#ifndef TT_PICK_H
#define TT_PICK_H
#include <string.h>

#include "call.h"
#include "convert.h"

enum { TT_PICK_BLOCK = TT_PART(256, 8), TT_PICK_GRAIN = TT_PART(16384, 32) };

typedef struct {
    char *y;
    const char *x;
    const int64_t *index;
    int64_t n, m, inner, blocks;
    int dtype, put;
} Pick;

/* One row of at most TT_PICK_BLOCK neighbours; y and x begin at index 0. */
#define TT_TAKE(T)                                                                     \
    for (int64_t j = 0; j < count; j++) ((T *)y)[j] = ((const T *)x)[at[j] * inner + j];
#define TT_PUT(T)                                                                      \
    for (int64_t j = 0; j < count; j++)                                                \
        ((T *)y)[at[j] * inner + j] += ((const T *)x)[j];
#define TT_PUT_HALF(WIDEN, NARROW)                                                     \
    for (int64_t j = 0; j < count; j++) {                                              \
        uint16_t *to = (uint16_t *)y + at[j] * inner + j;                              \
        *to = NARROW(WIDEN(*to) + WIDEN(((const uint16_t *)x)[j]));                    \
    }

static void tt_take_row(char *y, const char *x, const int64_t *at, int64_t count,
                        int64_t inner, int size) {
    if (size == 4) TT_TAKE(uint32_t)
    else if (size == 8) TT_TAKE(uint64_t)
    else if (size == 2) TT_TAKE(uint16_t)
    else TT_TAKE(uint8_t)
}

static void tt_put_row(char *y, const char *x, const int64_t *at, int64_t count,
                       int64_t inner, int dtype) {
    if (dtype == TT_F32) TT_PUT(float)
    else if (dtype == TT_F64) TT_PUT(double)
    else if (dtype == TT_F16) TT_PUT_HALF(f32_of_f16, f16_of_f32)
    else if (dtype == TT_BF16) TT_PUT_HALF(f32_of_bf16, bf16_of_f32)
    else if (dtype == TT_I64) TT_PUT(uint64_t)
    else if (dtype == TT_I32) TT_PUT(uint32_t)
    else if (dtype == TT_I16) TT_PUT(uint16_t)
    else TT_PUT(uint8_t)
}

static void tt_pick_range(void *context, int64_t begin, int64_t end) {
    const Pick *p = (const Pick *)context;
    const int size = tt_itemsize[p->dtype];
    for (int64_t unit = begin; unit < end; unit++) {
        const int64_t outer = unit / p->blocks;
        const int64_t first = (unit - outer * p->blocks) * TT_PICK_BLOCK;
        const int64_t rest = p->inner - first;
        const int64_t count = rest < TT_PICK_BLOCK ? rest : TT_PICK_BLOCK;
        const int64_t whole = outer * p->n * p->inner + first; /* indexed */
        const int64_t part = outer * p->m * p->inner + first;
        for (int64_t k = 0; k < p->m; k++) {
            const int64_t at = part + k * p->inner;
            if (p->put)
                tt_put_row(p->y + whole * size, p->x + at * size, p->index + at, count,
                           p->inner, p->dtype);
            else
                tt_take_row(p->y + at * size, p->x + whole * size, p->index + at, count,
                            p->inner, size);
        }
    }
}

TT_INLINE int tt_pick(const KernelCall *call, int put) {
    const View *index = &call->operand[2];
    Pick p = {call->operand[0].data, call->operand[1].data, (int64_t *)index->data,
               call->scalar[0].i, call->scalar[1].i, call->scalar[2].i, 0,
               call->operand[0].dtype, put};
    if (put && call->operand[0].numel)
        memset(p.y, 0, (size_t)(call->operand[0].numel * tt_itemsize[p.dtype]));
    if (index->numel == 0) return TT_OK;
    p.blocks = (p.inner + TT_PICK_BLOCK - 1) / TT_PICK_BLOCK;
    const int64_t units = index->numel / (p.m * p.inner) * p.blocks;
    const int64_t cost = p.m * (p.inner < TT_PICK_BLOCK ? p.inner : TT_PICK_BLOCK);
    const int64_t grain = cost < TT_PICK_GRAIN ? TT_PICK_GRAIN / cost : 1;
    if (units <= grain) tt_pick_range(&p, 0, units);
    else tt_parallel_for(tt_pick_range, &p, units, grain);
    return TT_OK;
}

static int take_along_driver(const KernelCall *call) { return tt_pick(call, 0); }
static int put_along_driver(const KernelCall *call) { return tt_pick(call, 1); }
#endif
