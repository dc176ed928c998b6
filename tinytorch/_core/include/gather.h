/* gather:   y[..., j, ...] = x[..., index[j], ...]      along one dimension
   scatter:  y[..., index[j], ...] (op)= x[..., j, ...]

   All operands may be strided.  The work is cut into lines along one dimension.  Of a
   scatter, all that may meet in one element is in one task, in order. */
#ifndef TT_GATHER_H
#define TT_GATHER_H
#include "call.h"

enum { TT_SCATTER_SET, TT_SCATTER_ADD, TT_SCATTER_MUL, TT_SCATTER_MIN, TT_SCATTER_MAX };
enum { TT_GATHER_GRAIN = TT_PART(16384, 64), TT_GATHER_WIDTH = TT_PART(1024, 16) };

/* n entries of a line: `to` and `from` move by their step per entry; the one that is
   indexed moves by index * by as well. */
typedef struct { int64_t n, to, from, index, by; } Line;
typedef void (*LineRun)(char *to, const char *from, const int64_t *index,
                        const Line *s);

#define GATHER(T)                                                                      \
    static void gather_##T(char *py, const char *px, const int64_t *index,             \
                           const Line *s) {                                            \
        T *y = (T *)py; const T *x = (const T *)px;                                    \
        const int64_t n = s->n, to = s->to, from = s->from, by = s->by;                \
        const int64_t step = s->index;                                                 \
        if (to == 1 && from == 0 && step == 1 && by == 1)                              \
            for (int64_t j = 0; j < n; j++) y[j] = x[index[j]];                        \
        else for (int64_t j = 0; j < n; j++)                                           \
            y[j * to] = x[j * from + index[j * step] * by];                            \
    }
#define SCATTER(name, T, ...)                                                          \
    static void scatter_##name##_##T(char *py, const char *px, const int64_t *index,   \
                                     const Line *s) {                                  \
        T *to = (T *)py; const T *x = (const T *)px;                                   \
        const int64_t n = s->n, from = s->from, step = s->index, by = s->by;           \
        const int64_t own = s->to;                                                     \
        if (own == 0 && from == 1 && step == 1 && by == 1)                             \
            for (int64_t j = 0; j < n; j++) {                                          \
                T *y = to + index[j];                                                  \
                const T v = x[j], u = *y;                                              \
                (void)u;                                                               \
                *y = __VA_ARGS__;                                                      \
            }                                                                          \
        else for (int64_t j = 0; j < n; j++) {                                         \
            T *y = to + j * own + index[j * step] * by;                                \
            const T v = x[j * from], u = *y;                                           \
            (void)u;                                                                   \
            *y = __VA_ARGS__;                                                          \
        }                                                                              \
    }
GATHER(uint8_t) GATHER(uint16_t) GATHER(uint32_t) GATHER(uint64_t)
SCATTER(set, uint8_t, v) SCATTER(set, uint16_t, v)
SCATTER(set, uint32_t, v) SCATTER(set, uint64_t, v)
#define SCATTER_OPS(T)                                                                 \
    SCATTER(add, T, u + v) SCATTER(mul, T, u * v)                                      \
    SCATTER(min, T, v < u || v != v ? v : u) SCATTER(max, T, v > u || v != v ? v : u)
SCATTER_OPS(float) SCATTER_OPS(double)
SCATTER(add, int64_t, (int64_t)((uint64_t)u + (uint64_t)v))
SCATTER(mul, int64_t, (int64_t)((uint64_t)u * (uint64_t)v))
SCATTER(min, int64_t, v < u ? v : u) SCATTER(max, int64_t, v > u ? v : u)

