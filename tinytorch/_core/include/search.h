/* Where values fall among sorted ones, and how many fall where.

   searchsorted  y (int64), edges (rows, n), x (rows, m) and perhaps a sorter (rows, n);
                 all contiguous, edges and x of one compute type; scalars: n, rows that
                 edges has (1: they serve all of x), whether from the right
   bincount      y (int64, or the weights' dtype; zeroed here), x (int64), weights
   histc         y, x of one compute type; scalars: least, most */
#ifndef T
#ifndef TT_SEARCH_H
#define TT_SEARCH_H
#include <string.h>

#include "call.h"
#include "convert.h"

enum { TT_SEARCH_GRAIN = TT_PART(2048, 4) };

typedef struct {
    int64_t *y;
    const char *edges, *x;
    const int64_t *sorter;
    int64_t n, per_row;      /* per_row: values of x that share a row of edges */
    int right;
    void (*find)(const void *search, int64_t begin, int64_t end);
} Search;

#define TT_FILE "search.h"
#include "each_float.h"
#define T int64_t
#define K(f) f##_i64
#define TT_NO_HISTC
#include "search.h"
#undef TT_NO_HISTC
#undef T
#undef K

static void *search_functions[3] = {(void *)search_f32, (void *)search_f64,
                                    (void *)search_i64};
static void *histc_functions[3] = {(void *)histc_f32, (void *)histc_f64, 0};

static void tt_search_range(void *context, int64_t begin, int64_t end) {
    const Search *s = (const Search *)context;
    s->find(s, begin, end);
}

static int searchsorted_driver(const KernelCall *call) {
    const int64_t m = call->operand[0].numel;
    if (m == 0) return TT_OK;
    Search s = {(int64_t *)call->operand[0].data, call->operand[1].data,
                call->operand[2].data,
                call->operands > 3 ? (const int64_t *)call->operand[3].data : NULL,
                call->scalar[0].i, m / call->scalar[1].i, (int)call->scalar[2].i,
                (void (*)(const void *, int64_t, int64_t))
                    call->kernel->function[call->compute]};
    if (m <= TT_SEARCH_GRAIN) tt_search_range(&s, 0, m);
    else tt_parallel_for(tt_search_range, &s, m, TT_SEARCH_GRAIN);
    return TT_OK;
}

static int bincount_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    const int64_t *in = (const int64_t *)x->data;
    if (y->numel) memset(y->data, 0, (size_t)(y->numel * tt_itemsize[y->dtype]));
    if (y->dtype == TT_I64) {
        int64_t *count = (int64_t *)y->data;
        for (int64_t i = 0; i < x->numel; i++) count[in[i]]++;
    } else if (y->dtype == TT_F64) {
        double *sum = (double *)y->data;
        const double *weight = (const double *)call->operand[2].data;
        for (int64_t i = 0; i < x->numel; i++) sum[in[i]] += weight[i];
    } else {
        float *sum = (float *)y->data;
        const float *weight = (const float *)call->operand[2].data;
        for (int64_t i = 0; i < x->numel; i++) sum[in[i]] += weight[i];
    }
    return TT_OK;
}

static int histc_driver(const KernelCall *call) {
    ((void (*)(const KernelCall *))call->kernel->function[call->compute])(call);
    return TT_OK;
}
#endif
#else

static void K(search)(const void *context, int64_t begin, int64_t end) {
    const Search *s = (const Search *)context;
    const T *x = (const T *)s->x;
    for (int64_t i = begin; i < end; i++) {
        const T *edges = (const T *)s->edges + i / s->per_row * s->n, value = x[i];
        const int64_t *sorter = s->sorter ? s->sorter + i / s->per_row * s->n : NULL;
        int64_t low = 0, high = s->n;
        while (low < high) { /* written so that a NaN goes to the end */
            const int64_t middle = low + (high - low) / 2;
            const T edge = edges[sorter ? sorter[middle] : middle];
            if (s->right ? !(edge > value) : !(edge >= value)) low = middle + 1;
            else high = middle;
        }
        s->y[i] = low;
    }
}

#ifndef TT_NO_HISTC
static void K(histc)(const KernelCall *call) {
    T *y = (T *)call->operand[0].data;
    const T *x = (const T *)call->operand[1].data;
    const T least = (T)call->scalar[0].f, most = (T)call->scalar[1].f;
    const int64_t bins = call->operand[0].numel;
    memset(y, 0, (size_t)bins * sizeof(T));
    for (int64_t i = 0; i < call->operand[1].numel; i++) {
        if (!(x[i] >= least && x[i] <= most)) continue;
        const int64_t at = (int64_t)((x[i] - least) * bins / (most - least));
        y[at < bins ? at : bins - 1] += 1;
    }
}
#endif
#endif
