/* Attention:  y = softmax(scale q k' + mask) v, tile by tile; the scores of all pairs
   are never in memory at once.

   Shapes: q (B, H, L, E), k (B, G, S, E), v (B, G, S, V), y and gy (B, H, L, V), lse
   (B, H, L), mask (B, H, L, S).  G divides H: groups of heads share keys and values.
   Any strides, but rows of q, k, v, y and their gradients are contiguous.
   Forward operands:  y, lse, q, k, v[, mask]
   Backward operands: gq, gk, gv, q, k, v, y, lse, gy[, mask]
   Scalars: scale, whether causal, the mask's kind.
   lse is the logarithm of a row's sum of exponentials, infinite if all is masked. */
#ifndef T
#ifndef TT_ATTENTION_H
#define TT_ATTENTION_H
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "rows.h"

enum { TT_NO_MASK, TT_ADDED_MASK, TT_BOOL_MASK };
enum {
    TT_TILE_COLS = TT_PART(256, 16),
    TT_TILE_ROWS = TT_PART(128, 8), /* of float; half as many of double */
    TT_ATTENTION_GRAIN = TT_PART(65536, 256)
};

/* The product of matrices (blas.pxd); every extension sets it when it is imported. */
typedef int (*Gemm)(int dtype, int ta, int tb, int64_t m, int64_t n, int64_t k,
                    double alpha, const void *a, int64_t lda, const void *b,
                    int64_t ldb, double beta, void *c, int64_t ldc);
static Gemm tt_gemm;

typedef struct {
    const KernelCall *call;
    const View *y, *lse, *q, *k, *v, *mask, *gy, *gq, *gk, *gv;
    int64_t rows, blocks;   /* of a tile of queries; tiles per head */
    double scale;
    int causal, masked, size, failed;
} Attention;

/* One head: matrices with their distances between rows. */
typedef struct {
    char *q, *k, *v, *y, *gy, *gq, *gk, *gv, *lse;
    int64_t ldq, ldk, ldv, ldy, ldgy, ldgq, ldgk, ldgv;
    int64_t L, keys, E, V, b, h;
} Head;

TT_INLINE char *tt_head(const Attention *a, const View *x, int64_t b, int64_t h,
                        int64_t *ld) {
    *ld = x->shape[2] == 1 ? x->shape[3] : x->strides[2];
    return x->data + (b * x->strides[0] + h * x->strides[1]) * a->size;
}

static Head tt_head_of(const Attention *a, int64_t b, int64_t h) {
    const int64_t g = h / (a->q->shape[1] / a->k->shape[1]);
    Head d = {.L = a->q->shape[2], .keys = a->k->shape[2], .E = a->q->shape[3],
              .V = a->v->shape[3], .b = b, .h = h};
    d.q = tt_head(a, a->q, b, h, &d.ldq);
    d.k = tt_head(a, a->k, b, g, &d.ldk);
    d.v = tt_head(a, a->v, b, g, &d.ldv);
    d.y = tt_head(a, a->y, b, h, &d.ldy);
    d.lse = a->lse->data + (b * a->q->shape[1] + h) * d.L * a->size;
    if (!a->gy) return d;
    d.gy = tt_head(a, a->gy, b, h, &d.ldgy);
    d.gq = tt_head(a, a->gq, b, h, &d.ldgq);
    d.gk = tt_head(a, a->gk, b, g, &d.ldgk);
    d.gv = tt_head(a, a->gv, b, g, &d.ldgv);
    return d;
}

#define TT_FILE "attention.h"
#include "each_float.h"

static Attention tt_attention(const KernelCall *call) {
    Attention a = {.call = call, .scale = call->scalar[0].f,
                   .causal = call->scalar[1].i != 0, .masked = (int)call->scalar[2].i,
                   .size = tt_compute_size[call->compute]};
    a.rows = TT_TILE_ROWS * 4 / a.size;
    return a;
}

