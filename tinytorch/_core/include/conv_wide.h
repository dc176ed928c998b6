/* Convolutions whose vectors run along channels of y ("wide": there are many of them).

   A tile of sums is R places by up to three vectors of channels; a number of x at each
   place is multiplied with a row of channels.  No lane is lost to the width of the
   grid, nor does x have to be rearranged but for its padding.  Where w is applied,
   places are grid points and rows belong to a channel of x and a tap; for the gradient
   of w it is the other way round, the rows being those of a transposed gy. */
#ifndef T
#ifndef TT_CONV_WIDE_H
#define TT_CONV_WIDE_H
#include "conv_tile.h"
#include "vector_transpose.h"

enum {
    /* Bytes of rows that a sweep reads again and again: in L1. */
    CONV_ROWS = TT_PART(20, 2) << 10,
    CONV_SUMS = TT_PART(256, 4) << 10, /* bytes of sums of a box: a part of L2 */
    CONV_LINE = 64,       /* bytes of a line of L1 */
    CONV_PLACES = 192     /* that a sweep should have, so that rows are worth loading */
};

TT_INLINE char *conv_aligned(void *memory) {
    return (char *)(((uintptr_t)memory + CONV_LINE - 1) & ~(uintptr_t)(CONV_LINE - 1));
}

/* Vectors of channels in the next panel, and in the widest: no panel of one where there
   are more. */
TT_INLINE int conv_panel(int64_t left) {
    return left == 4 ? 2 : left < 3 ? (int)left : 3;
}

/* Places in a tile: as many as registers hold. */
TT_INLINE int conv_places(int vectors) {
    return vectors == 3 ? 4 : vectors == 2 ? 6 : 8;
}

TT_INLINE int64_t conv_width(const Conv *c) {
    return conv_ceil(c->co, c->lanes) * c->lanes;
}

/* Rows that a panel may have to stay in L1. */
static int64_t conv_rows(const Conv *c) {
    return CONV_ROWS / 32 / conv_panel(conv_ceil(c->co, c->lanes));
}

/* Whether w is better applied here than by conv_tile.h: no more lanes are idle, sums
   are long enough to pay for being turned, and x has to be copied there too. */
static int conv_is_wide(const Conv *c) {
    const double cols = (double)c->grid[2], lanes = (double)c->lanes;
    const double theirs = (double)conv_ceil(c->grid[2], c->lanes) * lanes / cols;
    const double ours = (double)conv_width(c) / (double)c->co;
    if (c->step[2] == 1 && theirs == 1 && cols >= CONV_TILE * lanes && conv_inside(c))
        return 0;
    return c->co >= 8 && c->ci * c->taps >= 32 && ours <= 1.1 * theirs;
}

/* The same for the gradient of w, where conv_tile.h has lanes to add up. */
static int conv_is_wide_weight(const Conv *c) {
    return c->co >= 8 && c->ci * c->taps >= 8 && 3 * conv_width(c) <= 4 * c->co;
}

/* Strides of a source of c->load channels, for boxes of the size c->box. */
static void conv_wide_strides(Conv *c) {
    const int64_t block = c->block;
    c->block = c->load;
    conv_strides(c);
    c->block = block;
}

static int64_t conv_pieces(const Conv *c) {
    int64_t pieces = 1;
    for (int a = 0; a < 3; a++) pieces *= conv_ceil(c->grid[a], c->box[a]);
    return pieces;
}

/* Boxes of at most about `points` grid points, as equal as may be. */
static void conv_wide_box(Conv *c, int64_t points) {
    int64_t room = points;
    for (int a = 2; a >= 0; a--) {
        int64_t most = room < 1 ? 1 : room;
        if (a == 2) most = conv_ceil(most, 2 * c->lanes) * 2 * c->lanes;
        c->box[a] = conv_ceil(c->grid[a], conv_ceil(c->grid[a], most));
        room /= c->box[a];
    }
}

/* Boxes in `apart` pieces, and channels whose source fits the cache; then images for a
   box that is small. */
