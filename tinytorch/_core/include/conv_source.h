/* Sources of a convolution (see conv_plan.h), for one box of one image. */

/* A row of x under n grid points from `at` on, `step` apart, with zeros outside of x. */
TT_INLINE void K(conv_row)(T *to, int64_t n, const T *x, int64_t size, int64_t at,
                           int64_t step) {
    int64_t i = at < 0 ? (step - 1 - at) / step : 0; /* the first that is inside */
    int64_t stop = at < size ? (size - 1 - at) / step + 1 : 0;
    if (i > n) i = n;
    if (stop > n) stop = n;
    if (stop < i) stop = i;
    for (int64_t k = 0; k < i; k++) to[k] = 0;
    if (step == 1) {
        if (stop - i >= 64) memcpy(to + i, x + at + i, (stop - i) * sizeof(T));
        else for (int64_t k = i; k < stop; k++) to[k] = x[at + k];
    } else {
        for (int64_t k = i; k < stop; k++) to[k] = x[at + k * step];
    }
    for (int64_t k = stop; k < n; k++) to[k] = 0;
}

/* Part of x with its padding, columns sorted by their remainder. */
TT_KERNEL void K(conv_padded)(const Conv *c, const ConvBox *box, const T *x, int64_t now,
                              T *to) {
    const int64_t plane = c->in[1] * c->in[2], step = c->step[2];
    const int64_t q = box->from[2] * step + c->low[2];
    const int64_t extent = (box->size[2] - 1) * step + c->reach[2] + 1;
    for (int64_t i = 0; i < now; i++, x += c->in[0] * plane)
        for (int64_t d = 0; d < c->extent[0]; d++) {
            const int64_t z = box->from[0] * c->step[0] + c->low[0] + d;
            for (int64_t h = 0; h < c->extent[1]; h++, to += c->row) {
                const int64_t r = box->from[1] * c->step[1] + c->low[1] + h;
                if (z < 0 || z >= c->in[0] || r < 0 || r >= c->in[1]) {
                    memset(to, 0, c->row * sizeof(T));
                    continue;
                }
                const T *row = x + z * plane + r * c->in[2];
                for (int64_t s = 0; s < step; s++) {
                    const int64_t n = extent > s ? (extent - s + step - 1) / step : 0;
                    T *part = to + s * c->segment;
                    K(conv_row)(part, n, row, c->in[2], q + s, step);
                    for (int64_t k = n; k < c->segment; k++) part[k] = 0;
                }
            }
        }
    memset(to, 0, VL * sizeof(T));
}

/* What each grid point of the box sees: a row per channel and tap. */
TT_KERNEL void K(conv_columns)(const Conv *c, const ConvBox *box, const T *x, int64_t now,
                               T *to, int64_t stride) {
    const int64_t plane = c->in[1] * c->in[2];
    for (int64_t i = 0; i < now; i++, x += c->in[0] * plane)
        for (int64_t d = 0; d < c->count[0]; d++)
            for (int64_t h = 0; h < c->count[1]; h++)
                for (int64_t w = 0; w < c->count[2]; w++, to += stride) {
                    T *row = to;
                    const int64_t q = box->from[2] * c->step[2] + c->at[2][w];
                    for (int64_t k = 0; k < box->size[0]; k++)
                        for (int64_t l = 0; l < box->size[1]; l++, row += box->size[2]) {
                            int64_t z = (box->from[0] + k) * c->step[0] + c->at[0][d];
                            int64_t r = (box->from[1] + l) * c->step[1] + c->at[1][h];
                            if (z < 0 || z >= c->in[0] || r < 0 || r >= c->in[1])
                                memset(row, 0, box->size[2] * sizeof(T));
                            else
                                K(conv_row)(row, box->size[2],
                                            x + z * plane + r * c->in[2], c->in[2], q,
                                            c->step[2]);
                        }
                }
}

/* The source of a box: `now` channels of x, from the first on. */
static const T *K(conv_source)(const Conv *c, const ConvBox *box, const T *x, int64_t now,
                               T *scratch, int64_t stride) {
    if (c->source == CONV_PADDED) {
        K(conv_padded)(c, box, x, now, scratch);
        return scratch;
    }
    if (c->source == CONV_COLUMNS) {
        K(conv_columns)(c, box, x, now, scratch, stride);
        for (int64_t p = conv_points(box->size); p < VL; p++)
            for (int64_t k = 0; k < now * c->taps; k++) scratch[k * stride + p] = 0;
        return scratch;
    }
    return x + box->from[0] * c->step[0] * c->plane + box->from[1] * c->step[1] * c->row +
           box->from[2];
}
