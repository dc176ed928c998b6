/* Softmax over contiguous rows of `cols` elements.

   forward      y = exp(x - m) / sum(exp(x - m)),  m = max(x)
   log forward  y = x - m - log(sum(exp(x - m)))
   A row of -inf alone gives NaN, as in PyTorch. */
#ifndef T
#ifndef TT_SOFTMAX_H
#define TT_SOFTMAX_H
#include "call.h"
#include "rows.h"

#define TT_FILE "softmax.h"
#include "each_float.h"

/* ---- the driver of calls over rows ---- */

typedef void (*RowLoop)(char **p, int64_t rows, int64_t cols, const Scalar *s);

typedef struct {
    const KernelCall *call;
    int64_t cols;
} Rows;

/* Operands advance by cols elements per row, by one if they hold one per row, and not
   at all if they are a single number. */
static void tt_rows_range(void *context, int64_t begin, int64_t end) {
    const Rows *r = (const Rows *)context;
    const KernelCall *call = r->call;
    char *pointer[8];
    for (int k = 0; k < call->operands; k++) {
        const View *v = &call->operand[k];
        int64_t width = v->numel == 1 ? 0 : call->kernel->flags >> k & 1 ? 1 : r->cols;
        pointer[k] = v->data + begin * width * tt_itemsize[v->dtype];
    }
    ((RowLoop)call->kernel->function[call->compute])(pointer, end - begin, r->cols,
                                                     call->scalar);
}

/* scalar[0]: cols.  Bit k of the kernel's flags: operand k has one element per row. */
static int rows_driver(const KernelCall *call) {
    Rows r = {call, call->scalar[0].i};
    int widest = 0;
    while (call->kernel->flags >> widest & 1) widest++;
    int64_t rows = r.cols ? call->operand[widest].numel / r.cols : 0;
    int64_t grain = TT_PART(16384, 32) / (r.cols ? r.cols : 1);
    if (rows == 0) return TT_OK;
    if (grain < 1) grain = 1;
    if (rows <= grain) tt_rows_range(&r, 0, rows);
    else tt_parallel_for(tt_rows_range, &r, rows, grain);
    return TT_OK;
}
#endif
#else

/* p: y, x */
TT_KERNEL void K(softmax_forward)(char **p, int64_t rows, int64_t cols,
                                  const Scalar *s) {
    T *y = (T *)p[0];
    const T *x = (const T *)p[1];
    (void)s;
    for (; rows--; x += cols, y += cols) {
        const T peak = F(row_max)(x, cols);
        T total = 0;
        _Pragma("omp simd reduction(+ : total)") for (int64_t j = 0; j < cols; j++) {
            y[j] = F(exp_negative)(x[j] - peak);
            total += y[j];
        }
        const T scale = 1 / total;
        for (int64_t j = 0; j < cols; j++) y[j] *= scale;
    }
}

TT_INLINE T F(row_lse)(const T *x, int64_t cols) {
    const T peak = F(row_max)(x, cols);
    T total = 0;
    _Pragma("omp simd reduction(+ : total)") for (int64_t j = 0; j < cols; j++)
        total += F(exp_negative)(x[j] - peak);
    return peak + L(log)(total);
}

/* p: y, x */
TT_KERNEL void K(log_softmax_forward)(char **p, int64_t rows, int64_t cols,
                                      const Scalar *s) {
    T *y = (T *)p[0];
    const T *x = (const T *)p[1];
    (void)s;
    for (; rows--; x += cols, y += cols) {
        const T lse = F(row_lse)(x, cols);
        for (int64_t j = 0; j < cols; j++) y[j] = x[j] - lse;
    }
}

/* gx = y (gy - sum(y gy));  p: gx, y, gy */
TT_KERNEL void K(softmax_backward)(char **p, int64_t rows, int64_t cols,
                                   const Scalar *s) {
    T *gx = (T *)p[0];
    const T *y = (const T *)p[1], *gy = (const T *)p[2];
    (void)s;
    for (; rows--; gx += cols, y += cols, gy += cols) {
        const T dot = F(row_dot)(y, gy, cols);
        for (int64_t j = 0; j < cols; j++) gx[j] = y[j] * (gy[j] - dot);
    }
}

/* gx = gy - exp(y) sum(gy);  p: gx, y, gy */
TT_KERNEL void K(log_softmax_backward)(char **p, int64_t rows, int64_t cols,
                                       const Scalar *s) {
    T *gx = (T *)p[0];
    const T *y = (const T *)p[1], *gy = (const T *)p[2];
    (void)s;
    for (; rows--; gx += cols, y += cols, gy += cols) {
        const T total = F(row_sum)(gy, cols);
        for (int64_t j = 0; j < cols; j++)
            gx[j] = gy[j] - F(exp_negative)(y[j]) * total;
    }
}
#endif
