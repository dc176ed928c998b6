/* Matrix products without BLAS:  C = alpha A B + beta D  for operands of any strides,
   with 0 for what is negative if `rectify` is set (not for integers).
   A[i,p] is a[i * ars + p * acs], B[p,j] is b[p * brs + j * bcs], C[i,j] is
   c[i * crs + j * ccs], D[i,j] is d[i * drs + j * dcs].  D may be C itself, or one row
   for all (drs == 0).  beta == 0 never reads D.

   "Rows" keeps a tile of C in registers and adds a column of A times a row of B to it
   at a time; B's rows must be contiguous, or are packed.  "Dots" multiplies rows of A
   with columns of B, both contiguous, and packs nothing. */
#ifndef T
#ifndef TT_GEMM_H
#define TT_GEMM_H
#include "kernel.h"
#include "vector_transpose.h"

enum {
    /* Products of at most this many multiplications need no packing (measured). */
    TT_GEMM_SMALL = TT_PART(64 * 64 * 64, 8 * 8 * 8),
    /* A task for the pool: about this many multiplications, some 10 us. */
    TT_GEMM_TASK = TT_PART(1 << 19, 1 << 10),
    TT_PACKED_BYTES = TT_PART(2 << 20, 2 << 10), /* of B at a time */
    TT_PACKED_COLUMNS = TT_PART(2048, 32),       /* of B at a time */
    TT_BLOCK_ROWS = TT_PART(96, 12), /* of A at a time: they stay in the second cache */
    TT_PANEL = TT_PART(256, 16) /* rows of B in a pass: a panel of 16 KiB stays in L1 */
};

/* The length of the passes that divide k evenly. */
TT_INLINE int64_t tt_depth(int64_t k) {
    const int64_t passes = (k + TT_PANEL - 1) / TT_PANEL;
    return (k + passes - 1) / passes;
}

#define TT_FILE "gemm.h"
#include "each_vector.h"
#endif
#else

#define VEC K(tt_vector)
#define BITS K(tt_bits)
#define FOUR K(tt_four)
/* Aligned like their elements: operands start anywhere. */
typedef T VEC __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
typedef T FOUR
    __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));
typedef MASK BITS __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));

#define S(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define LOW(x) S(x, x, 0, 1, 2, 3)

/* ---- rows ---- */

/* An element loop of a few turns: vectorising it would only add set-up. */
#define TT_FEW __asm__ volatile("")

/* NaN stays, as it is not less than 0. */
TT_INLINE T K(tt_end)(T x, int rectify) { return rectify && x < 0 ? 0 : x; }
#define RECTIFY(V, x) (x = (V)((__typeof__((x) < 0))(x) & ~((x) < 0)))

/* Store the first columns of a tile's vector, 1..VL - 1 of them: four at once, if there
   are so many, the others one by one. */
TT_INLINE void K(tt_store_few)(VEC x, T beta, const T *d, int rectify, T *c,
                               int64_t cols) {
    const T *const row = (const T *)&x;
    int64_t j = 0;
    if (VL > 4 && cols >= 4) {
        FOUR four = LOW(x);
        if (beta != 0) four += beta * *(const FOUR *)d;
        if (rectify) RECTIFY(FOUR, four);
        *(FOUR *)c = four;
        j = 4;
    }
    for (; j < cols; j++) {
        c[j] = K(tt_end)(beta != 0 ? row[j] + beta * d[j] : row[j], rectify);
        TT_FEW;
    }
}

/* Store the first columns of a tile's row, fewer than N vectors. */
TT_INLINE void K(tt_store_head)(const int N, const VEC *sum, T beta, const T *d,
                                int rectify, T *c, int64_t cols) {
    for (int v = 0; v < N; v++, c += VL, d += VL, cols -= VL) {
        if (cols < VL) {
            if (cols > 0) K(tt_store_few)(sum[v], beta, d, rectify, c, cols);
            return;
        }
        VEC whole = sum[v];
        if (beta != 0) whole += beta * *(const VEC *)d;
        if (rectify) RECTIFY(VEC, whole);
        *(VEC *)c = whole;
    }
}

/* Store the columns skip..skip + cols of a tile of any strides, one by one.  One copy
   serves tiles of all sizes: written out for each it would be half of the library. */
TT_KERNEL __attribute__((noinline)) void K(tt_store_each)(
    int rows, const VEC (*sum)[8], T beta, const T *d, int64_t drs, int64_t dcs,
    int rectify, T *c, int64_t crs, int64_t ccs, int64_t skip, int64_t cols) {
    for (int r = 0; r < rows; r++, c += crs, d += drs) {
        const T *const row = (const T *)sum[r] + skip;
        for (int64_t j = 0; j < cols; j++) {
            const T x = beta != 0 ? row[j] + beta * d[j * dcs] : row[j];
            c[j * ccs] = K(tt_end)(x, rectify);
            TT_FEW;
        }
    }
}

