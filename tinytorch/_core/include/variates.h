/* Normal, exponential and other variates that are functions of the uniform stream.

   PyTorch has two normal streams.  From 16 elements on, where is_contiguous() holds
   (DRAW_NORMAL): blocks of 16 uniforms of the compute type, Box-Muller on the pairs
   (j, j + 8).  A rest of n mod 16 is covered by a block of 16 fresh draws that ends at
   n; float32 and float64 have consumed n mod 16 draws for it before, half types have
   not.  Below 16 elements, or in memory that is permuted or has gaps, however large
   (DRAW_NORMAL_SERIAL): pairs in double, of which the second is kept in the state, so
   that an odd call leaves it for the next call.

   The float32 Box-Muller repeats, operation by operation, the Cephes formulas (Moshier
   1992) by which PyTorch's AVX2 build computes: it equals it in every bit.  fmaf stands
   where that build fuses, so all instruction sets agree. */
#ifndef TT_VARIATES_H
#define TT_VARIATES_H
#include "simd.h"
#include "streams.h"

#define TWO_PI 0x1.921fb54442d18p+2
#define PI 0x1.921fb54442d18p+1

/* ---- Box-Muller ---- */

/* 0 < x <= 1, normal */
TT_INLINE float log_cephes(float x) {
    const uint32_t bits = bits_of_f32(x);
    float m = f32_of_bits((bits & 0x807fffffu) | 0x3f000000u);  /* in [1/2, 1) */
    float e = (float)((int32_t)(bits >> 23) - 127) + 1.0f;
    const int low = m < 0.707106781186547524f;
    e -= low ? 1.0f : 0.0f;
    m = (m - 1.0f) + (low ? m : 0.0f);
    const float z = m * m;
    float y = 7.0376836292e-2f;
    y = fmaf(y, m, -1.1514610310e-1f);
    y = fmaf(y, m, 1.1676998740e-1f);
    y = fmaf(y, m, -1.2420140846e-1f);
    y = fmaf(y, m, 1.4249322787e-1f);
    y = fmaf(y, m, -1.6668057665e-1f);
    y = fmaf(y, m, 2.0000714765e-1f);
    y = fmaf(y, m, -2.4999993993e-1f);
    y = fmaf(y, m, 3.3333331174e-1f);
    y = fmaf(y * m, z, e * -2.12194440e-4f);
    y = fmaf(z, -0.5f, y);
    return fmaf(e, 0.693359375f, m + y);
}

/* x >= 0; octants of pi/4 */
TT_INLINE void sincos_cephes(float x, float *s, float *c) {
    const int32_t j = ((int32_t)(x * 1.27323954473516f) + 1) & ~1;
    const float octants = (float)j;
    x = fmaf(octants, -0.78515625f, x);
    x = fmaf(octants, -2.4187564849853515625e-4f, x);
    x = fmaf(octants, -3.77489497744594108e-8f, x);
    const float z = x * x;
    float cosine = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    cosine = fmaf(cosine, z, 4.166664568298827e-2f);
    cosine = fmaf(cosine * z, z, z * -0.5f) + 1.0f;
    float sine = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    sine = fmaf(sine, z, -1.6666654611e-1f);
    sine = fmaf(sine * z, x, x);
    const uint32_t sine_sign = (uint32_t)(j & 4) << 29;
    const uint32_t cosine_sign = (uint32_t)(~(j - 2) & 4) << 29;
    const int swap = j & 2;
    *s = f32_of_bits(bits_of_f32(swap ? cosine : sine) ^ sine_sign);
    *c = f32_of_bits(bits_of_f32(swap ? sine : cosine) ^ cosine_sign);
}

/* y: n uniforms, n a multiple of 16 */
TT_KERNEL void boxmuller_f32(float *y, int64_t n, float mean, float std) {
    for (; n > 0; n -= 16, y += 16)
        for (int j = 0; j < 8; j++) {
            float sine, cosine;
            const float radius = sqrtf(-2.0f * log_cephes(1.0f - y[j]));
            sincos_cephes((float)TWO_PI * y[j + 8], &sine, &cosine);
            y[j] = fmaf(radius * cosine, std, mean);
            y[j + 8] = fmaf(radius * sine, std, mean);
        }
}

/* The C library's functions, as in PyTorch: polynomials of our own would be faster, but
   they differ by up to 3 ulp. */
static void boxmuller_f64(double *y, int64_t n, double mean, double std) {
    for (; n > 0; n -= 16, y += 16)
        for (int j = 0; j < 8; j++) {
            const double radius = sqrt(-2.0 * log(1.0 - y[j]));
            const double angle = TWO_PI * y[j + 8];
            y[j] = fma(radius * cos(angle), std, mean);
            y[j + 8] = fma(radius * sin(angle), std, mean);
        }
}

