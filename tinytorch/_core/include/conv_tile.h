/* The inner products of convolutions: a tile of sums stays in registers.

   conv_box: R channels of y by N vectors of grid points, a tap at a time, as a product
   of matrices whose second operand is read from a source through a table of offsets.
   conv_dots: R channels of gy by N taps of x, a vector of grid points at a time. */
#ifndef T
#ifndef TT_CONV_TILE_H
#define TT_CONV_TILE_H
#include "conv_plan.h"

/* A vector of grid points: where a source and y hold it, and which lanes count.  Those
   before `first` were part of the vector before; `whole`: if so,
   within the same box. */
typedef struct {
    int64_t x, y;
    int first, last, whole;
    int begin, end;  /* lines of taps that meet something else than padding */
} ConvVector;

/* The lines of taps that a row of grid points meets within x, first and behind last. */
static void conv_lines(const Conv *c, int64_t z, int64_t r, int *begin, int *end) {
    /* planes of taps, or lines in one plane */
    const int axis = c->count[0] > 1 ? 0 : 1;
    const int64_t at = (axis ? r : z) * c->step[axis], each = axis ? 1 : c->count[1];
    int64_t first = 0, last = c->taps ? c->count[axis] : 0;
    if (c->source == CONV_PADDED) {
        while (first < last && at + c->at[axis][first] < 0) first++;
        while (last > first && at + c->at[axis][last - 1] >= c->in[axis]) last--;
    }
    *begin = (int)(first * each);
    *end = (int)(last * each);
}

/* Per type: T, K(name), VL lanes of 32 bytes, MASK an integer as wide as T. */
#define TT_FILE "conv_tile.h"
#include "each_vector.h"
#endif
#else

/* Aligned like their elements: operands start anywhere. */
typedef T K(ConvLanes) __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
typedef MASK K(ConvMask) __attribute__((vector_size(32), aligned(sizeof(T)),
                                        may_alias));
#define LANES K(ConvLanes)
#define BITS K(ConvMask)

/* Store one vector of a tile that is not a whole one; `step`: of grid points in y. */
TT_INLINE void K(conv_store)(T *y, int64_t step, const T *sum, T bias, int add,
                             const ConvVector *v) {
    for (int l = v->first; l < v->last; l++)
        y[l * step] = sum[l] + (add ? y[l * step] : bias);
}

/* R and N are constants at every call: the loops unroll, `sum` lives in registers.
   `whole`: every vector of the tile is stored with all its lanes. */
TT_INLINE void K(conv_tile)(const int R, const int N, int64_t k, const T *w, const T *x,
                            const int64_t *offset, const ConvVector *v, int whole, T *y,
                            int64_t y_plane, int64_t step, const T *bias, int add) {
    LANES sum[4][3];
    const T *from[3];
    for (int r = 0; r < R; r++)
        for (int j = 0; j < N; j++) sum[r][j] = (LANES){0};
    for (int j = 0; j < N; j++) from[j] = x + v[j].x;
    for (int64_t p = 0; p < k; p++, w += R) {
        const int64_t at = offset[p];
        LANES b[3];
        for (int j = 0; j < N; j++) b[j] = *(const LANES *)(from[j] + at);
        for (int r = 0; r < R; r++) {
            const T a = w[r];
            for (int j = 0; j < N; j++) sum[r][j] += a * b[j];
        }
    }
    if (whole) {
        for (int r = 0; r < R; r++, y += y_plane)
            for (int j = 0; j < N; j++) {
                LANES *to = (LANES *)(y + v[j].y);
                *to = add ? *to + sum[r][j] : sum[r][j] + (bias ? bias[r] : 0);
            }
        return;
    }
    T lanes[4][3 * VL];
    for (int r = 0; r < R; r++)
        for (int j = 0; j < N; j++) *(LANES *)(lanes[r] + j * VL) = sum[r][j];
    for (int r = 0; r < R; r++, y += y_plane)
        for (int j = 0; j < N; j++)
            K(conv_store)(y + v[j].y, step, lanes[r] + j * VL, bias ? bias[r] : 0, add,
                          v + j);
}

/* One box, one block of channels: y = bias + w x, or y += w x.  w is packed; `line`:
   products per line of taps. */
TT_KERNEL void K(conv_box)(const Conv *c, int64_t line, const T *w, const T *x,
                           const ConvVector *v, int64_t vectors, T *y, const T *bias,
                           int add) {
    const int64_t plane = c->y_plane, step = c->y_step[2];
    const int64_t depth = line * c->count[0] * c->count[1];
    const int64_t *offset = depth == c->block * c->taps ? c->offset : c->last_offset;
#define ROWS(R, N)                                                                     \
    for (; c->co - o >= R; o += R)                                                     \
        K(conv_tile)(R, N, k, w + o * depth + begin * R, x, offset + begin, v,         \
                     whole, y + o * plane, plane, step, bias ? bias + o : 0, add)
#define COLUMNS(N)                                                                     \
    for (; vectors >= N; vectors -= N, v += N) {                                       \
        int64_t o = 0;                                                                 \
        int whole = step == 1, first = v[0].begin, last = v[0].end;                    \
        for (int j = 0; j < N; j++) {                                                  \
            whole &= v[j].whole && (!add || v[j].first == 0);                          \
            first = v[j].begin < first ? v[j].begin : first;                           \
            last = v[j].end > last ? v[j].end : last;                                  \
        }                                                                              \
        const int64_t begin = first * line, k = (last - first) * line;                 \
        ROWS(4, N);                                                                    \
        ROWS(2, N);                                                                    \
        ROWS(1, N);                                                                    \
    }
    COLUMNS(3)
    COLUMNS(2)
    COLUMNS(1)
#undef ROWS
#undef COLUMNS
}

