/* Indices drawn in proportion to weights, with and without replacement.

   weights: rows of cols, contiguous, of any floating dtype; y: rows of k int64.  Where
   a row of weights is no distribution the result says why, and draws nothing for it. */
#ifndef TT_MULTINOMIAL_H
#define TT_MULTINOMIAL_H
#include "variates.h"

TT_INLINE double round_sum(int dtype, double x) {
    return dtype == TT_F64 ? x : (double)(float)x;
}

/* Cumulative shares, the last one 1; half types accumulate in float. */
static int cumulate(int dtype, double *share, const char *weights, int64_t cols) {
    double sum = 0;
    tt_load[1][dtype](share, weights, cols, 1);
    EACH(cols) {
        if (!(share[i] >= 0)) return WEIGHTS_NEGATIVE;
        if (share[i] == INFINITY) return WEIGHTS_INFINITE;
        share[i] = sum = round_sum(dtype, sum + share[i]);
    }
    if (!(sum > 0)) return WEIGHTS_ZERO;
    EACH(cols) share[i] = round_sum(dtype, share[i] / sum);
    share[cols - 1] = 1;
    return WEIGHTS_OK;
}

/* With replacement: binary search of k uniforms.  work: cols doubles. */
static int sample_replaced(Rng *r, int64_t *y, int dtype, const char *weights,
                           double *work, int64_t rows, int64_t cols, int64_t k) {
    if (!is_floating(dtype)) return WEIGHTS_DTYPE;
    for (; rows > 0; rows--, weights += cols * WIDTH[dtype], y += k) {
        int status = WEIGHTS_ZERO;
        if (cols > 0) status = cumulate(dtype, work, weights, cols);
        if (status != WEIGHTS_OK) return status;
        EACH(k) {
            const double u = next_double(r);
            int64_t low = 0, high = cols;
            while (low < high) {
                const int64_t middle = low + (high - low) / 2;
                if (work[middle] < u) low = middle + 1; else high = middle;
            }
            y[i] = low;
        }
    }
    return WEIGHTS_OK;
}

/* ---- Without replacement ---- */

/* The k largest of weight / q, q exponential: an exponential race. */
typedef struct { double ratio; int64_t index; } Runner;

TT_INLINE int loses(Runner a, Runner b) {
    return a.ratio < b.ratio || (a.ratio == b.ratio && a.index > b.index);
}

/* heap[0] is the weakest of n; restore that after heap[at] has changed. */
static void sift(Runner *heap, int64_t at, int64_t n) {
    const Runner moved = heap[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && loses(heap[child + 1], heap[child])) child++;
        if (!loses(heap[child], moved)) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void race(Rng *r, int64_t *y, int dtype, const char *weights, Runner *heap,
                 int64_t cols, int64_t k) {
    double draws[BLOCK], q[BLOCK], p[BLOCK];
    const Scalar rate = {1.0};
    for (int64_t m, start = 0; start < cols; start += m, weights += m * WIDTH[dtype]) {
        m = MIN(cols - start, BLOCK);
        fill_exponential(r, dtype, (char *)draws, m, &rate);
        tt_load[1][dtype](q, draws, m, 1);
        tt_load[1][dtype](p, weights, m, 1);
        EACH(m) q[i] = round_to(dtype, p[i] / q[i]);
        EACH(m) q[i] = q[i] == q[i] ? q[i] : INFINITY;  /* 0 / 0: NaN wins there */
        EACH(m) {
            const Runner runner = {q[i], start + i};
            if (start + i < k) {
                heap[start + i] = runner;
                if (start + i == k - 1)
                    for (int64_t at = k / 2; at-- > 0;) sift(heap, at, k);
            } else if (loses(heap[0], runner)) {
                heap[0] = runner;
                sift(heap, 0, k);
            }
        }
    }
    for (int64_t n = k; n > 0; n--) {  /* the weakest leaves first, to the end of y */
        y[n - 1] = heap[0].index;
        heap[0] = heap[n - 1];
        sift(heap, 0, n - 1);
    }
}

/* Without replacement, or one sample: k <= cols.  work: max(cols, 2 k) doubles. */
static int sample_race(Rng *r, int64_t *y, int dtype, const char *weights, double *work,
                       int64_t rows, int64_t cols, int64_t k) {
    const char *row = weights;
    if (!is_floating(dtype)) return WEIGHTS_DTYPE;
    int status = WEIGHTS_OK;
    for (int64_t j = 0; j < rows; j++, row += cols * WIDTH[dtype]) {
        double sum = 0;
        int valid = 1;
        tt_load[1][dtype](work, row, cols, 1);
        EACH(cols) valid &= work[i] >= 0 && work[i] < INFINITY, sum += work[i];
        if (!valid) return WEIGHTS_INFINITE;
        if (sum == 0) status = WEIGHTS_ZERO;
    }
    if (status != WEIGHTS_OK) return status;
    for (; rows > 0; rows--, weights += cols * WIDTH[dtype], y += k)
        race(r, y, dtype, weights, (Runner *)work, cols, k);
    return WEIGHTS_OK;
}
#endif
