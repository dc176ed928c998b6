/* What each point of a grid reads: places, weights and the weights' derivatives. */

typedef struct {
    int count;
    int64_t at[GRID_TAPS];
    T weight[GRID_TAPS];
    T slope[3][GRID_TAPS];  /* of the weight, by the coordinate along each axis */
    T factor[3][3][GRID_TAPS]; /* by order of derivative and axis, where there are 2 */
} K(Taps);

/* Fold a coordinate back between the edges; *slope is multiplied by its derivative. */
static T K(grid_reflect)(T x, int64_t size, int align, T *slope) {
    const T low = align ? 0 : (T)-0.5, span = align ? (T)(size - 1) : (T)size;
    if (span == 0) {
        *slope = 0;
        return 0;
    }
    x -= low;
    if (x < 0) {
        x = -x;
        *slope = -*slope;
    }
    const T extra = L(fmod)(x, span);
    if ((int64_t)L(floor)(x / span) % 2) {
        *slope = -*slope;
        return span - extra + low;
    }
    return extra + low;
}

static T K(grid_clip)(T x, int64_t size, T *slope) {
    const T last = (T)(size - 1);
    if (x <= 0) {
        *slope = 0;
        return 0;
    }
    if (x >= last) {
        *slope = 0;
        return last;
    }
    return x;
}

static T K(grid_pad)(const Grid *g, T x, int64_t size, T *slope) {
    if (g->padding == GRID_REFLECTION) x = K(grid_reflect)(x, size, g->align, slope);
    return g->padding == GRID_ZEROS ? x : K(grid_clip)(x, size, slope);
}

/* Coordinate -1..1 to a place along axis a, which may be outside. */
static T K(grid_place)(const Grid *g, T c, int a, T *slope) {
    const T size = (T)g->in[a];
    *slope = g->align ? (size - 1) / 2 : size / 2;
    return g->align ? (c + 1) / 2 * (size - 1) : ((c + 1) * size - 1) / 2;
}

/* The coefficients of 4 neighbours at distance t behind the second, and derivatives. */
static void K(grid_cubic)(T t, T *w, T *dw, T *ddw) {
    const T a = (T)-0.75;
    for (int j = 0; j < 4; j++) {
        const T x = j == 0 ? t + 1 : j == 1 ? t : j == 2 ? 1 - t : 2 - t;
        const T sign = j < 2 ? 1 : -1;
        if (j == 0 || j == 3) {
            w[j] = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
            dw[j] = sign * ((3 * a * x - 10 * a) * x + 8 * a);
            ddw[j] = 6 * a * x - 10 * a;
        } else {
            w[j] = ((a + 2) * x - (a + 3)) * x * x + 1;
            dw[j] = sign * (3 * (a + 2) * x - 2 * (a + 3)) * x;
            ddw[j] = 6 * (a + 2) * x - 2 * (a + 3);
        }
    }
}

/* Neighbours of a point along an axis: place, weight, derivatives of the weight. */
typedef struct { int64_t at[4]; T w[4], dw[4], ddw[4]; } K(Axis);

static int K(grid_axis)(const Grid *g, T c, int a, K(Axis) *axis) {
    const int64_t size = g->in[a];
    T slope, x = K(grid_place)(g, c, a, &slope);
    if (g->mode == GRID_CUBIC) {
        const T base = L(floor)(x);
        K(grid_cubic)(x - base, axis->w, axis->dw, axis->ddw);
        for (int j = 0; j < 4; j++) {
            T ignored = 1, place = K(grid_pad)(g, base + (T)(j - 1), size, &ignored);
            axis->at[j] = place >= 0 && place < (T)size ? (int64_t)place : -1;
            axis->dw[j] *= slope;
            axis->ddw[j] *= slope * slope;
        }
        return 4;
    }
    axis->ddw[0] = axis->ddw[1] = 0;
    x = K(grid_pad)(g, x, size, &slope);
    if (!(x > -2 && x < (T)size + 1)) x = -2; /* NaN as well: outside */
    if (g->mode == GRID_NEAREST) {
        axis->at[0] = (int64_t)L(nearbyint)(x);
        axis->w[0] = 1;
        axis->dw[0] = 0;
        return 1;
    }
    const T base = L(floor)(x), part = x - base;
    axis->at[0] = (int64_t)base;
    axis->at[1] = (int64_t)base + 1;
    axis->w[0] = 1 - part;
    axis->w[1] = part;
    axis->dw[0] = -slope;
    axis->dw[1] = slope;
    return 2;
}

