/* Losses of rows of logits (or log-probabilities) against class numbers.

   cross-entropy  l = (1 - s) w_t (z - x_t) + s / C sum_j w_j (z - x_j),
                  z = log(sum(exp(x))), t the row's class, s the smoothing
   nll            l = -w_t x_t
   y is all l, their sum, or their sum over the sum of w_t, without ignored rows.

   Forward operands:  y, state, x (rows, cols), classes (rows)[, w (cols)]
   Backward operands: gx, x, state, classes, gy[, w]
   Scalars: cols, the ignored class, the reduction, the smoothing, the run.
   With a run of more than 1, x is (N, cols, run) and rows are its N * run columns.
   The state keeps the factor that a gradient has by the reduction, then for
   cross-entropy each row's maximum and the logarithm of its sum, then each row's l. */
#ifndef T
#ifndef TT_CROSS_ENTROPY_H
#define TT_CROSS_ENTROPY_H
#include "softmax.h"

enum { TT_NONE, TT_MEAN, TT_SUM };
enum {
    TT_SHORT_ROWS = TT_PART(512, 64),  /* elements of short rows taken together */
    TT_CLASS_WIDTH = TT_PART(256, 16), /* columns side by side */
    TT_CLASS_GRAIN = TT_PART(16384, 64)
};

typedef void (*ClassLoop)(char **p, int64_t rows, int64_t cols, const Scalar *s);

#define TT_FILE "cross_entropy_columns.h"
#include "each_float.h"
#define TT_FILE "cross_entropy.h"
#include "each_float.h"

/* p[k] of a loop: advances by a row, by an element, or not at all */
enum { TT_LOSS, TT_PEAK, TT_LEVEL, TT_LOGITS, TT_CLASS, TT_WEIGHT, TT_GX, TT_GY,
       TT_FACTOR, TT_CLASS_POINTERS };

typedef struct {
    ClassLoop loop;
    const Scalar *scalar;
    char *p[TT_CLASS_POINTERS];
    int64_t cols, size, gy_step;
} ClassLoss;

/* Rows [row, row + n); in runs they are columns of one sample. */
static void tt_class_call(const ClassLoss *c, int64_t row, int64_t n) {
    const int64_t run = c->scalar[4].i;
    const int64_t at = (row / run * run * c->cols + row % run) * c->size;
    char *p[TT_CLASS_POINTERS];
    for (int k = 0; k < TT_CLASS_POINTERS; k++) p[k] = c->p[k];
    p[TT_LOSS] += row * c->size;
    p[TT_PEAK] += row * c->size;
    p[TT_LEVEL] += row * c->size;
    p[TT_LOGITS] += at;
    p[TT_CLASS] += row * 8;
    if (p[TT_GX]) p[TT_GX] += at;
    if (p[TT_GY]) p[TT_GY] += row * c->gy_step * c->size;
    c->loop(p, n, c->cols, c->scalar);
}

static void tt_class_range(void *context, int64_t begin, int64_t end) {
    const ClassLoss *c = (const ClassLoss *)context;
    const int64_t run = c->scalar[4].i;
    if (run == 1) {
        tt_class_call(c, begin, end - begin);
        return;
    }
    while (begin < end) {
        int64_t n = run - begin % run;
        if (n > TT_CLASS_WIDTH) n = TT_CLASS_WIDTH;
        if (n > end - begin) n = end - begin;
        tt_class_call(c, begin, n);
        begin += n;
    }
}

static void tt_class_rows(ClassLoss *c, int64_t rows) {
    int64_t grain = c->cols < TT_CLASS_GRAIN ? TT_CLASS_GRAIN / c->cols : 1;
    if (c->scalar[4].i > 1 && grain < TT_CLASS_WIDTH) grain = TT_CLASS_WIDTH;
    if (rows <= grain) tt_class_range(c, 0, rows);
    else tt_parallel_for(tt_class_range, c, rows, grain);
}

static ClassLoss tt_class_loss(const KernelCall *call, char *state, int64_t rows) {
    ClassLoss c = {.loop = (ClassLoop)call->kernel->function[call->compute],
                   .scalar = call->scalar,
                   .cols = call->scalar[0].i,
                   .size = tt_compute_size[call->compute]};
    const int64_t column = rows * c.size;
    c.p[TT_FACTOR] = state;
    c.p[TT_PEAK] = state + c.size;
    c.p[TT_LEVEL] = c.p[TT_PEAK] + column;
    c.p[TT_LOSS] = c.p[TT_PEAK] + 2 * column;
    return c;
}

static void tt_put(int compute, char *to, double value) {
    if (compute == TT_COMPUTE_F32) *(float *)to = (float)value;
    else *(double *)to = value;
}

