/* How a convolution is cut up.  Three kernels share one form:

     y[n, o, g] = sum over channels i and taps t of  w[o, i, t] x[n, i, g * step + at[t]]

   for grid points g; outside of x there are zeros.  The gradient of the input has this
   form too, once per remainder of a position divided by the stride, and that of the
   weight sums the products of the same pairs over n and g.

   A box of grid points at a time, and a block of channels, x is made such that a vector
   of grid points, under any tap, is a contiguous vector in memory (`Source`). */
#ifndef TT_CONV_PLAN_H
#define TT_CONV_PLAN_H
#include <stdlib.h>
#include <string.h>
#include "call.h"

enum {
    CONV_DEPTH = 384,       /* products summed in one pass: 4 rows of w, 6 KiB, in L1 */
    CONV_PANEL_DEPTH = 256, /* the same where neighbouring taps share no lines */
    CONV_TILE = 3,          /* vectors of grid points in a tile */
    CONV_SOURCE = 160 << 10, /* bytes of a source: a part of L2 */
    CONV_WORK = 4 << 20,    /* flops worth a chunk of its own */
    CONV_CHUNKS = 8         /* that a large call is cut into at least */
};

/* DIRECT: x itself, nothing is padded.  PADDED: a copy of the part of x under the box,
   with its zeros; columns sorted by their remainder divided by the stride.  COLUMNS: a
   row per channel and tap of what every grid point of the box sees, for narrow grids.
   PANELS: the same, cut into pieces of a tile's width that fit L1. */
typedef enum { CONV_DIRECT, CONV_PADDED, CONV_COLUMNS, CONV_PANELS } Source;

typedef struct {
    int64_t n, groups, ci, co;         /* channels are those of one group */
    int64_t in[3], grid[3], step[3];
    int64_t count[3], *at[3], *tap[3]; /* per axis: where a tap reads, which tap it is */
    int64_t low[3], reach[3];          /* least `at`, and greatest minus least */
    int64_t taps, kernel[3];           /* taps in use; the kernel's full size */
    int64_t y_first, y_plane, y_step[3];
    Source source;
    int lanes;                         /* of a vector */
    int64_t box[3], boxes[3], extent[3];
    int64_t block;                     /* channels in a block */
    int64_t segment, row, plane, channel; /* strides of a source */
    int64_t scratch;                   /* elements of a source; 0 if DIRECT */
    int64_t *offset;                   /* of each channel of a block and tap in a source */
    const void *x, *w, *b;
    void *y;
    int failed;                        /* a chunk had no memory */
} Conv;

typedef struct { int64_t from[3], size[3]; } ConvBox;

TT_INLINE int64_t conv_ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

static void conv_free(Conv *c) {
    free(c->at[0]);
    free(c->offset);
}

/* Room for the taps of all axes; 0 if there is no memory. */
static int conv_taps(Conv *c) {
    int64_t total = c->kernel[0] + c->kernel[1] + c->kernel[2];
    int64_t *room = (int64_t *)malloc(2 * (total + 1) * sizeof(int64_t));
    if (!room) return 0;
    for (int a = 0; a < 3; a++) {
        c->at[a] = room;
        c->tap[a] = room + c->kernel[a];
        room += 2 * c->kernel[a];
        c->count[a] = 0;
    }
    c->offset = NULL;
    c->failed = 0;
    return 1;
}

static void conv_note_taps(Conv *c) {
    c->taps = c->count[0] * c->count[1] * c->count[2];
    for (int a = 0; a < 3; a++) {
        int64_t least = INT64_MAX, most = INT64_MIN;
        for (int64_t i = 0; i < c->count[a]; i++) {
            if (c->at[a][i] < least) least = c->at[a][i];
            if (c->at[a][i] > most) most = c->at[a][i];
        }
        c->low[a] = c->count[a] ? least : 0;
        c->reach[a] = c->count[a] ? most - least : 0;
    }
}

