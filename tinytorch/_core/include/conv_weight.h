/* The gradient of the weight: sums over images and grid points. */

/* ---- the adjoint for w ---- */

/* A piece of work is a range of images and a block of channels of x; `sums` has a w per
   range of images if there are several, else it is w itself. */
typedef struct {
    Conv c;
    int64_t images, image_ranges;
    int64_t together;           /* images in one row of columns */
    T *sums;
} K(ConvWeight);

/* gw += the products of `images` images from n on, within one box and block. */
static void K(conv_weight_box)(const K(ConvWeight) *j, const ConvBox *box, int64_t n,
                               int64_t images, int64_t g, int64_t i, int64_t now,
                               T *scratch, T *gw) {
    const Conv *c = &j->c;
    const int64_t x_plane = c->in[0] * c->in[1] * c->in[2];
    const int64_t gw_row = c->ci * c->taps, points = conv_points(box->size);
    const T *x = (const T *)c->x + ((n * c->groups + g) * c->ci + i) * x_plane;
    const T *gy = (const T *)c->y + (n * c->groups + g) * c->co * c->y_plane;
    for (int a = 0; a < 3; a++) gy += box->from[a] * c->y_step[a];
    gw += i * c->taps;
    if (c->source == CONV_COLUMNS) {
        int64_t g_plane = c->y_plane;
        for (int64_t m = 0; m < images; m++)
            K(conv_columns)(c, box, x + m * c->groups * c->ci * x_plane, now,
                            scratch + m * points, scratch + c->scratch - c->padded);
        if (images > 1) { /* whole planes of gy: bring those of a channel together */
            T *to = scratch + c->channel * c->block * c->taps;
            const int64_t image = c->groups * c->co * c->y_plane;
            for (int64_t k = 0; k < c->co; k++)
                for (int64_t m = 0; m < images; m++)
                    memcpy(to + (k * images + m) * points, gy + m * image + k * g_plane,
                           points * sizeof(T));
            gy = to;
            g_plane = images * points;
        }
        K(conv_dots)(c->co, now * c->taps, 1, images * points, scratch, 0, c->offset,
                     gy, g_plane, 0, gw, gw_row);
        return;
    }
    x = K(conv_source)(c, box, x, now, scratch);
    for (int64_t z = 0; z < box->size[0]; z++)
        K(conv_dots)(c->co, now * c->taps, box->size[1], box->size[2],
                     x + z * c->step[0] * c->plane, c->step[1] * c->row, c->offset,
                     gy + z * c->y_step[0], c->y_plane, c->y_step[1], gw, gw_row);
}

