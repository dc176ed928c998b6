/* Triangles of matrices: elements on one side of a diagonal stay, the others are 0. */
#ifndef TT_TRIANGLE_H
#define TT_TRIANGLE_H
#include <string.h>
#include "call.h"

enum { TT_TRIANGLE_GRAIN = TT_PART(32768, 32) };

typedef struct {
    const View *y, *x;
    int64_t rows, columns, diagonal;
    int upper, size;
} Triangle;

static void tt_triangle_range(void *context, int64_t begin, int64_t end) {
    const Triangle *t = (const Triangle *)context;
    int64_t width = t->columns * t->size;
    for (int64_t row = begin; row < end; row++) {
        char *y = t->y->data + row * width;
        const char *x = t->x->data + row * width;
        /* columns before `edge` lie on or below the diagonal, or below it for upper */
        int64_t edge = row % t->rows + t->diagonal + !t->upper;
        edge = (edge < 0 ? 0 : edge > t->columns ? t->columns : edge) * t->size;
        if (t->upper) {
            memset(y, 0, edge);
            if (y != x) memcpy(y + edge, x + edge, width - edge);
        } else {
            if (y != x) memcpy(y, x, edge);
            memset(y + edge, 0, width - edge);
        }
    }
}

/* operands: y, x, both contiguous, y may be x; scalars: diagonal, whether upper */
static int triangle_driver(const KernelCall *call) {
    Triangle t = {&call->operand[0], &call->operand[1]};
    if (t.y->numel == 0) return TT_OK;
    t.rows = t.y->shape[t.y->ndim - 2];
    t.columns = t.y->shape[t.y->ndim - 1];
    t.diagonal = call->scalar[0].i;
    t.upper = call->scalar[1].i != 0;
    t.size = tt_itemsize[t.y->dtype];
    tt_parallel_for(tt_triangle_range, &t, t.y->numel / t.columns,
                    TT_TRIANGLE_GRAIN / t.columns + 1);
    return TT_OK;
}
#endif