/* Rows of w (co, ci, taps), R at a time, as conv_tile reads them.  `so`, `si` are the
   strides of w's channels, `tap` the place of each tap within the kernel. */
TT_KERNEL void K(conv_pack)(const Conv *c, T *to, const T *w, int64_t so, int64_t si,
                            const int64_t *tap, int64_t first, int64_t channels) {
    const int64_t n = c->count[2];
    for (int64_t o = 0, R; o < c->co; o += R) {
        const int64_t left = c->co - o;
        R = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        for (int64_t line = 0; line < c->taps; line += n)
            for (int64_t i = first; i < first + channels; i++) {
                const T *from = w + o * so + i * si;
                if (R == 4)
                    for (int64_t t = line; t < line + n; t++, to += 4)
                        for (int r = 0; r < 4; r++) to[r] = from[r * so + tap[t]];
                else
                    for (int64_t t = line; t < line + n; t++, to += R)
                        for (int r = 0; r < R; r++) to[r] = from[r * so + tap[t]];
            }
    }
}

/* ---- sums over grid points ---- */

TT_INLINE T K(conv_lane_sum)(LANES x) {
#if VL == 8
    typedef T HALF __attribute__((vector_size(16)));
    const HALF a = __builtin_shufflevector(x, x, 0, 1, 2, 3) +
                   __builtin_shufflevector(x, x, 4, 5, 6, 7);
    return (a[0] + a[2]) + (a[1] + a[3]);
#else
    return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}

/* A row of `cols` grid points; x[j] + at and gy + r * g_plane + at are their first.
   The last vector overlaps the one before; lanes counted already are masked on both
   sides, as 0 * inf would be NaN. */
TT_INLINE void K(conv_dot_tile)(const int R, const int N, int64_t rows, int64_t cols,
                                const T *x, int64_t x_row, const int64_t *offset,
                                const T *gy, int64_t g_plane, int64_t g_row, T *gw,
                                int64_t gw_row) {
    static const MASK masks[2 * VL] = {[VL ... 2 * VL - 1] = -1};
    const int64_t whole = cols / VL * VL, tail = cols - whole;
    const BITS mask = *(const BITS *)(masks + tail);
    LANES sum[4][3];
    const T *from[3];
    for (int r = 0; r < R; r++)
        for (int j = 0; j < N; j++) sum[r][j] = (LANES){0};
    for (int j = 0; j < N; j++) from[j] = x + offset[j];
    for (int64_t i = 0; i < rows; i++, gy += g_row) {
        for (int64_t q = 0; q < whole; q += VL) {
            LANES b[3];
            for (int j = 0; j < N; j++) b[j] = *(const LANES *)(from[j] + q);
            for (int r = 0; r < R; r++) {
                const LANES a = *(const LANES *)(gy + r * g_plane + q);
                for (int j = 0; j < N; j++) sum[r][j] += a * b[j];
            }
        }
        if (tail) {
            const int64_t q = cols - VL;
            LANES b[3];
            for (int j = 0; j < N; j++)
                b[j] = (LANES)(*(const BITS *)(from[j] + q) & mask);
            for (int r = 0; r < R; r++) {
                const LANES a = (LANES)(*(const BITS *)(gy + r * g_plane + q) & mask);
                for (int j = 0; j < N; j++) sum[r][j] += a * b[j];
            }
        }
        for (int j = 0; j < N; j++) from[j] += x_row;
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < N; j++) gw[r * gw_row + j] += K(conv_lane_sum)(sum[r][j]);
}

/* The same for rows shorter than a vector. */
static void K(conv_dot_narrow)(int64_t rows, int64_t cols, const T *x, int64_t x_row,
                               const T *gy, int64_t g_row, T *gw) {
    T sum = 0;
    for (int64_t i = 0; i < rows; i++, x += x_row, gy += g_row)
        for (int64_t q = 0; q < cols; q++) sum += x[q] * gy[q];
    *gw += sum;
}

/* gw (co, k) += gy (co, rows x cols) times x (k, rows x cols), transposed. */
TT_KERNEL void K(conv_dots)(int64_t co, int64_t k, int64_t rows, int64_t cols,
                            const T *x,
                            int64_t x_row, const int64_t *offset, const T *gy,
                            int64_t g_plane, int64_t g_row, T *gw, int64_t gw_row) {
    if (cols < VL) {
        for (int64_t o = 0; o < co; o++)
            for (int64_t p = 0; p < k; p++)
                K(conv_dot_narrow)(rows, cols, x + offset[p], x_row, gy + o * g_plane,
                                   g_row, gw + o * gw_row + p);
        return;
    }
#define TILES(R, N)                                                                    \
    for (; k - p >= N; p += N)                                                         \
        K(conv_dot_tile)(R, N, rows, cols, x, x_row, offset + p, gy + o * g_plane,     \
                         g_plane, g_row, gw + o * gw_row + p, gw_row)
#define ROWS(R)                                                                        \
    for (; co - o >= R; o += R) {                                                      \
        int64_t p = 0;                                                                 \
        TILES(R, 3);                                                                   \
        TILES(R, 1);                                                                   \
    }
    int64_t o = 0;
    ROWS(4)
    ROWS(2)
    ROWS(1)
#undef TILES
#undef ROWS
}
#undef LANES
#undef BITS
#endif
