/* Integer division must know of zero divisors before anything is written. */
#ifndef TT_DIVISION_H
#define TT_DIVISION_H
#include "call.h"
#include "zip_arithmetic.h"

TT_KERNEL void is_zero_i64(char **p, int64_t n, const Scalar *s) {
    uint8_t *y = (uint8_t *)p[0];
    const int64_t *x = (const int64_t *)p[1];
    (void)s;
    for (int64_t i = 0; i < n; i++) y[i] = x[i] == 0;
}
static void *is_zero_loops[3] = {0, 0, (void *)is_zero_i64};

/* Fails if any byte of a contiguous bool tensor is set. */
static int refuse_zero_driver(const KernelCall *call) {
    const View *x = &call->operand[0];
    return x->numel && memchr(x->data, 1, x->numel) ? TT_ZERO_DIVISION : TT_OK;
}
#endif