/* One tile of C: R rows by N vectors; the columns skip..skip + cols of it are stored.
   R and N are constants at every call: the loops unroll, `sum` lives in registers. */
TT_INLINE void K(tt_tile)(const int R, const int N, int64_t k, T alpha, const T *a,
                          int64_t ars, int64_t acs, const T *b, int64_t brs, T beta,
                          const T *d, int64_t drs, int64_t dcs, int rectify, T *c,
                          int64_t crs, int64_t ccs, int64_t skip, int64_t cols) {
    VEC sum[8][8];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < N; v++) sum[r][v] = (VEC){0};
    if (R == 6) /* of large products, where C is far away */
        for (int r = 0; r < R; r++) __builtin_prefetch(c + r * crs, 1);
#pragma GCC unroll 2
    for (; k > 0; k--, a += acs, b += brs) {
        VEC y[8];
        for (int v = 0; v < N; v++) y[v] = *(const VEC *)(b + v * VL);
        for (int r = 0; r < R; r++) {
            const T x = a[r * ars];
            for (int v = 0; v < N; v++) sum[r][v] += x * y[v];
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < N; v++) sum[r][v] *= alpha;
    if (ccs != 1 || dcs != 1 || skip) {
        K(tt_store_each)(R, (const VEC(*)[8])sum, beta, d, drs, dcs, rectify, c, crs,
                         ccs, skip, cols);
        return;
    }
    if (cols != N * VL) {
        for (int r = 0; r < R; r++)
            K(tt_store_head)(N, sum[r], beta, d + r * drs, rectify, c + r * crs, cols);
        return;
    }
    if (beta != 0)
        for (int r = 0; r < R; r++)
            for (int v = 0; v < N; v++)
                sum[r][v] += beta * *(const VEC *)(d + r * drs + v * VL);
    if (rectify)
        for (int r = 0; r < R; r++)
            for (int v = 0; v < N; v++) RECTIFY(VEC, sum[r][v]);
    for (int r = 0; r < R; r++)
        for (int v = 0; v < N; v++) *(VEC *)(c + r * crs + v * VL) = sum[r][v];
}

/* All rows of C for one panel of B.  `strip` is the distance between strips of six rows
   of A divided by six: ars, unless A was packed. */
#define TT_SWEEP(R, N)                                                                 \
    for (; m - i >= R; i += R)                                                         \
        K(tt_tile)(R, N, k, alpha, a + (i - i % 6) * strip + i % 6 * ars, ars, acs, b, \
                   brs, beta, d + i * drs, drs, dcs, rectify, c + i * crs, crs, ccs,   \
                   skip, cols)

TT_KERNEL void K(tt_panel)(int vectors, int64_t m, int64_t k, T alpha, const T *a,
                           int64_t strip, int64_t ars, int64_t acs, const T *b,
                           int64_t brs, T beta, const T *d, int64_t drs, int64_t dcs,
                           int rectify, T *c, int64_t crs, int64_t ccs, int64_t skip,
                           int64_t cols) {
    int64_t i = 0;
#if INTEGERS /* multiplications take so long that larger tiles gain nothing */
    if (vectors == 1) {
        TT_SWEEP(2, 1);
        TT_SWEEP(1, 1);
    } else if (vectors == 2) {
        TT_SWEEP(2, 2);
        TT_SWEEP(1, 2);
    } else if (vectors == 4) {
        TT_SWEEP(1, 4);
    } else {
        TT_SWEEP(1, 8);
    }
#else
    if (vectors == 1) { /* enough rows to hide the latency of an addition */
        TT_SWEEP(8, 1);
        TT_SWEEP(4, 1);
        TT_SWEEP(2, 1);
        TT_SWEEP(1, 1);
    } else if (vectors == 2) { /* 12 sums, 2 of B, 1 of A: 15 of 16 registers */
        TT_SWEEP(6, 2);
        TT_SWEEP(4, 2);
        TT_SWEEP(2, 2);
        TT_SWEEP(1, 2);
    } else if (vectors == 4) {
        TT_SWEEP(2, 4);
        TT_SWEEP(1, 4);
    } else {
        TT_SWEEP(1, 8);
    }
#endif
}
#undef TT_SWEEP

/* Copy a panel of B into contiguous rows of `width` elements.  What stands beyond the
   columns `cols` is arbitrary: it fills lanes that are never stored. */
