/* Convolutions of 3 x 3 and 5 x 5 taps with fewer products (Winograd), in float32.

   Two neighbouring values of a row under three taps take four products, not six, and
   under two taps three, not four; five taps are three and two:

     m0 = (x0 - x2) w0                      y0 = m0 + m1 + m2      + m4 + m5
     m1 = (x1 + x2) (w0 + w1 + w2) / 2      y1 =      m1 - m2 - m3      + m5 + m6
     m2 = (x2 - x1) (w0 - w1 + w2) / 2
     m3 = (x1 - x3) w2
     m4 = (x3 - x4) w3       m5 = x4 (w3 + w4)       m6 = (x5 - x4) w4

   The same along columns makes 16 products of 36, and 49 of 100, for a tile of 2 x 2.
   Products of a kind are a product of matrices: of numbers of x by channel and tile,
   and numbers of w by channel and output.  No factor but 1 and 1/2 is used, so that
   errors hardly grow and small integers stay exact.  An infinity would spoil its whole
   tile: a call that meets one is made again without. */
#ifndef TT_CONV_WINOGRAD_H
#define TT_CONV_WINOGRAD_H

enum {
    /* Bytes of what is multiplied: about L2. */
    CONV_TRANSFORMED = TT_PART(720, 64) << 10,
    CONV_LEAST_TILES = 8,         /* in a box: fewer do not pay for reading w */
    CONV_MANY_TILES = TT_PART(256, 32) /* in a call: fewer do not pay for making w */
};

typedef struct {
    const Conv *c;
    Conv tiles;         /* the grid of tiles, which steps by two */
    int kinds;          /* of products along an axis: 4 or 7 */
    int64_t most;       /* tiles in a box with its images */
    int64_t *at;        /* where a tile has its channels */
    int64_t *channel;   /* 0, 1, 2 ... */
    const float *w, *bias;
    int not_finite;
} Winograd;

static int64_t conv_kinds(const Conv *c) { return c->count[2] == 3 ? 4 : 7; }

/* Tiles whose products by kind fit the cache. */
static int64_t conv_winograd_tiles(const Conv *c) {
    const int64_t kinds = conv_kinds(c);
    return CONV_TRANSFORMED / 4 / (kinds * kinds * (c->ci + CONV_TILE * c->lanes));
}

static int conv_is_winograd(const Conv *c) {
    const int64_t tiles = conv_ceil(c->grid[1], 2) * conv_ceil(c->grid[2], 2);
    if (c->count[0] != 1 || c->grid[0] != 1 || c->in[0] != 1 || c->low[0]) return 0;
    for (int a = 1; a < 3; a++)
        if (c->step[a] != 1 || c->reach[a] + 1 != c->count[a] || c->grid[a] < 4)
            return 0;
    return (c->count[2] == 3 || c->count[2] == 5) && c->count[1] == c->count[2] &&
           c->y_step[2] == 1 && c->ci >= 16 && c->co >= 16 &&
           conv_width(c) * 4 <= c->co * 5 && c->n * tiles >= CONV_MANY_TILES &&
           conv_winograd_tiles(c) >= CONV_LEAST_TILES;
}

/* ---- the three transforms along one axis ---- */

#define V ConvLanes_f32

/* A row of x, `each` apart. */
TT_INLINE void conv_winograd_x(const int kinds, const V *x, int each, V *to,
                               int apart) {
    to[0 * apart] = x[0 * each] - x[2 * each];
    to[1 * apart] = x[1 * each] + x[2 * each];
    to[2 * apart] = x[2 * each] - x[1 * each];
    to[3 * apart] = x[1 * each] - x[3 * each];
    if (kinds == 7) {
        to[4 * apart] = x[3 * each] - x[4 * each];
        to[5 * apart] = x[4 * each];
        to[6 * apart] = x[5 * each] - x[4 * each];
    }
}

TT_INLINE void conv_winograd_y(const int kinds, const V *m, int each, V *to,
                               int apart) {
    to[0] = m[0] + m[1 * each] + m[2 * each];
    to[apart] = m[1 * each] - m[2 * each] - m[3 * each];
    if (kinds == 7) {
        to[0] += m[4 * each] + m[5 * each];
        to[apart] += m[5 * each] + m[6 * each];
    }
}

TT_INLINE void conv_winograd_w(const int kinds, const float *w, int each, float *to,
                               int apart) {
    const float ends = 0.5f * (w[0] + w[2 * each]), middle = 0.5f * w[1 * each];
    to[0] = w[0];
    to[1 * apart] = ends + middle;
    to[2 * apart] = ends - middle;
    to[3 * apart] = w[2 * each];
    if (kinds == 7) {
        to[4 * apart] = w[3 * each];
        to[5 * apart] = w[3 * each] + w[4 * each];
        to[6 * apart] = w[4 * each];
    }
}

/* ---- along both ---- */

/* The part of an image under a box, with its padding: channels side by side. */
static void conv_winograd_source(const Conv *c, const ConvBox *box, const float *x,
                                 float *to) {
    const int64_t plane = c->in[1] * c->in[2], cols = c->extent[2];
    const int64_t q = box->from[2] * 2 + c->low[2];
    int64_t first = q < 0 ? -q : 0, stop = c->in[2] - q;
    if (first > cols) first = cols;
    if (stop > cols) stop = cols;
    if (stop < first) stop = first;
    for (int64_t h = 0; h < c->extent[1]; h++, to += cols * c->ci) {
        const int64_t r = box->from[1] * 2 + c->low[1] + h;
        const int64_t begin = r < 0 || r >= c->in[1] ? cols : first;
        memset(to, 0, begin * c->ci * sizeof(float));
        if (begin > first) continue;
        conv_turn_f32(c->ci, stop - first, to + first * c->ci, c->ci, 1,
                      x + r * c->in[2] + q + first, plane);
        memset(to + stop * c->ci, 0, (cols - stop) * c->ci * sizeof(float));
    }
}

