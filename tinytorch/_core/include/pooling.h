/* Pooling: what windows over the last 1 to 3 axes of x hold, their maximum or mean.

   max_pool            y [, at], x    at: where in its plane each maximum stands, int64
   mean_pool           y, x
   mean_pool_backward  gx, gy         the adjoint of mean_pool
   pool_scatter        gx, gy, at     gx[at] += gy by plane: adjoint of pool_gather
   pool_gather         y, x, at       y = x[at]
   pool_unpool         y, x, at       y[at] = x, elsewhere 0

   Scalars of the first three: number of axes, adaptive, count_include_pad, divisor (0:
   the number of elements), then kernel, stride, padding, dilation by axis; of the
   others:
   number of axes.  Contiguous operands. */
#ifndef TT_POOLING_H
#define TT_POOLING_H
#include <stdlib.h>
#include <string.h>
#include "call.h"

enum { POOL_ROW = TT_PART(256, 8), POOL_WORK = TT_PART(65536, 128) };

typedef struct {
    int64_t planes, in[3], out[3];
    int64_t kernel[3], stride[3], padding[3], dilation[3];
    int64_t *begin[3], *end[3], *count[3]; /* of each window, along an axis */
    int even;                              /* windows along a row are `stride` apart */
    int64_t divisor;
    const char *x;
    char *y;
    int64_t *at;
} Pool;

TT_INLINE int64_t pool_size(const View *v, int axes, int a) {
    return a < 3 - axes ? 1 : v->shape[v->ndim - 3 + a];
}

static int64_t pool_planes(const View *v, int axes) {
    int64_t n = 1;
    for (int d = 0; d < v->ndim - axes; d++) n *= v->shape[d];
    return n;
}

/* Window i of an axis: elements begin, begin + dilation, ... before end.  `count` is
   what a mean divides by. */
static void pool_window(Pool *p, int a, int64_t i, int adaptive, int with_padding) {
    int64_t begin, end, size = p->in[a];
    if (adaptive) {
        begin = i * size / p->out[a];
        end = ((i + 1) * size + p->out[a] - 1) / p->out[a];
        p->count[a][i] = end - begin;
    } else {
        int64_t step = p->dilation[a];
        begin = i * p->stride[a] - p->padding[a];
        end = begin + (p->kernel[a] - 1) * step + 1;
        int64_t padded = end < size + p->padding[a] ? end : size + p->padding[a];
        int64_t whole = padded - begin;
        if (begin < 0) begin += (-begin + step - 1) / step * step;
        if (end > size) end = size;
        p->count[a][i] = with_padding ? whole : end - begin;
    }
    p->begin[a][i] = begin;
    p->end[a][i] = end;
}

/* One output per plane: the plane is a row. */
static void pool_flatten(Pool *p) {
    for (int a = 2; a > 0; a--)
        if (p->out[a] == 1 && p->out[a - 1] == 1) {
            p->in[a] *= p->in[a - 1];
            p->in[a - 1] = 1;
        } else {
            return;
        }
}

/* Describe a call; 0 if there is no memory. */
static int pool_setup(Pool *p, const KernelCall *call, const View *y, const View *x) {
    const Scalar *s = call->scalar;
    int axes = (int)s[0].i, adaptive = s[1].i != 0;
    p->planes = pool_planes(x, axes);
    p->divisor = s[3].i;
    int64_t total = 0;
    for (int a = 0; a < 3; a++) {
        int d = a - 3 + axes;
        p->in[a] = pool_size(x, axes, a);
        p->out[a] = pool_size(y, axes, a);
        p->kernel[a] = d < 0 ? 1 : s[4 + d].i;
        p->stride[a] = d < 0 ? 1 : s[4 + axes + d].i;
        p->padding[a] = d < 0 ? 0 : s[4 + 2 * axes + d].i;
        p->dilation[a] = d < 0 ? 1 : s[4 + 3 * axes + d].i;
    }
    if (adaptive) pool_flatten(p);
    for (int a = 0; a < 3; a++) {
        if (adaptive) {
            p->dilation[a] = 1;
            p->padding[a] = 0;
            p->kernel[a] = p->stride[a] = p->out[a] ? p->in[a] / p->out[a] : 1;
        }
        total += p->out[a];
    }
    p->even = !adaptive || p->in[2] == p->out[2] * p->stride[2];
    if (p->even && p->out[2] == 1 && p->in[2] > 16) p->even = 0; /* sum along the row */
    int64_t *room = (int64_t *)malloc((3 * total + 1) * sizeof(int64_t));
    if (!room) return 0;
    for (int a = 0; a < 3; a++) {
        p->begin[a] = room;
        p->end[a] = room + p->out[a];
        p->count[a] = room + 2 * p->out[a];
        room += 3 * p->out[a];
        for (int64_t i = 0; i < p->out[a]; i++) pool_window(p, a, i, adaptive,
                                                            s[2].i != 0);
    }
    return 1;
}

/* The windows of a row that have an element under tap k: they are lo..hi. */
TT_INLINE void pool_reach(const Pool *p, int64_t k, int64_t *lo, int64_t *hi) {
    const int64_t off = k * p->dilation[2] - p->padding[2], s = p->stride[2];
    int64_t first = off < 0 ? (s - 1 - off) / s : 0;
    int64_t stop = off < p->in[2] ? (p->in[2] - 1 - off) / s + 1 : 0;
    if (first > *lo) *lo = first;
    if (stop < *hi) *hi = stop;
}

static void pool_run(Pool *p, ParallelBody body, int64_t items, int64_t each) {
    int64_t grain = POOL_WORK / (each + 1) + 1;
    if (items <= grain) body(p, 0, items);
    else tt_parallel_for(body, p, items, grain);
}

static int64_t pool_window_size(const Pool *p) {
    return p->kernel[0] * p->kernel[1] * p->kernel[2];
}

#define TT_FILE "pooling_max.h"
#include "each_compute.h"
#define TT_FILE "pooling_mean.h"
#include "each_compute.h"
#define TT_FILE "pooling_index.h"
#include "each_compute.h"

#define POOL_DRIVER(name)                                                              \
    static int name##_driver(const KernelCall *call) {                                 \
        return call->compute == TT_COMPUTE_F32 ? name##_f32(call) :                    \
               call->compute == TT_COMPUTE_F64 ? name##_f64(call) : name##_i64(call);  \
    }
POOL_DRIVER(max_pool)
POOL_DRIVER(mean_pool)
POOL_DRIVER(mean_pool_backward)
POOL_DRIVER(pool_scatter)
POOL_DRIVER(pool_gather)
POOL_DRIVER(pool_unpool)
#endif
