/* The driver of ops along one dimension: scans, sorting, selection.

   An op sees one line at a time, contiguous and of a compute type.  Lines that lie
   otherwise are gathered, several neighbours at once, so that memory is read in runs.
   Operands: outputs (values and int64 indices as the kernel's flags say), then inputs
   of x's shape.  The first scalar is the dimension. */
#ifndef TT_LINE_H
#define TT_LINE_H
#include <stdlib.h>

#include "call.h"
#include "convert.h"

typedef struct {
    const void *x, *w;       /* n elements of the first and, if any, the second input */
    void *y;                 /* m values */
    int64_t *index;          /* m indices */
    void *work;
    int64_t n, m;
    const Scalar *s;
} Line;

typedef struct {
    void (*run)(const Line *line);
    int work;                /* bytes of working memory per element of a line */
} LineOp;

/* An op by compute type, as the executor takes it. */
#define TT_LINE_OP(name, work)                                                         \
    static const LineOp name##_op __attribute__((unused)) = {name, work};
#define TT_LINE_OPS(name, work)                                                        \
    TT_LINE_OP(name##_f32, work) TT_LINE_OP(name##_f64, work)                          \
    TT_LINE_OP(name##_i64, work)                                                       \
    static void *name##_ops[3] __attribute__((unused)) = {                             \
        (void *)&name##_f32_op, (void *)&name##_f64_op, (void *)&name##_i64_op};
#define TT_FLOAT_LINE_OPS(name, work)                                                  \
    TT_LINE_OP(name##_f32, work) TT_LINE_OP(name##_f64, work)                          \
    static void *name##_ops[3] __attribute__((unused)) = {                             \
        (void *)&name##_f32_op, (void *)&name##_f64_op, 0};

enum { TT_GIVES_VALUES = 1, TT_GIVES_INDICES = 2 };
enum {
    TT_LINES_AT_ONCE = TT_PART(64, 4),
    TT_LINES_SIZE = TT_PART(65536, 64),
    TT_LINES_GRAIN = TT_PART(16384, 32)
};

typedef struct {
    const View *view;
    char *data;
    int64_t length, step;    /* of a line */
    int64_t inner;           /* step from one line to its neighbour */
    int64_t pitch;           /* bytes from line to line in the buffer */
    int size, width;         /* bytes in memory, bytes of the compute type */
    int native, direct;      /* of the compute type; and contiguous: used in place */
    Load load;
    Store store;
} LineOperand;

typedef struct {
    const LineOp *op;
    const Scalar *scalar;
    LineOperand operand[4];  /* values, indices, x, w; data NULL: there is none */
    int rank, dim, inner;    /* inner: the dimension whose lines are neighbours */
    const int64_t *shape;
    int64_t width, blocks;   /* lines taken at once; such blocks per inner dimension */
    int64_t room;            /* bytes of a thread's buffers */
} Lines;

enum { LINE_Y, LINE_INDEX, LINE_X, LINE_W };

/* Where block `unit` of lines begins in an operand, in elements; its lines. */
static int64_t tt_line_place(const Lines *p, int64_t unit, int64_t at[4]) {
    const int64_t first = unit % p->blocks * p->width;
    unit /= p->blocks;
    for (int k = 0; k < 4; k++) at[k] = first * p->operand[k].inner;
    for (int d = p->rank - 1; d >= 0; d--) {
        if (d == p->dim || d == p->inner) continue;
        const int64_t i = unit % p->shape[d];
        unit /= p->shape[d];
        for (int k = 0; k < 4; k++)
            if (p->operand[k].data) at[k] += i * p->operand[k].view->strides[d];
    }
    const int64_t lines = p->inner < 0 ? 1 : p->shape[p->inner];
    return lines - first < p->width ? lines - first : p->width;
}

/* Neighbouring lines between memory, where they may lie side by side, and a buffer that
   holds one after the other. */
#define TT_LINE_TURN(T)                                                                \
    for (int64_t i = 0; i < o->length; i++)                                            \
        for (int64_t k = 0; k < lines; k++) {                                          \
            T *place = (T *)x + i * o->step + k * o->inner;                            \
            T *slot = (T *)(buffer + k * o->pitch) + i;                                \
            if (out) *place = *slot;                                                   \
            else *slot = *place;                                                       \
        }

TT_INLINE void tt_line_turn(const LineOperand *o, char *x, char *buffer, int64_t lines,
                            int out) {
    if (o->width == 8) { TT_LINE_TURN(uint64_t) }
    else { TT_LINE_TURN(uint32_t) }
}

static void tt_line_move(const LineOperand *o, char *x, char *buffer, int64_t lines,
                         int out) {
    if (o->native && lines > 1) {
        if (out) tt_line_turn(o, x, buffer, lines, 1);
        else tt_line_turn(o, x, buffer, lines, 0);
        return;
    }
    for (int64_t k = 0; k < lines; k++, x += o->inner * o->size, buffer += o->pitch) {
        if (out) o->store(x, buffer, o->length, o->step);
        else o->load(buffer, x, o->length, o->step);
    }
}

static void tt_line_block(const Lines *p, int64_t unit, char *room) {
    int64_t at[4];
    char *base[4], *buffer[4];
    const int64_t lines = tt_line_place(p, unit, at);
    for (int k = 0; k < 4; k++) {
        const LineOperand *o = &p->operand[k];
        if (!o->data) continue;
        base[k] = o->data + at[k] * o->size;
        buffer[k] = room;
        if (!o->direct) room += p->width * o->pitch;
        if (k >= LINE_X && !o->direct) tt_line_move(o, base[k], buffer[k], lines, 0);
    }
    for (int64_t i = 0; i < lines; i++) {
        char *pointer[4] = {0, 0, 0, 0};
        for (int k = 0; k < 4; k++) {
            const LineOperand *o = &p->operand[k];
            if (!o->data) continue;
            pointer[k] = o->direct ? base[k] + i * o->inner * o->size
                                   : buffer[k] + i * o->pitch;
        }
        Line line = {pointer[LINE_X], pointer[LINE_W], pointer[LINE_Y],
                     (int64_t *)pointer[LINE_INDEX], room,
                     p->operand[LINE_X].length, 0, p->scalar};
        line.m = p->operand[p->operand[LINE_Y].data ? LINE_Y : LINE_INDEX].length;
        p->op->run(&line);
    }
    for (int k = 0; k < LINE_X; k++) {
        const LineOperand *o = &p->operand[k];
        if (o->data && !o->direct) tt_line_move(o, base[k], buffer[k], lines, 1);
    }
}

typedef struct {
    Lines *lines;
    int failed;
} LineJob;

static void tt_line_range(void *context, int64_t begin, int64_t end) {
    LineJob *job = (LineJob *)context;
    char *room = (char *)malloc((size_t)job->lines->room);
    if (!room) {
        job->failed = 1;
        return;
    }
    for (int64_t unit = begin; unit < end; unit++)
        tt_line_block(job->lines, unit, room);
    free(room);
}

static void tt_line_operand(Lines *p, int k, const View *v, int compute) {
    LineOperand *o = &p->operand[k];
    const int type = compute == TT_COMPUTE_I64 ? TT_I64 : compute;
    o->view = v;
    o->data = v->data;
    o->length = v->ndim ? v->shape[p->dim] : 1;
    o->step = v->ndim ? v->strides[p->dim] : 1;
    o->inner = p->inner < 0 ? 0 : v->strides[p->inner];
    o->size = tt_itemsize[v->dtype];
    o->width = tt_compute_size[compute];
    o->load = tt_load[compute][v->dtype];
    o->store = tt_store[compute][v->dtype];
    o->native = v->dtype == type;
    o->direct = o->native && (o->step == 1 || o->length == 1);
    /* an odd number of cache lines: the same element of all lines in different sets */
    o->pitch = ((o->length * o->width + 63) / 64 | 1) * 64;
}

/* The dimension whose lines lie nearest to each other in x. */
static int tt_line_inner(const View *x, int dim) {
    int inner = -1;
    for (int d = x->ndim - 1; d >= 0; d--)
        if (d != dim && x->shape[d] > 1 &&
            (inner < 0 || x->strides[d] < x->strides[inner]))
            inner = d;
    return inner;
}

static int line_driver(const KernelCall *call) {
    const int flags = call->kernel->flags;
    const View *x = &call->operand[call->outputs];
    Lines p;
    int64_t bytes = 0, units = 1;
    int k = 0;
    p.op = (const LineOp *)call->kernel->function[call->compute];
    if (!p.op) return TT_NO_KERNEL;
    if (x->numel == 0) return TT_OK;
    p.scalar = call->scalar;
    p.rank = x->ndim;
    p.dim = (int)call->scalar[0].i;
    p.shape = x->shape;
    p.inner = tt_line_inner(x, p.dim);
    for (int i = 0; i < 4; i++) p.operand[i] = (LineOperand){0};
    if (flags & TT_GIVES_VALUES)
        tt_line_operand(&p, LINE_Y, &call->operand[k++], call->compute);
    if (flags & TT_GIVES_INDICES)
        tt_line_operand(&p, LINE_INDEX, &call->operand[k++], TT_COMPUTE_I64);
    tt_line_operand(&p, LINE_X, x, call->compute);
    if (call->operands > k + 1)
        tt_line_operand(&p, LINE_W, &call->operand[k + 1], call->compute);

    const int64_t n = p.operand[LINE_X].length;
    const int64_t lines = p.inner < 0 ? 1 : x->shape[p.inner];
    p.width = TT_LINES_SIZE / n;
    if (p.width > TT_LINES_AT_ONCE) p.width = TT_LINES_AT_ONCE;
    if (p.width < 1 || p.operand[LINE_X].direct) p.width = 1;
    p.blocks = (lines + p.width - 1) / p.width;
    for (int d = 0; d < p.rank; d++)
        if (d != p.dim && d != p.inner) units *= x->shape[d];
    units *= p.blocks;
    for (int i = 0; i < 4; i++)
        if (p.operand[i].data && !p.operand[i].direct)
            bytes += p.width * p.operand[i].pitch;
    p.room = bytes + n * p.op->work + 64;
    LineJob job = {&p, 0};
    const int64_t cost = n * p.width;
    const int64_t grain = cost < TT_LINES_GRAIN ? TT_LINES_GRAIN / cost : 1;
    if (units <= grain) tt_line_range(&job, 0, units);
    else tt_parallel_for(tt_line_range, &job, units, grain);
    return job.failed ? TT_NO_MEMORY : TT_OK;
}
#endif
