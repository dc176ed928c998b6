/* The distinct rows of a contiguous matrix (n, cols).

   Outputs, all int64: first (n) one row of each group, inverse (n) the group of each
   row, counts (n) the sizes of the groups, total (1) their number.  Scalar 0: whether
   groups are sorted; otherwise only neighbours form one.  NaN equals nothing. */
#ifndef T
#ifndef TT_UNIQUE_H
#define TT_UNIQUE_H
#include <stdlib.h>

#include "call.h"
#include "convert.h"
#include "order.h"

typedef struct {
    int64_t *first, *inverse, *counts, *total;
    int64_t n, cols;
    int sorted;
} Unique;

#define TT_FILE "unique.h"
#include "each_float.h"
#define T int64_t
#define U uint64_t
#define K(f) f##_i64
#define F(f) tt_##f##_i64
#include "unique.h"
#undef T
#undef U
#undef K
#undef F

static void *unique_functions[3] = {(void *)unique_f32, (void *)unique_f64,
                                    (void *)unique_i64};

static int unique_driver(const KernelCall *call) {
    const View *x = &call->operand[4];
    const int type = call->compute == TT_COMPUTE_I64 ? TT_I64 : call->compute;
    Unique u = {(int64_t *)call->operand[0].data, (int64_t *)call->operand[1].data,
                (int64_t *)call->operand[2].data, (int64_t *)call->operand[3].data,
                x->shape[0], x->shape[1], (int)call->scalar[0].i};
    char *wide = NULL;
    *u.total = 0;
    if (u.n == 0) return TT_OK;
    if (x->dtype != type) {
        wide = (char *)malloc((size_t)(x->numel * tt_compute_size[call->compute] + 1));
        if (!wide) return TT_NO_MEMORY;
        tt_load[call->compute][x->dtype](wide, x->data, x->numel, 1);
    }
    const int status = ((int (*)(const Unique *, const void *))
                            call->kernel->function[call->compute])(
        &u, wide ? wide : x->data);
    free(wide);
    return status;
}
#endif
#else

TT_INLINE int F(same_row)(const T *a, const T *b, int64_t cols) {
    for (int64_t j = 0; j < cols; j++)
        if (a[j] != b[j]) return 0;
    return 1;
}

TT_INLINE int F(row_after)(const U *a, const U *b, int64_t cols) {
    for (int64_t j = 0; j < cols; j++)
        if (a[j] != b[j]) return a[j] > b[j];
    return 0;
}

/* Stable merge sort of row ids by the rows' keys, from runs of one upwards. */
static void F(sort_rows)(const U *key, int64_t cols, uint32_t *id, uint32_t *other,
                         int64_t n) {
    uint32_t *from = id, *to = other;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            const int64_t middle = begin + width < n ? begin + width : n;
            const int64_t end = middle + width < n ? middle + width : n;
            int64_t a = begin, b = middle;
            for (int64_t i = begin; i < end; i++) {
                const int right =
                    a == middle ||
                    (b < end && F(row_after)(key + from[a] * cols, key + from[b] * cols,
                                             cols));
                to[i] = right ? from[b++] : from[a++];
            }
        }
        uint32_t *swapped = from;
        from = to, to = swapped;
    }
    if (from != id) memcpy(id, from, n * sizeof *id);
}

static int F(sort_all)(const T *x, int64_t n, int64_t cols, uint32_t *id) {
    const int64_t size = n * cols;
    U *key = (U *)malloc((size_t)(size + n) * sizeof(U) + (size_t)n * 4);
    if (!key) return TT_NO_MEMORY;
    U *other = key + size;
    uint32_t *other_id = (uint32_t *)(other + n);
    for (int64_t i = 0; i < size; i++) key[i] = F(key)(x[i]);
    if (cols == 1) F(sort_keys)(key, id, other, other_id, n);
    else F(sort_rows)(key, cols, id, other_id, n);
    free(key);
    return TT_OK;
}

static int K(unique)(const Unique *u, const void *from) {
    const T *x = (const T *)from;
    uint32_t *id = (uint32_t *)malloc((size_t)u->n * sizeof *id);
    int64_t group = -1;
    if (!id) return TT_NO_MEMORY;
    for (int64_t i = 0; i < u->n; i++) id[i] = (uint32_t)i;
    if (u->sorted && F(sort_all)(x, u->n, u->cols, id) != TT_OK) {
        free(id);
        return TT_NO_MEMORY;
    }
    for (int64_t i = 0; i < u->n; i++) {
        const T *row = x + id[i] * u->cols;
        if (i == 0 || !F(same_row)(row, x + id[i - 1] * u->cols, u->cols)) {
            u->first[++group] = id[i];
            u->counts[group] = 0;
        }
        u->counts[group]++;
        u->inverse[id[i]] = group;
    }
    *u->total = group + 1;
    free(id);
    return TT_OK;
}
#endif