/* k normals at x by blocks of 16, k at most BLOCK */
static void normal_block(Rng *r, int dtype, void *x, int64_t k, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    next_words(r, w, dtype == TT_F64 ? 2 * k : k);
    if (dtype == TT_F64) {
        uniform_f64(x, w, k, 0.0, 1.0);
        boxmuller_f64(x, k, s[0].f, s[1].f);
    } else {
        uniform_f32(x, w, k, 0.0f, 1.0f);
        boxmuller_f32(x, k, (float)s[0].f, (float)s[1].f);
    }
}

/* One normal of mean 0 and deviation 1. */
static double next_normal(Rng *r) {
    if (r->spare_set) {
        r->spare_set = 0;
        return r->spare;
    }
    const double angle = TWO_PI * next_double(r);
    const double radius = sqrt(-2.0 * log1p(-next_double(r)));
    r->spare = radius * sin(angle), r->spare_set = 1;
    return radius * cos(angle);
}

static int fill_normal_serial(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    double x[BLOCK];
    if (!is_floating(dtype)) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        EACH(k) x[i] = fma(next_normal(r), s[1].f, s[0].f);
        STORE_F64(k);
    }
    return 0;
}

/* Mean s[0].f, deviation s[1].f. */
static int fill_normal(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    double x[BLOCK];
    const int rest = (int)(n % 16);
    if (!is_floating(dtype)) return -1;
    if (n < 16) return fill_normal_serial(r, dtype, y, n, s);
    for (int64_t k; n >= 16; n -= k) {
        k = MIN(n - n % 16, BLOCK);
        normal_block(r, dtype, x, k, s);
        if (dtype == TT_F64) STORE_F64(k); else STORE_F32(k);
    }
    if (rest) {
        const int unread = dtype == TT_F64 ? 2 * rest : dtype == TT_F32 ? rest : 0;
        for (int i = 0; i < unread; i++) next_word(r);
        y -= (16 - rest) * WIDTH[dtype];
        normal_block(r, dtype, x, 16, s);
        if (dtype == TT_F64) STORE_F64(16); else STORE_F32(16);
    }
    return 0;
}

/* ---- Functions of one draw ---- */

/* u in [0, 1) by steps of 2^-53: 1 - u is exact, so log(1 - u) is log1p(-u). */
TT_KERNEL void exponentials(double *y, const uint32_t *w, int64_t n, double scale) {
    EACH(n) {
        const double u = f64_of_53(long_of(w, i) & MASK_53) * 0x1p-53;
        y[i] = scale * (0.0 - tt_log_f64(1.0 - u));
    }
}

/* Rate s[0].f.  float64 takes the C library's logarithm, so as to agree in every bit;
   narrower types lose the difference in rounding, but for one in 10^8 elements. */
static int fill_exponential(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    double x[BLOCK];
    if (!is_floating(dtype)) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        if (dtype == TT_F64) {
            EACH(k) x[i] = -1.0 / s[0].f * log1p(-next_double(r));
        } else {
            next_words(r, w, 2 * k);
            exponentials(x, w, k, 1.0 / s[0].f);
        }
        STORE_F64(k);
    }
    return 0;
}

/* Probability s[0].f: the number of trials up to the first success. */
static int fill_geometric(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    double x[BLOCK];
    if (dtype == TT_BOOL) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        EACH(k) x[i] = ceil(log(next_double(r)) / log1p(-s[0].f));
        STORE_F64(k);
    }
    return 0;
}

/* Median s[0].f, half width s[1].f; the ends of the interval are cut off. */
static int fill_cauchy(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    double x[BLOCK];
    if (!is_floating(dtype)) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        EACH(k) {
            double u = next_double(r);
            u = u > 1.0 - 0x1p-52 ? 1.0 - 0x1p-52 : u;
            u = u < 0x1p-52 ? 0x1p-52 : u;
            x[i] = fma(s[1].f, tan(PI * (u - 0.5)), s[0].f);
        }
        STORE_F64(k);
    }
    return 0;
}

/* exp of normal_serial, whatever the size. */
static int fill_log_normal(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    double x[BLOCK];
    if (!is_floating(dtype)) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        EACH(k) x[i] = exp(fma(next_normal(r), s[1].f, s[0].f));
        STORE_F64(k);
    }
    return 0;
}

/* ---- All fills ---- */

typedef int (*Fill)(Rng *r, int dtype, char *y, int64_t n, const Scalar *s);
static const Fill FILLS[DRAWS] = {
    [DRAW_UNIFORM] = fill_uniform,
    [DRAW_NORMAL] = fill_normal,
    [DRAW_NORMAL_SERIAL] = fill_normal_serial,
    [DRAW_INTEGERS] = fill_integers,
    [DRAW_LONGS] = fill_longs,
    [DRAW_NATURALS] = fill_naturals,
    [DRAW_BERNOULLI] = fill_bernoulli,
    [DRAW_EXPONENTIAL] = fill_exponential,
    [DRAW_GEOMETRIC] = fill_geometric,
    [DRAW_CAUCHY] = fill_cauchy,
    [DRAW_LOG_NORMAL] = fill_log_normal,
    [DRAW_PERMUTATION] = fill_permutation,
};
#endif
