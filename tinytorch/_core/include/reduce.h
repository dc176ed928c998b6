/* The driver of reductions: y = finish(merge over the reduced dimensions of step(x)).

   Operands: y, x, and perhaps a centre c of y's shape in the accumulator's type.  All
   have x's rank; a dimension is reduced where y's size is 1.  Dimensions are sorted by
   stride and merged, so any permutation is read in the order of memory.

   Sums are made in three levels (block, segment, whole), so their error grows slowly.
   Blocks and segments follow from the shape alone: results do not depend on threads. */
#ifndef TT_REDUCE_H
#define TT_REDUCE_H
#include <stdlib.h>

#include "call.h"
#include "convert.h"

/* What an op supplies, by compute type of its input. */
typedef struct {
    /* acc[0] takes in x[0..n); c is NULL or points at the centre */
    void (*row)(void *acc, const void *x, int64_t n, const void *c, const Scalar *s);
    /* acc[j] takes in x[j + i * stride] for i < rows, j < n */
    void (*columns)(void *acc, const void *x, int64_t n, int64_t rows, int64_t stride,
                    const void *c, const Scalar *s);
    void (*merge)(void *acc, const void *part, int64_t n);
    void (*clear)(void *acc, int64_t n, const Scalar *s);
    void (*finish)(void *acc, int64_t n, double count, const void *c, const Scalar *s);
    int compute;                  /* type of the accumulators */
} Reduction;

enum {
    TT_ROW_BLOCK = 4096,          /* elements that one call of `row` takes */
    TT_ROW_BUFFER = 1024,         /* of them, where they have to be gathered */
    TT_ROW_SHORT = 256,           /* shorter runs are gathered into a buffer first */
    TT_WIDTH = 1024,              /* columns side by side */
    TT_WIDTH_APART = 64,          /* the same where they do not lie side by side */
    TT_CASCADE = 128,             /* rows between two merges */
    TT_FOLD = 64,                 /* columns to which narrow rows are joined */
    TT_SEGMENT = 65536,           /* elements of the middle level */
    TT_REDUCE_GRAIN = 32768
};

/* What columns without a centre are given for it. */
static const char tt_no_centre[TT_WIDTH * 8] __attribute__((aligned(64)));

typedef struct {
    int64_t n, x, y;              /* size; steps in elements */
} ReduceDim;

typedef struct {
    const Reduction *op;
    const Scalar *scalar;
    const char *x, *centre;
    char *y, *partial;
    Load load;
    Store store;
    int native;                   /* x has the type that `op` reads */
    int width_in, width_acc, width_x, width_y; /* bytes */
    int kept, reduced;
    ReduceDim keep[64], over[64]; /* innermost last */
    int by_columns;
    int64_t count;                /* elements per output */
    int64_t columns, blocks;      /* outputs side by side, their blocks */
    int64_t units, segment, segments;
} Reduce;

/* Where a walk through the reduced dimensions stands. */
typedef struct {
    int64_t index[64], at;
} ReduceWalk;

TT_INLINE void tt_walk_begin(ReduceWalk *w, const Reduce *p, int64_t first) {
    w->at = 0;
    for (int d = p->reduced - 1; d >= 0; d--) {
        w->index[d] = 0;
        if (first == 0) continue; /* the usual case, without divisions */
        w->index[d] = first % p->over[d].n;
        first /= p->over[d].n;
        w->at += w->index[d] * p->over[d].x;
    }
}

TT_INLINE void tt_walk_on(ReduceWalk *w, const Reduce *p, int64_t run) {
    int d = p->reduced - 1;
    w->at += run * p->over[d].x;
    w->index[d] += run;
    for (; d > 0 && w->index[d] == p->over[d].n; d--) {
        w->at += p->over[d - 1].x - p->over[d].n * p->over[d].x;
        w->index[d] = 0;
        w->index[d - 1]++;
    }
}

TT_INLINE int64_t tt_least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Offsets of an output in x and y, in elements. */
static void tt_reduce_place(const Reduce *p, int dims, int64_t index, int64_t *x,
                            int64_t *y) {
    for (int d = dims - 1; d >= 0 && index > 0; d--) {
        const int64_t i = index % p->keep[d].n;
        index /= p->keep[d].n;
        *x += i * p->keep[d].x;
        *y += i * p->keep[d].y;
    }
}