/* What the scores of a tile take; a whole tile is fresh memory to most allocators. */
static size_t tt_tile_bytes(const Attention *a) {
    const int64_t rows = a->q->shape[2], cols = a->k->shape[2];
    return (size_t)((rows < a->rows ? rows : a->rows) *
                    (cols < TT_TILE_COLS ? cols : TT_TILE_COLS) * a->size + 1);
}

static void tt_attention_forward(void *context, int64_t begin, int64_t end) {
    Attention *a = (Attention *)context;
    char *scratch = (char *)malloc(tt_tile_bytes(a));
    if (!scratch) {
        a->failed = 1;
        return;
    }
    for (int64_t task = begin; task < end; task++) {
        const int64_t head = task / a->blocks, first = task % a->blocks * a->rows;
        const Head d = tt_head_of(a, head / a->q->shape[1], head % a->q->shape[1]);
        const int64_t rows = d.L - first < a->rows ? d.L - first : a->rows;
        if (a->call->compute == TT_COMPUTE_F32)
            attention_rows_f32(a, &d, first, rows, (float *)scratch);
        else attention_rows_f64(a, &d, first, rows, (double *)scratch);
    }
    free(scratch);
}

static int attention_driver(const KernelCall *call) {
    Attention a = tt_attention(call);
    a.y = &call->operand[0];
    a.lse = &call->operand[1];
    a.q = &call->operand[2];
    a.k = &call->operand[3];
    a.v = &call->operand[4];
    a.mask = a.masked ? &call->operand[5] : NULL;
    a.blocks = (a.q->shape[2] + a.rows - 1) / a.rows;
    if (a.lse->numel == 0) return TT_OK;
    const int64_t tasks = a.q->shape[0] * a.q->shape[1] * a.blocks;
    const int64_t cost = a.k->shape[2] * a.q->shape[3] *
                         (a.q->shape[2] < a.rows ? a.q->shape[2] : a.rows);
    const int64_t grain = TT_ATTENTION_GRAIN / (cost + 1) + 1;
    if (tasks <= grain) tt_attention_forward(&a, 0, tasks);
    else tt_parallel_for(tt_attention_forward, &a, tasks, grain);
    return a.failed ? TT_NO_MEMORY : TT_OK;
}

/* Tasks: heads of keys, with all heads of queries that share them. */
static void tt_attention_backward(void *context, int64_t begin, int64_t end) {
    Attention *a = (Attention *)context;
    const int64_t groups = a->k->shape[1], share = a->q->shape[1] / groups;
    char *p = (char *)malloc(tt_tile_bytes(a)), *dp = (char *)malloc(tt_tile_bytes(a));
    if (!p || !dp) a->failed = 1;
    else for (int64_t task = begin; task < end; task++)
        for (int64_t j = 0; j < share; j++) {
            const Head d = tt_head_of(a, task / groups, task % groups * share + j);
            for (int64_t i = 0; j == 0 && i < d.keys; i++) {
                memset(d.gk + i * d.ldgk * a->size, 0, (size_t)(d.E * a->size));
                memset(d.gv + i * d.ldgv * a->size, 0, (size_t)(d.V * a->size));
            }
            for (int64_t first = 0; first < d.L; first += a->rows) {
                const int64_t n = d.L - first < a->rows ? d.L - first : a->rows;
                if (a->call->compute == TT_COMPUTE_F32)
                    attention_gradients_f32(a, &d, first, n, (float *)p, (float *)dp);
                else
                    attention_gradients_f64(a, &d, first, n, (double *)p, (double *)dp);
            }
        }
    free(p);
    free(dp);
}