static void conv_wide_boxes(Conv *c, int size, int64_t points, int64_t apart) {
    conv_wide_box(c, points);
    for (;;) {
        conv_wide_strides(c);
        const int large = c->scratch * size > CONV_SOURCE;
        const int few = apart * conv_pieces(c) < CONV_CHUNKS &&
                        conv_flops(c, c->box) >= 2.0 * CONV_WORK;
        if (large && c->load > c->block) c->load -= c->block;
        else if (!(large || few) || !conv_halve(c)) break;
    }
    for (int a = 0; a < 3; a++) c->boxes[a] = conv_ceil(c->grid[a], c->box[a]);
    const int64_t each = conv_points(c->box);
    c->images = 1;
    while (conv_pieces(c) == 1 && c->images * each < CONV_PLACES &&
           (c->images + 1) * each <= points &&
           (c->images + 1) * c->scratch * size <= CONV_SOURCE &&
           (c->images + 1) * CONV_CHUNKS <= c->n)
        c->images++;
}

static void conv_wide_start(Conv *c) {
    if (conv_pointwise(c)) conv_flatten(c);
    if (c->grid[2] == 1) c->y_step[2] = 1; /* no step is taken */
    c->source = CONV_PADDED;
}

/* n channels in equal blocks of at most `most`. */
TT_INLINE int64_t conv_equal(int64_t n, int64_t most) {
    return conv_ceil(n, conv_ceil(n, most > 1 ? most : 1));
}

/* Settle all that c still lacks for applying w. */
static int conv_wide_plan(Conv *c, int size) {
    conv_wide_start(c);
    c->block = conv_equal(c->ci, conv_rows(c) / c->taps);
    c->load = conv_ceil(c->ci, c->block) * c->block;
    conv_wide_boxes(c, size, CONV_SUMS / size / conv_width(c), c->n);
    return conv_tables(c, 1);
}

/* The same for the gradient of w: a block is what one piece of work adds up. */
static int conv_wide_weight_plan(Conv *c, int size) {
    conv_wide_start(c);
    c->block = 1;
    c->load = conv_equal(c->ci, CONV_SUMS / 2 / size / conv_width(c) / c->taps);
    conv_wide_boxes(c, size, conv_rows(c), CONV_CHUNKS);
    c->block = c->load = conv_equal(c->ci, c->load);
    conv_wide_strides(c);
    return conv_tables(c, 0);
}

/* Rows of contiguous grid points of a box in y. */
static void conv_runs(const Conv *c, const ConvBox *box, int64_t *rows, int64_t *cols) {
    *rows = box->size[0] * box->size[1];
    *cols = box->size[2];
    if (conv_dense(c) && c->boxes[2] == 1 && (c->boxes[1] == 1 || box->size[0] == 1)) {
        *cols *= *rows;
        *rows = 1;
    }
}

/* Where row r of these begins. */
TT_INLINE int64_t conv_run(const Conv *c, const ConvBox *box, int64_t r) {
    return r / box->size[1] * c->y_step[0] + r % box->size[1] * c->y_step[1];
}

/* Where the grid points of a box are in a source, image after image `apart`, and which
   lines of taps each meets.  Returns whether any meets not all of them. */
static int conv_points_of(const Conv *c, const ConvBox *box, int64_t images,
                          int64_t apart, int64_t *at, int *lines) {
    int cut = 0;
    const int all = (int)(c->count[0] * c->count[1]);
    for (int64_t m = 0; m < images; m++)
        for (int64_t z = 0; z < box->size[0]; z++)
            for (int64_t r = 0; r < box->size[1]; r++) {
                const int64_t row = m * apart + z * c->step[0] * c->plane +
                                    r * c->step[1] * c->row;
                int begin = 0, end = all;
                if (lines)
                    conv_lines(c, box->from[0] + z, box->from[1] + r, &begin, &end);
                cut |= begin > 0 || end < all;
                for (int64_t q = 0; q < box->size[2]; q++) {
                    *at++ = row + q;
                    if (lines) *lines++ = begin, *lines++ = end;
                }
            }
    return cut;
}

