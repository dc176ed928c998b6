/* The gradient of the weight of wide convolutions: see conv_wide.h.

   A piece of work is a range of images and a block of channels of x.  Its sums are
   panels of channels of y, a row for each channel of x and tap; every range of images
   has its own, and in the end they are added up and turned into w. */

typedef struct {
    Conv *c;
    int64_t images, ranges;     /* images in a range */
    int64_t rows, size;         /* of all sums of one group, of those of all */
    T *sums;
} K(ConvWideWeight);

/* gy of a box, one panel of channels: a row for each grid point. */
static void K(conv_take)(const Conv *c, const ConvBox *box, int64_t images,
                         int64_t width, int64_t channels, const T *gy, T *to) {
    int64_t rows, cols;
    conv_runs(c, box, &rows, &cols);
    for (int64_t m = 0; m < images; m++, gy += c->groups * c->co * c->y_plane)
        for (int64_t r = 0; r < rows; r++, to += cols * width)
            K(conv_turn)(channels, cols, to, width, 1, gy + conv_run(c, box, r),
                         c->y_plane);
}

/* Add one box of some images to the sums of all channels of y, or start them. */
static void K(conv_wide_box_sums)(const K(ConvWideWeight) *j, const ConvBox *box,
                                  int64_t images, int64_t i, int64_t now, int first,
                                  const T *x, const int64_t *at, const T *gy, T *turned,
                                  T *sums) {
    static const T none[3 * VL] = {0};
    const Conv *c = j->c;
    const int64_t points = images * conv_points(box->size);
    for (int64_t o = 0, width; o < c->co; o += width) {
        const int64_t left = c->co - o;
        const int vectors = conv_panel(conv_ceil(left, VL));
        width = vectors * VL;
        T *to = sums + o * j->rows + i * c->taps * width;
        K(conv_take)(c, box, images, width, left < width ? left : width,
                     gy + o * c->y_plane, turned);
        K(conv_sweep)(vectors, now * c->taps, points, x, c->offset, NULL, 0, at, turned,
                      first ? none : to, first ? 0 : width, to);
    }
}

static void K(conv_wide_weight_range)(void *context, int64_t begin, int64_t end) {
    const K(ConvWideWeight) *j = (const K(ConvWideWeight) *)context;
    Conv *c = j->c;
    const int64_t boxes = c->boxes[0] * c->boxes[1] * c->boxes[2];
    const int64_t blocks = conv_ceil(c->ci, c->block), line = CONV_LINE / sizeof(T);
    const int64_t x_plane = c->in[0] * c->in[1] * c->in[2];
    const int64_t points = c->images * conv_points(c->box);
    const int64_t size = conv_ceil(c->images * c->scratch, line) * line;
    const int64_t turned = conv_ceil(points * 3 * VL, line) * line;
    void *memory = malloc((size + turned + line) * sizeof(T) +
                          points * sizeof(int64_t));
    T *source = (T *)conv_aligned(memory), *rows = source + size;
    int64_t *at = (int64_t *)(rows + turned);
    if (!memory) {
        __atomic_store_n(&c->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    memset(rows, 0, turned * sizeof(T)); /* lanes without a channel */
    for (int64_t item = begin; item < end; item++) {
        const int64_t i = item % blocks * c->block, g = item / blocks % c->groups;
        const int64_t now = c->ci - i < c->block ? c->ci - i : c->block;
        const int64_t range = item / (blocks * c->groups), n = range * j->images;
        const int64_t stop = n + j->images < c->n ? n + j->images : c->n;
        T *sums = j->sums + range * j->size + g * j->rows * conv_width(c);
        for (int64_t m = n; m < stop; m += c->images) {
            const int64_t images = stop - m < c->images ? stop - m : c->images;
            const T *x = (const T *)c->x + ((m * c->groups + g) * c->ci + i) * x_plane;
            const T *gy = (const T *)c->y + (m * c->groups + g) * c->co * c->y_plane;
            for (int64_t k = 0; k < boxes; k++) {
                const ConvBox box = conv_box_of(c, k);
                const T *from = gy;
                for (int a = 0; a < 3; a++) from += box.from[a] * c->y_step[a];
                conv_points_of(c, &box, images, c->scratch, at, NULL);
                for (int64_t e = 0; e < images; e++)
                    K(conv_padded)(c, &box, x + e * c->groups * c->ci * x_plane, now,
                                   source + e * c->scratch);
                K(conv_wide_box_sums)(j, &box, images, i, now, m == n && k == 0, source,
                                      at, from, rows, sums);
            }
        }
    }
    free(memory);
}

TT_KERNEL void K(conv_add)(int64_t n, T *restrict to, const T *restrict x) {
    for (int64_t k = 0; k < n; k++) to[k] += x[k];
}

/* Rows begin..end of w, in the order of sums, from all ranges. */
static void K(conv_wide_weight_total)(void *context, int64_t begin, int64_t end) {
    const K(ConvWideWeight) *j = (const K(ConvWideWeight) *)context;
    const Conv *c = j->c;
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t o = 0, width; o < c->co; o += width) {
            const int64_t left = c->co - o;
            width = conv_panel(conv_ceil(left, VL)) * VL;
            T *sums = j->sums + (g * conv_width(c) + o) * j->rows + begin * width;
            for (int64_t r = 1; r < j->ranges; r++)
                K(conv_add)((end - begin) * width, sums, sums + r * j->size);
            K(conv_turn)(end - begin, left < width ? left : width,
                         (T *)c->w + (g * c->co + o) * j->rows + begin, j->rows, 1,
                         sums, width);
        }
}

/* c is described; what it holds is the caller's to free. */
static int K(conv_wide_weight)(Conv *c) {
    K(ConvWideWeight) j = {.c = c, .rows = c->ci * c->taps};
    if (!conv_wide_weight_plan(c, sizeof(T))) return TT_NO_MEMORY;
    const int64_t blocks = c->groups * conv_ceil(c->ci, c->block);
    const double flops = conv_flops(c, c->grid) * (double)c->n;
    j.size = c->groups * j.rows * conv_width(c);
    /* few ranges if w is large */
    int64_t ranges = flops < 2.0 * CONV_WORK ? 1 : conv_ceil(2 * CONV_CHUNKS, blocks);
    if (ranges > (1 << 20) / j.size + 1) ranges = (1 << 20) / j.size + 1;
    if (ranges > c->n) ranges = c->n;
    j.images = conv_ceil(conv_ceil(c->n, ranges), c->images) * c->images;
    j.ranges = conv_ceil(c->n, j.images);
    void *memory = malloc(j.ranges * j.size * sizeof(T) + CONV_LINE);
    if (!memory) return TT_NO_MEMORY;
    j.sums = (T *)conv_aligned(memory);
    const int64_t items = j.ranges * blocks;
    const int64_t grain = conv_grain(items, flops / (double)items);
    if (grain >= items) K(conv_wide_weight_range)(&j, 0, items);
    else tt_parallel_for(K(conv_wide_weight_range), &j, items, grain);
    if (j.ranges * j.size <= TT_PART(1 << 17, 256))
        K(conv_wide_weight_total)(&j, 0, j.rows);
    else tt_parallel_for(K(conv_wide_weight_total), &j, j.rows, 8 * VL);
    free(memory);
    return c->failed ? TT_NO_MEMORY : TT_OK;
}