/* One output: reduced elements [first, first + n) at x. */
static void tt_reduce_row(const Reduce *p, const char *x, const void *c, int64_t first,
                          int64_t n, void *acc) {
    char buffer[TT_ROW_BUFFER * 8] __attribute__((aligned(64)));
    const ReduceDim *last = &p->over[p->reduced - 1];
    int64_t filled = 0;
    ReduceWalk w;
    tt_walk_begin(&w, p, first);
    while (n > 0) {
        int64_t run = tt_least(last->n - w.index[p->reduced - 1], n);
        const char *from = x + w.at * p->width_x;
        if (p->native && last->x == 1 && (run >= TT_ROW_SHORT || run == n) && !filled) {
            run = tt_least(run, TT_ROW_BLOCK);
            p->op->row(acc, from, run, c, p->scalar);
        } else {
            run = tt_least(run, TT_ROW_BUFFER - filled);
            p->load(buffer + filled * p->width_in, from, run, last->x);
            filled += run;
            if (filled == TT_ROW_BUFFER || run == n) {
                p->op->row(acc, buffer, filled, c, p->scalar);
                filled = 0;
            }
        }
        n -= run;
        if (n > 0) tt_walk_on(&w, p, run);
    }
}

/* `n` columns, `rows` rows as they lie in memory; narrow rows are joined. */
static void tt_reduce_run(const Reduce *p, const char *x, const void *c, int64_t n,
                          int64_t rows, void *acc) {
    const int64_t stride = p->over[p->reduced - 1].x, step = p->keep[p->kept - 1].x;
    char buffer[4 * TT_WIDTH * 8] __attribute__((aligned(64)));
    if (p->native && step == 1) {
        const int64_t fold = n <= TT_FOLD / 2 && stride == n && !c ? TT_FOLD / n : 1;
        if (rows >= 4 * fold && fold > 1) {
            p->op->clear(buffer, fold * n, p->scalar);
            p->op->columns(buffer, x, fold * n, rows / fold, fold * n, c, p->scalar);
            for (int64_t i = 0; i < fold; i++)
                p->op->merge(acc, buffer + i * n * p->width_acc, n);
            x += rows / fold * fold * n * p->width_x;
            rows %= fold;
        }
        if (rows) p->op->columns(acc, x, n, rows, stride, c, p->scalar);
        return;
    }
    for (int64_t i = 0; i < rows; i += 4) {
        const int64_t m = tt_least(rows - i, 4);
        for (int64_t k = 0; k < m; k++)
            p->load(buffer + k * TT_WIDTH * p->width_in,
                    x + (i + k) * stride * p->width_x, n, step);
        p->op->columns(acc, buffer, n, m, TT_WIDTH, c, p->scalar);
    }
}

/* Neighbouring outputs: rows [first, first + rows). */
static void tt_reduce_columns(const Reduce *p, const char *x, const void *c, int64_t n,
                              int64_t first, int64_t rows, void *acc) {
    char part[TT_WIDTH * 8] __attribute__((aligned(64)));
    const ReduceDim *last = &p->over[p->reduced - 1];
    const int64_t most = TT_CASCADE * (n <= TT_FOLD / 2 ? TT_FOLD / n : 1);
    int64_t taken = 0;
    ReduceWalk w;
    tt_walk_begin(&w, p, first);
    void *into = rows <= most ? acc : part;
    while (rows > 0) {
        if (taken == 0 && into == part) p->op->clear(part, n, p->scalar);
        int64_t run = tt_least(last->n - w.index[p->reduced - 1], rows);
        run = tt_least(run, most - taken);
        tt_reduce_run(p, x + w.at * p->width_x, c, n, run, into);
        rows -= run;
        taken += run;
        if (into == part && (taken == most || rows == 0)) {
            p->op->merge(acc, part, n);
            taken = 0;
        }
        if (rows > 0) tt_walk_on(&w, p, run);
    }
}

