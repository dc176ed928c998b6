/* How a convolution is cut up.  Three kernels share one form:

     y[n, o, g] = sum over channels i and taps t of w[o, i, t] x[n, i, g step + at[t]]

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
    /* Products summed in one pass: 4 rows of w, 6 KiB, in L1; and where neighbouring
       taps share no lines. */
    CONV_DEPTH = TT_PART(384, 48),
    CONV_PANEL_DEPTH = TT_PART(256, 32),
    CONV_TILE = 3,                         /* vectors of grid points in a tile */
    CONV_ROW = TT_PART(512, 64),           /* grid points of a sum, or more */
    CONV_SOURCE = TT_PART(160, 4) << 10,   /* bytes of a source: a part of L2 */
    CONV_WORK = TT_PART(4 << 20, 1 << 13), /* flops worth a chunk of its own */
    CONV_CHUNKS = 8                        /* that a large call is cut into at least */
};

/* DIRECT: x itself, nothing is padded.  PADDED: a copy of the part of x under the box,
   with its zeros; columns sorted by their remainder divided by the stride.  COLUMNS: a
   row per channel and tap of what every grid point of the box sees, for narrow grids.
   PANELS: the same, cut into pieces of a tile's width that fit L1. */
typedef enum { CONV_DIRECT, CONV_PADDED, CONV_COLUMNS, CONV_PANELS } Source;

typedef struct {
    int64_t n, groups, ci, co;         /* channels are those of one group */
    int64_t in[3], grid[3], step[3];
    /* per axis: where a tap reads, which tap it is */
    int64_t count[3], *at[3], *tap[3];
    int64_t low[3], reach[3];          /* least `at`, and greatest minus least */
    int64_t taps, kernel[3];           /* taps in use; the kernel's full size */
    int64_t y_first, y_plane, y_step[3];
    Source source;
    int lanes;                         /* of a vector */
    int64_t box[3], boxes[3], extent[3];
    int64_t block;                     /* channels in a block */
    int64_t load, images;              /* conv_wide.h: channels in a source, images */
    int64_t segment, row, plane, channel; /* strides of a source */
    int64_t padded, scratch;           /* elements of a padded channel, and a source */
    /* of channels and taps in a source; last block */
    int64_t *offset, *last_offset;
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
        return;
    }
    c->segment = conv_ceil(c->extent[2], c->step[2]);
    c->row = c->segment * c->step[2];
    c->plane = c->row * c->extent[1];
    c->padded = c->plane * c->extent[0] + c->lanes; /* narrow rows are overrun */
    if (c->source == CONV_PADDED) {
        c->channel = conv_spread(c->plane * c->extent[0], 32 / c->lanes);
        c->scratch = c->channel * c->block + c->lanes;
    } else if (c->source == CONV_COLUMNS) {
        c->channel = conv_spread(conv_points(c->box), 32 / c->lanes);
        if (c->channel < c->lanes) c->channel = c->lanes;
        c->scratch = c->channel * c->block * c->taps + c->padded;
    } else {
        const int64_t width = CONV_TILE * c->lanes;
        c->channel = conv_ceil(conv_points(c->box), width) * width;
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

/* `panels`: whether w is applied; sums over grid points want long rows instead. */
static Source conv_choose_source(const Conv *c, int size, int flat, int panels) {
    const double vectors = (double)(conv_ceil(c->grid[2], c->lanes) * c->lanes);
    const double waste = vectors / (double)c->grid[2];
    const int crowded = c->ci > 8 && c->in[0] * c->in[1] * c->in[2] * size % 1024 == 0;
    const int rows = c->grid[0] * c->grid[1] > 1 && conv_dense(c);
    /* rows that fill no vector,
       or so few that each row's start and end cost too much */
    const int narrow = c->grid[2] < c->lanes ||
                       (c->co >= 32 && (waste > 1.15 || c->grid[2] <= 2 * c->lanes));
    if (panels && flat && c->co >= 16 && c->ci > 8) return CONV_PANELS;
    if (!panels && narrow && rows) return CONV_COLUMNS;
    if (c->grid[2] >= c->lanes && waste <= 1.3 && c->step[2] == 1 && !crowded &&
        conv_inside(c))
        return CONV_DIRECT;
    return panels && waste > 1.3 && rows && c->co > 2 ? CONV_PANELS : CONV_PADDED;
}

/* Channels whose products are summed in one pass. */
static int64_t conv_block(const Conv *c, int size) {
    int64_t depth = c->source == CONV_PANELS ? CONV_PANEL_DEPTH : CONV_DEPTH;
    if (c->source == CONV_COLUMNS) { /* rather few rows than short ones */
        const int64_t all = conv_points(c->grid) * c->n;
        const int64_t points = all < CONV_ROW ? all : CONV_ROW;
        if (depth > CONV_SOURCE / size / points) depth = CONV_SOURCE / size / points;
    }
    if (c->ci == 0 || c->taps == 0) return c->ci ? c->ci : 1;
    const int64_t most = depth < c->taps ? 1 : depth / c->taps;
    return conv_ceil(c->ci, conv_ceil(c->ci, most)); /* equal blocks */
}

/* Boxes whose source fits the cache, and that are enough for several threads. */
static void conv_choose_boxes(Conv *c, int size, int64_t apart) {
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
}

/* Where a source has tap (z, r, q), given as places in x for grid point 0. */
static int64_t conv_offset(const Conv *c, int64_t z, int64_t r, int64_t q) {
    if (c->source != CONV_DIRECT) {
        z -= c->low[0];
        r -= c->low[1];
        q -= c->low[2];
        q = q % c->step[2] * c->segment + q / c->step[2];
    }
    return z * c->plane + r * c->row + q;
}

/* In the order of what is summed: that of the weight for sums over grid points.  Where
   w is applied, lines of taps come first and channels within: a row of grid points near
   an edge then skips the lines that it would meet only zeros with. */
static void conv_fill_offsets(const Conv *c, int64_t size, int panels, int64_t *to) {
    const int64_t lines = c->count[0] * c->count[1], n = c->count[2];
    const int64_t row = c->source == CONV_PANELS ? CONV_TILE * c->lanes : c->channel;
    for (int64_t k = 0; k < size * c->taps; k++) {
        const int64_t i = panels ? k / n % size : k / n / lines;
        const int64_t line = panels ? k / n / size : k / n % lines;
        to[k] = c->source >= CONV_COLUMNS ? k * row :
                i * c->channel + conv_offset(c, c->at[0][line / c->count[1]],
                                             c->at[1][line % c->count[1]],
                                             c->at[2][k % n]);
    }
}

/* The tables of offsets, for whole blocks and the last one; 0 if there is no memory. */
static int conv_tables(Conv *c, int panels) {
    c->offset = (int64_t *)malloc((2 * c->block * c->taps + 1) * sizeof(int64_t));
    if (!c->offset) return 0;
    c->last_offset = c->offset + c->block * c->taps;
    conv_fill_offsets(c, c->block, panels, c->offset);
    conv_fill_offsets(c, c->ci % c->block, panels, c->last_offset);
    return 1;
}

/* Settle all that c still lacks; `apart` pieces of work exist besides boxes. */
static int conv_plan(Conv *c, int size, int64_t apart, int panels) {
    const int flat = c->taps && conv_pointwise(c);
    if (flat) conv_flatten(c);
    c->source = conv_choose_source(c, size, flat, panels);
    if (c->source >= CONV_COLUMNS) c->y_step[2] = 1; /* or there is one grid point */
    c->block = conv_block(c, size);
    conv_choose_boxes(c, size, apart);
    return conv_tables(c, panels);
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