static int attention_backward_driver(const KernelCall *call) {
    Attention a = tt_attention(call);
    a.gq = &call->operand[0];
    a.gk = &call->operand[1];
    a.gv = &call->operand[2];
    a.q = &call->operand[3];
    a.k = &call->operand[4];
    a.v = &call->operand[5];
    a.y = &call->operand[6];
    a.lse = &call->operand[7];
    a.gy = &call->operand[8];
    a.mask = a.masked ? &call->operand[9] : NULL;
    const int64_t tasks = a.k->shape[0] * a.k->shape[1];
    const int64_t cost = a.q->shape[2] * a.k->shape[2] * a.q->shape[3];
    const int64_t grain = TT_ATTENTION_GRAIN / (cost + 1) + 1;
    if (tasks <= grain) tt_attention_backward(&a, 0, tasks);
    else tt_parallel_for(tt_attention_backward, &a, tasks, grain);
    return a.failed ? TT_NO_MEMORY : TT_OK;
}
#endif
#else

#define AT(pointer, row, ld) ((T *)(pointer) + (row) * (ld))
#define PRODUCT(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)                  \
    tt_gemm(TT_SINGLE ? TT_F32 : TT_F64, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, \
            c, ldc)

/* Keys of the tile that begins with `key`, as far as queries before `end` attend. */
TT_INLINE int64_t K(tile_keys)(const Attention *a, const Head *d, int64_t key,
                               int64_t end) {
    const int64_t last = a->causal && end < d->keys ? end : d->keys;
    return last - key < TT_TILE_COLS ? last - key : TT_TILE_COLS;
}

/* Scores of queries [first, first + rows) and keys [key, key + n), masked. */
static void K(attention_scores)(const Attention *a, const Head *d, int64_t first,
                                int64_t rows, int64_t key, int64_t n, T *s) {
    PRODUCT(0, 1, rows, n, d->E, a->scale, AT(d->q, first, d->ldq), d->ldq,
            AT(d->k, key, d->ldk), d->ldk, 0, s, n);
    for (int64_t i = 0; a->mask && i < rows; i++, s += n) {
        const int64_t *strides = a->mask->strides, step = strides[3];
        const int64_t at = d->b * strides[0] + d->h * strides[1] +
                           (first + i) * strides[2] + key * step;
        if (a->masked == TT_BOOL_MASK) {
            const uint8_t *keep = (const uint8_t *)a->mask->data + at;
            for (int64_t j = 0; j < n; j++) s[j] = keep[j * step] ? s[j] : -(T)INFINITY;
        } else {
            const T *more = (const T *)a->mask->data + at;
            for (int64_t j = 0; j < n; j++) s[j] += more[j * step];
        }
    }
    if (a->mask) s -= rows * n;
    for (int64_t i = 0; a->causal && i < rows; i++)
        for (int64_t j = first + i + 1 - key > 0 ? first + i + 1 - key : 0; j < n; j++)
            s[i * n + j] = -(T)INFINITY;
}

/* Exponentials of a tile's rows, and what they change in the sums so far. */
TT_KERNEL void K(attention_exponentials)(T *s, int64_t rows, int64_t n, T *peak,
                                         T *total, T *y, int64_t ldy, int64_t V,
                                         int is_first) {
    for (int64_t i = 0; i < rows; i++, s += n, y += ldy) {
        const T highest = F(row_max)(s, n), top = highest > peak[i] ? highest : peak[i];
        T sum = 0;
        if (top == -(T)INFINITY) { /* all masked so far; NaN stays */
            for (int64_t j = 0; j < n; j++) sum += s[j] = s[j] != s[j] ? s[j] : 0;
            total[i] += sum;
            continue;
        }
        const T shrink = F(exp_negative)(peak[i] - top);
        _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < n; j++) {
            s[j] = F(exp_negative)(s[j] - top);
            sum += s[j];
        }
        total[i] = total[i] * shrink + sum;
        peak[i] = top;
        if (!is_first && shrink != 1) for (int64_t j = 0; j < V; j++) y[j] *= shrink;
    }
}