/* Where a unit's outputs are; returns their number. */
TT_INLINE int64_t tt_reduce_unit(const Reduce *p, int64_t unit, int64_t *x,
                                 int64_t *y) {
    *x = *y = 0;
    if (!p->by_columns) {
        tt_reduce_place(p, p->kept, unit, x, y);
        return 1;
    }
    const ReduceDim *inner = &p->keep[p->kept - 1];
    const int64_t outer = p->blocks == 1 ? unit : unit / p->blocks;
    const int64_t begin = (unit - outer * p->blocks) * p->columns;
    tt_reduce_place(p, p->kept - 1, outer, x, y);
    *x += begin * inner->x;
    *y += begin * inner->y;
    return tt_least(inner->n - begin, p->columns);
}

/* The centres of a unit's outputs side by side, or NULL. */
TT_INLINE const void *tt_reduce_centre(const Reduce *p, int64_t y, int64_t n,
                                       void *block) {
    const int64_t step = p->by_columns ? p->keep[p->kept - 1].y : 1;
    const int type = p->op->compute;
    if (!p->centre) return NULL;
    tt_load[type][type == TT_COMPUTE_I64 ? TT_I64 : type](
        block, p->centre + y * p->width_acc, n, step);
    return block;
}

static void tt_reduce_store(const Reduce *p, int64_t y, int64_t n, const void *c,
                            void *acc) {
    p->op->finish(acc, n, (double)p->count, c, p->scalar);
    p->store(p->y + y * p->width_y, acc, n, p->by_columns ? p->keep[p->kept - 1].y : 1);
}

/* Tasks: every segment of every unit. */
static void tt_reduce_tasks(void *context, int64_t begin, int64_t end) {
    const Reduce *p = (const Reduce *)context;
    char total[TT_WIDTH * 8] __attribute__((aligned(64)));
    char block[TT_WIDTH * 8] __attribute__((aligned(64)));
    for (int64_t task = begin; task < end; task++) {
        const int64_t unit = p->segments == 1 ? task : task / p->segments;
        const int64_t first = (task - unit * p->segments) * p->segment;
        const int64_t count = tt_least(p->count - first, p->segment);
        int64_t x, y, n = tt_reduce_unit(p, unit, &x, &y);
        const char *from = p->x + x * p->width_x;
        const void *c = tt_reduce_centre(p, y, n, block);
        char *acc = p->partial ? p->partial + task * p->columns * p->width_acc : total;
        p->op->clear(acc, n, p->scalar);
        if (count && p->by_columns) tt_reduce_columns(p, from, c, n, first, count, acc);
        else if (count) tt_reduce_row(p, from, c, first, count, acc);
        if (!p->partial) tt_reduce_store(p, y, n, c, acc);
    }
}

/* The segments of each unit, in pairs of pairs. */
static void tt_reduce_join(const Reduce *p) {
    const int64_t size = p->columns * p->width_acc;
    char block[TT_WIDTH * 8] __attribute__((aligned(64)));
    for (int64_t unit = 0; unit < p->units; unit++) {
        int64_t x, y, n = tt_reduce_unit(p, unit, &x, &y);
        char *acc = p->partial + unit * p->segments * size;
        for (int64_t step = 1; step < p->segments; step *= 2)
            for (int64_t k = 0; k + step < p->segments; k += 2 * step)
                p->op->merge(acc + k * size, acc + (k + step) * size, n);
        tt_reduce_store(p, y, n, tt_reduce_centre(p, y, n, block), acc);
    }
}

/* Sort by x's step, largest first, and join what is walked through evenly.  Step 0
   counts as the largest: rows that repeat are then read side by side. */
static int tt_reduce_sort(ReduceDim *dim, int dims) {
    for (int i = 1; i < dims; i++)
        for (int j = i; j > 0; j--) {
            const int64_t outer = dim[j - 1].x, inner = dim[j].x;
            if (outer == 0 || (inner != 0 && outer >= inner)) break;
            const ReduceDim swapped = dim[j];
            dim[j] = dim[j - 1];
            dim[j - 1] = swapped;
        }
    int kept = 0;
    for (int d = 1; d < dims; d++) {
        ReduceDim *outer = &dim[kept];
        if (outer->x == dim[d].n * dim[d].x && outer->y == dim[d].n * dim[d].y) {
            outer->n *= dim[d].n;
            outer->x = dim[d].x;
            outer->y = dim[d].y;
        } else {
            dim[++kept] = dim[d];
        }
    }
    if (dims == 0) dim[0] = (ReduceDim){1, 0, 0};
    return kept + 1;
}