#define TT_FILE "conv_wide.h"
#include "each_vector.h"
#endif
#else

#define LANES K(ConvLanes)

/* sum[r] = start[r * step] + over k of x[at[r] + offset[k]] * rows[k]. */
TT_INLINE void K(conv_wide_tile)(const int R, const int N, int64_t k, const T *x,
                                 const int64_t *at, const int64_t *offset,
                                 const T *rows, const T *start, int64_t step, T *to) {
    LANES sum[8][3];
    const T *from[8];
    for (int r = 0; r < R; r++) {
        from[r] = x + at[r];
        for (int v = 0; v < N; v++)
            sum[r][v] = *(const LANES *)(start + r * step + v * VL);
    }
    for (; k > 0; k--, rows += N * VL) {
        const int64_t o = *offset++;
        LANES b[3];
        for (int v = 0; v < N; v++) b[v] = *(const LANES *)(rows + v * VL);
        for (int r = 0; r < R; r++) {
            const T a = from[r][o];
            for (int v = 0; v < N; v++) sum[r][v] += a * b[v];
        }
    }
    for (int r = 0; r < R; r++, to += N * VL)
        for (int v = 0; v < N; v++) *(LANES *)(to + v * VL) = sum[r][v];
}

/* All places of a panel of N vectors; `lines`, if any: those of taps that each place
   meets, `line` rows long. */
TT_KERNEL void K(conv_sweep)(int N, int64_t places, int64_t k, const T *x,
                             const int64_t *at, const int *lines, int64_t line,
                             const int64_t *offset, const T *rows, const T *start,
                             int64_t step, T *to) {
#define TILE(R, N)                                                                     \
    case R * 4 + N:                                                                    \
        K(conv_wide_tile)(R, N, many, x, at, offset + first, rows + first * width,     \
                          start, step, to);                                            \
        break
    const int64_t width = N * VL, tiles = conv_ceil(places, conv_places(N));
    const int64_t least = places / tiles, larger = places % tiles;
    for (int64_t tile = 0; tile < tiles; tile++) {
        const int R = (int)least + (tile < larger);
        int64_t first = 0, many = k;
        if (lines) {
            int begin = lines[0], end = lines[1];
            for (int r = 1; r < R; r++) {
                begin = lines[2 * r] < begin ? lines[2 * r] : begin;
                end = lines[2 * r + 1] > end ? lines[2 * r + 1] : end;
            }
            first = begin * line;
            many = (end - begin) * line;
            lines += 2 * R;
        }
        switch (R * 4 + N) {
            TILE(4, 3); TILE(3, 3); TILE(2, 3); TILE(1, 3);
            TILE(6, 2); TILE(5, 2); TILE(4, 2); TILE(3, 2); TILE(2, 2); TILE(1, 2);
            TILE(8, 1); TILE(7, 1); TILE(6, 1); TILE(5, 1); TILE(4, 1); TILE(3, 1);
            TILE(2, 1); TILE(1, 1);
        }
        at += R;
        start += R * step;
        to += R * width;
    }
#undef TILE
}

/* y[o * y_step + p * apart] = x[p * x_step + o] for p < n and o < many. */
TT_KERNEL void K(conv_turn)(int64_t n, int64_t many, T *y, int64_t y_step,
                            int64_t apart, const T *x, int64_t x_step) {
    if (apart != 1 || n < VL || many < VL) {
        for (int64_t o = 0; o < many; o++)
            for (int64_t p = 0; p < n; p++)
                y[o * y_step + p * apart] = x[p * x_step + o];
        return;
    }
    for (int64_t o = 0; o < many; o += VL) { /* the last blocks overlap those before */
        const int64_t row = o <= many - VL ? o : many - VL;
        for (int64_t p = 0; p < n; p += VL) {
            const int64_t col = p <= n - VL ? p : n - VL;
            const T *rows[VL];
            for (int64_t l = 0; l < VL; l++) rows[l] = x + (col + l) * x_step;
            K(tt_transpose)(y + row * y_step + col, y_step, rows, row);
        }
    }
}
#undef LANES
#endif
