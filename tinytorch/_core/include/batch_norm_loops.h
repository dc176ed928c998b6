/* The loops of batch_norm.h: batch norm over tasks of `block` channels, group norm over
   tasks of one sample's group. */

#define ROW(p, i, c) ((const T *)(n->p) + ((i) * n->channels + (c)) * n->run)

/* Sums over the samples of channels [c, c + m) of the expression, in double: as runs
   where those are long, else column by column. */
#define CHANNEL_SUMS(SUM, RUN, ELEMENT)                                                \
    double SUM[TT_CHANNEL_WIDTH];                                                      \
    {                                                                                  \
        double column[TT_CHANNEL_WIDTH] = {0};                                         \
        const int64_t width = m * n->run;                                              \
        for (int64_t i = 0; i < n->samples; i++) {                                     \
            const T *x = ROW(x, i, c), *gy = n->gy ? ROW(gy, i, c) : x;                \
            (void)gy, (void)x;                                                         \
            if (n->run >= TT_CHANNEL_RUN) column[0] += (RUN);                          \
            else for (int64_t j = 0; j < width; j++) column[j] += (ELEMENT);           \
        }                                                                              \
        for (int64_t k = 0; k < m; k++) SUM[k] = 0;                                    \
        if (n->run >= TT_CHANNEL_RUN) SUM[0] = column[0];                              \
        else for (int64_t j = 0; j < width; j++) SUM[j / n->run] += column[j];         \
    }

/* Writes the expression of element j for all samples; k is its channel. */
#define CHANNEL_WRITE(OUT, ELEMENT)                                                    \
    for (int64_t i = 0; i < n->samples; i++) {                                         \
        const T *x = ROW(x, i, c), *gy = n->gy ? ROW(gy, i, c) : x;                    \
        T *out = (T *)n->OUT + (i * n->channels + c) * n->run;                         \
        (void)gy;                                                                      \
        if (n->run >= TT_CHANNEL_RUN) {                                                \
            const int64_t k = 0;                                                       \
            _Pragma("omp simd") for (int64_t j = 0; j < n->run; j++)                   \
                out[j] = (ELEMENT);                                                    \
        } else if (n->run == 1) {                                                      \
            _Pragma("omp simd") for (int64_t j = 0; j < m; j++) {                      \
                const int64_t k = j;                                                   \
                out[j] = (ELEMENT);                                                    \
            }                                                                          \
        } else {                                                                       \
            for (int64_t k = 0; k < m; k++)                                            \
                for (int64_t j = k * n->run; j < (k + 1) * n->run; j++)                \
                    out[j] = (ELEMENT);                                                \
        }                                                                              \
    }

TT_INLINE double F(square_of)(T x) { return (double)x * (double)x; }

static void F(update_averages)(const ChannelNorm *n, int64_t c, double mean,
                               double var) {
    T *average = (T *)n->running_mean + c, *variance = (T *)n->running_var + c;
    const double count = (double)(n->samples * n->run);
    *average = (T)((1 - n->momentum) * *average + n->momentum * mean);
    *variance = (T)((1 - n->momentum) * *variance +
                    n->momentum * var * (count / (count - 1)));
}

TT_KERNEL void K(batch_norm_forward)(const ChannelNorm *n, int64_t begin, int64_t end) {
    const double count = (double)(n->samples * n->run);
    T mean[TT_CHANNEL_WIDTH], scale[TT_CHANNEL_WIDTH], shift[TT_CHANNEL_WIDTH];
    for (int64_t task = begin; task < end; task++) {
        const int64_t c = task * n->block;
        const int64_t m = n->channels - c < n->block ? n->channels - c : n->block;
        double var[TT_CHANNEL_WIDTH];
        if (n->training) {
            CHANNEL_SUMS(sum, F(row_sum)(x, n->run), x[j])
            T centre[TT_CHANNEL_WIDTH]; /* by column */
            for (int64_t k = 0; k < m; k++) mean[k] = (T)(sum[k] / count);
            for (int64_t j = 0; j < m * n->run && j < TT_CHANNEL_WIDTH; j++)
                centre[j] = mean[j / n->run];
            CHANNEL_SUMS(square, F(row_square)(x, mean[0], n->run),
                         F(square_of)(x[j] - centre[j]))
            for (int64_t k = 0; k < m; k++) {
                var[k] = square[k] / count;
                if (n->running_mean)
                    F(update_averages)(n, c + k, sum[k] / count, var[k]);
            }
        } else {
            for (int64_t k = 0; k < m; k++) {
                mean[k] = ((const T *)n->running_mean)[c + k];
                var[k] = ((const T *)n->running_var)[c + k];
            }
        }
        for (int64_t k = 0; k < m; k++) {
            const T rstd = (T)(1 / sqrt(var[k] + n->eps));
            ((T *)n->mean)[c + k] = mean[k];
            ((T *)n->rstd)[c + k] = rstd;
            scale[k] = n->w ? rstd * ((const T *)n->w)[c + k] : rstd;
            shift[k] = n->b ? ((const T *)n->b)[c + k] : 0;
        }
        CHANNEL_WRITE(y, (x[j] - mean[k]) * scale[k] + shift[k])
    }
}

