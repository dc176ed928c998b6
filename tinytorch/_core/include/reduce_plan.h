/* How a reduction walks through its operand (the driver: reduce.h).

   Dimensions are sorted by stride and merged, so any permutation is read in the order
   of memory.  Work falls into units (an output, or outputs side by side) and segments
   (of the reduced elements); both follow from the shape alone. */
#ifndef TT_REDUCE_PLAN_H
#define TT_REDUCE_PLAN_H
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
    TT_ROW_BLOCK = TT_PART(4096, 64),    /* elements that one call of `row` takes */
    TT_ROW_BUFFER = TT_PART(1024, 32),   /* of them, where they have to be gathered */
    TT_ROW_SHORT = TT_PART(256, 16),     /* shorter runs go through a buffer */
    TT_WIDTH = TT_PART(1024, 32),        /* columns side by side */
    TT_WIDTH_APART = TT_PART(64, 8),     /* the same where they lie apart */
    TT_CASCADE = TT_PART(128, 8),        /* rows between two merges */
    TT_FOLD = TT_PART(64, 16),           /* columns to which narrow rows are joined */
    TT_SEGMENT = TT_PART(65536, 128),    /* elements of the middle level */
    TT_REDUCE_GRAIN = TT_PART(32768, 64)
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
#endif