static void K(grid_taps)(const Grid *g, const T *point, K(Taps) *taps) {
    K(Axis) axis[3];
    int n = 1, depth = 1;
    taps->count = 0;
    for (int a = 0; a < g->dims; a++) n = K(grid_axis)(g, point[a], a, &axis[a]);
    if (g->dims == 3) depth = n;
    for (int z = 0; z < depth; z++)
        for (int r = 0; r < n; r++)
            for (int q = 0; q < n; q++) {
                const int pick[3] = {q, r, z};
                const int t = taps->count;
                int inside = 1;
                taps->at[t] = 0;
                taps->weight[t] = 1;
                for (int a = 0; a < 3; a++) taps->slope[a][t] = 1;
                for (int a = 0; a < g->dims; a++) {
                    const int64_t at = axis[a].at[pick[a]];
                    inside &= at >= 0 && at < g->in[a];
                    taps->at[t] += at * g->stride[a];
                    taps->weight[t] *= axis[a].w[pick[a]];
                    for (int b = 0; b < g->dims; b++)
                        taps->slope[b][t] *= b == a ? axis[a].dw[pick[a]] :
                                                      axis[a].w[pick[a]];
                    taps->factor[0][a][t] = axis[a].w[pick[a]];
                    taps->factor[1][a][t] = axis[a].dw[pick[a]];
                    taps->factor[2][a][t] = axis[a].ddw[pick[a]];
                }
                taps->count += inside;
            }
}

/* ---- forward ---- */

/* Items are points of all images. */
static void K(grid_forward)(void *context, int64_t begin, int64_t end) {
    const Grid *g = (const Grid *)context;
    K(Taps) taps;
    for (int64_t k = begin; k < end; k++) {
        const int64_t n = k / g->points, point = k % g->points;
        const T *x = (const T *)g->x + n * g->channels * g->plane;
        T *y = (T *)g->y + n * g->channels * g->points + point;
        K(grid_taps)(g, (const T *)g->grid + k * g->dims, &taps);
        for (int64_t c = 0; c < g->channels; c++, x += g->plane, y += g->points) {
            T sum = 0;
            for (int t = 0; t < taps.count; t++) sum += taps.weight[t] * x[taps.at[t]];
            *y = sum;
        }
    }
}

static int K(grid_sample)(const KernelCall *call) {
    if (call->operand[0].numel == 0) return TT_OK;
    Grid g = grid_of(call, &call->operand[1], &call->operand[2]);
    const int64_t items = g.n * g.points;
    const int64_t grain = TT_PART(8192, 64) / (g.channels + 4) + 1;
    g.y = call->operand[0].data;
    if (items <= grain) K(grid_forward)(&g, 0, items);
    else tt_parallel_for(K(grid_forward), &g, items, grain);
    return TT_OK;
}

/* ---- backward ---- */

/* Items are images. */
static void K(grid_back)(void *context, int64_t begin, int64_t end) {
    const Grid *g = (const Grid *)context;
    K(Taps) taps;
    for (int64_t n = begin; n < end; n++) {
        const int64_t image = n * g->channels * g->plane;
        memset((T *)g->gx + image, 0, g->channels * g->plane * sizeof(T));
        for (int64_t point = 0; point < g->points; point++) {
            const int64_t k = n * g->points + point;
            const T *x = (const T *)g->x + image;
            const T *gy = (const T *)g->gy + n * g->channels * g->points + point;
            T *gx = (T *)g->gx + image, sum[3] = {0, 0, 0};
            K(grid_taps)(g, (const T *)g->grid + k * g->dims, &taps);
            for (int64_t c = 0; c < g->channels; c++, x += g->plane, gx += g->plane,
                         gy += g->points)
                for (int t = 0; t < taps.count; t++) {
                    gx[taps.at[t]] += taps.weight[t] * *gy;
                    for (int a = 0; a < g->dims; a++)
                        sum[a] += taps.slope[a][t] * x[taps.at[t]] * *gy;
                }
            for (int a = 0; a < g->dims; a++) ((T *)g->ggrid)[k * g->dims + a] = sum[a];
        }
    }
}

