/* Convolution, and its gradients for input and weight.

   conv_forward       y (N, O, ...), x (N, I, ...), w (O, I / groups, ...) [, b (O)]
   conv_input         x (N, I, ...), y, w [, b (I)]  the first's adjoint, so also the
                      transposed convolution
   conv_weight        w, y, x

   Scalars: groups, then stride, padding and dilation of each axis.  All contiguous. */
#ifndef TT_CONV_H
#define TT_CONV_H
#include "conv_wide.h"

/* Sizes of axis a of three, of which a call may have fewer. */
TT_INLINE int64_t conv_size(const View *v, int a) {
    int d = v->ndim - 3 + a;
    return d < 2 ? 1 : v->shape[d];
}

typedef struct { int64_t stride[3], padding[3], dilation[3]; } ConvSteps;

static ConvSteps conv_steps(const KernelCall *call) {
    int dims = (call->scalars - 1) / 3;
    ConvSteps s;
    for (int a = 0; a < 3; a++) {
        int d = a - 3 + dims;
        s.stride[a] = d < 0 ? 1 : call->scalar[1 + d].i;
        s.padding[a] = d < 0 ? 0 : call->scalar[1 + dims + d].i;
        s.dilation[a] = d < 0 ? 1 : call->scalar[1 + 2 * dims + d].i;
    }
    return s;
}

/* The form of conv_plan.h with x as it is. */
static int conv_describe(Conv *c, const View *y, const View *x, const View *w,
                         const KernelCall *call) {
    ConvSteps s = conv_steps(call);
    c->n = x->shape[0];
    c->groups = call->scalar[0].i;
    c->ci = x->shape[1] / c->groups;
    c->co = y->shape[1] / c->groups;
    int64_t dense = 1;
    for (int a = 2; a >= 0; a--) {
        c->in[a] = conv_size(x, a);
        c->grid[a] = conv_size(y, a);
        c->kernel[a] = conv_size(w, a);
        c->step[a] = s.stride[a];
        c->y_step[a] = dense;
        dense *= c->grid[a];
    }
    c->y_first = 0;
    c->y_plane = dense;
    if (!conv_taps(c)) return 0;
    for (int a = 0; a < 3; a++)
        for (int64_t i = 0; i < c->kernel[a]; i++, c->count[a]++) {
            c->at[a][i] = i * s.dilation[a] - s.padding[a];
            c->tap[a][i] = i;
        }
    conv_note_taps(c);
    return 1;
}

/* Vectors of a box.  Positions are relative to its first grid point. */
static int64_t conv_vectors(const Conv *c, const ConvBox *box, ConvVector *v) {
    int64_t depth = box->size[0], rows = box->size[1], cols = box->size[2], n = 0;
    if (c->source >= CONV_COLUMNS) {
        cols *= depth * rows;
        depth = rows = 1;
    }
    for (int64_t z = 0; z < depth; z++)
        for (int64_t r = 0; r < rows; r++) {
            int begin, end;
            conv_lines(c, box->from[0] + z, box->from[1] + r, &begin, &end);
            for (int64_t q = 0; q < cols; q += c->lanes, n++) {
                int64_t at = q;
                v[n].begin = begin;
                v[n].end = end;
                v[n].first = 0;
                v[n].last = c->lanes;
                if (q + c->lanes > cols) {
                    if (c->source != CONV_PANELS &&
                        (cols >= c->lanes || c->source == CONV_DIRECT)) {
                        at = cols - c->lanes;
                        v[n].first = (int)(q - at);
                    } else {
                        v[n].last = (int)(cols - q);
                    }
                }
                v[n].whole = at >= 0 && v[n].last == c->lanes;
                v[n].x = z * c->step[0] * c->plane + r * c->step[1] * c->row + at;
                v[n].y = z * c->y_step[0] + r * c->y_step[1] + at * c->y_step[2];
            }
        }
    return n;
}

/* Vectors of a box in panels of `depth` rows. */
static void conv_panel_vectors(const Conv *c, int64_t depth, ConvVector *v, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        v[k].x = (k / CONV_TILE * depth * CONV_TILE + k % CONV_TILE) * c->lanes;
}

static int64_t conv_most_vectors(const Conv *c) {
    return (conv_ceil(c->box[2], c->lanes) + 1) * c->box[0] * c->box[1];
}

/* Whether a call's job can be skipped: nothing to write. */
static int conv_empty(const Conv *c) {
    return c->n * c->groups * c->co * c->grid[0] * c->grid[1] * c->grid[2] == 0;
}

/* The positions of x that leave remainder `phase` when divided by the stride, as a
   grid:
   which taps of the kernel reach them, and from where in y. */
static void conv_phase(Conv *c, const ConvSteps *s, const int64_t *phase,
                       const int64_t *x_step) {
    c->y_first = 0;
    for (int a = 0; a < 3; a++) {
        int64_t n = 0, stride = s->stride[a];
        for (int64_t i = c->kernel[a] - 1; i >= 0; i--) {
            int64_t at = phase[a] + s->padding[a] - i * s->dilation[a];
            if (at % stride) continue;
            c->at[a][n] = at / stride;
            c->tap[a][n++] = i;
        }
        c->count[a] = n;
        c->y_first += phase[a] * x_step[a];
        c->y_step[a] = stride * x_step[a];
        c->step[a] = 1;
    }
    conv_note_taps(c);
}

#define TT_FILE "conv_source.h"
#include "each_vector.h"
#define TT_FILE "conv_wide_apply.h"
#include "each_vector.h"
#include "conv_winograd_apply.h"
#define TT_FILE "conv_apply.h"
#include "each_vector.h"
#define TT_FILE "conv_wide_weight.h"
#include "each_vector.h"
#define TT_FILE "conv_weight.h"
#include "each_vector.h"

#define CONV_DRIVER(name)                                                              \
    static int name##_driver(const KernelCall *call) {                                 \
        return call->compute == TT_COMPUTE_F32 ? name##_f32(call) :                    \
               call->compute == TT_COMPUTE_F64 ? name##_f64(call) : name##_i64(call);  \
    }
CONV_DRIVER(conv_forward)
CONV_DRIVER(conv_input)
CONV_DRIVER(conv_weight)

static double conv_work(const View *y, const View *w) {
    double points = (double)y->numel / (double)(y->shape[1] ? y->shape[1] : 1);
    return 2.0 * points * (double)w->numel;
}
static double conv_forward_flops(const KernelCall *call) {
    return conv_work(&call->operand[0], &call->operand[2]);
}
static double conv_input_flops(const KernelCall *call) {
    return conv_work(&call->operand[1], &call->operand[2]);
}
static double conv_weight_flops(const KernelCall *call) {
    return conv_work(&call->operand[1], &call->operand[0]);
}
#endif
