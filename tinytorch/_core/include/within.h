/* Whether |x| <= limit holds for all of a block; NaN is outside (part of loops.h). */
TT_KERNEL int F(within)(const T *x, int64_t n, T limit) {
    S outside = 0;
    _Pragma("omp simd reduction(| : outside)") for (int64_t i = 0; i < n; i++)
        outside |= !(F(abs)(x[i]) <= limit);
    return !outside;
}