/* Whether no tap of any grid point leaves x. */
static int conv_inside(const Conv *c) {
    for (int a = 0; a < 3; a++)
        if (c->low[a] < 0 ||
            c->low[a] + c->reach[a] + (c->grid[a] - 1) * c->step[a] >= c->in[a])
            return 0;
    return 1;
}

/* A product of matrices in disguise: every grid point reads the point that it is. */
static int conv_pointwise(const Conv *c) {
    int64_t dense = 1;
    for (int a = 2; a >= 0; a--) {
        if (c->count[a] != 1 || c->low[a] || c->grid[a] != c->in[a]) return 0;
        if (c->step[a] != 1 && c->grid[a] != 1) return 0;
        if (c->y_step[a] != dense && c->grid[a] != 1) return 0;
        dense *= c->grid[a];
    }
    return c->y_first == 0;
}

static void conv_flatten(Conv *c) {
    c->in[2] = c->grid[2] = c->grid[0] * c->grid[1] * c->grid[2];
    for (int a = 0; a < 3; a++) c->step[a] = 1;
    c->in[0] = c->in[1] = c->grid[0] = c->grid[1] = 1;
    c->y_step[2] = 1;
}

/* Whether rows of grid points follow each other in y, so that a box is one vector. */
static int conv_dense(const Conv *c) {
    return (c->y_step[2] == 1 || c->grid[2] == 1) &&
           (c->y_step[1] == c->grid[2] || c->grid[1] == 1) &&
           (c->y_step[0] == c->grid[2] * c->grid[1] || c->grid[0] == 1);
}

/* Rows whose distance is a multiple of 1 KiB would compete for the same lines of L1. */
static int64_t conv_spread(int64_t stride, int size) {
    return stride * size % 1024 ? stride : stride + 64 / size;
}

static int64_t conv_points(const int64_t *box) { return box[0] * box[1] * box[2]; }

/* Strides of a source for boxes of the size c->box. */
static void conv_strides(Conv *c) {
    for (int a = 0; a < 3; a++)
        c->extent[a] = c->taps ? (c->box[a] - 1) * c->step[a] + c->reach[a] + 1 : 0;
    if (c->source == CONV_DIRECT) {
        c->segment = 0;
        c->row = c->in[2];
        c->plane = c->in[1] * c->in[2];
        c->channel = c->in[0] * c->plane;
        c->scratch = 0;
    } else if (c->source == CONV_PADDED) {
        c->segment = conv_ceil(c->extent[2], c->step[2]);
        c->row = c->segment * c->step[2];
        c->plane = c->row * c->extent[1];
        c->channel = conv_spread(c->plane * c->extent[0], 32 / c->lanes);
        c->scratch = c->channel * c->block + c->lanes; /* narrow rows are overrun */
    } else {
        c->segment = c->row = c->plane = 0;
        c->channel = conv_spread(conv_points(c->box), 32 / c->lanes);
        if (c->channel < c->lanes) c->channel = c->lanes;
        if (c->source == CONV_PANELS) {
            int64_t width = CONV_TILE * c->lanes;
            c->channel = conv_ceil(conv_points(c->box), width) * width;
        }
        c->scratch = c->channel * c->block * c->taps;
    }
}

/* Halve the box along its outermost axis; 0 if it is a short row already. */
static int conv_halve(Conv *c) {
    int a = c->box[0] > 1 ? 0 : c->box[1] > 1 ? 1 : 2;
    if (a == 2 && c->box[2] <= 16 * c->lanes) return 0;
    c->box[a] = conv_ceil(c->box[a], 2);
    if (a == 2) c->box[2] = conv_ceil(c->box[2], c->lanes) * c->lanes;
    return 1;
}

static double conv_flops(const Conv *c, const int64_t *box) {
    return 2.0 * (double)conv_points(box) * (double)(c->co * c->ci * c->groups) *
           (double)c->taps;
}

/* Choose source, blocks and boxes.  `apart`: how many pieces exist besides boxes.
   `panels`: whether w is applied; sums over grid points want long rows instead. */
