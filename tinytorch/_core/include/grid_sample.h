/* Sampling at points of a grid, in 2 or 3 dimensions.

   grid_sample           y (N, C, points), x (N, C, ...), grid (N, points, dims)
   grid_sample_backward  gx, ggrid, gy, x, grid
   grid_sample_double    ggy, gx, ggrid, gy, x, grid, v, u    the gradients of the
                         second's inputs; v and u are those of its outputs

   Scalars: mode, padding, align_corners.  Coordinates are -1 to 1, that of the last
   axis first. */
#ifndef TT_GRID_SAMPLE_H
#define TT_GRID_SAMPLE_H
#include <math.h>
#include <string.h>
#include "call.h"

enum { GRID_LINEAR, GRID_NEAREST, GRID_CUBIC };
enum { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };
enum { GRID_TAPS = 16 };

typedef struct {
    int64_t n, channels, points, plane, in[3]; /* sizes in the order of coordinates */
    int64_t stride[3];
    int dims, mode, padding, align;
    const char *x, *grid, *gy, *v, *u;
    char *y, *gx, *ggrid;
} Grid;

static Grid grid_of(const KernelCall *call, const View *x, const View *grid) {
    Grid g;
    g.dims = x->ndim - 2;
    g.n = x->shape[0];
    g.channels = x->shape[1];
    g.plane = 1;
    for (int a = 0; a < g.dims; a++) {
        g.in[a] = x->shape[x->ndim - 1 - a];
        g.stride[a] = g.plane;
        g.plane *= g.in[a];
    }
    g.points = grid->numel / (grid->shape[0] * g.dims);
    g.mode = (int)call->scalar[0].i;
    g.padding = (int)call->scalar[1].i;
    g.align = call->scalar[2].i != 0;
    g.x = x->data;
    g.grid = grid->data;
    return g;
}

#define TT_FILE "grid_points.h"
#include "each_float.h"

static int grid_sample_driver(const KernelCall *call) {
    return call->compute == TT_COMPUTE_F64 ? grid_sample_f64(call) :
                                             grid_sample_f32(call);
}

static int grid_sample_backward_driver(const KernelCall *call) {
    return call->compute == TT_COMPUTE_F64 ? grid_sample_backward_f64(call) :
                                             grid_sample_backward_f32(call);
}

static int grid_sample_double_driver(const KernelCall *call) {
    return call->compute == TT_COMPUTE_F64 ? grid_sample_double_f64(call) :
                                             grid_sample_double_f32(call);
}
#endif
