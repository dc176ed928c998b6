/* Reading and writing where tensors of indices point.

   The indexed operand has the dimensions  before | indexed | after;  the other one,
   read or written in order, has  before | those of the indices | after.  Scalars: how
   many dimensions are before, how many are indexed, whether negative indices count from
   the end, and what a write does (TT_PUT_...).  Every index is checked before anything
   is written; writes are made in order. */
#ifndef TT_INDEX_H
#define TT_INDEX_H
#include <stdlib.h>
#include <string.h>
#include "call.h"

enum { TT_PUT_SET, TT_PUT_ADD };
enum { TT_INDEX_GRAIN = TT_PART(16384, 64), TT_INDEX_OWNERS = 16 };

typedef void (*IndexRun)(void *to, const void *from, int64_t n, int64_t to_step,
                         int64_t from_step);

#define INDEX_MOVE(T)                                                                  \
    static void index_move_##T(void *to, const void *from, int64_t n, int64_t a,       \
                               int64_t b) {                                            \
        T *y = (T *)to; const T *x = (const T *)from;                                  \
        if (a == 1 && b == 1) memcpy(y, x, n * sizeof *y);                             \
        else for (int64_t i = 0; i < n; i++) y[i * a] = x[i * b];                      \
    }
#define INDEX_ADD(T)                                                                   \
    TT_KERNEL void index_add_##T(void *to, const void *from, int64_t n, int64_t a,     \
                                 int64_t b) {                                          \
        T *y = (T *)to; const T *x = (const T *)from;                                  \
        if (a == 1 && b == 1) for (int64_t i = 0; i < n; i++) y[i] += x[i];            \
        else for (int64_t i = 0; i < n; i++) y[i * a] += x[i * b];                     \
    }
INDEX_MOVE(uint8_t) INDEX_MOVE(uint16_t) INDEX_MOVE(uint32_t) INDEX_MOVE(uint64_t)
INDEX_ADD(float) INDEX_ADD(double) INDEX_ADD(int64_t)

static IndexRun index_run(int dtype, int adds) {
    if (adds)
        return dtype == TT_F32 ? index_add_float : dtype == TT_F64 ? index_add_double
             : dtype == TT_I64 ? index_add_int64_t : 0;
    switch (tt_itemsize[dtype]) {
    case 1: return index_move_uint8_t;
    case 2: return index_move_uint16_t;
    case 4: return index_move_uint32_t;
    default: return index_move_uint64_t;
    }
}

/* A range of dimensions that both operands have, merged where both lie evenly. */
typedef struct {
    int dims;
    int64_t count, shape[64], step[2][64];   /* steps of the indexed, the other one */
} IndexRange;

typedef struct {
    IndexRange before, after;
    char *data[2];                           /* of the indexed, the other operand */
    int64_t *offset;                         /* elements, by position in the indices */
    int64_t positions, other_step;           /* of the other operand, per position */
    int dtype, size, reads, adds;
    int owners;                              /* tasks that share the targets */
    IndexRun run;
} Indexing;

static void index_range(IndexRange *r, const View *a, int from_a, const View *b,
                        int from_b, int dims) {
    r->dims = 0;
    r->count = 1;
    for (int d = 0; d < dims; d++) {
        int64_t n = a->shape[from_a + d], sa = a->strides[from_a + d];
        int64_t sb = b->strides[from_b + d];
        int last = r->dims - 1;
        r->count *= n;
        if (n == 1) continue;
        if (last >= 0 && r->step[0][last] == n * sa && r->step[1][last] == n * sb) {
            r->shape[last] *= n;
        } else {
            last = r->dims++;
            r->shape[last] = n;
        }
        r->step[0][last] = sa;
        r->step[1][last] = sb;
    }
}