static int conv_plan(Conv *c, int size, int64_t apart, int panels) {
    c->lanes = 32 / size;
    const int flat = c->taps && conv_pointwise(c);
    if (flat) conv_flatten(c);
    const int crowded = c->ci > 8 && c->in[0] * c->in[1] * c->in[2] * size % 1024 == 0;
    int64_t vectors = conv_ceil(c->grid[2], c->lanes);
    double waste = (double)(vectors * c->lanes) / (double)c->grid[2];
    if (panels && flat && c->co >= 16 && c->ci > 8)
        c->source = CONV_PANELS;
    else if (c->grid[2] >= c->lanes && waste <= 1.3 && c->step[2] == 1 && !crowded &&
             conv_inside(c))
        c->source = CONV_DIRECT;
    else if (waste > 1.3 && c->grid[0] * c->grid[1] > 1 && conv_dense(c) && c->co > 2)
        c->source = panels ? CONV_PANELS : CONV_COLUMNS;
    else
        c->source = CONV_PADDED;
    const int64_t depth = c->source == CONV_PANELS ? CONV_PANEL_DEPTH : CONV_DEPTH;
    if (c->source >= CONV_COLUMNS) c->y_step[2] = 1; /* or there is one grid point */
    int64_t most = c->taps ? depth / c->taps : c->ci;
    if (most < 1) most = 1;
    c->block = c->ci ? conv_ceil(c->ci, conv_ceil(c->ci, most)) : 1; /* equal blocks */
    for (int a = 0; a < 3; a++) c->box[a] = c->grid[a];
    conv_strides(c);
    while (c->scratch * size > CONV_SOURCE && conv_halve(c)) conv_strides(c);
    for (;;) {
        int64_t pieces = apart;
        for (int a = 0; a < 3; a++) pieces *= conv_ceil(c->grid[a], c->box[a]);
        if (pieces >= CONV_CHUNKS || conv_flops(c, c->box) < 2.0 * CONV_WORK) break;
        if (!conv_halve(c)) break;
    }
    conv_strides(c);
    for (int a = 0; a < 3; a++) c->boxes[a] = conv_ceil(c->grid[a], c->box[a]);

    int64_t k = 0, *to = (int64_t *)malloc((c->block * c->taps + 1) * sizeof(int64_t));
    if (!(c->offset = to)) return 0;
    for (int64_t i = 0; i < c->block; i++)
        for (int64_t d = 0; d < c->count[0]; d++)
            for (int64_t h = 0; h < c->count[1]; h++)
                for (int64_t w = 0; w < c->count[2]; w++, k++) {
                    if (c->source >= CONV_COLUMNS) {
                        to[k] = k * (c->source == CONV_PANELS ? CONV_TILE * c->lanes :
                                                                c->channel);
                        continue;
                    }
                    int64_t z = c->at[0][d], r = c->at[1][h], q = c->at[2][w];
                    if (c->source == CONV_PADDED) {
                        z -= c->low[0];
                        r -= c->low[1];
                        q -= c->low[2];
                        q = q % c->step[2] * c->segment + q / c->step[2];
                    }
                    to[k] = i * c->channel + z * c->plane + r * c->row + q;
                }
    return 1;
}

static ConvBox conv_box_of(const Conv *c, int64_t number) {
    ConvBox box;
    for (int a = 2; a >= 0; a--) {
        box.from[a] = number % c->boxes[a] * c->box[a];
        box.size[a] = c->grid[a] - box.from[a];
        if (box.size[a] > c->box[a]) box.size[a] = c->box[a];
        number /= c->boxes[a];
    }
    return box;
}

/* Items of work that make a chunk; depends on the shape alone. */
static int64_t conv_grain(int64_t items, double flops) {
    int64_t grain = (int64_t)(CONV_WORK / (flops + 1)) + 1;
    return grain < items ? grain : items;
}
#endif
