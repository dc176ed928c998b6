/* Rows of a table by their numbers, one by one or joined in bags.

   Lookup:   y (n, cols), w (rows, cols), index (n); scalar: the index whose row reads 0
   Backward: gw (rows, cols), gy (n, cols), index (n); scalars: the index left out,
             whether to divide by how often an index occurs
   Renorm:   w, index; scalars: the largest norm, the norm's order
   Bags:     y (bags, cols), chosen (bags, cols) in mode max, w, index, offsets[,
             weight]; scalars: mode, the index left out, whether `weight`
   Bag of:   bag (n), scale (n), index, offsets; scalars: mode, the index left out
   Bag b holds index[offsets[b]] up to index[offsets[b + 1]], the last all the rest. */
#ifndef T
#ifndef TT_EMBEDDING_H
#define TT_EMBEDDING_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "simd.h"

enum { TT_BAG_SUM, TT_BAG_MEAN, TT_BAG_MAX };
enum { TT_EMBEDDING_GRAIN = TT_PART(32768, 64), TT_EMBEDDING_COLS = TT_PART(64, 4) };

typedef struct {
    const KernelCall *call;
    const int64_t *index;
    int64_t n, rows, cols;
} Embedding;

static int tt_within_table(const View *index, int64_t rows) {
    const int64_t *i = (const int64_t *)index->data;
    for (int64_t k = 0; k < index->numel; k++)
        if ((uint64_t)i[k] >= (uint64_t)rows) return 0;
    return 1;
}

static void tt_lookup_range(void *context, int64_t begin, int64_t end) {
    const Embedding *e = (const Embedding *)context;
    const View *y = &e->call->operand[0], *w = &e->call->operand[1];
    const int64_t bytes = e->cols * tt_itemsize[w->dtype], blank = e->call->scalar[0].i;
    for (int64_t k = begin; k < end; k++) {
        char *to = y->data + k * bytes;
        if (e->index[k] == blank) memset(to, 0, (size_t)bytes);
        else memcpy(to, w->data + e->index[k] * bytes, (size_t)bytes);
    }
}

static int embedding_driver(const KernelCall *call) {
    const View *w = &call->operand[1], *index = &call->operand[2];
    Embedding e = {call, (const int64_t *)index->data, index->numel, w->shape[0],
                   w->shape[1]};
    if (!tt_within_table(index, e.rows)) return TT_BAD_INDEX;
    if (e.n * e.cols <= TT_EMBEDDING_GRAIN) tt_lookup_range(&e, 0, e.n);
    else tt_parallel_for(tt_lookup_range, &e, e.n, TT_EMBEDDING_GRAIN / e.cols + 1);
    return TT_OK;
}

TT_INLINE int64_t tt_bag_end(const View *offsets, int64_t bag, int64_t n) {
    return bag + 1 < offsets->numel ? ((const int64_t *)offsets->data)[bag + 1] : n;
}

#define TT_FILE "embedding.h"
#include "each_float.h"

/* Tasks are blocks of columns, so that no two of them add to one place. */
static void tt_add_rows_range(void *context, int64_t begin, int64_t end) {
    const Embedding *e = (const Embedding *)context;
    const int64_t first = begin * TT_EMBEDDING_COLS, last = end * TT_EMBEDDING_COLS;
    const int64_t cols = (last < e->cols ? last : e->cols) - first;
    if (e->call->compute == TT_COMPUTE_F32) add_rows_f32(e, first, cols);
    else add_rows_f64(e, first, cols);
}

static int embedding_backward_driver(const KernelCall *call) {
    const View *gw = &call->operand[0], *index = &call->operand[2];
    Embedding e = {call, (const int64_t *)index->data, index->numel, gw->shape[0],
                   gw->shape[1]};
    const int64_t blocks = (e.cols + TT_EMBEDDING_COLS - 1) / TT_EMBEDDING_COLS;
    memset(gw->data, 0, (size_t)(gw->numel * tt_itemsize[gw->dtype]));
    if (!tt_within_table(index, e.rows)) return TT_BAD_INDEX;
    if (blocks <= 1 || e.n * e.cols <= TT_EMBEDDING_GRAIN)
        tt_add_rows_range(&e, 0, blocks);
    else tt_parallel_for(tt_add_rows_range, &e, blocks, 1);
    if (!call->scalar[1].i) return TT_OK;
    int64_t *count = (int64_t *)calloc((size_t)e.rows + 1, sizeof(int64_t));
    if (!count) return TT_NO_MEMORY;
    for (int64_t k = 0; k < e.n; k++) count[e.index[k]]++;
    if (call->compute == TT_COMPUTE_F32) divide_rows_f32(&e, count);
    else divide_rows_f64(&e, count);
    free(count);
    return TT_OK;
}

static int embedding_renorm_driver(const KernelCall *call) {
    const View *w = &call->operand[0], *index = &call->operand[1];
    if (!tt_within_table(index, w->shape[0])) return TT_BAD_INDEX;
    char *seen = (char *)calloc((size_t)w->shape[0] + 1, 1);
    if (!seen) return TT_NO_MEMORY;
    for (int64_t k = 0; k < index->numel; k++) {
        const int64_t row = ((const int64_t *)index->data)[k];
        if (seen[row]) continue;
        seen[row] = 1;
        char *x = w->data + row * w->shape[1] * tt_itemsize[w->dtype];
        if (call->compute == TT_COMPUTE_F32)
            renorm_row_f32((float *)x, w->shape[1], call->scalar);
        else renorm_row_f64((double *)x, w->shape[1], call->scalar);
    }
    free(seen);
    return TT_OK;
}

/* ---- bags ---- */