/* Serial, so the order never changes. */
static void tt_reduce_losses(const KernelCall *call, const ClassLoss *c, int64_t rows) {
    const int single = call->compute == TT_COMPUTE_F32;
    const int64_t *target = (const int64_t *)c->p[TT_CLASS];
    const int64_t ignored = call->scalar[1].i;
    const char *losses = c->p[TT_LOSS], *weight = c->p[TT_WEIGHT];
    double total = 0, count = 0;
    for (int64_t i = 0; i < rows; i++) {
        total += single ? ((const float *)losses)[i] : ((const double *)losses)[i];
        if (target[i] != ignored)
            count += !weight ? 1
                     : single ? ((const float *)weight)[target[i]]
                              : ((const double *)weight)[target[i]];
    }
    const int mean = call->scalar[2].i == TT_MEAN;
    tt_put(call->compute, call->operand[0].data, mean ? total / count : total);
    tt_put(call->compute, c->p[TT_FACTOR], mean ? 1 / count : 1);
}

static int class_loss_driver(const KernelCall *call) {
    const View *classes = &call->operand[3];
    const int64_t rows = classes->numel, cols = call->scalar[0].i;
    const int64_t *target = (const int64_t *)classes->data;
    for (int64_t i = 0; i < rows; i++)
        if (TT_UNLIKELY((uint64_t)target[i] >= (uint64_t)cols) &&
            target[i] != call->scalar[1].i)
            return TT_BAD_INDEX;
    ClassLoss c = tt_class_loss(call, call->operand[1].data, rows);
    if (call->scalar[2].i == TT_NONE) c.p[TT_LOSS] = call->operand[0].data;
    c.p[TT_LOGITS] = call->operand[2].data;
    c.p[TT_CLASS] = classes->data;
    c.p[TT_WEIGHT] = call->operands > 4 ? call->operand[4].data : NULL;
    if (rows) tt_class_rows(&c, rows);
    if (call->scalar[2].i != TT_NONE) tt_reduce_losses(call, &c, rows);
    else tt_put(call->compute, c.p[TT_FACTOR], 1);
    return TT_OK;
}

static int class_loss_backward_driver(const KernelCall *call) {
    const int64_t rows = call->operand[3].numel;
    ClassLoss c = tt_class_loss(call, call->operand[2].data, rows);
    c.p[TT_GX] = call->operand[0].data;
    c.p[TT_LOGITS] = call->operand[1].data;
    c.p[TT_CLASS] = call->operand[3].data;
    c.p[TT_GY] = call->operand[4].data;
    c.p[TT_WEIGHT] = call->operands > 5 ? call->operand[5].data : NULL;
    c.gy_step = call->scalar[2].i == TT_NONE;
    if (rows && c.cols) tt_class_rows(&c, rows);
    return TT_OK;
}
#endif
#else

/* Sums of exp(x - peak) of as many short rows as fit into one vector loop; returns
   their number.  Long rows are taken one by one. */
TT_INLINE int64_t F(rows_sum)(const T *x, T *peak, T *total, int64_t rows,
                              int64_t cols) {
    T e[TT_SHORT_ROWS];
    if (2 * cols > TT_SHORT_ROWS) {
        T sum = 0;
        const T top = peak[0] = F(row_max)(x, cols);
        _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < cols; j++)
            sum += F(exp_negative)(x[j] - top);
        total[0] = sum;
        return 1;
    }
    if (rows > TT_SHORT_ROWS / cols) rows = TT_SHORT_ROWS / cols;
    for (int64_t i = 0; i < rows; i++, x += cols) {
        T top = x[0];
        for (int64_t j = 1; j < cols; j++) top = x[j] > top ? x[j] : top;
        for (int64_t j = 0; j < cols; j++) e[i * cols + j] = x[j] - top;
        peak[i] = top;
    }
    for (int64_t k = 0; k < rows * cols; k++) e[k] = F(exp_negative)(e[k]);
    for (int64_t i = 0; i < rows; i++) {
        T sum = 0;
        for (int64_t j = 0; j < cols; j++) sum += e[i * cols + j];
        total[i] = sum;
    }
    return rows;
}

TT_KERNEL void K(cross_entropy_forward)(char **p, int64_t rows, int64_t cols,
                                        const Scalar *s) {
    if (s[4].i > 1) {
        K(cross_entropy_columns)(p, rows, cols, s);
        return;
    }
    T *loss = (T *)p[0], *peak = (T *)p[1], *level = (T *)p[2];
    const T *x = (const T *)p[3], *w = (const T *)p[5], smooth = (T)s[3].f;
    const int64_t *target = (const int64_t *)p[4];
    for (int64_t i = 0; i < rows;)
        i += F(rows_sum)(x + i * cols, peak + i, level + i, rows - i, cols);
    for (int64_t i = 0; i < rows; i++) level[i] = F(log)(level[i]);
    for (int64_t i = 0; i < rows; i++, x += cols) {
        const int64_t t = target[i];
        const T top = peak[i], z = level[i];
        T spread = 0;
        if (t == s[1].i) {
            loss[i] = 0;
            continue;
        }
        loss[i] = (z - (x[t] - top)) * (w ? w[t] : 1);
        if (smooth == 0) continue;
        if (w) for (int64_t j = 0; j < cols; j++) spread += w[j] * (z - (x[j] - top));
        else for (int64_t j = 0; j < cols; j++) spread += z - (x[j] - top);
        loss[i] = (1 - smooth) * loss[i] + smooth / (T)cols * spread;
    }
}