#define SCATTER_ROW(T)                                                                 \
    {scatter_add_##T, scatter_mul_##T, scatter_min_##T, scatter_max_##T}
static const LineRun scatter_ops[3][4] = {
    SCATTER_ROW(float), SCATTER_ROW(double), SCATTER_ROW(int64_t)};

static LineRun line_run(int dtype, int scatters, int mode) {
    if (scatters && mode != TT_SCATTER_SET) {
        if (dtype != TT_F32 && dtype != TT_F64 && dtype != TT_I64) return 0;
        return scatter_ops[tt_compute_of[dtype]][mode - 1];
    }
    switch (tt_itemsize[dtype]) {
    case 1: return scatters ? scatter_set_uint8_t : gather_uint8_t;
    case 2: return scatters ? scatter_set_uint16_t : gather_uint16_t;
    case 4: return scatters ? scatter_set_uint32_t : gather_uint32_t;
    default: return scatters ? scatter_set_uint64_t : gather_uint64_t;
    }
}

typedef struct {
    char *to;
    const char *from;
    const int64_t *index;
    int64_t to_size, from_size;    /* bytes */
    int dims;                      /* of the positions that lines start at */
    int64_t shape[64], step[3][64];
    int64_t again, again_step[3];  /* lines of one task, one after the other */
    int64_t width, parts;          /* a line is cut into parts of at most this width */
    Line line;
    LineRun run;
} Gather;

static void gather_tasks(void *context, int64_t begin, int64_t end) {
    const Gather *g = (const Gather *)context;
    for (int64_t task = begin; task < end; task++) {
        int64_t at[3] = {0, 0, 0}, rest = task / g->parts;
        int64_t first = task % g->parts * g->width;
        Line line = g->line;
        if (line.n - first < g->width) line.n -= first;
        else line.n = g->width;
        for (int d = g->dims - 1; d >= 0; d--) {
            int64_t k = rest % g->shape[d];
            rest /= g->shape[d];
            for (int o = 0; o < 3; o++) at[o] += k * g->step[o][d];
        }
        at[0] += first * line.to;
        at[1] += first * line.from;
        at[2] += first * line.index;
        for (int64_t k = 0; k < g->again; k++) {
            g->run(g->to + at[0] * g->to_size, g->from + at[1] * g->from_size,
                   g->index + at[2], &line);
            for (int o = 0; o < 3; o++) at[o] += g->again_step[o];
        }
    }
}

/* Negative if one of n indices is not within [0, size): its sign shows it. */
TT_KERNEL int64_t gather_outside(const int64_t *at, int64_t n, int64_t step,
                                 int64_t size) {
    const uint64_t last = (uint64_t)size - 1;
    int64_t bad = 0;
    if (step == 1) for (int64_t j = 0; j < n; j++)
        bad |= at[j] | (int64_t)(last - (uint64_t)at[j]);
    else for (int64_t j = 0; j < n; j++)
        bad |= at[j * step] | (int64_t)(last - (uint64_t)at[j * step]);
    return bad;
}

/* Whether every index is within its dimension. */
static int gather_within(const View *index, int64_t size) {
    int64_t place[64] = {0}, inner = index->ndim ? index->shape[index->ndim - 1] : 1;
    int64_t step = index->ndim ? index->strides[index->ndim - 1] : 1, bad = 0;
    const int64_t *at = (const int64_t *)index->data;
    if (index->contiguous) return gather_outside(at, index->numel, 1, size) >= 0;
    for (;;) {
        bad |= gather_outside(at, inner, step, size);
        int d = index->ndim - 2;
        for (; d >= 0; d--) {
            at += index->strides[d];
            if (++place[d] < index->shape[d]) break;
            at -= index->shape[d] * index->strides[d];
            place[d] = 0;
        }
        if (d < 0 || bad < 0) return bad >= 0;
    }
}

/* The dimension of the lines: the last one that is long, else the longest. */
static int gather_line(const View *index, int dim) {
    int best = dim;
    for (int d = 0; d < index->ndim; d++)
        if (index->shape[d] >= 16 || (index->shape[best] < 16 &&
                                      index->shape[d] >= index->shape[best]))
            best = d;
    return best;
}

static int gather_driver_of(const KernelCall *call, int scatters) {
    const View *index = &call->operand[2];
    const View *indexed = &call->operand[!scatters], *other = &call->operand[scatters];
    int dim = (int)call->scalar[0].i;
    Gather g;
    if (index->numel == 0) return TT_OK;
    if (!gather_within(index, indexed->shape[dim])) return TT_BAD_INDEX;
    g.run = line_run(indexed->dtype, scatters, scatters ? (int)call->scalar[1].i : 0);
    if (!g.run) return TT_NO_KERNEL;
    g.to = call->operand[0].data;
    g.from = call->operand[1].data;
    g.index = (const int64_t *)index->data;
    g.to_size = g.from_size = tt_itemsize[indexed->dtype];
    g.dims = 0;
    g.again = 1;
    g.again_step[0] = g.again_step[1] = g.again_step[2] = 0;
    int along = gather_line(index, dim);
    int64_t tasks = 1;
    for (int d = 0; d < index->ndim; d++) {
        int64_t of_indexed = d == dim ? 0 : indexed->strides[d];
        int64_t step[3] = {scatters ? of_indexed : other->strides[d],
                           scatters ? other->strides[d] : of_indexed,
                           index->strides[d]};
        if (d == along) {
            g.line.n = index->shape[d];
            g.line.to = step[0], g.line.from = step[1], g.line.index = step[2];
        } else if (scatters && d == dim) {
            g.again = index->shape[d];
            for (int o = 0; o < 3; o++) g.again_step[o] = step[o];
        } else if (index->shape[d] != 1) {
            g.shape[g.dims] = index->shape[d];
            for (int o = 0; o < 3; o++) g.step[o][g.dims] = step[o];
            g.dims++;
            tasks *= index->shape[d];
        }
    }
    g.line.by = indexed->strides[dim];
    g.width = scatters && along == dim ? g.line.n : TT_GATHER_WIDTH;
    g.parts = (g.line.n + g.width - 1) / g.width;
    tasks *= g.parts;
    int64_t grain = TT_GATHER_GRAIN / (index->numel / tasks + 1) + 1;
    if (tasks <= grain) gather_tasks(&g, 0, tasks);
    else tt_parallel_for(gather_tasks, &g, tasks, grain);
    return TT_OK;
}

/* operands: y, x, index; scalar: the dimension */
static int gather_driver(const KernelCall *call) { return gather_driver_of(call, 0); }

/* operands: y, x, index, x at least as large as index; scalars: the dimension, how */
static int scatter_driver(const KernelCall *call) { return gather_driver_of(call, 1); }
#endif
