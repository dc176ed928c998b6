/* The loops of cross_entropy.h where the classes are not the last dimension: p as
   there, for up to TT_CLASS_WIDTH columns side by side; classes are s[4] apart. */

#define COLUMNS for (int64_t j = 0; j < m; j++)
#define CLASSES for (int64_t c = 0; c < cols; c++)
#define X(c, j) x[(c) * s[4].i + (j)]
#define GX(c, j) gx[(c) * s[4].i + (j)]

TT_KERNEL void K(cross_entropy_columns)(char **p, int64_t m, int64_t cols,
                                        const Scalar *s) {
    T *loss = (T *)p[0], *peak = (T *)p[1], *level = (T *)p[2];
    const T *x = (const T *)p[3], *w = (const T *)p[5], smooth = (T)s[3].f;
    const int64_t *target = (const int64_t *)p[4];
    T top[TT_CLASS_WIDTH], total[TT_CLASS_WIDTH], spread[TT_CLASS_WIDTH];
    COLUMNS {
        top[j] = -(T)INFINITY;
        total[j] = spread[j] = 0;
    }
    CLASSES COLUMNS top[j] = X(c, j) > top[j] ? X(c, j) : top[j];
    CLASSES COLUMNS total[j] += F(exp_negative)(X(c, j) - top[j]);
    COLUMNS total[j] = F(log)(total[j]);
    if (smooth != 0)
        CLASSES COLUMNS spread[j] += (w ? w[c] : 1) * (total[j] - (X(c, j) - top[j]));
    COLUMNS {
        const int64_t t = target[j];
        peak[j] = top[j];
        level[j] = total[j];
        loss[j] = 0;
        if (t == s[1].i) continue;
        loss[j] = (total[j] - (X(t, j) - top[j])) * (w ? w[t] : 1);
        if (smooth != 0)
            loss[j] = (1 - smooth) * loss[j] + smooth / (T)cols * spread[j];
    }
}

/* What a column's gradient is made of: gx = softmax(x) all - even w, less hit at its
   class.  All are 0 if it is ignored. */
TT_INLINE void K(column_factors)(char **p, int64_t m, int64_t cols, const Scalar *s,
                                 T *all, T *even, T *hit) {
    const int64_t *target = (const int64_t *)p[4];
    const T *w = (const T *)p[5], *gy = (const T *)p[7], factor = *(const T *)p[8];
    const T sharp = 1 - (T)s[3].f, smooth = (T)s[3].f / (T)cols;
    T weight = (T)cols;
    if (w && smooth != 0) {
        weight = 0;
        CLASSES weight += w[c];
    }
    COLUMNS {
        const int64_t t = target[j];
        const T g = t == s[1].i ? 0 : gy[s[2].i == TT_NONE ? j : 0] * factor;
        even[j] = g * smooth;
        hit[j] = t == s[1].i ? 0 : g * sharp * (w ? w[t] : 1);
        all[j] = hit[j] + even[j] * weight;
    }
}

TT_KERNEL void K(cross_entropy_columns_backward)(char **p, int64_t m, int64_t cols,
                                                 const Scalar *s) {
    const T *peak = (const T *)p[1], *level = (const T *)p[2], *x = (const T *)p[3];
    const T *w = (const T *)p[5];
    const int64_t *target = (const int64_t *)p[4];
    T *gx = (T *)p[6], all[TT_CLASS_WIDTH], even[TT_CLASS_WIDTH], hit[TT_CLASS_WIDTH];
    K(column_factors)(p, m, cols, s, all, even, hit);
    CLASSES {
        const T share = w ? w[c] : 1;
        _Pragma("omp simd") COLUMNS {
            const T y = F(exp_negative)((X(c, j) - peak[j]) - level[j]) * all[j];
            GX(c, j) = all[j] == 0 ? 0 : y - even[j] * share;
        }
    }
    COLUMNS if (target[j] != s[1].i) GX(target[j], j) -= hit[j];
}

static void K(nll_columns)(char **p, int64_t m, int64_t cols, const Scalar *s) {
    T *loss = (T *)p[0];
    const T *x = (const T *)p[3], *w = (const T *)p[5];
    const int64_t *target = (const int64_t *)p[4];
    (void)cols;
    COLUMNS {
        const int64_t t = target[j];
        loss[j] = t == s[1].i ? 0 : -X(t, j) * (w ? w[t] : 1);
    }
}

static void K(nll_columns_backward)(char **p, int64_t m, int64_t cols,
                                    const Scalar *s) {
    const T *w = (const T *)p[5];
    const int64_t *target = (const int64_t *)p[4];
    T *gx = (T *)p[6], all[TT_CLASS_WIDTH], even[TT_CLASS_WIDTH], hit[TT_CLASS_WIDTH];
    K(column_factors)(p, m, cols, s, all, even, hit);
    CLASSES COLUMNS GX(c, j) = -even[j] * (w ? w[c] : 1);
    COLUMNS if (target[j] != s[1].i) GX(target[j], j) -= hit[j];
}
#undef COLUMNS
#undef CLASSES
#undef X
#undef GX
