/* Calls of convolutions and their adjoints for the input by conv_winograd.h. */
#ifndef TT_CONV_WINOGRAD_APPLY_H
#define TT_CONV_WINOGRAD_APPLY_H
#include "conv_winograd.h"

/* One box of some images, one group: x transformed is given. */
static int conv_winograd_box(const Winograd *j, const ConvBox *box, int64_t images,
                             int64_t g, const float *x, float *m, float *sums,
                             float *y) {
    const Conv *c = j->c;
    const int kinds = j->kinds * j->kinds;
    const int64_t cols = conv_ceil(box->size[2], 2), wide = conv_width(c);
    const int64_t each = cols * conv_ceil(box->size[1], 2), tiles = images * each;
    const float *w = j->w + g * kinds * c->ci * wide;
    static const float none[24] = {0};
    int finite = 1;
    for (int64_t o = 0, width; o < wide; o += width) {
        const int64_t left = c->co - o, points = box->size[1] * box->size[2];
        const int vectors = conv_panel((wide - o) / 8);
        width = vectors * 8;
        for (int k = 0; k < kinds; k++, w += c->ci * width)
            conv_sweep_f32(vectors, tiles, c->ci, x + k * j->most * c->ci, j->at, NULL,
                           0, j->channel, w, none, 0, m + k * tiles * width);
        for (int64_t e = 0; e < images; e++)
            finite &= conv_winograd_gives(j->kinds, vectors, box, tiles * width, cols,
                                          m + e * each * width, j->bias + g * wide + o,
                                          sums + e * points * width);
        conv_give_f32(c, box, images, width, left < width ? left : width, sums,
                      y + o * c->y_plane);
    }
    return finite;
}

static void conv_winograd_range(void *context, int64_t begin, int64_t end) {
    Winograd *j = (Winograd *)context;
    Conv *c = (Conv *)j->c, *t = &j->tiles;
    const int64_t boxes = t->boxes[1] * t->boxes[2], x_plane = c->in[1] * c->in[2];
    const int64_t kinds = j->kinds * j->kinds, line = CONV_LINE / sizeof(float);
    const int64_t source = conv_ceil(t->extent[1] * t->extent[2] * c->ci, line) * line;
    const int64_t many = conv_ceil(kinds * c->ci * j->most, line) * line;
    const int64_t products = kinds * j->most * CONV_TILE * 8;
    const int64_t sums = 4 * j->most * CONV_TILE * 8;
    void *memory = malloc((source + many + products + sums + line) * sizeof(float));
    float *padded = (float *)conv_aligned(memory), *x = padded + source, *m = x + many;
    if (!memory) {
        __atomic_store_n(&c->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    for (int64_t item = begin; item < end; item++) {
        ConvBox box = conv_box_of(t, item % boxes);
        const int64_t n = item / boxes * t->images, left = c->n - n;
        const int64_t images = left < t->images ? left : t->images;
        const int64_t rows = box.size[1], cols = box.size[2];
        ConvBox points = box;
        for (int a = 1; a < 3; a++) {
            points.from[a] *= 2;
            points.size[a] *= 2;
            if (points.from[a] + points.size[a] > c->grid[a])
                points.size[a] = c->grid[a] - points.from[a];
        }
        for (int64_t g = 0; g < c->groups; g++) {
            for (int64_t e = 0; e < images; e++) {
                const float *from = (const float *)c->x +
                                    ((n + e) * c->groups + g) * c->ci * x_plane;
                conv_winograd_source(t, &box, from, padded);
                conv_winograd_takes(j, rows, cols, padded, x + e * rows * cols * c->ci);
            }
            float *y = (float *)c->y + (n * c->groups + g) * c->co * c->y_plane +
                       c->y_first + points.from[1] * c->y_step[1] + points.from[2];
            if (!conv_winograd_box(j, &points, images, g, x, m, m + products, y))
                __atomic_store_n(&j->not_finite, 1, __ATOMIC_RELAXED);
        }
    }
    free(memory);
}

/* The grid of tiles, its boxes, and images in a box. */
static void conv_winograd_plan(Winograd *j) {
    Conv *c = &j->tiles;
    const int64_t most = conv_winograd_tiles(c);
    for (int a = 1; a < 3; a++) {
        c->grid[a] = conv_ceil(c->grid[a], 2);
        c->step[a] = 2;
        c->reach[a] = c->count[a];
    }
    c->source = CONV_PADDED;
    c->block = c->ci;
    conv_wide_box(c, most);
    conv_strides(c);
    for (int a = 0; a < 3; a++) c->boxes[a] = conv_ceil(c->grid[a], c->box[a]);
    const int64_t each = conv_points(c->box);
    c->images = 1;
    while (conv_pieces(c) == 1 && (c->images + 1) * each <= most &&
           (c->images + 1) * CONV_CHUNKS <= c->n)
        c->images++;
    j->most = c->images * each;
}

/* TT_BAD_VALUE: make the call in another way, as it meets numbers that are not finite.
   Strides as in conv_apply. */
static int conv_winograd(Conv *c, const float *w, int64_t sg, int64_t so, int64_t si) {
    Winograd j = {.c = c, .tiles = *c, .kinds = (int)conv_kinds(c)};
    conv_winograd_plan(&j);
    const Conv *t = &j.tiles;
    for (int a = 0; a < 3; a++) c->boxes[a] = t->boxes[a];
    const int64_t kinds = j.kinds * j.kinds, width = conv_width(c);
    const int64_t size = kinds * c->ci * width;
    void *memory = malloc(c->groups * (size + width) * sizeof(float) + CONV_LINE +
                          (j.most + c->ci) * sizeof(int64_t));
    if (!memory) return TT_NO_MEMORY;
    float *packed = (float *)conv_aligned(memory), *bias = packed + c->groups * size;
    j.at = (int64_t *)(bias + c->groups * width);
    j.channel = j.at + j.most;
    for (int64_t k = 0; k < j.most; k++) j.at[k] = k * c->ci;
    for (int64_t k = 0; k < c->ci; k++) j.channel[k] = k;
    for (int64_t g = 0; g < c->groups; g++) {
        conv_winograd_pack(c, j.kinds, w + g * sg, so, si, packed + g * size);
        for (int64_t o = 0; o < width; o++)
            bias[g * width + o] = c->b && o < c->co ?
                                  ((const float *)c->b)[g * c->co + o] : 0;
    }
    j.w = packed;
    j.bias = bias;
    const int64_t items = conv_ceil(c->n, t->images) * t->boxes[1] * t->boxes[2];
    const int64_t grain = conv_grain(items, conv_flops(c, c->grid) * (double)c->n /
                                            (double)items / 2);
    if (grain >= items) conv_winograd_range(&j, 0, items);
    else tt_parallel_for(conv_winograd_range, &j, items, grain);
    free(memory);
    return c->failed ? TT_NO_MEMORY : j.not_finite ? TT_BAD_VALUE : TT_OK;
}
#endif