TT_KERNEL void K(tt_pack)(T *to, int64_t width, const T *b, int64_t brs, int64_t bcs,
                          int64_t k, int64_t cols) {
    for (int64_t j = 0; j < width; j += VL) {
        const T *x[VL];
        int64_t p = 0;
        for (int64_t l = 0; l < VL; l++)
            x[l] = b + (j + l < cols ? j + l : cols - 1) * bcs;
        if (brs == 1)
            for (; p <= k - VL; p += VL)
                K(tt_transpose)(to + p * width + j, width, x, p);
        for (; p < k; p++)
            for (int64_t l = 0; l < VL; l++) to[p * width + j + l] = x[l][p * brs];
    }
}

/* The same for contiguous rows of fewer than VL columns.  Whole vectors are read as
   long as they end inside B. */
TT_KERNEL void K(tt_pack_narrow)(T *to, const T *b, int64_t brs, int64_t k,
                                 int64_t cols) {
    int64_t p = 0;
    for (; p * brs + VL <= (k - 1) * brs + cols; p++, to += VL)
        *(VEC *)to = *(const VEC *)(b + p * brs);
    for (; p < k; p++, to += VL)
        for (int64_t j = 0; j < cols; j++) {
            to[j] = b[p * brs + j];
            TT_FEW;
        }
}

/* How many vectors wide the next panel is.  One row of C needs a wide one to hide the
   latency of its additions; a packed panel may be wider than what is left. */
TT_INLINE int K(tt_width)(int64_t m, int64_t left, int packs) {
    int vectors = packs || m > 2 ? 2 : m == 2 ? 4 : 8;
    while (vectors > 1 && (packs ? vectors / 2 : vectors) * VL > left - packs)
        vectors /= 2;
    return vectors;
}

static void K(tt_rows)(int64_t m, int64_t n, int64_t k, T alpha, const T *a,
                       int64_t ars, int64_t acs, const T *b, int64_t brs, int64_t bcs,
                       T beta, const T *d, int64_t drs, int64_t dcs, int rectify, T *c,
                       int64_t crs, int64_t ccs) {
    _Alignas(32) T packed[TT_PANEL * 2 * VL];
    const int packs = bcs != 1 || n < VL;
    const int64_t pass = tt_depth(k);
    for (int64_t p = 0; p < k; p += pass, beta = 1, d = c, drs = crs, dcs = ccs) {
        const int64_t depth = k - p < pass ? k - p : pass;
        for (int64_t j = 0; j < n;) {
            const int64_t left = n - j;
            const int vectors = K(tt_width)(m, left, packs);
            const int64_t width = vectors * VL, cols = left < width ? left : width;
            const T *panel = b + p * brs + j * bcs;
            int64_t skip = 0, prs = brs;
            if (packs) {
                if (bcs == 1)
                    K(tt_pack_narrow)(packed, panel, brs, depth, cols);
                else
                    K(tt_pack)(packed, width, panel, brs, bcs, depth, cols);
                panel = packed;
                prs = width;
            } else { /* the last panel overlaps the one before */
                skip = width - cols;
                panel -= skip;
            }
            K(tt_panel)(vectors, m, depth, alpha, a + p * acs, ars, ars, acs, panel,
                        prs, beta, d + j * dcs, drs, dcs, rectify && p + depth == k,
                        c + j * ccs, crs, ccs, skip, cols);
            j += cols;
        }
    }
}

/* ---- dots ---- */