/* With h = (x - mean) rstd: gb = sum(gy), gw = sum(gy h), and in training
   gx = w rstd (gy - mean(gy) - h mean(gy h)), else gx = w rstd gy */
TT_KERNEL void K(batch_norm_backward)(const ChannelNorm *n, int64_t begin,
                                      int64_t end) {
    const T count = (T)(n->samples * n->run);
    T mean[TT_CHANNEL_WIDTH], level[TT_CHANNEL_WIDTH], slope[TT_CHANNEL_WIDTH];
    T scale[TT_CHANNEL_WIDTH], centre[TT_CHANNEL_WIDTH];
    for (int64_t task = begin; task < end; task++) {
        const int64_t c = task * n->block;
        const int64_t m = n->channels - c < n->block ? n->channels - c : n->block;
        for (int64_t k = 0; k < m; k++) mean[k] = ((const T *)n->mean)[c + k];
        for (int64_t j = 0; j < m * n->run && j < TT_CHANNEL_WIDTH; j++)
            centre[j] = mean[j / n->run];
        CHANNEL_SUMS(sum, F(row_sum)(gy, n->run), gy[j])
        CHANNEL_SUMS(dot, F(row_centred_dot)(gy, x, mean[0], n->run),
                     (double)gy[j] * (x[j] - centre[j]))
        for (int64_t k = 0; k < m; k++) {
            const T rstd = ((const T *)n->rstd)[c + k];
            ((T *)n->gw)[c + k] = (T)dot[k] * rstd;
            ((T *)n->gb)[c + k] = (T)sum[k];
            level[k] = n->training ? (T)sum[k] / count : 0;
            slope[k] = n->training ? (T)dot[k] * rstd * rstd / count : 0;
            scale[k] = n->w ? rstd * ((const T *)n->w)[c + k] : rstd;
        }
        CHANNEL_WRITE(gx, scale[k] * (gy[j] - level[k] - (x[j] - mean[k]) * slope[k]))
    }
}

TT_KERNEL void K(group_norm_forward)(const ChannelNorm *n, int64_t begin, int64_t end) {
    const int64_t D = n->channels / n->groups, cols = D * n->run;
    const T *w = (const T *)n->w, *b = (const T *)n->b;
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)n->x + row * cols;
        T *y = (T *)n->y + row * cols;
        const T mean = F(row_sum)(x, cols) / (T)cols;
        const T rstd = 1 / L(sqrt)(F(row_square)(x, mean, cols) / (T)cols + (T)n->eps);
        ((T *)n->mean)[row] = mean;
        ((T *)n->rstd)[row] = rstd;
        for (int64_t d = 0; d < D; d++, x += n->run, y += n->run) {
            const int64_t c = row % n->groups * D + d;
            const T scale = w ? rstd * w[c] : rstd, shift = b ? b[c] : 0;
            for (int64_t j = 0; j < n->run; j++) y[j] = (x[j] - mean) * scale + shift;
        }
    }
}

/* As batch norm's, with the means over a group and g = gy w in place of gy. */
TT_KERNEL void K(group_norm_backward)(const ChannelNorm *n, int64_t begin,
                                      int64_t end) {
    const int64_t D = n->channels / n->groups, cols = D * n->run;
    const T *w = (const T *)n->w;
    T *dots = (T *)n->partial, *sums = dots + n->samples * n->channels;
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)n->x + row * cols, *gy = (const T *)n->gy + row * cols;
        const T mean = ((const T *)n->mean)[row], rstd = ((const T *)n->rstd)[row];
        T *gx = (T *)n->gx + row * cols, level = 0, slope = 0;
        for (int64_t d = 0; d < D; d++) {
            const int64_t c = row % n->groups * D + d, at = row * D + d;
            const T *gys = gy + d * n->run, *xs = x + d * n->run;
            sums[at] = F(row_sum)(gys, n->run);
            dots[at] = F(row_centred_dot)(gys, xs, mean, n->run) * rstd;
            level += sums[at] * (w ? w[c] : 1);
            slope += dots[at] * (w ? w[c] : 1);
        }
        level /= (T)cols;
        slope *= rstd / (T)cols;
        for (int64_t d = 0; d < D; d++) {
            const T scale = w ? w[row % n->groups * D + d] : 1;
            for (int64_t j = d * n->run; j < (d + 1) * n->run; j++)
                gx[j] = rstd * (gy[j] * scale - level - (x[j] - mean) * slope);
        }
    }
}

/* gw and gb from what each sample adds */
static void K(group_norm_join)(const ChannelNorm *n) {
    const T *dots = (const T *)n->partial, *sums = dots + n->samples * n->channels;
    for (int64_t c = 0; c < n->channels; c++) {
        double dot = 0, sum = 0;
        for (int64_t i = 0; i < n->samples; i++) {
            dot += dots[i * n->channels + c];
            sum += sums[i * n->channels + c];
        }
        ((T *)n->gw)[c] = (T)dot;
        ((T *)n->gb)[c] = (T)sum;
    }
}
#undef ROW
#undef CHANNEL_SUMS
#undef CHANNEL_WRITE
