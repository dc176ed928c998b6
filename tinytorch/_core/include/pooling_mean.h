/* The mean over windows, and its adjoint. */

TT_INLINE T K(mean_divisor)(const Pool *p, int64_t z, int64_t r, int64_t q) {
    return (T)(p->divisor ? p->divisor :
               p->count[0][z] * p->count[1][r] * p->count[2][q]);
}

TT_INLINE void K(mean_tap)(const int64_t step, int64_t n, const T *x, T *y) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i * step];
}

/* The sums of all windows of a row, evenly spaced. */
TT_KERNEL void K(mean_even)(const Pool *p, const T *plane, int64_t z, int64_t r, T *y) {
    const int64_t step = p->stride[2];
    memset(y, 0, p->out[2] * sizeof(T));
    for (int64_t d = p->begin[0][z]; d < p->end[0][z]; d++)
        for (int64_t h = p->begin[1][r]; h < p->end[1][r]; h++)
            for (int64_t k = 0; k < p->kernel[2]; k++) {
                int64_t lo = 0, hi = p->out[2];
                pool_reach(p, k, &lo, &hi);
                const T *x = plane + (d * p->in[1] + h) * p->in[2] + lo * step + k -
                             p->padding[2];
                if (step == 1) K(mean_tap)(1, hi - lo, x, y + lo);
                else if (step == 2) K(mean_tap)(2, hi - lo, x, y + lo);
                else K(mean_tap)(step, hi - lo, x, y + lo);
            }
}

/* Four sums at a time: one alone would wait for its own additions. */
TT_KERNEL T K(mean_sum)(const T *x, int64_t n) {
    T a = 0, b = 0, c = 0, d = 0;
    const int64_t m = n / 4;
    if (n >= 128) {
#pragma omp simd reduction(+ : a, b, c, d)
        for (int64_t i = 0; i < m; i++) {
            a += x[i];
            b += x[m + i];
            c += x[2 * m + i];
            d += x[3 * m + i];
        }
        x += 4 * m;
        n -= 4 * m;
    }
    for (int64_t i = 0; i < n; i++) a += x[i];
    return (a + b) + (c + d);
}

static void K(mean_rows)(void *context, int64_t begin, int64_t end) {
    const Pool *p = (const Pool *)context;
    const int64_t plane = p->in[0] * p->in[1] * p->in[2], cols = p->out[2];
    for (int64_t i = begin; i < end; i++) {
        const int64_t r = i % p->out[1], z = i / p->out[1] % p->out[0];
        const T *x = (const T *)p->x + i / (p->out[0] * p->out[1]) * plane;
        T *y = (T *)p->y + i * cols;
        if (p->even) K(mean_even)(p, x, z, r, y);
        for (int64_t q = 0; q < cols; q++) {
            if (!p->even) {
                T sum = 0;
                for (int64_t d = p->begin[0][z]; d < p->end[0][z]; d++)
                    for (int64_t h = p->begin[1][r]; h < p->end[1][r]; h++)
                        sum += K(mean_sum)(
                            x + (d * p->in[1] + h) * p->in[2] + p->begin[2][q],
                            p->end[2][q] - p->begin[2][q]);
                y[q] = sum;
            }
            y[q] /= K(mean_divisor)(p, z, r, q);
        }
    }
}

static int K(mean_pool)(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1];
    Pool p;
    if (y->numel == 0) return TT_OK;
    if (!pool_setup(&p, call, y, x)) return TT_NO_MEMORY;
    p.x = x->data;
    p.y = y->data;
    pool_run(&p, K(mean_rows), p.planes * p.out[0] * p.out[1],
             p.out[2] * pool_window_size(&p));
    free(p.begin[0]);
    return TT_OK;
}

/* ---- the adjoint ---- */

TT_INLINE void K(spread_tap)(const int64_t step, int64_t n, const T *g, T *gx) {
    for (int64_t i = 0; i < n; i++) gx[i * step] += g[i];
}

/* Add one row of gy, divided already, to every row of gx under its windows. */
TT_KERNEL void K(spread_row)(const Pool *p, T *plane, int64_t z, int64_t r, const T *g,
                             int64_t from, int64_t to) {
    const int64_t step = p->stride[2];
    for (int64_t d = p->begin[0][z]; d < p->end[0][z]; d++)
        for (int64_t h = p->begin[1][r]; h < p->end[1][r]; h++) {
            T *row = plane + (d * p->in[1] + h) * p->in[2];
            if (!p->even) {
                for (int64_t q = from; q < to; q++)
                    for (int64_t w = p->begin[2][q]; w < p->end[2][q]; w++)
                        row[w] += g[q - from];
                continue;
            }
            for (int64_t k = 0; k < p->kernel[2]; k++) {
                int64_t lo = from, hi = to;
                pool_reach(p, k, &lo, &hi);
                T *gx = row + lo * step + k - p->padding[2];
                if (step == 1) K(spread_tap)(1, hi - lo, g + lo - from, gx);
                else K(spread_tap)(step, hi - lo, g + lo - from, gx);
            }
        }
}

/* Items are planes. */
static void K(spread_planes)(void *context, int64_t begin, int64_t end) {
    const Pool *p = (const Pool *)context;
    const int64_t plane = p->in[0] * p->in[1] * p->in[2];
    const T *gy = (const T *)p->x + begin * p->out[0] * p->out[1] * p->out[2];
    T g[POOL_ROW];
    for (int64_t n = begin; n < end; n++) {
        T *gx = (T *)p->y + n * plane;
        memset(gx, 0, plane * sizeof(T));
        for (int64_t z = 0; z < p->out[0]; z++)
            for (int64_t r = 0; r < p->out[1]; r++, gy += p->out[2])
                for (int64_t from = 0; from < p->out[2]; from += POOL_ROW) {
                    const int64_t left = p->out[2] - from;
                    const int64_t to = from + (left < POOL_ROW ? left : POOL_ROW);
                    for (int64_t q = from; q < to; q++)
                        g[q - from] = gy[q] / K(mean_divisor)(p, z, r, q);
                    K(spread_row)(p, gx, z, r, g, from, to);
                }
    }
}

static int K(mean_pool_backward)(const KernelCall *call) {
    const View *x = &call->operand[0], *y = &call->operand[1];
    Pool p;
    if (x->numel == 0) return TT_OK;
    if (y->numel == 0) {
        memset(x->data, 0, x->numel * sizeof(T));
        return TT_OK;
    }
    if (!pool_setup(&p, call, y, x)) return TT_NO_MEMORY;
    p.x = y->data;
    p.y = x->data;
    pool_run(&p, K(spread_planes), p.planes,
             p.in[0] * p.in[1] * p.in[2] + p.out[0] * p.out[1] * p.out[2] *
             pool_window_size(&p));
    free(p.begin[0]);
    return TT_OK;
}
