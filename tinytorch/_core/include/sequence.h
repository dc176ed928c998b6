/* Evenly spaced numbers.  y[i] = first + i step; from the middle on a closed sequence
   counts back from its last element, so that both ends are exact. */
#ifndef TT_SEQUENCE_H
#define TT_SEQUENCE_H
#include "call.h"
#include "convert.h"

enum { TT_SEQUENCE_BLOCK = TT_PART(512, 32), TT_SEQUENCE_GRAIN = TT_PART(32768, 64) };

#define SEQUENCE(type, T, member)                                                      \
    TT_KERNEL void sequence_##type(char *to, int64_t begin, int64_t n, int64_t count,  \
                                   const Scalar *s) {                                  \
        T *y = (T *)to, first = (T)s[0].member, step = (T)s[1].member;                 \
        T last = (T)s[2].member;                                                       \
        int64_t middle = s[3].i ? count / 2 : count;                                   \
        int64_t k = middle - begin < 0 ? 0 : middle - begin < n ? middle - begin : n;  \
        for (int64_t i = 0; i < k; i++) y[i] = first + (T)(begin + i) * step;          \
        for (int64_t i = k; i < n; i++)                                                \
            y[i] = last - (T)(count - 1 - begin - i) * step;                           \
    }
SEQUENCE(f32, float, f) SEQUENCE(f64, double, f) SEQUENCE(i64, int64_t, i)
static void *sequence_functions[3] = {
    (void *)sequence_f32, (void *)sequence_f64, (void *)sequence_i64};

static void tt_sequence_range(void *context, int64_t begin, int64_t end) {
    const KernelCall *call = (const KernelCall *)context;
    const View *y = &call->operand[0];
    void (*fill)(char *, int64_t, int64_t, int64_t, const Scalar *) =
        (void (*)(char *, int64_t, int64_t, int64_t, const Scalar *))
            call->kernel->function[call->compute];
    char block[TT_SEQUENCE_BLOCK * 8] __attribute__((aligned(64)));
    for (int64_t i = begin; i < end; i += TT_SEQUENCE_BLOCK) {
        int64_t n = end - i < TT_SEQUENCE_BLOCK ? end - i : TT_SEQUENCE_BLOCK;
        fill(block, i, n, y->numel, call->scalar);
        tt_store[call->compute][y->dtype](
            y->data + i * tt_itemsize[y->dtype], block, n, 1);
    }
}

/* operands: y, contiguous; scalars: first, step, last,
   whether the sequence is closed */
static int sequence_driver(const KernelCall *call) {
    tt_parallel_for(tt_sequence_range, (void *)call, call->operand[0].numel,
                    TT_SEQUENCE_GRAIN);
    return TT_OK;
}
#endif
