/* Padding with values of x itself, over the last 1 to 3 axes.

   pad_mirror      y, x     y[p] = x[from(p)]
   pad_gather      x, y     its adjoint: x[q] = sum of the y[p] with from(p) = q

   Scalars: mode, number of axes, then for each axis, first to last, what is added in
   front and behind (less than 0: taken away).  Contiguous operands. */
#ifndef TT_PAD_H
#define TT_PAD_H
#include <stdlib.h>
#include <string.h>
#include "call.h"

enum { PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR };

typedef struct {
    const char *x;
    char *y;
    int64_t in[3], out[3];
    int64_t *from[3];       /* of each index of y, along an axis */
    int64_t first, last;    /* y[first..last) of a row is a piece of x's */
    int size;
} Pad;

/* Where index i of y comes from. */
static int64_t pad_source(int mode, int64_t i, int64_t size, int64_t front,
                          int64_t behind) {
    if (mode == PAD_CIRCULAR) { /* what is taken away does not come back */
        int64_t cut = front < 0 ? -front : 0;
        int64_t kept = size - cut + (behind < 0 ? behind : 0);
        i = (i - (front > 0 ? front : 0)) % kept;
        return (i < 0 ? i + kept : i) + cut;
    }
    i -= front;
    if (mode == PAD_REFLECT) {
        if (i < 0) i = -i;
        return i < size ? i : 2 * (size - 1) - i;
    }
    return i < 0 ? 0 : i < size ? i : size - 1;
}

/* Describe a call whose padded operand is `y`; returns the number of planes, or -1. */
static int64_t pad_setup(Pad *p, const KernelCall *call, const View *y, const View *x) {
    int mode = (int)call->scalar[0].i, axes = (int)call->scalar[1].i;
    int64_t planes = 1, total = 0;
    for (int d = 0; d < x->ndim - axes; d++) planes *= x->shape[d];
    for (int a = 0; a < 3; a++) {
        int d = a - 3 + axes;
        p->in[a] = d < 0 ? 1 : x->shape[x->ndim - axes + d];
        p->out[a] = d < 0 ? 1 : y->shape[y->ndim - axes + d];
        total += p->out[a];
    }
    int64_t *room = (int64_t *)malloc((total + 1) * sizeof(int64_t));
    if (!room) return -1;
    int64_t front = 0;
    for (int a = 0; a < 3; a++) {
        int d = a - 3 + axes;
        front = d < 0 ? 0 : call->scalar[2 + 2 * d].i;
        int64_t behind = d < 0 ? 0 : call->scalar[3 + 2 * d].i;
        p->from[a] = room;
        room += p->out[a];
        for (int64_t i = 0; i < p->out[a]; i++)
            p->from[a][i] = pad_source(mode, i, p->in[a], front, behind);
    }
    p->first = front > 0 ? front : 0;
    if (p->first > p->out[2]) p->first = p->out[2];
    for (p->last = p->first; p->last < p->out[2]; p->last++)
        if (p->from[2][p->last] != p->from[2][p->first] + p->last - p->first) break;
    p->size = tt_itemsize[x->dtype];
    return planes;
}

#define PAD_ROW(T)                                                                     \
    {                                                                                  \
        T *to = (T *)y; const T *x = (const T *)row;                                   \
        for (int64_t q = 0; q < p->first; q++) to[q] = x[from[q]];                     \
        memcpy(to + p->first, x + from[p->first], (p->last - p->first) * sizeof(T));   \
        for (int64_t q = p->last; q < p->out[2]; q++) to[q] = x[from[q]];              \
        break;                                                                         \
    }

static void pad_mirror_range(void *context, int64_t begin, int64_t end) {
    const Pad *p = (const Pad *)context;
    const int64_t *from = p->from[2], length = p->out[2] * p->size;
    for (int64_t n = begin; n < end; n++)
        for (int64_t z = 0; z < p->out[0]; z++)
            for (int64_t r = 0; r < p->out[1]; r++) {
                int64_t line = (n * p->in[0] + p->from[0][z]) * p->in[1] +
                    p->from[1][r];
                const char *row = p->x + line * p->in[2] * p->size;
                char *y = p->y + ((n * p->out[0] + z) * p->out[1] + r) * length;
                switch (p->size) {
                case 1: PAD_ROW(uint8_t)
                case 2: PAD_ROW(uint16_t)
                case 4: PAD_ROW(uint32_t)
                default: PAD_ROW(uint64_t)
                }
            }
}

#define PAD_GATHER(name, T)                                                            \
    static void name(void *context, int64_t begin, int64_t end) {                      \
        const Pad *p = (const Pad *)context;                                           \
        const int64_t plane = p->in[0] * p->in[1] * p->in[2], *from = p->from[2];      \
        const T *y = (const T *)p->x + begin * p->out[0] * p->out[1] * p->out[2];      \
        for (int64_t n = begin; n < end; n++) {                                        \
            T *x = (T *)p->y + n * plane;                                              \
            memset(x, 0, plane * sizeof(T));                                           \
            for (int64_t z = 0; z < p->out[0]; z++)                                    \
                for (int64_t r = 0; r < p->out[1]; r++, y += p->out[2]) {              \
                    T *to = x + (p->from[0][z] * p->in[1] + p->from[1][r]) * p->in[2]; \
                    for (int64_t q = 0; q < p->first; q++) to[from[q]] += y[q];        \
                    if (p->last > p->first) {                                          \
                        T *middle = to + from[p->first];                               \
                        for (int64_t q = p->first; q < p->last; q++)                   \
                            middle[q - p->first] += y[q];                              \
                    }                                                                  \
                    for (int64_t q = p->last; q < p->out[2]; q++) to[from[q]] += y[q]; \
                }                                                                      \
        }                                                                              \
    }
PAD_GATHER(pad_gather_f32, float)
PAD_GATHER(pad_gather_f64, double)

static void pad_run(Pad *p, ParallelBody body, int64_t planes) {
    const int64_t plane = p->out[0] * p->out[1] * p->out[2];
    const int64_t grain = TT_PART(65536, 128) / (plane + 1) + 1;
    if (planes <= grain) body(p, 0, planes);
    else tt_parallel_for(body, p, planes, grain);
    free(p->from[0]);
}

static int pad_mirror_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    Pad p = {.x = x->data, .y = y->data};
    if (y->numel == 0) return TT_OK;
    int64_t planes = pad_setup(&p, call, y, x);
    if (planes < 0) return TT_NO_MEMORY;
    pad_run(&p, pad_mirror_range, planes);
    return TT_OK;
}

static int pad_gather_driver(const KernelCall *call) {
    const View *x = &call->operand[0], *y = &call->operand[1];
    Pad p = {.x = y->data, .y = x->data};
    if (x->numel == 0) return TT_OK;
    if (y->numel == 0) {
        memset(x->data, 0, x->numel * tt_itemsize[x->dtype]);
        return TT_OK;
    }
    int64_t planes = pad_setup(&p, call, y, x);
    if (planes < 0) return TT_NO_MEMORY;
    pad_run(&p, call->compute == TT_COMPUTE_F64 ? pad_gather_f64 : pad_gather_f32,
            planes);
    return TT_OK;
}
#endif
