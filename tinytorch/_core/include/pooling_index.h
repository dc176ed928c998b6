/* Elements of planes by their place. */

typedef struct {
    T *plane;              /* what places refer to */
    T *list;               /* one element per place */
    const int64_t *at;
    int64_t size, length;  /* of a plane and its list */
    int failed;            /* a place was outside of its plane */
} K(Places);

/* The places of plane n, or NULL if one is outside. */
TT_INLINE const int64_t *K(places_of)(K(Places) *p, int64_t n) {
    const int64_t *at = p->at + n * p->length;
    int bad = 0;
    for (int64_t i = 0; i < p->length; i++) bad |= (uint64_t)at[i] >= (uint64_t)p->size;
    if (bad) __atomic_store_n(&p->failed, 1, __ATOMIC_RELAXED);
    return bad ? NULL : at;
}

static void K(scatter_planes)(void *context, int64_t begin, int64_t end) {
    K(Places) *p = (K(Places) *)context;
    for (int64_t n = begin; n < end; n++) {
        T *to = p->plane + n * p->size;
        const T *from = p->list + n * p->length;
        const int64_t *at = K(places_of)(p, n);
        if (!at) return;
        memset(to, 0, p->size * sizeof(T));
        for (int64_t i = 0; i < p->length; i++) to[at[i]] += from[i];
    }
}

static void K(gather_planes)(void *context, int64_t begin, int64_t end) {
    K(Places) *p = (K(Places) *)context;
    for (int64_t n = begin; n < end; n++) {
        const T *from = p->plane + n * p->size;
        T *to = p->list + n * p->length;
        const int64_t *at = K(places_of)(p, n);
        if (!at) return;
        for (int64_t i = 0; i < p->length; i++) to[i] = from[at[i]];
    }
}

static void K(unpool_planes)(void *context, int64_t begin, int64_t end) {
    K(Places) *p = (K(Places) *)context;
    for (int64_t n = begin; n < end; n++) {
        T *to = p->plane + n * p->size;
        const T *from = p->list + n * p->length;
        const int64_t *at = K(places_of)(p, n);
        if (!at) return;
        memset(to, 0, p->size * sizeof(T));
        for (int64_t i = 0; i < p->length; i++) to[at[i]] = from[i];
    }
}

static int K(places_run)(const KernelCall *call, const View *plane, const View *list,
                         ParallelBody body) {
    const View *at = &call->operand[2];
    const int axes = (int)call->scalar[0].i;
    const int64_t planes = pool_planes(plane, axes);
    K(Places) p = {(T *)plane->data, (T *)list->data, (const int64_t *)at->data, 0, 0,
                   0};
    if (planes == 0) return TT_OK;
    p.size = plane->numel / planes;
    p.length = list->numel / planes;
    const int64_t grain = POOL_WORK / (p.size + p.length + 1) + 1;
    if (planes <= grain) body(&p, 0, planes);
    else tt_parallel_for(body, &p, planes, grain);
    return p.failed ? TT_BAD_INDEX : TT_OK;
}

static int K(pool_scatter)(const KernelCall *call) {
    return K(places_run)(call, &call->operand[0], &call->operand[1], K(scatter_planes));
}

static int K(pool_gather)(const KernelCall *call) {
    return K(places_run)(call, &call->operand[1], &call->operand[0], K(gather_planes));
}

static int K(pool_unpool)(const KernelCall *call) {
    return K(places_run)(call, &call->operand[0], &call->operand[1], K(unpool_planes));
}