static void index_place(const IndexRange *r, int64_t i, int64_t *at) {
    at[0] = at[1] = 0;
    for (int d = r->dims - 1; d >= 0; d--) {
        int64_t k = i % r->shape[d];
        i /= r->shape[d];
        at[0] += k * r->step[0][d];
        at[1] += k * r->step[1][d];
    }
}

/* All of `after`, for one position. */
TT_INLINE void index_block(const Indexing *p, char *indexed, char *other) {
    const IndexRange *r = &p->after;
    const int last = r->dims - 1;
    const int64_t n = last < 0 ? 1 : r->shape[last];
    const int64_t a = last < 0 ? 0 : r->step[0][last];
    const int64_t b = last < 0 ? 0 : r->step[1][last];
    for (int64_t first = 0; first < r->count; first += n) {
        int64_t at[2] = {0, 0};
        if (first) index_place(r, first, at);
        char *x = indexed + at[0] * p->size, *y = other + at[1] * p->size;
        if (p->reads) p->run(y, x, n, b, a);
        else p->run(x, y, n, a, b);
    }
}

/* One element per position. */
#define INDEX_POINTS(T)                                                                \
    static void index_points_##T(const Indexing *p, char *indexed, char *other,        \
                                 int64_t first, int64_t n) {                           \
        T *x = (T *)indexed, *y = (T *)other + first * p->other_step;                  \
        const int64_t *offset = p->offset + first, step = p->other_step;               \
        if (p->reads) for (int64_t k = 0; k < n; k++) y[k * step] = x[offset[k]];      \
        else if (!p->adds) for (int64_t k = 0; k < n; k++) x[offset[k]] = y[k * step]; \
        else for (int64_t k = 0; k < n; k++) x[offset[k]] += y[k * step];              \
    }
INDEX_POINTS(uint8_t) INDEX_POINTS(uint16_t) INDEX_POINTS(uint32_t)
INDEX_POINTS(uint64_t) INDEX_POINTS(float) INDEX_POINTS(double)

static void index_points(const Indexing *p, char *indexed, char *other, int64_t first,
                         int64_t n) {
    switch (p->dtype) {
    case TT_F32: index_points_float(p, indexed, other, first, n); break;
    case TT_F64: index_points_double(p, indexed, other, first, n); break;
    case TT_I64: index_points_uint64_t(p, indexed, other, first, n); break;
    case TT_I32: index_points_uint32_t(p, indexed, other, first, n); break;
    default:
        if (p->size == 2) index_points_uint16_t(p, indexed, other, first, n);
        else index_points_uint8_t(p, indexed, other, first, n);
    }
}

/* Reads: each position by itself. */
static void index_rows(void *context, int64_t begin, int64_t end) {
    const Indexing *p = (const Indexing *)context;
    int64_t at[2] = {0, 0}, outer = -1, k = begin % p->positions;
    while (p->after.count == 1 && begin < end) {
        int64_t n = p->positions - k;
        if (n > end - begin) n = end - begin;
        index_place(&p->before, begin / p->positions, at);
        index_points(p, p->data[0] + at[0] * p->size, p->data[1] + at[1] * p->size, k,
                     n);
        begin += n;
        k = 0;
    }
    for (int64_t i = begin; i < end; i++, k++) {
        if (k == p->positions) k = 0;
        if (outer != i / p->positions) {
            outer = i / p->positions;
            index_place(&p->before, outer, at);
        }
        index_block(p, p->data[0] + (at[0] + p->offset[k]) * p->size,
                    p->data[1] + (at[1] + k * p->other_step) * p->size);
    }
}

/* Whose task a target is.  A function of its place alone, so positions that coincide
   are written by one task, in order. */
TT_INLINE int index_owner(int64_t offset) {
    return (int)(((uint64_t)offset * 0x9e3779b97f4a7c15u) >> 60);
}

