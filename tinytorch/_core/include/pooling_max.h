/* The maximum over windows.  NaN is greater than all,
   the last of several is reported. */

#define GREATER(v, m) ((v) > (m) || (v) != (v))

/* One tap of n neighbouring windows, `step` apart. */
TT_INLINE void K(max_tap)(const int64_t step, int64_t n, const T *x, T *y) {
    for (int64_t i = 0; i < n; i++) {
        const T v = x[i * step];
        y[i] = GREATER(v, y[i]) ? v : y[i];
    }
}

TT_INLINE void K(max_tap_at)(const int64_t step, int64_t n, const T *x, T *y, S *at,
                             S first) {
    for (int64_t i = 0; i < n; i++) {
        const T v = x[i * step];
        const S here = first + (S)(i * step);
        at[i] = GREATER(v, y[i]) ? here : at[i];
        y[i] = GREATER(v, y[i]) ? v : y[i];
    }
}

/* Windows from..to of one row, evenly spaced.  `at` is NULL if nobody asks. */
TT_KERNEL void K(max_even)(const Pool *p, const T *plane, int64_t z, int64_t r,
                           int64_t from, int64_t to, T *y, S *at) {
    const int64_t step = p->stride[2], n = to - from;
    const int64_t top = p->begin[0][z] * p->in[1] + p->begin[1][r];
    for (int64_t i = 0; i < n; i++) y[i] = TT_LOWEST;
    if (at)
        for (int64_t i = 0; i < n; i++)
            at[i] = (S)(top * p->in[2] + p->begin[2][from + i]);
    for (int64_t d = p->begin[0][z]; d < p->end[0][z]; d += p->dilation[0])
        for (int64_t h = p->begin[1][r]; h < p->end[1][r]; h += p->dilation[1])
            for (int64_t k = 0; k < p->kernel[2]; k++) {
                int64_t lo = from, hi = to;
                pool_reach(p, k, &lo, &hi);
                const int64_t place = (d * p->in[1] + h) * p->in[2] + lo * step +
                                      k * p->dilation[2] - p->padding[2];
                const T *x = plane + place;
                T *best = y + lo - from;
                if (!at) {
                    if (step == 1) K(max_tap)(1, hi - lo, x, best);
                    else if (step == 2) K(max_tap)(2, hi - lo, x, best);
                    else K(max_tap)(step, hi - lo, x, best);
                    continue;
                }
                S *where = at + lo - from;
                if (step == 1) K(max_tap_at)(1, hi - lo, x, best, where, (S)place);
                else if (step == 2) K(max_tap_at)(2, hi - lo, x, best, where, (S)place);
                else K(max_tap_at)(step, hi - lo, x, best, where, (S)place);
            }
}

/* n windows of two by two, side by side, all inside.  z: the row below x. */
TT_INLINE void K(max_quad)(const int64_t n, const T *restrict x, const T *restrict z,
                           S below, T *restrict y, S *restrict at, S first) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const T a = x[2 * i], b = x[2 * i + 1], c = z[2 * i], d = z[2 * i + 1];
        const S here = first + (S)(2 * i);
        T best = a;
        S place = here;
        place = GREATER(b, best) ? here + 1 : place;
        best = GREATER(b, best) ? b : best;
        place = GREATER(c, best) ? here + below : place;
        best = GREATER(c, best) ? c : best;
        place = GREATER(d, best) ? here + below + 1 : place;
        y[i] = GREATER(d, best) ? d : best;
        if (at) at[i] = place;
    }
}

/* A row of them.  Rows are short: what is left over is done again with some that were
   done already, as many as fill a vector. */
TT_KERNEL void K(max_quads)(int64_t n, const T *x, int64_t below, T *y, S *at,
                            S first) {
#define SOME(N, i)                                                                     \
    K(max_quad)(N, x + 2 * (i), x + below + 2 * (i), (S)below, y + (i),                \
                at ? at + (i) : NULL, first + (S)(2 * (i)))
    if (n < 4) {
        SOME(n, 0);
    } else if (n < 8) {
        SOME(4, 0);
        SOME(4, n - 4);
    } else {
        for (int64_t i = 0; i < n - 8; i += 8) SOME(8, i);
        SOME(8, n - 8);
    }
#undef SOME
}

/* One window of any place and size. */
static T K(max_window)(const Pool *p, const T *plane, int64_t z, int64_t r, int64_t q,
                       int64_t *at) {
    T best = TT_LOWEST;
    *at = (p->begin[0][z] * p->in[1] + p->begin[1][r]) * p->in[2] + p->begin[2][q];
    for (int64_t d = p->begin[0][z]; d < p->end[0][z]; d += p->dilation[0])
        for (int64_t h = p->begin[1][r]; h < p->end[1][r]; h += p->dilation[1]) {
            const int64_t row = (d * p->in[1] + h) * p->in[2];
            for (int64_t w = p->begin[2][q]; w < p->end[2][q]; w += p->dilation[2])
                if (GREATER(plane[row + w], best)) {
                    best = plane[row + w];
                    *at = row + w;
                }
        }
    return best;
}

/* Items are rows of y. */
static void K(max_rows)(void *context, int64_t begin, int64_t end) {
    const Pool *p = (const Pool *)context;
    const int64_t plane = p->in[0] * p->in[1] * p->in[2], cols = p->out[2];
    /* places must fit the integer that is as wide as T */
    const int even = p->even && (sizeof(S) == 8 || plane < INT32_MAX);
    S places[POOL_ROW];
    const int quads = p->kernel[0] == 1 && p->kernel[1] == 2 && p->kernel[2] == 2 &&
                      p->stride[2] == 2 && p->padding[2] == 0 && p->dilation[1] == 1 &&
                      p->dilation[2] == 1 && 2 * cols <= p->in[2];
    for (int64_t i = begin; i < end; i++) {
        const int64_t r = i % p->out[1], z = i / p->out[1] % p->out[0];
        const T *x = (const T *)p->x + i / (p->out[0] * p->out[1]) * plane;
        T *y = (T *)p->y + i * cols;
        int64_t *at = p->at ? p->at + i * cols : NULL;
        for (int64_t q = 0; even && q < cols; q += POOL_ROW) {
            const int64_t stop = cols - q < POOL_ROW ? cols : q + POOL_ROW;
            if (quads && p->end[1][r] - p->begin[1][r] == 2) {
                const int64_t place = (z * p->in[1] + p->begin[1][r]) * p->in[2] +
                    2 * q;
                K(max_quads)(stop - q, x + place, p->in[2], y + q, at ? places : NULL,
                             (S)place);
            } else {
                K(max_even)(p, x, z, r, q, stop, y + q, at ? places : NULL);
            }
            for (int64_t k = q; at && k < stop; k++) at[k] = places[k - q];
        }
        for (int64_t q = 0; !even && q < cols; q++) {
            int64_t place;
            y[q] = K(max_window)(p, x, z, r, q, &place);
            if (at) at[q] = place;
        }
    }
}

static int K(max_pool)(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[call->outputs];
    Pool p;
    if (y->numel == 0) return TT_OK;
    if (!pool_setup(&p, call, y, x)) return TT_NO_MEMORY;
    p.x = x->data;
    p.y = y->data;
    p.at = call->outputs > 1 ? (int64_t *)call->operand[1].data : NULL;
    pool_run(&p, K(max_rows), p.planes * p.out[0] * p.out[1],
             p.out[2] * pool_window_size(&p));
    free(p.begin[0]);
    return TT_OK;
}
#undef GREATER
