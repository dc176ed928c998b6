/* The driver of reductions: y = finish(merge over the reduced dimensions of step(x)).

   Operands: y, x, and perhaps a centre c of y's shape in the accumulator's type.  All
   have x's rank; a dimension is reduced where y's size is 1.

   Sums are made in three levels (block, segment, whole), so their error grows slowly.
   Blocks and segments follow from the shape alone: results do not depend on threads. */
#ifndef TT_REDUCE_H
#define TT_REDUCE_H
#include <stdlib.h>

#include "reduce_plan.h"

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
