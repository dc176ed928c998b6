/* Sources of a convolution (see conv_plan.h), for one box of one image. */

/* A loop of a few turns: vectorising it or calling memmove would only add set-up. */
#define FEW __asm__ volatile("")

TT_INLINE void K(conv_zero)(T *to, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        to[k] = 0;
        FEW;
    }
}

/* n elements; the last vector overlaps the one before. */
TT_INLINE void K(conv_move)(T *to, const T *from, int64_t n) {
    if (n < VL) {
        for (int64_t k = 0; k < n; k++) {
            to[k] = from[k];
            FEW;
        }
        return;
    }
    for (int64_t k = 0; k <= n - VL; k += VL) {
        *(K(ConvLanes) *)(to + k) = *(const K(ConvLanes) *)(from + k);
        FEW;
    }
    *(K(ConvLanes) *)(to + n - VL) = *(const K(ConvLanes) *)(from + n - VL);
}

/* Every second of 2 VL elements. */
TT_INLINE K(ConvLanes) K(conv_even)(const T *x) {
    const K(ConvLanes) a = *(const K(ConvLanes) *)x;
    const K(ConvLanes) b = *(const K(ConvLanes) *)(x + VL);
#if VL == 8
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}

/* A row of x under n grid points from `at` on, `step` apart,
   with zeros outside of x. */
TT_INLINE void K(conv_row)(T *restrict to, int64_t n, const T *restrict x, int64_t size,
                           int64_t at, int64_t step) {
    int64_t i = at < 0 ? -at : 0, stop = size - at; /* the first inside, and behind */
    if (step != 1) {
        i = (i + step - 1) / step;
        stop = stop > 0 ? (stop + step - 1) / step : 0;
    }
    if (i > n) i = n;
    if (stop > n) stop = n;
    if (stop < i) stop = i;
    K(conv_zero)(to, i);
    if (step == 1) {
        K(conv_move)(to + i, x + at + i, stop - i);
    } else {
        int64_t k = i;
        if (step == 2)
            for (; k + VL < stop; k += VL)
                *(K(ConvLanes) *)(to + k) = K(conv_even)(x + at + 2 * k);
        for (; k < stop; k++) {
            to[k] = x[at + k * step];
            FEW;
        }
    }
    K(conv_zero)(to + stop, n - stop);
}

#undef FEW

/* Part of x with its padding, columns sorted by their remainder. */
TT_KERNEL void K(conv_padded)(const Conv *c, const ConvBox *box, const T *x,
                              int64_t now, T *to) {
    const int64_t plane = c->in[1] * c->in[2], step = c->step[2];
    const int64_t q = box->from[2] * step + c->low[2];
    const int64_t extent = (box->size[2] - 1) * step + c->reach[2] + 1;
    T *channel = to;
    for (int64_t i = 0; i < now; i++, x += c->in[0] * plane, channel += c->channel) {
        to = channel;
        for (int64_t d = 0; d < c->extent[0]; d++) {
            const int64_t z = box->from[0] * c->step[0] + c->low[0] + d;
            for (int64_t h = 0; h < c->extent[1]; h++, to += c->row) {
                const int64_t r = box->from[1] * c->step[1] + c->low[1] + h;
                if (z < 0 || z >= c->in[0] || r < 0 || r >= c->in[1]) {
                    K(conv_zero)(to, c->row);
                    continue;
                }
                const T *row = x + z * plane + r * c->in[2];
                for (int64_t s = 0; s < step; s++) {
                    const int64_t n = extent > s ? (extent - s + step - 1) / step : 0;
                    T *part = to + s * c->segment;
                    K(conv_row)(part, n, row, c->in[2], q + s, step);
                    K(conv_zero)(part + n, c->segment - n);
                }
            }
        }
        memset(to, 0, VL * sizeof(T)); /* what a narrow last row is overrun into */
    }
}

/* n elements; up to VL more may be written. */
TT_INLINE void K(conv_copy)(T *to, const T *from, int64_t n) {
    for (int64_t k = 0; k < n; k += VL)
        *(K(ConvLanes) *)(to + k) = *(const K(ConvLanes) *)(from + k);
}

