/* The table of an axis, and the loops that apply it. */

static R K(resample_scale)(const Resample *r) {
    if (r->align && r->mode >= LINEAR)
        return r->out > 1 ? (R)(r->in - 1) / (R)(r->out - 1) : 0;
    return r->scale > 0 ? (R)(1 / r->scale) : (R)r->in / (R)r->out;
}

/* Where element i of y lies on x's axis; all in R, as PyTorch rounds. */
static R K(resample_source)(const Resample *r, R scale, int64_t i) {
    if (r->align) return scale * (R)i;
    return scale * ((R)i + (R)0.5) - (R)0.5;
}

static void K(resample_point)(const Resample *r, R scale, int64_t i, int64_t *index,
                              R *weight) {
    const int64_t last = r->in - 1;
    if (r->mode == NEAREST || r->mode == NEAREST_EXACT) {
        R at = r->mode == NEAREST ? scale * (R)i : scale * ((R)i + (R)0.5);
        int64_t k = (int64_t)floorf((float)at);
        index[0] = k < last ? k : last;
    } else if (r->mode == LINEAR) {
        R at = K(resample_source)(r, scale, i);
        if (at < 0) at = 0;
        int64_t k = (int64_t)at;
        if (k > last) k = last;
        R part = at - (R)k;
        if (part > 1) part = 1;
        if (r->in == r->out) k = i, part = 0;
        index[0] = k;
        index[1] = k < last ? k + 1 : k;
        weight[0] = 1 - part;
        weight[1] = part;
    } else {
        const R a = (R)-0.75, at = K(resample_source)(r, scale, i);
        const int64_t k = (int64_t)floor((double)at);
        const R t = at - (R)k, u = 1 - t;
        weight[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
        weight[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
        weight[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
        weight[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
        for (int64_t j = 0; j < 4; j++) {
            int64_t m = k - 1 + j;
            index[j] = m < 0 ? 0 : m > last ? last : m;
        }
    }
}

/* A filter over all of x that an element of y covers. */
static void K(resample_smooth)(const Resample *r, double scale, int64_t i,
                               int64_t *index, R *weight) {
    const double support = resample_support(r, scale),
        middle = scale * ((double)i + 0.5);
    const double narrow = scale > 1 ? 1 / scale : 1;
    int64_t first = (int64_t)(middle - support + 0.5);
    int64_t stop = (int64_t)(middle + support + 0.5);
    double total = 0;
    if (first < 0) first = 0;
    if (stop > r->in) stop = r->in;
    for (int64_t j = 0; j < r->taps; j++) {
        const int64_t k = first + j;
        const double w = k < stop ?
            resample_filter(r->mode, ((double)k - middle + 0.5) * narrow) : 0;
        index[j] = k < stop ? k : first;
        weight[j] = (R)w;
        total += w;
    }
    for (int64_t j = 0; total != 0 && j < r->taps; j++) weight[j] /= (R)total;
}

/* Fill the table; 0 if there is no memory. */
static int K(resample_table)(Resample *r) {
    const R scale = K(resample_scale)(r);
    r->taps = r->mode < LINEAR ? 1 : r->mode == LINEAR ? 2 : 4;
    if (r->antialias) r->taps = 2 * (int64_t)ceil(resample_support(r, scale)) + 1;
    r->index = (int64_t *)malloc(r->out * r->taps * (sizeof(int64_t) + sizeof(R)));
    if (!r->index) return 0;
    R *weight = (R *)(r->index + r->out * r->taps);
    r->weight = weight;
    for (int64_t i = 0; i < r->out; i++) {
        int64_t *index = r->index + i * r->taps;
        if (r->antialias) K(resample_smooth)(r, scale, i, index, weight + i * r->taps);
        else K(resample_point)(r, scale, i, index, weight + i * r->taps);
    }
    return 1;
}

TT_KERNEL void K(resample_blend)(T *y, const T *x, int64_t n, R w, int add) {
    if (add) for (int64_t j = 0; j < n; j++) y[j] += (T)(w * (R)x[j]);
    else for (int64_t j = 0; j < n; j++) y[j] = (T)(w * (R)x[j]);
}

TT_KERNEL void K(resample_round)(T *y, int64_t n) {
    for (int64_t j = 0; j < n; j++) {
        const T v = (T)(int64_t)((R)y[j] + (R)0.5);
        y[j] = v < 0 ? 0 : v > 255 ? 255 : v;
    }
}

/* Items are (outer, out) pairs: rows of `inner` elements of y. */
static void K(resample_rows)(void *context, int64_t begin, int64_t end) {
    const Resample *r = (const Resample *)context;
    for (int64_t k = begin; k < end; k++) {
        const int64_t i = k % r->out, *index = r->index + i * r->taps;
        const T *x = (const T *)r->from + k / r->out * r->in * r->inner;
        const R *weight = (const R *)r->weight + i * r->taps;
        T *y = (T *)r->to + k * r->inner;
        if (r->mode < LINEAR) memcpy(y, x + *index * r->inner, r->inner * sizeof(T));
        else
            for (int64_t t = 0; t < r->taps; t++)
                K(resample_blend)(y, x + index[t] * r->inner, r->inner, weight[t],
                                  t > 0);
        if (r->round) K(resample_round)(y, r->inner);
    }
}

TT_INLINE void K(resample_line)(const int64_t taps, const Resample *r, const T *x,
                                T *y) {
    const int64_t *index = r->index;
    const R *weight = (const R *)r->weight;
    for (int64_t i = 0; i < r->out; i++, index += taps, weight += taps) {
        T sum = 0;
        for (int64_t t = 0; t < taps; t++) sum += (T)(weight[t] * (R)x[index[t]]);
        y[i] = sum;
    }
}

/* The last axis; items are outer indices. */
TT_KERNEL void K(resample_lines)(void *context, int64_t begin, int64_t end) {
    const Resample *r = (const Resample *)context;
    const T *x = (const T *)r->from + begin * r->in;
    T *y = (T *)r->to + begin * r->out;
    for (int64_t k = begin; k < end; k++, x += r->in, y += r->out) {
        if (r->mode < LINEAR)
            for (int64_t i = 0; i < r->out; i++) y[i] = x[r->index[i]];
        else if (r->taps == 2) K(resample_line)(2, r, x, y);
        else if (r->taps == 4) K(resample_line)(4, r, x, y);
        else K(resample_line)(r->taps, r, x, y);
        if (r->round) K(resample_round)(y, r->out);
    }
}

/* Items are outer indices. */
static void K(resample_spread)(void *context, int64_t begin, int64_t end) {
    const Resample *r = (const Resample *)context;
    for (int64_t k = begin; k < end; k++) {
        T *gx = (T *)r->to + k * r->in * r->inner;
        const T *gy = (const T *)r->from + k * r->out * r->inner;
        const int64_t *index = r->index;
        const R *weight = (const R *)r->weight;
        memset(gx, 0, r->in * r->inner * sizeof(T));
        for (int64_t i = 0; i < r->out; i++, gy += r->inner)
            for (int64_t t = 0; t < r->taps; t++, index++, weight++) {
                const R w = r->mode < LINEAR ? 1 : *weight;
                if (r->inner == 1) gx[*index] += (T)(w * (R)*gy);
                else K(resample_blend)(gx + *index * r->inner, gy, r->inner, w, 1);
            }
    }
}

static int K(resample)(const KernelCall *call) {
    Resample r = resample_of(call, &call->operand[0], &call->operand[1]);
    if (call->operand[0].numel == 0) return TT_OK;
    if (!K(resample_table)(&r)) return TT_NO_MEMORY;
    const int last = r.inner == 1;
    const int64_t items = last ? r.outer : r.outer * r.out;
    const int64_t grain = TT_PART(65536, 128) / ((last ? r.out : r.inner) * r.taps) + 1;
    const ParallelBody body = last ? K(resample_lines) : K(resample_rows);
    if (items <= grain) body(&r, 0, items);
    else tt_parallel_for(body, &r, items, grain);
    free(r.index);
    return TT_OK;
}

static int K(resample_backward)(const KernelCall *call) {
    Resample r = resample_of(call, &call->operand[1], &call->operand[0]);
    if (call->operand[0].numel == 0) return TT_OK;
    if (!K(resample_table)(&r)) return TT_NO_MEMORY;
    const int64_t grain = TT_PART(65536, 128) / ((r.out * r.taps + r.in) * r.inner) + 1;
    if (r.outer <= grain) K(resample_spread)(&r, 0, r.outer);
    else tt_parallel_for(K(resample_spread), &r, r.outer, grain);
    free(r.index);
    return TT_OK;
}