static int K(grid_sample_backward)(const KernelCall *call) {
    const View *gx = &call->operand[0], *ggrid = &call->operand[1];
    if (call->operand[2].numel == 0) {
        memset(gx->data, 0, gx->numel * sizeof(T));
        memset(ggrid->data, 0, ggrid->numel * sizeof(T));
        return TT_OK;
    }
    Grid g = grid_of(call, &call->operand[3], &call->operand[4]);
    g.gx = gx->data;
    g.ggrid = ggrid->data;
    g.gy = call->operand[2].data;
    if (g.n == 1) K(grid_back)(&g, 0, 1);
    else tt_parallel_for(K(grid_back), &g, g.n, 1);
    return TT_OK;
}

/* ---- backward of backward ---- */

/* The derivative of slope[a] by the coordinate along axis b. */
static T K(grid_bend)(const Grid *g, const K(Taps) *taps, int t, int a, int b) {
    T product = 1;
    for (int k = 0; k < g->dims; k++)
        product *= taps->factor[(k == a) + (k == b)][k][t];
    return product;
}

/* Items are images.  v, u: gradients of gx and ggrid. */
static void K(grid_double)(void *context, int64_t begin, int64_t end) {
    const Grid *g = (const Grid *)context;
    K(Taps) taps;
    for (int64_t n = begin; n < end; n++) {
        const int64_t image = n * g->channels * g->plane;
        memset((T *)g->gx + image, 0, g->channels * g->plane * sizeof(T));
        for (int64_t point = 0; point < g->points; point++) {
            const int64_t k = n * g->points + point;
            const T *u = (const T *)g->u + k * g->dims;
            T *ggrid = (T *)g->ggrid + k * g->dims;
            K(grid_taps)(g, (const T *)g->grid + k * g->dims, &taps);
            for (int a = 0; a < g->dims; a++) ggrid[a] = 0;
            for (int t = 0; t < taps.count; t++) {
                T along = 0, bend[3] = {0, 0, 0}; /* of the weight, in direction u */
                for (int a = 0; a < g->dims; a++) {
                    along += u[a] * taps.slope[a][t];
                    for (int b = 0; b < g->dims; b++)
                        bend[b] += u[a] * K(grid_bend)(g, &taps, t, a, b);
                }
                for (int64_t c = 0; c < g->channels; c++) {
                    const int64_t at = image + c * g->plane + taps.at[t];
                    const int64_t place = (n * g->channels + c) * g->points + point;
                    const T gy = ((const T *)g->gy)[place], x = ((const T *)g->x)[at];
                    const T v = ((const T *)g->v)[at];
                    T *y = (T *)g->y + place;
                    *y = (t ? *y : 0) + taps.weight[t] * v + along * x;
                    ((T *)g->gx)[at] += along * gy;
                    for (int b = 0; b < g->dims; b++)
                        ggrid[b] += gy * (taps.slope[b][t] * v + bend[b] * x);
                }
            }
            if (taps.count == 0)
                for (int64_t c = 0; c < g->channels; c++)
                    ((T *)g->y)[(n * g->channels + c) * g->points + point] = 0;
        }
    }
}

static int K(grid_sample_double)(const KernelCall *call) {
    const View *v = call->operand;
    if (v[3].numel == 0) {
        for (int k = 0; k < 3; k++) memset(v[k].data, 0, v[k].numel * sizeof(T));
        return TT_OK;
    }
    Grid g = grid_of(call, &v[4], &v[5]);
    g.y = v[0].data;
    g.gx = v[1].data;
    g.ggrid = v[2].data;
    g.gy = v[3].data;
    g.v = v[6].data;
    g.u = v[7].data;
    if (g.n == 1) K(grid_double)(&g, 0, 1);
    else tt_parallel_for(K(grid_double), &g, g.n, 1);
    return TT_OK;
}