static void K(conv_weight_range)(void *context, int64_t begin, int64_t end) {
    K(ConvWeight) *j = (K(ConvWeight) *)context;
    Conv *c = &j->c;
    const int64_t boxes = c->boxes[0] * c->boxes[1] * c->boxes[2];
    const int64_t blocks = conv_ceil(c->ci, c->block), row = c->ci * c->taps;
    T *scratch = NULL;
    if (c->scratch && !(scratch = (T *)malloc(c->scratch * sizeof(T)))) {
        __atomic_store_n(&c->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    for (int64_t item = begin; item < end; item++) {
        const int64_t i = item % blocks * c->block, g = item / blocks % c->groups;
        const int64_t now = c->ci - i < c->block ? c->ci - i : c->block;
        const int64_t range = item / (blocks * c->groups), n = range * j->images;
        const int64_t stop = n + j->images < c->n ? n + j->images : c->n;
        T *gw = j->sums + (range * c->groups + g) * c->co * row;
        for (int64_t o = 0; o < c->co; o++)
            memset(gw + o * row + i * c->taps, 0, now * c->taps * sizeof(T));
        for (int64_t m = n; m < stop; m += j->together) {
            const int64_t images = stop - m < j->together ? stop - m : j->together;
            for (int64_t k = 0; k < boxes; k++) {
                const ConvBox box = conv_box_of(c, k);
                K(conv_weight_box)(j, &box, m, images, g, i, now, scratch, gw);
            }
        }
    }
    free(scratch);
}

/* How many ranges of images: each has its own copy of w, so few if w is large. */
static int64_t K(conv_weight_ranges)(K(ConvWeight) *j) {
    const Conv *c = &j->c;
    const int64_t size = c->groups * c->co * c->ci * c->taps;
    const int64_t blocks = c->groups * conv_ceil(c->ci, c->block);
    const double flops = 2.0 * (double)(c->n * c->y_plane) * (double)size;
    int64_t ranges = flops < 2.0 * CONV_WORK ? 1 : conv_ceil(2 * CONV_CHUNKS, blocks);
    const int64_t most = (1 << 20) / (size + 1) + 1;
    if (ranges > most) ranges = most;
    if (ranges > c->n) ranges = c->n;
    j->images = conv_ceil(conv_ceil(c->n, ranges), j->together) * j->together;
    j->image_ranges = conv_ceil(c->n, j->images);
    return j->image_ranges * blocks;
}

/* Small planes: several images side by side in a row of columns. */
static void K(conv_weight_together)(K(ConvWeight) *j) {
    Conv *c = &j->c;
    j->together = 1;
    if (c->source != CONV_COLUMNS) return;
    const int64_t points = conv_points(c->box), whole = conv_points(c->grid);
    if (points == whole && points < CONV_ROW)
        j->together = conv_ceil(CONV_ROW, points) < c->n ? conv_ceil(CONV_ROW, points) :
                                                          c->n;
    if (c->channel < j->together * points) c->channel = j->together * points;
    for (int64_t k = 0; k < c->block * c->taps; k++) c->offset[k] = k * c->channel;
    c->scratch = c->channel * (c->block * c->taps + (j->together > 1 ? c->co : 0)) +
                 c->padded;
}

static void K(conv_weight_total)(void *context, int64_t begin, int64_t end) {
    const K(ConvWeight) *j = (const K(ConvWeight) *)context;
    const int64_t size = j->c.groups * j->c.co * j->c.ci * j->c.taps;
    T *to = (T *)j->c.w;
    memcpy(to + begin, j->sums + begin, (end - begin) * sizeof(T));
    for (int64_t k = 1; k < j->image_ranges; k++)
        for (int64_t i = begin; i < end; i++) to[i] += j->sums[k * size + i];
}

static int K(conv_weight)(const KernelCall *call) {
    const View *w = &call->operand[0], *y = &call->operand[1], *x = &call->operand[2];
    K(ConvWeight) j;
    Conv *c = &j.c;
    int status = TT_NO_MEMORY;
    if (w->numel == 0) return TT_OK;
    if (y->numel == 0 || x->numel == 0) {
        memset(w->data, 0, w->numel * sizeof(T));
        return TT_OK;
    }
    if (!conv_describe(c, y, x, w, call)) return TT_NO_MEMORY;
    c->lanes = 32 / sizeof(T);
    c->x = x->data;
    c->y = y->data;
    c->w = w->data;
    if (conv_is_wide_weight(c)) {
        status = K(conv_wide_weight)(c);
        goto done;
    }
    if (!conv_plan(c, sizeof(T), CONV_CHUNKS, 0)) goto done;
    K(conv_weight_together)(&j);
    const int64_t items = K(conv_weight_ranges)(&j);
    j.sums = (T *)w->data;
    if (j.image_ranges > 1)
        j.sums = (T *)malloc(j.image_ranges * w->numel * sizeof(T));
    if (!j.sums) goto done;
    const double flops = conv_flops(c, c->grid) * (double)c->n / (double)items;
    const int64_t grain = conv_grain(items, flops);
    if (grain >= items) K(conv_weight_range)(&j, 0, items);
    else tt_parallel_for(K(conv_weight_range), &j, items, grain);
    if (j.image_ranges > 1) {
        const int64_t part = TT_PART(16384, 64);
        if (w->numel <= part) K(conv_weight_total)(&j, 0, w->numel);
        else tt_parallel_for(K(conv_weight_total), &j, w->numel, part);
        free(j.sums);
    }
    status = c->failed ? TT_NO_MEMORY : TT_OK;
done:
    conv_free(c);
    return status;
}
