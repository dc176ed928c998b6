/* Patches of planes as columns, and back.

   unfold   y (planes, kh kw, blocks), x (planes, h, w)   any dtype
   fold     x, y                                          its adjoint: overlaps add up

   Scalars: kernel, stride, padding, dilation, the number of blocks, each (h, w), and
   the height and width of a plane.  Contiguous operands. */
#ifndef TT_PATCHES_H
#define TT_PATCHES_H
#include <string.h>
#include "call.h"

typedef struct {
    int64_t kernel[2], stride[2], padding[2], dilation[2], blocks[2], size[2];
    const char *from;
    char *to;
} Patches;

static Patches patches_of(const KernelCall *call) {
    Patches p;
    const Scalar *s = call->scalar;
    for (int a = 0; a < 2; a++) {
        p.kernel[a] = s[a].i;
        p.stride[a] = s[2 + a].i;
        p.padding[a] = s[4 + a].i;
        p.dilation[a] = s[6 + a].i;
        p.blocks[a] = s[8 + a].i;
        p.size[a] = s[10 + a].i;
    }
    p.to = call->operand[0].data;
    p.from = call->operand[1].data;
    return p;
}

/* Blocks lo..hi - 1 of axis a read inside the plane under tap k. */
TT_INLINE int64_t patches_inside(const Patches *p, int a, int64_t k, int64_t *lo,
                                 int64_t *hi) {
    const int64_t at = k * p->dilation[a] - p->padding[a], s = p->stride[a];
    *lo = at < 0 ? (s - 1 - at) / s : 0;
    *hi = at < p->size[a] ? (p->size[a] - 1 - at) / s + 1 : 0;
    if (*lo > p->blocks[a]) *lo = p->blocks[a];
    if (*hi > p->blocks[a]) *hi = p->blocks[a];
    if (*hi < *lo) *hi = *lo;
    return at;
}

#define UNFOLD(name, T)                                                                \
    static void name(void *context, int64_t begin, int64_t end) {                      \
        const Patches *p = (const Patches *)context;                                   \
        const int64_t plane = p->size[0] * p->size[1], cols = p->blocks[1];            \
        const int64_t step = p->stride[1];                                             \
        T *y = (T *)p->to + begin * p->kernel[0] * p->kernel[1] * p->blocks[0] * cols; \
        for (int64_t n = begin; n < end; n++) {                                        \
            const T *x = (const T *)p->from + n * plane;                               \
            for (int64_t h = 0; h < p->kernel[0]; h++)                                 \
                for (int64_t w = 0; w < p->kernel[1]; w++) {                           \
                    int64_t top, low, lo, hi;                                          \
                    const int64_t r0 = patches_inside(p, 0, h, &top, &low);            \
                    const int64_t q0 = patches_inside(p, 1, w, &lo, &hi);              \
                    for (int64_t r = 0; r < p->blocks[0]; r++, y += cols) {            \
                        if (r < top || r >= low) {                                     \
                            memset(y, 0, cols * sizeof(T));                            \
                            continue;                                                  \
                        }                                                              \
                        const T *row = x + (r * p->stride[0] + r0) * p->size[1] + q0;  \
                        for (int64_t q = 0; q < lo; q++) y[q] = 0;                     \
                        if (step == 1)                                                 \
                            memcpy(y + lo, row + lo, (hi - lo) * sizeof(T));           \
                        else                                                           \
                            for (int64_t q = lo; q < hi; q++) y[q] = row[q * step];    \
                        for (int64_t q = hi; q < cols; q++) y[q] = 0;                  \
                    }                                                                  \
                }                                                                      \
        }                                                                              \
    }
UNFOLD(unfold_1, uint8_t)
UNFOLD(unfold_2, uint16_t)
UNFOLD(unfold_4, uint32_t)
UNFOLD(unfold_8, uint64_t)

#define FOLD(name, T)                                                                  \
    static void name(void *context, int64_t begin, int64_t end) {                      \
        const Patches *p = (const Patches *)context;                                   \
        const int64_t plane = p->size[0] * p->size[1], cols = p->blocks[1];            \
        const int64_t step = p->stride[1], blocks = p->blocks[0] * cols;               \
        const T *y = (const T *)p->from + begin * p->kernel[0] * p->kernel[1] * blocks;\
        for (int64_t n = begin; n < end; n++) {                                        \
            T *x = (T *)p->to + n * plane;                                             \
            memset(x, 0, plane * sizeof(T));                                           \
            for (int64_t h = 0; h < p->kernel[0]; h++)                                 \
                for (int64_t w = 0; w < p->kernel[1]; w++, y += blocks) {              \
                    int64_t top, low, lo, hi;                                          \
                    const int64_t r0 = patches_inside(p, 0, h, &top, &low);            \
                    const int64_t q0 = patches_inside(p, 1, w, &lo, &hi);              \
                    for (int64_t r = top; r < low; r++) {                              \
                        T *row = x + (r * p->stride[0] + r0) * p->size[1] + q0;        \
                        const T *from = y + r * cols;                                  \
                        if (step == 1)                                                 \
                            for (int64_t q = lo; q < hi; q++) row[q] += from[q];       \
                        else                                                           \
                            for (int64_t q = lo; q < hi; q++)                          \
                                row[q * step] += from[q];                              \
                    }                                                                  \
                }                                                                      \
        }                                                                              \
    }
FOLD(fold_f32, float)
FOLD(fold_f64, double)
FOLD(fold_i64, int64_t)

static int patches_run(Patches *p, ParallelBody body, const View *x) {
    int64_t plane = p->size[0] * p->size[1], n = plane ? x->numel / plane : 0;
    int64_t each = p->kernel[0] * p->kernel[1] * p->blocks[0] * p->blocks[1];
    int64_t grain = TT_PART(65536, 128) / (each + 1) + 1;
    if (n <= grain) body(p, 0, n);
    else tt_parallel_for(body, p, n, grain);
    return TT_OK;
}

static int unfold_driver(const KernelCall *call) {
    static const ParallelBody body[] = {unfold_1, unfold_2, unfold_4, unfold_8};
    Patches p = patches_of(call);
    int size = tt_itemsize[call->operand[0].dtype];
    return patches_run(&p, body[size == 8 ? 3 : size / 2], &call->operand[1]);
}

static int fold_driver(const KernelCall *call) {
    static const ParallelBody body[] = {fold_f32, fold_f64, fold_i64};
    Patches p = patches_of(call);
    return patches_run(&p, body[call->compute], &call->operand[0]);
}
#endif
