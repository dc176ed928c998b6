/* Normalisation of rows:  y = (x - mean) rstd w + b,  rstd = 1 / sqrt(variance + eps).

   Without a centre (rms_norm) the mean is 0 and the variance the mean square.
   Forward operands:  y, mean, rstd, x[, w][, b]
   Backward operands: gx, gw, gb, x, gy, mean, rstd[, w]
   Scalars: cols, eps, whether there is a centre, w, b.
   gw and gb are added up over at most TT_NORM_CHUNKS runs of rows, whose limits follow
   from the shape alone. */
#ifndef T
#ifndef TT_NORM_H
#define TT_NORM_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "rows.h"

enum { TT_NORM_CHUNKS = 16, TT_NORM_GRAIN = TT_PART(16384, 32) };

#define TT_FILE "norm.h"
#include "each_float.h"

/* What a loop works on, all of one compute type; NULL where there is none. */
typedef struct {
    char *y, *mean, *rstd, *x, *w, *b;  /* y is gx in the backward pass */
    char *gy, *gw, *gb;
    int64_t rows, cols, size, step;     /* bytes of an element; rows of a chunk */
    double eps;
    int centre;
    void (*loop)(const void *norm, int64_t begin, int64_t end, void *gw, void *gb);
    char *partial;
} Norm;

static void tt_norm_range(void *context, int64_t begin, int64_t end) {
    const Norm *n = (const Norm *)context;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = k * n->step, last = first + n->step;
        char *gw = n->gw, *gb = n->gb;
        if (n->partial) {
            gw = n->partial + k * 2 * n->cols * n->size;
            gb = gw + n->cols * n->size;
        }
        if (gw) memset(gw, 0, n->cols * n->size);
        if (gb) memset(gb, 0, n->cols * n->size);
        n->loop(n, first, last < n->rows ? last : n->rows, gw, gb);
    }
}

static Norm tt_norm_of(const KernelCall *call) {
    Norm n = {.cols = call->scalar[0].i, .eps = call->scalar[1].f,
              .centre = call->scalar[2].i != 0,
              .size = tt_compute_size[call->compute],
              .loop = (void (*)(const void *, int64_t, int64_t, void *, void *))
                          call->kernel->function[call->compute]};
    n.rows = n.cols ? call->operand[3].numel / n.cols : 0;
    n.step = n.cols < TT_NORM_GRAIN ? TT_NORM_GRAIN / (n.cols ? n.cols : 1) : 1;
    n.y = call->operand[0].data;
    n.x = call->operand[3].data;
    return n;
}

static int norm_driver(const KernelCall *call) {
    Norm n = tt_norm_of(call);
    int next = 4;
    n.mean = call->operand[1].data;
    n.rstd = call->operand[2].data;
    if (call->scalar[3].i) n.w = call->operand[next++].data;
    if (call->scalar[4].i) n.b = call->operand[next++].data;
    if (n.rows == 0) return TT_OK;
    const int64_t chunks = (n.rows + n.step - 1) / n.step;
    if (chunks == 1) tt_norm_range(&n, 0, 1);
    else tt_parallel_for(tt_norm_range, &n, chunks, 1);
    return TT_OK;
}

static int norm_backward_driver(const KernelCall *call) {
    Norm n = tt_norm_of(call);
    const int64_t share = (n.rows + TT_NORM_CHUNKS - 1) / TT_NORM_CHUNKS;
    n.gw = call->operand[1].data;
    n.gb = call->operand[2].data;
    n.gy = call->operand[4].data;
    n.mean = call->operand[5].data;
    n.rstd = call->operand[6].data;
    n.w = call->scalar[3].i ? call->operand[7].data : NULL;
    if (n.rows == 0) {
        memset(n.gw, 0, n.cols * n.size);
        memset(n.gb, 0, n.cols * n.size);
        return TT_OK;
    }
    if (n.step < share) n.step = share;
    const int64_t chunks = (n.rows + n.step - 1) / n.step;
    if (chunks == 1) {
        tt_norm_range(&n, 0, 1);
        return TT_OK;
    }
    n.partial = (char *)malloc((size_t)(chunks * 2 * n.cols * n.size));
    if (!n.partial) return TT_NO_MEMORY;
    tt_parallel_for(tt_norm_range, &n, chunks, 1);
    for (int64_t k = 0; k < chunks; k++) {
        const char *part = n.partial + k * 2 * n.cols * n.size;
        for (int half = 0; half < 2; half++) {
            char *sum = half ? n.gb : n.gw;
            if (k == 0) memcpy(sum, part, n.cols * n.size);
            else if (call->compute == TT_COMPUTE_F32)
                norm_join_f32((float *)sum, (const float *)part, n.cols);
            else norm_join_f64((double *)sum, (const double *)part, n.cols);
            part += n.cols * n.size;
        }
    }
    free(n.partial);
    return TT_OK;
}

#define TT_FILE "norm_loops.h"
#include "each_float.h"
#endif
#else

TT_KERNEL void K(norm_join)(T *sum, const T *part, int64_t n) {
    for (int64_t j = 0; j < n; j++) sum[j] += part[j];
}
#endif