static void K(attention_rows)(const Attention *a, const Head *d, int64_t first,
                              int64_t rows, T *s) {
    T peak[TT_TILE_ROWS], total[TT_TILE_ROWS], *y = AT(d->y, first, d->ldy);
    for (int64_t i = 0; i < rows; i++) {
        peak[i] = -(T)INFINITY;
        total[i] = 0;
        if (d->keys == 0) memset(y + i * d->ldy, 0, (size_t)d->V * sizeof(T));
    }
    for (int64_t key = 0; key < d->keys; key += TT_TILE_COLS) {
        const int64_t n = K(tile_keys)(a, d, key, first + rows);
        if (n <= 0) break;
        K(attention_scores)(a, d, first, rows, key, n, s);
        K(attention_exponentials)(s, rows, n, peak, total, y, d->ldy, d->V, key == 0);
        PRODUCT(0, 0, rows, d->V, n, 1, s, n, AT(d->v, key, d->ldv), d->ldv,
                key == 0 ? 0 : 1, y, d->ldy);
    }
    for (int64_t i = 0; i < rows; i++) {
        const T scale = total[i] == 0 ? 0 : 1 / total[i];
        for (int64_t j = 0; j < d->V; j++) y[i * d->ldy + j] *= scale;
        T *lse = (T *)d->lse + first + i;
        *lse = total[i] == 0 ? (T)INFINITY : peak[i] + L(log)(total[i]);
    }
}

/* p becomes the probabilities, dp the gradients of the scores:
   dp = scale p (dp - sum(gy y)) */
TT_KERNEL void K(attention_slopes)(T *p, T *dp, int64_t rows, int64_t n, const T *lse,
                                   const T *dot, T scale) {
    for (int64_t i = 0; i < rows; i++, p += n, dp += n) {
        const T level = lse[i], middle = dot[i];
        for (int64_t j = 0; j < n; j++) {
            p[j] = F(exp_negative)(p[j] - level);
            dp[j] = scale * p[j] * (dp[j] - middle);
        }
    }
}

TT_KERNEL void K(attention_dots)(const T *gy, int64_t ldgy, const T *y, int64_t ldy,
                                 int64_t rows, int64_t V, T *dot) {
    for (int64_t i = 0; i < rows; i++)
        dot[i] = F(row_dot)(gy + i * ldgy, y + i * ldy, V);
}

static void K(attention_gradients)(const Attention *a, const Head *d, int64_t first,
                                   int64_t rows, T *p, T *dp) {
    T dot[TT_TILE_ROWS];
    const T *q = AT(d->q, first, d->ldq), *gy = AT(d->gy, first, d->ldgy);
    T *gq = AT(d->gq, first, d->ldgq);
    K(attention_dots)(gy, d->ldgy, AT(d->y, first, d->ldy), d->ldy, rows, d->V, dot);
    for (int64_t i = 0; d->keys == 0 && i < rows; i++)
        memset(gq + i * d->ldgq, 0, (size_t)d->E * sizeof(T));
    for (int64_t key = 0; key < d->keys; key += TT_TILE_COLS) {
        const int64_t n = K(tile_keys)(a, d, key, first + rows);
        if (n <= 0) break;
        K(attention_scores)(a, d, first, rows, key, n, p);
        PRODUCT(0, 1, rows, n, d->V, 1, gy, d->ldgy, AT(d->v, key, d->ldv), d->ldv, 0,
                dp, n);
        K(attention_slopes)(p, dp, rows, n, (const T *)d->lse + first, dot,
                            (T)a->scale);
        PRODUCT(1, 0, n, d->V, rows, 1, p, n, gy, d->ldgy, 1, AT(d->gv, key, d->ldgv),
                d->ldgv);
        PRODUCT(0, 0, rows, d->E, n, 1, dp, n, AT(d->k, key, d->ldk), d->ldk,
                key == 0 ? 0 : 1, gq, d->ldgq);
        PRODUCT(1, 0, n, d->E, rows, 1, dp, n, q, d->ldq, 1, AT(d->gk, key, d->ldgk),
                d->ldgk);
    }
}
#undef AT
#undef PRODUCT
#endif