/* What each grid point of the box sees: a row per channel and tap.  `room` holds one
   padded channel. */
TT_KERNEL void K(conv_columns)(const Conv *c, const ConvBox *box, const T *x,
                               int64_t now, T *to, T *room) {
    const int64_t cols = box->size[2], lines = box->size[0] * box->size[1];
    const int64_t safe = lines * cols - conv_ceil(cols, VL) * VL; /* to overrun a row */
    for (int64_t i = 0; i < now; i++) {
        K(conv_padded)(c, box, x + i * c->in[0] * c->in[1] * c->in[2], 1, room);
        for (int64_t t = 0; t < c->taps; t++, to += c->channel) {
            const int64_t line = t / c->count[2], d = line / c->count[1];
            const T *from = room + conv_offset(c, c->at[0][d],
                                               c->at[1][line % c->count[1]],
                                               c->at[2][t % c->count[2]]);
            for (int64_t l = 0; l < lines; l++) {
                const int64_t z = box->size[0] > 1 ? l / box->size[1] : 0;
                const int64_t r = l - z * box->size[1];
                const T *row = from + z * c->step[0] * c->plane +
                    r * c->step[1] * c->row;
                if (l * cols <= safe) K(conv_copy)(to + l * cols, row, cols);
                else memcpy(to + l * cols, row, cols * sizeof(T));
            }
        }
    }
}

/* The same in panels: rows of a tile's width, below each other. */
TT_KERNEL void K(conv_panels)(const Conv *c, const ConvBox *box, const T *x,
                              int64_t now, T *to) {
    enum { WIDTH = CONV_TILE * VL };
    const int64_t plane = c->in[1] * c->in[2], points = conv_points(box->size);
    const int64_t depth = now * c->taps, cols = box->size[2], step = c->step[2];
    for (int64_t p = 0; p < points; p++,
         to += p % WIDTH ? 1 : WIDTH * (depth - 1) + 1) {
        const int64_t q = p % cols, l = p / cols % box->size[1];
        int64_t run = cols - q, room = WIDTH - p % WIDTH, k = 0;
        if (run > room) run = room;
        const int64_t z = (box->from[0] + p / cols / box->size[1]) * c->step[0];
        const int64_t r = (box->from[1] + l) * c->step[1];
        const int64_t w = (box->from[2] + q) * step;
        for (int64_t d = 0; d < c->count[0]; d++)
            for (int64_t h = 0; h < c->count[1]; h++)
                for (int64_t i = 0; i < now; i++) {
                    const int64_t zz = z + c->at[0][d], rr = r + c->at[1][h];
                    const int out = zz < 0 || zz >= c->in[0] || rr < 0 ||
                        rr >= c->in[1];
                    const T *row = x + i * c->in[0] * plane + zz * plane +
                        rr * c->in[2];
                    for (int64_t t = 0; t < c->count[2]; t++, k++) {
                        T *at = to + k * WIDTH;
                        const int64_t first = w + c->at[2][t];
                        if (run == WIDTH && step == 1 && !out && first >= 0 &&
                            first + WIDTH <= c->in[2])
                            memcpy(at, row + first, WIDTH * sizeof(T));
                        else if (out) for (int64_t e = 0; e < run; e++) at[e] = 0;
                        else K(conv_row)(at, run, row, c->in[2], first, step);
                    }
                }
        p += run - 1;
        to += run - 1;
    }
    for (int64_t p = points; p % WIDTH; p++, to++)
        for (int64_t k = 0; k < depth; k++) to[k * WIDTH] = 0;
}

/* The source of a box: `now` channels of x, from the first on. */
static const T *K(conv_source)(const Conv *c, const ConvBox *box, const T *x,
                               int64_t now, T *scratch) {
    if (c->source == CONV_PADDED) {
        K(conv_padded)(c, box, x, now, scratch);
        return scratch;
    }
    if (c->source == CONV_PANELS) {
        K(conv_panels)(c, box, x, now, scratch);
        return scratch;
    }
    return x + box->from[0] * c->step[0] * c->plane +
        box->from[1] * c->step[1] * c->row +
           box->from[2];
}
