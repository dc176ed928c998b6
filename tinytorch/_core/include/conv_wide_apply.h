/* Wide convolutions, and their adjoints for the input: see conv_wide.h. */

/* Room for one chunk: a source, sums of all channels, the grid points of a box. */
typedef struct {
    T *source, *sums;
    int64_t *at;
    int *lines;
} K(ConvRoom);

/* The block of memory that holds it all, or NULL. */
static void *K(conv_room)(const Conv *c, K(ConvRoom) *room) {
    const int64_t points = c->images * conv_points(c->box);
    const int64_t line = CONV_LINE / sizeof(T);
    const int64_t source = conv_ceil(c->images * c->scratch, line) * line;
    const int64_t sums = conv_ceil(points * conv_width(c), line) * line;
    void *memory = malloc((source + sums + line) * sizeof(T) +
                          2 * points * sizeof(int64_t));
    room->source = (T *)conv_aligned(memory);
    room->sums = room->source + source;
    room->at = (int64_t *)(room->sums + sums);
    room->lines = (int *)(room->at + points);
    return memory;
}

/* y of a box from its sums: one panel of channels. */
static void K(conv_give)(const Conv *c, const ConvBox *box, int64_t images,
                         int64_t width, int64_t channels, const T *sums, T *y) {
    const int64_t image = c->groups * c->co * c->y_plane;
    int64_t rows, cols;
    conv_runs(c, box, &rows, &cols);
    for (int64_t m = 0; m < images; m++)
        for (int64_t r = 0; r < rows; r++, sums += cols * width)
            K(conv_turn)(cols, channels, y + m * image + conv_run(c, box, r),
                         c->y_plane, c->y_step[2], sums, width);
}

/* One source: add to the sums of a box, or start them with the bias. */
static void K(conv_wide_load)(const Conv *c, const K(ConvRoom) *room, int64_t points,
                              int cut, int64_t channels, const T *w, const T *start,
                              int64_t step) {
    for (int64_t o = 0, width; o < conv_width(c); o += width) {
        const int vectors = conv_panel((conv_width(c) - o) / VL);
        T *sums = room->sums + o * points;
        const T *from = start + (step ? o * points : o);
        int64_t each = step;
        width = vectors * VL;
        for (int64_t i = 0; i < channels; i += c->block) {
            const int64_t now = channels - i < c->block ? channels - i : c->block;
            const int64_t rows = now * c->taps;
            K(conv_sweep)(vectors, points, rows, room->source + i * c->channel,
                          room->at, cut ? room->lines : NULL, now * c->count[2],
                          now == c->block ? c->offset : c->last_offset, w, from,
                          each ? width : 0, sums);
            w += rows * width;
            from = sums;
            each = 1;
        }
    }
}

static void K(conv_wide_range)(void *context, int64_t begin, int64_t end) {
    Conv *c = (Conv *)context;
    const int64_t boxes = c->boxes[0] * c->boxes[1] * c->boxes[2];
    const int64_t x_plane = c->in[0] * c->in[1] * c->in[2], width = conv_width(c);
    K(ConvRoom) room;
    void *memory = K(conv_room)(c, &room);
    if (!memory) {
        __atomic_store_n(&c->failed, 1, __ATOMIC_RELAXED);
        begin = end;
    }
    for (int64_t item = begin; item < end; item++) {
        const ConvBox box = conv_box_of(c, item % boxes);
        const int64_t n = item / boxes * c->images, left = c->n - n;
        const int64_t images = left < c->images ? left : c->images;
        const int64_t points = images * conv_points(box.size);
        const int cut = conv_points_of(c, &box, images, c->scratch, room.at,
                                       room.lines);
        for (int64_t g = 0; g < c->groups; g++) {
            const T *w = (const T *)c->w + g * c->ci * c->taps * width;
            T *y = (T *)c->y + (n * c->groups + g) * c->co * c->y_plane + c->y_first;
            for (int a = 0; a < 3; a++) y += box.from[a] * c->y_step[a];
            for (int64_t i = 0; i < c->ci; i += c->load) {
                const int64_t now = c->ci - i < c->load ? c->ci - i : c->load;
                const T *x = (const T *)c->x +
                             ((n * c->groups + g) * c->ci + i) * x_plane;
                for (int64_t m = 0; m < images; m++)
                    K(conv_padded)(c, &box, x + m * c->groups * c->ci * x_plane, now,
                                   room.source + m * c->scratch);
                K(conv_wide_load)(c, &room, points, cut, now, w,
                                  i ? room.sums : (const T *)c->b + g * width, i > 0);
                w += now * c->taps * width;
            }
            for (int64_t o = 0, panel; o < c->co; o += panel) {
                const int64_t rest = c->co - o;
                panel = conv_panel(conv_ceil(rest, VL)) * VL;
                K(conv_give)(c, &box, images, panel, rest < panel ? rest : panel,
                             room.sums + o * points, y + o * c->y_plane);
            }
        }
    }
    free(memory);
}

/* Rows of channels as conv_sweep reads them: w (co, ci, taps) of one group. */
TT_KERNEL void K(conv_pack_wide)(const Conv *c, T *to, const T *w, int64_t so,
                                 int64_t si, const int64_t *tap) {
    const int64_t n = c->count[2];
    for (int64_t l = 0; l < c->ci; l += c->load) {
        const int64_t stop = c->ci - l < c->load ? c->ci : l + c->load;
        for (int64_t o = 0, width; o < conv_width(c); o += width) {
            const int64_t left = c->co - o;
            width = conv_panel((conv_width(c) - o) / VL) * VL;
            for (int64_t i = l; i < stop; i += c->block) {
                const int64_t end = stop - i < c->block ? stop : i + c->block;
                for (int64_t line = 0; line < c->taps; line += n)
                    for (int64_t k = i; k < end; k++)
                        for (int64_t t = line; t < line + n; t++, to += width) {
                            const T *from = w + o * so + k * si + tap[t];
                            for (int64_t r = 0; r < width; r++)
                                to[r] = r < left ? from[r * so] : 0;
                        }
            }
        }
    }
}

/* Plan and run; the rest of c is described already.  `tap`: the place of each tap
   within the kernel; strides as in conv_apply. */
static int K(conv_wide_apply)(Conv *c, const T *w, int64_t sg, int64_t so, int64_t si,
                              const int64_t *tap) {
    const int64_t width = conv_width(c), size = c->ci * c->taps * width;
    void *memory = malloc(c->groups * (size + width) * sizeof(T) + CONV_LINE);
    if (!memory) return TT_NO_MEMORY;
    T *packed = (T *)conv_aligned(memory), *bias = packed + c->groups * size;
    for (int64_t g = 0; g < c->groups; g++) {
        K(conv_pack_wide)(c, packed + g * size, w + g * sg, so, si, tap);
        for (int64_t o = 0; o < width; o++)
            bias[g * width + o] = c->b && o < c->co ?
                                  ((const T *)c->b)[g * c->co + o] : 0;
    }
    c->w = packed;
    c->b = bias;
    const int64_t items = conv_ceil(c->n, c->images) * conv_pieces(c);
    const int64_t grain = conv_grain(items, conv_flops(c, c->box) * (double)c->images);
    if (grain >= items) K(conv_wide_range)(c, 0, items);
    else tt_parallel_for(K(conv_wide_range), c, items, grain);
    free(memory);
    return c->failed ? TT_NO_MEMORY : TT_OK;
}