static void index_parts(void *context, int64_t begin, int64_t end) {
    const Indexing *p = (const Indexing *)context;
    for (int64_t part = begin; part < end; part++) {
        const int owner = (int)(part % p->owners);
        int64_t at[2];
        index_place(&p->before, part / p->owners, at);
        char *indexed = p->data[0] + at[0] * p->size;
        char *other = p->data[1] + at[1] * p->size;
        if (p->after.count == 1) {
            index_points(p, indexed, other, 0, p->positions);
            continue;
        }
        for (int64_t k = 0; k < p->positions; k++)
            if (p->owners == 1 || index_owner(p->offset[k]) == owner)
                index_block(p, indexed + p->offset[k] * p->size,
                            other + k * p->other_step * p->size);
    }
}

/* Offsets of all positions; 0 if an index is outside its dimension. */
static int index_offsets(Indexing *p, const View *indexed, int before,
                         const View *index, int indices, int wraps) {
    int ok = 1;
    for (int j = 0; j < indices; j++) {
        const int64_t *x = (const int64_t *)index[j].data;
        int64_t size = indexed->shape[before + j], step = indexed->strides[before + j];
        for (int64_t k = 0; k < p->positions; k++) {
            int64_t i = x[k] + (x[k] < 0 && wraps ? size : 0);
            ok &= i >= 0 && i < size;
            p->offset[k] = (j ? p->offset[k] : 0) + i * step;
        }
    }
    return ok;
}

static int index_driver(const KernelCall *call, int reads) {
    const View *indexed = &call->operand[reads], *other = &call->operand[!reads];
    const View *index = &call->operand[2];
    int before = (int)call->scalar[0].i, indices = (int)call->scalar[1].i;
    int after = indexed->ndim - before - indices;
    int inner = other->ndim - before - after;   /* dimensions of the indices */
    int64_t few[64];
    Indexing p;
    if (other->numel == 0) return TT_OK;
    p.positions = index[0].numel;
    p.dtype = indexed->dtype;
    p.size = tt_itemsize[p.dtype];
    p.reads = reads;
    p.adds = !reads && call->scalar[3].i == TT_PUT_ADD;
    p.data[0] = indexed->data;
    p.data[1] = other->data;
    p.other_step = 0;
    for (int d = 0; d < inner; d++)   /* evenly spaced: the innermost tells */
        if (other->shape[before + d] != 1) p.other_step = other->strides[before + d];
    p.run = index_run(p.dtype, p.adds);
    if (!p.run) return TT_NO_KERNEL;
    index_range(&p.before, indexed, 0, other, 0, before);
    index_range(&p.after, indexed, before + indices, other, before + inner, after);
    p.offset = p.positions <= 64 ? few
                                 : (int64_t *)malloc(p.positions * sizeof(int64_t));
    if (!p.offset) return TT_NO_MEMORY;
    int status = TT_OK;
    if (!index_offsets(&p, indexed, before, index, indices, (int)call->scalar[2].i)) {
        status = TT_BAD_INDEX;
    } else if (reads) {
        int64_t rows = p.before.count * p.positions;
        int64_t grain = TT_INDEX_GRAIN / p.after.count + 1;
        if (rows <= grain) index_rows(&p, 0, rows);
        else tt_parallel_for(index_rows, &p, rows, grain);
    } else {
        int64_t work = p.positions * p.after.count;
        p.owners = p.after.count < 32 || work < TT_INDEX_GRAIN ? 1 : TT_INDEX_OWNERS;
        int64_t parts = p.before.count * p.owners;
        int64_t grain = TT_INDEX_GRAIN / (work / p.owners + 1) + 1;
        if (parts <= grain) index_parts(&p, 0, parts);
        else tt_parallel_for(index_parts, &p, parts, grain);
    }
    if (p.offset != few) free(p.offset);
    return status;
}

/* operands: y, x, indices ... */
static int index_get_driver(const KernelCall *call) {
    return index_driver(call, 1);
}

/* operands: y, x, indices ...; y is indexed */
static int index_put_driver(const KernelCall *call) {
    return index_driver(call, 0);
}
#endif
