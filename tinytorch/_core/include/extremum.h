/* Where a value is:  index[0] = the first i along the one reduced dimension with
   x[i] == c, NaN equal to NaN.  Operands: index (int64), x, c (of x's dtype), all of
   x's rank.  With c from amax or amin this is argmax or argmin; both passes stream. */
#ifndef T
#ifndef TT_EXTREMUM_H
#define TT_EXTREMUM_H
#include "reduce.h"

typedef struct {
    int64_t (*row)(const void *x, int64_t n, const void *c);   /* n: not there */
    /* where[j] = i for the columns that match in row i and in none before */
    void (*columns)(void *where, const void *x, int64_t n, int64_t i, const void *c);
    void (*widen)(int64_t *y, const void *where, int64_t n, int64_t step);
    int width;                                                 /* bytes of `where` */
} Finder;

#define TT_FIND(...) TT_FIND_AS(__VA_ARGS__)
#define TT_FIND_AS(NAME, T, S, SAME)                                                   \
    TT_KERNEL int64_t NAME##_row(const void *from, int64_t n, const void *value) {     \
        const T *in = (const T *)from, c = *(const T *)value;                          \
        int64_t i = 0;                                                                 \
        for (; i + 64 <= n; i += 64) {                                                 \
            S found = 0;                                                               \
            _Pragma("omp simd reduction(| : found)") for (int64_t j = 0; j < 64; j++) {\
                const T x = in[i + j];                                                 \
                found |= SAME;                                                         \
            }                                                                          \
            if (found) break;                                                          \
        }                                                                              \
        for (; i < n; i++) {                                                           \
            const T x = in[i];                                                         \
            if (SAME) break;                                                           \
        }                                                                              \
        return i;                                                                      \
    }                                                                                  \
    TT_KERNEL void NAME##_columns(void *where, const void *from, int64_t n, int64_t i, \
                                  const void *values) {                                \
        const T *in = (const T *)from, *value = (const T *)values;                     \
        S *restrict y = (S *)where;                                                    \
        const S here = (S)i;                                                           \
        _Pragma("omp simd") for (int64_t j = 0; j < n; j++) {                          \
            const T x = in[j], c = value[j];                                           \
            y[j] = (y[j] < 0) & (SAME) ? here : y[j];                                  \
        }                                                                              \
    }                                                                                  \
    static void NAME##_widen(int64_t *y, const void *where, int64_t n, int64_t step) { \
        const S *x = (const S *)where;                                                 \
        for (int64_t j = 0; j < n; j++) y[j * step] = x[j];                            \
    }                                                                                  \
    static const Finder NAME##_finder = {NAME##_row, NAME##_columns, NAME##_widen,     \
                                         sizeof(S)};

#define TT_FILE "extremum.h"
#include "each_float.h"
TT_FIND(find_i64, int64_t, int64_t, x == c)
static void *finders[3] = {
    (void *)&find_f32_finder, (void *)&find_f64_finder, (void *)&find_i64_finder};

typedef struct {
    Reduce plan;
    const Finder *op;
    const char *value;
    int64_t *y;
} Find;

static int64_t tt_find_row(const Find *f, const char *x, const void *c) {
    char buffer[TT_ROW_BUFFER * 8] __attribute__((aligned(64)));
    const Reduce *p = &f->plan;
    const ReduceDim *over = &p->over[0];
    if (p->native && over->x == 1) return f->op->row(x, over->n, c);
    for (int64_t i = 0; i < over->n; i += TT_ROW_BUFFER) {
        const int64_t n = tt_least(over->n - i, TT_ROW_BUFFER);
        p->load(buffer, x + i * over->x * p->width_x, n, over->x);
        const int64_t at = f->op->row(buffer, n, c);
        if (at < n) return i + at;
    }
    return 0;
}

static void tt_find_columns(const Find *f, const char *x, int64_t n, const void *c,
                            int64_t *y, int64_t step) {
    char buffer[TT_WIDTH * 8] __attribute__((aligned(64)));
    char where[TT_WIDTH * 8] __attribute__((aligned(64)));
    const Reduce *p = &f->plan;
    const int64_t inner = p->keep[p->kept - 1].x;
    memset(where, -1, n * f->op->width);
    for (int64_t i = 0; i < p->over[0].n; i++, x += p->over[0].x * p->width_x) {
        const int direct = p->native && inner == 1;
        if (!direct) p->load(buffer, x, n, inner);
        f->op->columns(where, direct ? x : buffer, n, i, c);
    }
    f->op->widen(y, where, n, step);
}

static void tt_find_range(void *context, int64_t begin, int64_t end) {
    const Find *f = (const Find *)context;
    const Reduce *p = &f->plan;
    char value[TT_WIDTH * 8] __attribute__((aligned(64)));
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t x, y, n = tt_reduce_unit(p, unit, &x, &y);
        const int64_t step = p->by_columns ? p->keep[p->kept - 1].y : 1;
        p->load(value, f->value + y * p->width_x, n, step);
        if (p->by_columns)
            tt_find_columns(f, p->x + x * p->width_x, n, value, f->y + y, step);
        else
            f->y[y] = tt_find_row(f, p->x + x * p->width_x, value);
    }
}

static int find_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    const int dtype = call->compute == TT_COMPUTE_I64 ? TT_I64 : call->compute;
    Find f;
    if (y->numel == 0) return TT_OK;
    f.op = (const Finder *)call->kernel->function[call->compute];
    f.value = call->operand[2].data;
    f.y = (int64_t *)y->data;
    f.plan.x = x->data;
    f.plan.native = x->dtype == dtype;
    f.plan.load = tt_load[call->compute][x->dtype];
    f.plan.width_x = tt_itemsize[x->dtype];
    tt_reduce_dims(&f.plan, y, x);
    tt_reduce_plan(&f.plan, y->numel);
    if (f.plan.by_columns && f.plan.columns < 16 && f.plan.count >= 64) {
        f.plan.by_columns = 0; /* too narrow: each column by itself, up to its find */
        f.plan.units = y->numel;
        f.plan.columns = f.plan.blocks = 1;
    }
    const int64_t cost = f.plan.count * f.plan.columns;
    const int64_t grain = cost < TT_REDUCE_GRAIN ? TT_REDUCE_GRAIN / cost : 1;
    if (f.plan.units <= grain) tt_find_range(&f, 0, f.plan.units);
    else tt_parallel_for(tt_find_range, &f, f.plan.units, grain);
    return TT_OK;
}
#endif
#else
TT_FIND(K(find), T, S, (x == c) | ((x != x) & (c != c)))
#endif