/* gx_j = factor gy (softmax(x)_j sum(q) - q_j),
   q_j = s / C w_j + (1 - s) w_t [j = t] */
TT_KERNEL void K(cross_entropy_backward)(char **p, int64_t rows, int64_t cols,
                                         const Scalar *s) {
    if (s[4].i > 1) {
        K(cross_entropy_columns_backward)(p, rows, cols, s);
        return;
    }
    const T *peak = (const T *)p[1], *level = (const T *)p[2], *x = (const T *)p[3];
    const int64_t *target = (const int64_t *)p[4];
    const T *w = (const T *)p[5], *gy = (const T *)p[7], factor = *(const T *)p[8];
    const T sharp = 1 - (T)s[3].f, smooth = (T)s[3].f / (T)cols;
    T *gx = (T *)p[6], weight = (T)cols;
    if (w && smooth != 0) {
        weight = 0;
        for (int64_t j = 0; j < cols; j++) weight += w[j];
    }
    /* short rows as above: first all differences, then all exponentials */
    const int joined = 2 * cols <= TT_SHORT_ROWS;
    const int64_t step = joined ? TT_SHORT_ROWS / cols : 1;
    for (int64_t i = 0; i < rows; i++, x += cols, gx += cols) {
        if (i % step == 0) {
            const int64_t n = step < rows - i ? step : rows - i;
            for (int64_t k = 0; joined && k < n; k++)
                for (int64_t j = 0; j < cols; j++)
                    gx[k * cols + j] = (x[k * cols + j] - peak[i + k]) - level[i + k];
            for (int64_t j = 0; joined && j < n * cols; j++)
                gx[j] = F(exp_negative)(gx[j]);
            for (int64_t j = 0; !joined && j < cols; j++)
                gx[j] = F(exp_negative)((x[j] - peak[i]) - level[i]);
        }
        const int64_t t = target[i];
        if (t == s[1].i) {
            for (int64_t j = 0; j < cols; j++) gx[j] = 0;
            continue;
        }
        const T g = gy[s[2].i == TT_NONE ? i : 0] * factor;
        const T hit = sharp * (w ? w[t] : 1);
        const T all = g * (hit + smooth * weight), even = g * smooth;
        if (smooth == 0) for (int64_t j = 0; j < cols; j++) gx[j] *= all;
        else for (int64_t j = 0; j < cols; j++)
            gx[j] = gx[j] * all - even * (w ? w[j] : 1);
        gx[t] -= g * hit;
    }
}

static void K(nll_forward)(char **p, int64_t rows, int64_t cols, const Scalar *s) {
    if (s[4].i > 1) {
        K(nll_columns)(p, rows, cols, s);
        return;
    }
    T *loss = (T *)p[0];
    const T *x = (const T *)p[3], *w = (const T *)p[5];
    const int64_t *target = (const int64_t *)p[4];
    for (int64_t i = 0; i < rows; i++, x += cols) {
        const int64_t t = target[i];
        loss[i] = t == s[1].i ? 0 : -x[t] * (w ? w[t] : 1);
    }
}

/* gx = -factor gy q with q as above: also what cross-entropy is measured against */
TT_KERNEL void K(nll_backward)(char **p, int64_t rows, int64_t cols, const Scalar *s) {
    if (s[4].i > 1) {
        K(nll_columns_backward)(p, rows, cols, s);
        return;
    }
    const int64_t *target = (const int64_t *)p[4];
    const T *w = (const T *)p[5], *gy = (const T *)p[7], factor = *(const T *)p[8];
    const T sharp = 1 - (T)s[3].f, smooth = (T)s[3].f / (T)cols;
    T *gx = (T *)p[6];
    for (int64_t i = 0; i < rows; i++, gx += cols) {
        const int64_t t = target[i];
        const T g = gy[s[2].i == TT_NONE ? i : 0] * factor;
        const T even = t == s[1].i ? 0 : -g * smooth;
        for (int64_t j = 0; j < cols; j++) gx[j] = even * (w ? w[j] : 1);
        if (t != s[1].i) gx[t] -= g * sharp * (w ? w[t] : 1);
    }
}
#endif