static int tt_check_bags(const View *offsets, int64_t n) {
    const int64_t *start = (const int64_t *)offsets->data;
    if (offsets->numel && start[0] != 0) return 0;
    for (int64_t b = 0; b < offsets->numel; b++)
        if (start[b] < 0 || start[b] > n || (b && start[b] < start[b - 1])) return 0;
    return 1;
}

static void tt_bags_range(void *context, int64_t begin, int64_t end) {
    const Embedding *e = (const Embedding *)context;
    if (e->call->compute == TT_COMPUTE_F32) join_bags_f32(e, begin, end);
    else join_bags_f64(e, begin, end);
}

static int embedding_bag_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *w = &call->operand[2];
    const View *index = &call->operand[3], *offsets = &call->operand[4];
    Embedding e = {call, (const int64_t *)index->data, index->numel, w->shape[0],
                   w->shape[1]};
    if (!tt_check_bags(offsets, e.n)) return TT_BAD_VALUE;
    if (!tt_within_table(index, e.rows)) return TT_BAD_INDEX;
    if (e.n * e.cols <= TT_EMBEDDING_GRAIN) tt_bags_range(&e, 0, y->shape[0]);
    else tt_parallel_for(tt_bags_range, &e, y->shape[0], 8);
    return TT_OK;
}

/* Which bag an element is in, and its share in it: 0 if left out. */
static int bag_of_driver(const KernelCall *call) {
    const View *index = &call->operand[2], *offsets = &call->operand[3];
    const int64_t *i = (const int64_t *)index->data, blank = call->scalar[1].i;
    const int64_t *start = (const int64_t *)offsets->data;
    int64_t *bag = (int64_t *)call->operand[0].data;
    if (!tt_check_bags(offsets, index->numel)) return TT_BAD_VALUE;
    for (int64_t b = 0; b < call->scalar[2].i; b++) {
        const int64_t end = tt_bag_end(offsets, b, index->numel);
        int64_t count = 0;
        for (int64_t k = start[b]; k < end; k++) count += i[k] != blank;
        for (int64_t k = start[b]; k < end; k++) {
            double share = call->scalar[0].i == TT_BAG_MEAN ? 1.0 / (double)count : 1;
            if (i[k] == blank) share = 0;
            bag[k] = b;
            if (call->compute == TT_COMPUTE_F32)
                ((float *)call->operand[1].data)[k] = (float)share;
            else ((double *)call->operand[1].data)[k] = share;
        }
    }
    return TT_OK;
}
#endif
#else

TT_KERNEL void K(add_rows)(const Embedding *e, int64_t first, int64_t cols) {
    T *gw = (T *)e->call->operand[0].data + first;
    const T *gy = (const T *)e->call->operand[1].data + first;
    for (int64_t k = 0; k < e->n; k++) {
        if (e->index[k] == e->call->scalar[0].i) continue;
        T *restrict to = gw + e->index[k] * e->cols;
        const T *from = gy + k * e->cols;
        for (int64_t j = 0; j < cols; j++) to[j] += from[j];
    }
}

static void K(divide_rows)(const Embedding *e, const int64_t *count) {
    T *gw = (T *)e->call->operand[0].data;
    for (int64_t i = 0; i < e->rows; i++)
        for (int64_t j = 0; count[i] > 1 && j < e->cols; j++)
            gw[i * e->cols + j] /= (T)count[i];
}

static void K(renorm_row)(T *w, int64_t cols, const Scalar *s) {
    const double most = s[0].f, order = s[1].f;
    double norm = 0;
    for (int64_t j = 0; j < cols; j++) {
        const double a = fabs((double)w[j]);
        if (isinf(order)) norm = norm > a ? norm : a;
        else norm += order == 2 ? a * a : order == 1 ? a : pow(a, order);
    }
    if (!isinf(order)) norm = order == 2 ? sqrt(norm) : pow(norm, 1 / order);
    if (norm > most)
        for (int64_t j = 0; j < cols; j++) w[j] *= (T)(most / (norm + 1e-7));
}

TT_KERNEL void K(join_bags)(const Embedding *e, int64_t begin, int64_t end) {
    const KernelCall *call = e->call;
    const int64_t mode = call->scalar[0].i, blank = call->scalar[1].i;
    const int64_t *start = (const int64_t *)call->operand[4].data;
    const T *weight = call->scalar[2].i ? (const T *)call->operand[5].data : NULL;
    for (int64_t b = begin; b < end; b++) {
        T *restrict y = (T *)call->operand[0].data + b * e->cols;
        int64_t *chosen = (int64_t *)call->operand[1].data + b * e->cols, count = 0;
        const int64_t last = tt_bag_end(&call->operand[4], b, e->n);
        for (int64_t j = 0; j < e->cols; j++) y[j] = 0;
        for (int64_t j = 0; mode == TT_BAG_MAX && j < e->cols; j++) chosen[j] = -1;
        for (int64_t k = start[b]; k < last; k++) {
            const T *w = (const T *)call->operand[2].data + e->index[k] * e->cols;
            const T share = weight ? weight[k] : 1;
            if (e->index[k] == blank) continue;
            count++;
            if (mode != TT_BAG_MAX) {
                for (int64_t j = 0; j < e->cols; j++) y[j] += share * w[j];
                continue;
            }
            for (int64_t j = 0; j < e->cols; j++)
                if (count == 1 || w[j] > y[j]) {
                    y[j] = w[j];
                    chosen[j] = e->index[k];
                }
        }
        for (int64_t j = 0; mode == TT_BAG_MEAN && count > 1 && j < e->cols; j++)
            y[j] /= (T)count;
    }
}
#endif
