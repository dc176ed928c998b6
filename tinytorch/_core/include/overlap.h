/* Sums into a strided view that may show one element several times:  y += x. */
#ifndef TT_OVERLAP_H
#define TT_OVERLAP_H
#include "call.h"

#define OVERLAP_ADD(type, T)                                                           \
    TT_KERNEL void overlap_add_##type(void *to, int64_t step, const void *from,        \
                                      int64_t x_step, int64_t n) {                     \
        T *y = (T *)to;                                                                \
        const T *x = (const T *)from;                                                  \
        if (step == 1 && x_step == 1) for (int64_t i = 0; i < n; i++) y[i] += x[i];    \
        else for (int64_t i = 0; i < n; i++) y[i * step] += x[i * x_step];             \
    }
OVERLAP_ADD(f32, float) OVERLAP_ADD(f64, double) OVERLAP_ADD(i64, int64_t)
static void *overlap_add_functions[3] = {
    (void *)overlap_add_f32, (void *)overlap_add_f64, (void *)overlap_add_i64};

/* operands: y, x of y's shape, both of the compute type.  One thread: elements that
   coincide are added in the order of x. */
static int overlap_add_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    void (*add)(void *, int64_t, const void *, int64_t, int64_t) =
        (void (*)(void *, int64_t, const void *, int64_t, int64_t))
            call->kernel->function[call->compute];
    int64_t index[64] = {0}, size = tt_itemsize[y->dtype];
    char *to = y->data;
    const char *from = x->data;
    int last = y->ndim - 1;
    if (y->numel == 0) return TT_OK;
    if (last < 0) {
        add(to, 1, from, 1, 1);
        return TT_OK;
    }
    for (;;) {
        add(to, y->strides[last], from, x->strides[last], y->shape[last]);
        int d = last - 1;
        for (; d >= 0; d--) {
            to += y->strides[d] * size;
            from += x->strides[d] * size;
            if (++index[d] < y->shape[d]) break;
            to -= y->shape[d] * y->strides[d] * size;
            from -= y->shape[d] * x->strides[d] * size;
            index[d] = 0;
        }
        if (d < 0) return TT_OK;
    }
}
#endif
