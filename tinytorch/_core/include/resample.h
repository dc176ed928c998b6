/* Interpolation along one axis of a tensor: y[.., i, ..] = sum over t of
   weight[i, t] x[.., index[i, t], ..].  Several axes are done one after the other.

   resample           y, x
   resample_backward  gx, gy    the adjoint

   Scalars: axis, mode, align_corners, antialias, scale (0: that of the sizes), whether
   to round to what a byte holds. */
#ifndef TT_RESAMPLE_H
#define TT_RESAMPLE_H
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "call.h"

enum { NEAREST, NEAREST_EXACT, LINEAR, CUBIC, LANCZOS };

typedef struct {
    int64_t outer, in, out, inner;
    int mode, align, antialias, round;
    double scale;
    int64_t taps;
    const char *from;
    char *to;
    int64_t *index;   /* (out, taps) */
    void *weight;     /* the same, of the compute type; not used by NEAREST */
} Resample;

static Resample resample_of(const KernelCall *call, const View *y, const View *x) {
    Resample r;
    const Scalar *s = call->scalar;
    int axis = (int)s[0].i;
    r.mode = (int)s[1].i;
    r.align = s[2].i != 0;
    r.antialias = s[3].i != 0;
    r.scale = s[4].f;
    r.round = s[5].i != 0;
    r.in = x->shape[axis];
    r.out = y->shape[axis];
    r.outer = r.inner = 1;
    for (int d = 0; d < axis; d++) r.outer *= x->shape[d];
    for (int d = axis + 1; d < x->ndim; d++) r.inner *= x->shape[d];
    r.to = call->operand[0].data;
    r.from = call->operand[1].data;
    return r;
}

/* Half the width of a filter that is as coarse as the result. */
static double resample_support(const Resample *r, double scale) {
    double half = r->mode == LINEAR ? 1 : r->mode == CUBIC ? 2 : 3;
    return scale > 1 ? half * scale : half;
}

static double resample_filter(int mode, double x) {
    x = fabs(x);
    if (mode == LINEAR) return x < 1 ? 1 - x : 0;
    if (mode == CUBIC) { /* a = -1/2, where that of smooth enlarging is -3/4 */
        if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
        return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
    }
    if (x == 0) return 1;
    x *= 3.14159265358979323846;
    return x < 3 * 3.14159265358979323846 ? 3 * sin(x) * sin(x / 3) / (x * x) : 0;
}

#define T float
#define R float /* what places and weights are calculated in */
#define K(f) f##_f32
#include "resample_axis.h"
#undef T
#undef R
#undef K
#define T double
#define R double
#define K(f) f##_f64
#include "resample_axis.h"
#undef T
#undef R
#undef K
#define T int64_t /* only NEAREST, which has no weights */
#define R float
#define K(f) f##_i64
#include "resample_axis.h"
#undef T
#undef R
#undef K

#define RESAMPLE_DRIVER(name)                                                          \
    static int name##_driver(const KernelCall *call) {                                 \
        return call->compute == TT_COMPUTE_F32 ? name##_f32(call) :                    \
               call->compute == TT_COMPUTE_F64 ? name##_f64(call) : name##_i64(call);  \
    }
RESAMPLE_DRIVER(resample)
RESAMPLE_DRIVER(resample_backward)
#endif
