/* The loops of norm.h over rows [begin, end). */

/* Wide rows are read three times, from the first-level cache but for the first. */
TT_KERNEL void K(layer_norm_forward)(const Norm *n, int64_t begin, int64_t end,
                                     void *gw, void *gb) {
    const int64_t cols = n->cols;
    const T *x = (const T *)n->x + begin * cols;
    const T *w = (const T *)n->w, *b = (const T *)n->b;
    T *y = (T *)n->y + begin * cols;
    (void)gw, (void)gb;
    for (int64_t i = begin; i < end; i++, x += cols, y += cols) {
        const T mean = n->centre ? F(row_sum)(x, cols) / (T)cols : 0;
        const T rstd = 1 / L(sqrt)(F(row_square)(x, mean, cols) / (T)cols + (T)n->eps);
        ((T *)n->mean)[i] = mean;
        ((T *)n->rstd)[i] = rstd;
        if (w && b)
            for (int64_t j = 0; j < cols; j++)
                y[j] = (x[j] - mean) * rstd * w[j] + b[j];
        else if (w)
            for (int64_t j = 0; j < cols; j++) y[j] = (x[j] - mean) * rstd * w[j];
        else if (b)
            for (int64_t j = 0; j < cols; j++) y[j] = (x[j] - mean) * rstd + b[j];
        else
            for (int64_t j = 0; j < cols; j++) y[j] = (x[j] - mean) * rstd;
    }
}

/* With h = (x - mean) rstd and g = gy w:
   gx = rstd (g - mean(g) - h mean(g h)),  gw += gy h,  gb += gy */
TT_KERNEL void K(layer_norm_backward)(const Norm *n, int64_t begin, int64_t end,
                                      void *weight_sum, void *bias_sum) {
    const int64_t cols = n->cols;
    const T *x = (const T *)n->x + begin * cols, *gy = (const T *)n->gy + begin * cols;
    const T *w = (const T *)n->w;
    T *gx = (T *)n->y + begin * cols;
    T *restrict gw = (T *)weight_sum, *restrict gb = (T *)bias_sum;
    for (int64_t i = begin; i < end; i++, x += cols, gx += cols, gy += cols) {
        const T mean = ((const T *)n->mean)[i], rstd = ((const T *)n->rstd)[i];
        T sum = 0, dot = 0;
        if (w) {
            _Pragma("omp simd reduction(+ : sum, dot)")
            for (int64_t j = 0; j < cols; j++) {
                const T h = (x[j] - mean) * rstd, g = gy[j] * w[j];
                sum += g;
                dot += g * h;
                gw[j] += gy[j] * h;
                gb[j] += gy[j];
            }
        } else {
            _Pragma("omp simd reduction(+ : sum, dot)")
            for (int64_t j = 0; j < cols; j++) {
                const T h = (x[j] - mean) * rstd;
                sum += gy[j];
                dot += gy[j] * h;
                gb[j] += gy[j];
            }
        }
        const T level = n->centre ? sum / (T)cols : 0, slope = dot / (T)cols;
        if (w)
            for (int64_t j = 0; j < cols; j++)
                gx[j] = rstd * (gy[j] * w[j] - level - (x[j] - mean) * rstd * slope);
        else
            for (int64_t j = 0; j < cols; j++)
                gx[j] = rstd * (gy[j] - level - (x[j] - mean) * rstd * slope);
    }
}