static void tt_reduce_dims(Reduce *p, const View *y, const View *x) {
    p->kept = p->reduced = 0;
    p->count = 1;
    for (int d = 0; d < x->ndim; d++) {
        const int64_t n = x->shape[d];
        if (n == 1) continue;
        if (y->shape[d] == 1) {
            p->over[p->reduced++] = (ReduceDim){n, x->strides[d], 0};
            p->count *= n;
        } else {
            p->keep[p->kept++] = (ReduceDim){n, x->strides[d], y->strides[d]};
        }
    }
    p->kept = tt_reduce_sort(p->keep, p->kept);
    p->reduced = tt_reduce_sort(p->over, p->reduced);
}

/* Which of both loops is the inner one, and into which tasks the work falls. */
static void tt_reduce_plan(Reduce *p, int64_t outputs) {
    const ReduceDim *keep = &p->keep[p->kept - 1], *over = &p->over[p->reduced - 1];
    p->by_columns = p->count == 1 || (keep->n > 1 && keep->x < over->x) ||
                    (over->n < 16 && keep->n >= over->n);
    /* what lies between two columns is read once per row: keep it in the cache */
    const int64_t most = keep->x == 1 ? TT_WIDTH : TT_WIDTH_APART;
    p->columns = p->by_columns ? tt_least(keep->n, most) : 1;
    p->blocks = p->by_columns ? (keep->n + most - 1) / most : 1;
    p->units = outputs;
    if (p->by_columns)
        p->units = outputs == keep->n ? p->blocks : outputs / keep->n * p->blocks;
    p->segment = p->columns == 1 ? TT_SEGMENT : TT_SEGMENT / p->columns;
    p->segments = p->count > p->segment ? (p->count + p->segment - 1) / p->segment : 1;
}

static int tt_reduce_small(const KernelCall *call, const Reduction *op) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    const void *c = call->operands > 2 ? call->operand[2].data : NULL;
    char acc[8] __attribute__((aligned(8)));
    op->clear(acc, 1, call->scalar);
    op->row(acc, x->data, x->numel, c, call->scalar);
    op->finish(acc, 1, (double)x->numel, c, call->scalar);
    tt_store[op->compute][y->dtype](y->data, acc, 1, 1);
    return TT_OK;
}

static int reduce_driver(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    const Reduction *op = (const Reduction *)call->kernel->function[call->compute];
    const int dtype = call->compute == TT_COMPUTE_I64 ? TT_I64 : call->compute;
    const int native = x->dtype == dtype;
    if (!op) return TT_NO_KERNEL;
    if (y->numel == 0) return TT_OK;
    if (native && y->numel == 1 && x->contiguous && x->numel <= TT_ROW_BLOCK)
        return tt_reduce_small(call, op);

    Reduce p;
    p.op = op;
    p.scalar = call->scalar;
    p.x = x->data;
    p.y = y->data;
    p.centre = call->operands > 2 ? call->operand[2].data : NULL;
    p.partial = NULL;
    p.native = native;
    p.load = tt_load[call->compute][x->dtype];
    p.store = tt_store[op->compute][y->dtype];
    p.width_in = tt_compute_size[call->compute];
    p.width_acc = tt_compute_size[op->compute];
    p.width_x = tt_itemsize[x->dtype];
    p.width_y = tt_itemsize[y->dtype];
    tt_reduce_dims(&p, y, x);
    tt_reduce_plan(&p, y->numel);
    const int64_t tasks = p.units * p.segments;
    const int64_t cost = tt_least(p.count + 1, p.segment) * p.columns;
    const int small = tasks > 1 && cost < TT_REDUCE_GRAIN;
    const int64_t grain = small ? TT_REDUCE_GRAIN / cost : 1;
    if (p.segments > 1) {
        p.partial = (char *)malloc((size_t)(tasks * p.columns * p.width_acc));
        if (!p.partial) return TT_NO_MEMORY;
    }
    if (tasks <= grain) tt_reduce_tasks(&p, 0, tasks);
    else tt_parallel_for(tt_reduce_tasks, &p, tasks, grain);
    if (p.partial) tt_reduce_join(&p);
    free(p.partial);
    return TT_OK;
}
#endif
