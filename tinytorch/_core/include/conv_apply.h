/* The kernels that apply a weight: the convolution, and its adjoint for the input. */

static void K(conv_range)(void *context, int64_t begin, int64_t end) {
    Conv *c = (Conv *)context;
    const int64_t boxes = c->boxes[0] * c->boxes[1] * c->boxes[2];
    const int64_t x_plane = c->in[0] * c->in[1] * c->in[2];
    T *scratch = NULL;
    ConvVector *v = (ConvVector *)malloc(conv_most_vectors(c) * sizeof(ConvVector));
    if (c->scratch) scratch = (T *)malloc(c->scratch * sizeof(T));
    if (!v || (c->scratch && !scratch)) {
        __atomic_store_n(&c->failed, 1, __ATOMIC_RELAXED);
        begin = end;
    }
    for (int64_t item = begin; item < end; item++) {
        const ConvBox box = conv_box_of(c, item % boxes);
        int64_t vectors = conv_vectors(c, &box, v), depth = 0;
        for (int64_t g = 0; g < c->groups; g++) {
            const int64_t number = item / boxes * c->groups + g;
            const T *w = (const T *)c->w + g * c->co * c->ci * c->taps;
            const T *bias = c->b ? (const T *)c->b + g * c->co : NULL;
            T *y = (T *)c->y + number * c->co * c->y_plane + c->y_first;
            for (int a = 0; a < 3; a++) y += box.from[a] * c->y_step[a];
            for (int64_t i = 0; i < c->ci || i == 0; i += c->block) {
                const int64_t left = c->ci - i, now = left < c->block ? left : c->block;
                const T *x = (const T *)c->x + (number * c->ci + i) * x_plane;
                if (c->source == CONV_PANELS && now * c->taps != depth) {
                    depth = now * c->taps;
                    conv_panel_vectors(c, depth, v, vectors);
                }
                x = K(conv_source)(c, &box, x, now, scratch);
                K(conv_box)(c, now * c->count[2], w, x, v, vectors, y, i ? NULL : bias,
                            i > 0);
                w += c->co * now * c->taps;
            }
        }
    }
    free(scratch);
    free(v);
}

/* Plan, pack the weight and run; frees what c holds.  so, si: strides of w's channels
   within a group, sg that of a group. */
static int K(conv_apply)(Conv *c, const T *w, int64_t sg, int64_t so, int64_t si) {
    T *packed = NULL;
    int64_t *tap = NULL;
    int status = TT_NO_MEMORY;
    c->lanes = 32 / sizeof(T);
    const int wide = conv_is_wide(c);
    if (sizeof(T) == 4 && conv_is_winograd(c)) {
        status = conv_winograd(c, (const float *)w, sg, so, si);
        if (status != TT_BAD_VALUE) goto done;
    }
    if (!(wide ? conv_wide_plan(c, sizeof(T)) : conv_plan(c, sizeof(T), c->n, 1)))
        goto done;
    packed = (T *)malloc((c->groups * c->co * c->ci * c->taps + 1) * sizeof(T));
    tap = (int64_t *)malloc((c->taps + 1) * sizeof(int64_t));
    if (!packed || !tap) goto done;
    int64_t t = 0;
    for (int64_t d = 0; d < c->count[0]; d++)
        for (int64_t h = 0; h < c->count[1]; h++)
            for (int64_t q = 0; q < c->count[2]; q++)
                tap[t++] = (c->tap[0][d] * c->kernel[1] + c->tap[1][h]) * c->kernel[2] +
                           c->tap[2][q];
    if (wide) {
        status = K(conv_wide_apply)(c, w, sg, so, si, tap);
        goto done;
    }
    T *to = packed;
    for (int64_t g = 0; g < c->groups; g++)
        for (int64_t i = 0; i < c->ci; i += c->block) {
            const int64_t left = c->ci - i, now = left < c->block ? left : c->block;
            K(conv_pack)(c, to, w + g * sg, so, si, tap, i, now);
            to += c->co * now * c->taps;
        }
    c->w = packed;
    const int64_t items = c->n * c->boxes[0] * c->boxes[1] * c->boxes[2];
    const int64_t grain = conv_grain(items, conv_flops(c, c->box));
    if (grain >= items) K(conv_range)(c, 0, items);
    else tt_parallel_for(K(conv_range), c, items, grain);
    status = c->failed ? TT_NO_MEMORY : TT_OK;
done:
    free(packed);
    free(tap);
    return status;
}

static int K(conv_forward)(const KernelCall *call) {
    const View *y = &call->operand[0], *x = &call->operand[1], *w = &call->operand[2];
    Conv c;
    if (y->numel == 0) return TT_OK;
    if (!conv_describe(&c, y, x, w, call)) return TT_NO_MEMORY;
    const int64_t si = c.kernel[0] * c.kernel[1] * c.kernel[2], so = si * c.ci;
    c.x = x->data;
    c.y = y->data;
    c.b = call->operands > 3 ? call->operand[3].data : NULL;
    int status = K(conv_apply)(&c, (const T *)w->data, so * c.co, so, si);
    conv_free(&c);
    return status;
}

/* ---- the adjoint for x ---- */

static int K(conv_input)(const KernelCall *call) {
    const View *x = &call->operand[0], *y = &call->operand[1], *w = &call->operand[2];
    const ConvSteps s = conv_steps(call);
    Conv c;
    if (x->numel == 0) return TT_OK;
    c.n = x->shape[0];
    c.groups = call->scalar[0].i;
    c.ci = y->shape[1] / c.groups;
    c.co = x->shape[1] / c.groups;
    int64_t x_step[3], extent[3], in[3], phase[3], dense = 1;
    for (int a = 2; a >= 0; a--) {
        extent[a] = conv_size(x, a);
        in[a] = conv_size(y, a);
        c.kernel[a] = conv_size(w, a);
        x_step[a] = dense;
        dense *= extent[a];
    }
    if (!conv_taps(&c)) return TT_NO_MEMORY;
    const int64_t volume = c.kernel[0] * c.kernel[1] * c.kernel[2], so = volume * c.co;
    int status = TT_OK;
    for (phase[0] = 0; phase[0] < s.stride[0]; phase[0]++)
        for (phase[1] = 0; phase[1] < s.stride[1]; phase[1]++)
            for (phase[2] = 0; phase[2] < s.stride[2] && !status; phase[2]++) {
                for (int a = 0; a < 3; a++) {
                    c.in[a] = in[a];
                    c.grid[a] = extent[a] <= phase[a] ? 0 :
                                conv_ceil(extent[a] - phase[a], s.stride[a]);
                }
                c.y_plane = dense;
                conv_phase(&c, &s, phase, x_step);
                if (conv_empty(&c)) continue;
                c.x = y->data;
                c.y = x->data;
                c.b = call->operands > 3 ? call->operand[3].data : NULL;
                status = K(conv_apply)(&c, (const T *)w->data, so * c.ci, volume, so);
                free(c.offset);
                c.offset = NULL;
            }
    conv_free(&c);
    return status;
}