/* Numbers of x by kind, tile and channel, for one image of a box. */
TT_INLINE void conv_winograd_take(const Winograd *j, const int kinds, int64_t rows,
                                  int64_t cols, const float *x, float *to) {
    const int taps = kinds == 4 ? 4 : 6; /* of a tile of x */
    const int64_t ci = j->tiles.ci, kind = j->most * ci, row = j->tiles.extent[2] * ci;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t q = 0; q < cols; q++, to += ci)
            for (int64_t i = 0; i < ci; i += 8) {
                const int64_t at = i <= ci - 8 ? i : ci - 8;
                const float *from = x + 2 * r * row + 2 * q * ci + at;
                V line[6], half[6 * 7], out[7];
                for (int a = 0; a < taps; a++) {
                    for (int b = 0; b < taps; b++)
                        line[b] = *(const V *)(from + a * row + b * ci);
                    conv_winograd_x(kinds, line, 1, half + a * kinds, 1);
                }
                for (int b = 0; b < kinds; b++) {
                    conv_winograd_x(kinds, half + b, kinds, out, 1);
                    for (int a = 0; a < kinds; a++)
                        *(V *)(to + (a * kinds + b) * kind + at) = out[a];
                }
            }
}

/* y of one image of a box from its products: a row of `vectors` of channels for each
   grid point.  Returns 0 if something is not finite. */
TT_INLINE int conv_winograd_give(const int kinds, int vectors, const ConvBox *box,
                                 int64_t kind, int64_t cols, const float *m,
                                 const float *bias, float *y) {
    const int64_t width = vectors * 8;
    V zero = {0};
    for (int64_t r = 0; r < box->size[1]; r += 2)
        for (int64_t q = 0; q < box->size[2]; q += 2) {
            const float *from = m + (r / 2 * cols + q / 2) * width;
            float *to = y + (r * box->size[2] + q) * width;
            for (int v = 0; v < vectors; v++) {
                V column[7], half[2 * 7], out[4];
                for (int b = 0; b < kinds; b++) {
                    for (int a = 0; a < kinds; a++)
                        column[a] = *(const V *)(from + (a * kinds + b) * kind + v * 8);
                    conv_winograd_y(kinds, column, 1, half + b, kinds);
                }
                conv_winograd_y(kinds, half, 1, out, 1);
                conv_winograd_y(kinds, half + kinds, 1, out + 2, 1);
                for (int e = 0; e < 4; e++) {
                    if (r + e / 2 >= box->size[1] || q + e % 2 >= box->size[2])
                        continue;
                    const V value = out[e] + *(const V *)(bias + v * 8);
                    zero += value * 0.0f; /* or NaN */
                    *(V *)(to + (e / 2 * box->size[2] + e % 2) * width + v * 8) = value;
                }
            }
        }
    int finite = 1;
    for (int l = 0; l < 8; l++) finite &= zero[l] == 0;
    return finite;
}

TT_KERNEL void conv_winograd_takes(const Winograd *j, int64_t rows, int64_t cols,
                                   const float *x, float *to) {
    if (j->kinds == 4) conv_winograd_take(j, 4, rows, cols, x, to);
    else conv_winograd_take(j, 7, rows, cols, x, to);
}

TT_KERNEL int conv_winograd_gives(int kinds, int vectors, const ConvBox *box,
                                  int64_t kind, int64_t cols, const float *m,
                                  const float *bias, float *y) {
    if (kinds == 4)
        return conv_winograd_give(4, vectors, box, kind, cols, m, bias, y);
    return conv_winograd_give(7, vectors, box, kind, cols, m, bias, y);
}

/* Numbers of w by panel, kind and channel, as conv_sweep reads them.  w is that of one
   group, with the strides of conv_apply. */
TT_KERNEL void conv_winograd_pack(const Conv *c, int kinds, const float *w, int64_t so,
                                  int64_t si, float *to) {
    const int n = (int)c->count[2];
    for (int64_t o = 0, width; o < conv_width(c); o += width) {
        width = conv_panel((conv_width(c) - o) / 8) * 8;
        const int64_t kind = c->ci * width;
        for (int64_t i = 0; i < c->ci; i++, to += width)
            for (int64_t l = 0; l < width; l++) {
                float tap[25] = {0}, half[5 * 7], out[7];
                for (int a = 0; a < n && o + l < c->co; a++)
                    for (int b = 0; b < n; b++)
                        tap[a * n + b] = w[(o + l) * so + i * si +
                                           c->tap[1][a] * c->kernel[2] + c->tap[2][b]];
                for (int a = 0; a < n; a++)
                    conv_winograd_w(kinds, tap + a * n, 1, half + a * kinds, 1);
                for (int b = 0; b < kinds; b++) {
                    conv_winograd_w(kinds, half + b, kinds, out, 1);
                    for (int a = 0; a < kinds; a++)
                        to[(a * kinds + b) * kind + l] = out[a];
                }
            }
        to += (kinds * kinds - 1) * kind;
    }
}
#undef V
#endif