/* The sums of four vectors' lanes: their transpose, added up. */
TT_INLINE void K(tt_lane_sums)(const VEC *x, T *sum) {
#if VL == 8
    const VEC a = S(x[0], x[1], 0, 8, 2, 10, 4, 12, 6, 14) +
                  S(x[0], x[1], 1, 9, 3, 11, 5, 13, 7, 15);
    const VEC b = S(x[2], x[3], 0, 8, 2, 10, 4, 12, 6, 14) +
                  S(x[2], x[3], 1, 9, 3, 11, 5, 13, 7, 15);
    const VEC c = S(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
                  S(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    for (int l = 0; l < 4; l++) sum[l] = c[l] + c[l + 4];
#else
    const VEC a = S(x[0], x[1], 0, 4, 2, 6) + S(x[0], x[1], 1, 5, 3, 7);
    const VEC b = S(x[2], x[3], 0, 4, 2, 6) + S(x[2], x[3], 1, 5, 3, 7);
    for (int l = 0; l < 2; l++) sum[l] = a[l] + a[l + 2], sum[l + 2] = b[l] + b[l + 2];
#endif
}

/* R rows of A times N columns of B, k >= VL.  The last VL elements are read once more,
   those already counted masked out on both sides (0 * inf would be NaN). */
TT_INLINE void K(tt_dot_tile)(const int R, const int N, int64_t k, T alpha, const T *a,
                              int64_t ars, const T *b, int64_t bcs, T beta, const T *d,
                              int64_t drs, int64_t dcs, int rectify, T *c,
                              int64_t crs, int64_t ccs) {
    static const MASK masks[2 * VL] = {[VL ... 2 * VL - 1] = -1};
    VEC sum[2][4];
    int64_t p = 0;
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 4; j++) sum[r][j] = (VEC){0};
    for (; p <= k - VL; p += VL)
        for (int j = 0; j < N; j++) {
            const VEC y = *(const VEC *)(b + j * bcs + p);
            for (int r = 0; r < R; r++)
                sum[r][j] += *(const VEC *)(a + r * ars + p) * y;
        }
    if (p < k) {
        const BITS mask = *(const BITS *)(masks + (k - p));
        const int64_t q = k - VL;
        for (int j = 0; j < N; j++) {
            const VEC y = (VEC)(*(const BITS *)(b + j * bcs + q) & mask);
            for (int r = 0; r < R; r++)
                sum[r][j] += (VEC)(*(const BITS *)(a + r * ars + q) & mask) * y;
        }
    }
    for (int r = 0; r < R; r++) {
        T total[4];
        K(tt_lane_sums)(sum[r], total);
        for (int j = 0; j < N; j++) {
            const T term = beta == 0 ? 0 : beta * d[r * drs + j * dcs];
            c[r * crs + j * ccs] = K(tt_end)(alpha * total[j] + term, rectify);
        }
    }
}

TT_KERNEL void K(tt_dots)(int64_t m, int64_t n, int64_t k, T alpha, const T *a,
                          int64_t ars, const T *b, int64_t bcs, T beta, const T *d,
                          int64_t drs, int64_t dcs, int rectify, T *c, int64_t crs,
                          int64_t ccs) {
    int64_t i = 0, j;
#define TT_SWEEP(R, N)                                                                 \
    for (; n - j >= N; j += N)                                                         \
        K(tt_dot_tile)(R, N, k, alpha, a + i * ars, ars, b + j * bcs, bcs, beta,       \
                       d + i * drs + j * dcs, drs, dcs, rectify,                       \
                       c + i * crs + j * ccs, crs, ccs)
    for (; m - i >= 2; i += 2) {
        j = 0;
        TT_SWEEP(2, 4);
        TT_SWEEP(2, 1);
    }
    if (i < m) {
        j = 0;
        TT_SWEEP(1, 4);
        TT_SWEEP(1, 1);
    }
#undef TT_SWEEP
}

/* ---- the choice ---- */

static void K(tt_gemm)(int64_t m, int64_t n, int64_t k, T alpha, const T *a,
                       int64_t ars, int64_t acs, const T *b, int64_t brs, int64_t bcs,
                       T beta, const T *d, int64_t drs, int64_t dcs, int rectify, T *c,
                       int64_t crs, int64_t ccs) {
    T columns[2 * TT_PANEL];
    if (acs == 1 && n <= 2 && k >= VL && k <= TT_PANEL && brs != 1) {
        for (int64_t j = 0; j < n; j++) /* make B's columns contiguous */
            for (int64_t p = 0; p < k; p++) columns[j * k + p] = b[p * brs + j * bcs];
        b = columns;
        brs = 1;
        bcs = k;
    }
    if (acs == 1 && brs == 1 && k >= VL && (m <= 4 || n <= 2)) {
        if (n < m)
            K(tt_dots)(n, m, k, alpha, b, bcs, a, ars, beta, d, dcs, drs, rectify, c,
                       ccs, crs);
        else
            K(tt_dots)(m, n, k, alpha, a, ars, b, bcs, beta, d, drs, dcs, rectify, c,
                       crs, ccs);
    } else if (ars == 1 && n < m && n < VL) {
        /* C' = B' A': vectors run along A's columns, which are contiguous. */
        K(tt_rows)(n, m, k, alpha, b, bcs, brs, a, acs, ars, beta, d, dcs, drs, rectify,
                   c, ccs, crs);
    } else {
        K(tt_rows)(m, n, k, alpha, a, ars, acs, b, brs, bcs, beta, d, drs, dcs, rectify,
                   c, crs, ccs);
    }
}
#undef VEC
#undef BITS
#undef FOUR
#undef TT_FEW
#undef S
#undef LOW
#undef RECTIFY
#endif
