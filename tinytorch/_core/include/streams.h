/* Streams that equal PyTorch's bit for bit: uniform, integers, Bernoulli, shuffle.

   Every fill writes n contiguous elements, the draws in order.  PyTorch walks an output
   in the order of its memory (dimensions sorted by stride, the smallest innermost), not
   in logical order: a dense permuted tensor is one contiguous fill, and one with gaps
   is filled contiguously and then scattered in the order of its strides.  Samplers with
   tensor operands walk these in the order of the output, which is new and contiguous
   except in bernoulli_(p).

   32-bit draws: uniforms of float32, float16 and bfloat16 (the low 24 bits); integers
   of a range below 2^28; Bernoulli whose probabilities are a tensor but not float64.
   64-bit draws (two words, the first one high; the low 53 bits make a double): all the
   rest, Bernoulli with a scalar probability in every dtype included. */
#ifndef TT_STREAMS_H
#define TT_STREAMS_H
#include <math.h>
#include "convert.h"
#include "mt19937.h"

enum { BLOCK = 512 };  /* elements at a time: buffers stay in the first cache */
#define EACH(n) for (int64_t i = 0; i < (n); i++)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static const int8_t WIDTH[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};

/* Values of a block to elements at y, which moves on. */
#define STORE_F32(k) (tt_store[0][dtype](y, x, k, 1), y += (k) * WIDTH[dtype])
#define STORE_F64(k) (tt_store[1][dtype](y, x, k, 1), y += (k) * WIDTH[dtype])
#define STORE_I64(k) (tt_store[2][dtype](y, x, k, 1), y += (k) * WIDTH[dtype])

TT_INLINE int is_floating(int dtype) { return dtype <= TT_BF16; }

/* x as a value of a floating dtype */
TT_INLINE double round_to(int dtype, double x) {
    return dtype == TT_F64    ? x
           : dtype == TT_F16  ? f32_of_f16(f16_of_f32((float)x))
           : dtype == TT_BF16 ? f32_of_bf16(bf16_of_f32((float)x))
                              : (float)x;
}

/* ---- Uniform in [from, to) ---- */

TT_KERNEL void uniform_f32(float *y, const uint32_t *w, int64_t n, float from,
                           float to) {
    const float span = to - from;
    EACH(n) y[i] = fmaf((float)(int32_t)(w[i] & 0xffffff) * 0x1p-24f, span, from);
}

TT_KERNEL void uniform_f64(double *y, const uint32_t *w, int64_t n, double from,
                           double to) {
    const double span = to - from;
    EACH(n) y[i] = fma(f64_of_53(long_of(w, i) & MASK_53) * 0x1p-53, span, from);
}

/* What rounding has lifted to the upper bound becomes the lower one. */
TT_KERNEL void fold_f32(float *x, int64_t n, int dtype, float from, float to) {
    EACH(n) x[i] = (float)round_to(dtype, x[i]) == to ? from : x[i];
}

TT_KERNEL void fold_f64(double *x, int64_t n, double from, double to) {
    EACH(n) x[i] = x[i] == to ? from : x[i];
}

static int fill_uniform(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    union { float f[BLOCK]; double d[BLOCK]; } block;
    const double from = round_to(dtype, s[0].f), to = round_to(dtype, s[1].f);
    if (!is_floating(dtype)) return -1;
    for (int64_t k; n > 0; n -= k) {
        void *x = &block;
        k = MIN(n, BLOCK);
        if (dtype == TT_F64) {
            next_words(r, w, 2 * k);
            uniform_f64(block.d, w, k, from, to);
            fold_f64(block.d, k, from, to);
            STORE_F64(k);
        } else {
            next_words(r, w, k);
            uniform_f32(block.f, w, k, (float)s[0].f, (float)s[1].f);
            fold_f32(block.f, k, dtype, (float)from, (float)to);
            STORE_F32(k);
        }
    }
    return 0;
}

/* ---- Integers ---- */

/* w mod range for range < 2^28: the quotient by multiplication is off by at most 1. */
TT_KERNEL void remainders(int64_t *y, const uint32_t *w, int64_t n, int32_t range,
                          int64_t base) {
    const double inverse = 1.0 / range;
    EACH(n) {
        const double v = (double)(int32_t)(w[i] ^ 0x80000000u) + 0x1p31;
        int32_t rest = (int32_t)(v - floor(v * inverse) * range);
        rest += rest < 0 ? range : 0;
        rest -= rest >= range ? range : 0;
        y[i] = base + rest;
    }
}

/* From s[0].i up to, but without, s[1].i; at most 2^64 - 1 values (s[1].i may wrap). */
static int fill_integers(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    int64_t x[BLOCK];
    const uint64_t base = (uint64_t)s[0].i, range = (uint64_t)s[1].i - base;
    const int wide = range >= 1u << 28;
    if (range == 0) return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        next_words(r, w, k << wide);
        if (wide)
            EACH(k) x[i] = (int64_t)(long_of(w, i) % range + base);
        else
            remainders(x, w, k, (int32_t)range, s[0].i);
        STORE_I64(k);
    }
    return 0;
}

/* All 2^64 values: random_(-2**63, None). */
static int fill_longs(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    int64_t x[BLOCK];
    (void)s;
    if (dtype != TT_I64 && dtype != TT_F64 && dtype != TT_F32 && dtype != TT_BF16)
        return -1;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        next_words(r, w, 2 * k);
        EACH(k) x[i] = (int64_t)long_of(w, i);
        STORE_I64(k);
    }
    return 0;
}

/* random_() without bounds: 0 to the largest integer, or to 2^digits of a float. */
static int fill_naturals(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    static const uint64_t RANGE[] = {
        (1 << 24) + 1, (1ULL << 53) + 1, (1 << 11) + 1, (1 << 8) + 1,
        1ULL << 63, 1ULL << 31, 1 << 15, 1 << 7, 1 << 8, 2};
    uint32_t w[2 * BLOCK];
    int64_t x[BLOCK];
    const int wide = dtype == TT_F64 || dtype == TT_I64;
    (void)s;
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        next_words(r, w, k << wide);
        EACH(k) x[i] = (int64_t)((wide ? long_of(w, i) : w[i]) % RANGE[dtype]);
        STORE_I64(k);
    }
    return 0;
}

/* ---- Bernoulli ---- */

/* u < p for u = v 2^-53 is v < p 2^53, and v is an integer. */
TT_KERNEL void below(float *y, const uint32_t *w, int64_t n, int64_t limit) {
    EACH(n) y[i] = (int64_t)(long_of(w, i) & MASK_53) < limit ? 1.0f : 0.0f;
}

static int fill_bernoulli(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    uint32_t w[2 * BLOCK];
    float x[BLOCK];
    const int64_t limit = (int64_t)ceil(s[0].f * 0x1p53);
    for (int64_t k; n > 0; n -= k) {
        k = MIN(n, BLOCK);
        next_words(r, w, 2 * k);
        below(x, w, k, limit);
        STORE_F32(k);
    }
    return 0;
}

/* p: n probabilities in [0, 1] (the caller has looked), of a floating dtype. */
static void sample_bernoulli(Rng *r, int dtype, char *y, int p_dtype, const char *p,
                             int64_t n) {
    uint32_t w[2 * BLOCK];
    double limit[BLOCK];
    float x[BLOCK];
    const int wide = p_dtype == TT_F64;
    for (int64_t k; n > 0; n -= k, p += k * WIDTH[p_dtype]) {
        k = MIN(n, BLOCK);
        tt_load[1][p_dtype](limit, p, k, 1);
        next_words(r, w, k << wide);
        if (wide)
            EACH(k) x[i] = (double)(long_of(w, i) & MASK_53) * 0x1p-53 < limit[i];
        else
            EACH(k) x[i] = (double)(w[i] & 0xffffff) * 0x1p-24 < limit[i];
        STORE_F32(k);
    }
}

/* ---- Permutations ---- */

/* PyTorch's two shuffles: from this size on 32 bits would bias the choice.  Targets are
   computed a block ahead, so that their cache lines can be on their way. */
enum { SHUFFLE_LONG = 214748364 };

#define SHUFFLE(NAME, T)                                                               \
    static void NAME(Rng *r, T *y, int64_t n) {                                        \
        uint32_t w[2 * BLOCK];                                                         \
        int64_t target[BLOCK];                                                         \
        const int wide = n >= SHUFFLE_LONG;                                            \
        const int64_t end = wide ? n : n - 1;                                          \
        for (int64_t k, at = 0; at < end; at += k) {                                   \
            k = MIN(end - at, BLOCK);                                                  \
            next_words(r, w, k << wide);                                               \
            EACH(k) {                                                                  \
                target[i] = wide ? (int64_t)(long_of(w, i) % (uint64_t)(at + i + 1))   \
                                 : at + i + w[i] % (uint32_t)(n - at - i);             \
                __builtin_prefetch(y + target[i], 1);                                  \
            }                                                                          \
            EACH(k) {                                                                  \
                const T kept = y[at + i];                                              \
                y[at + i] = y[target[i]];                                              \
                y[target[i]] = kept;                                                   \
            }                                                                          \
        }                                                                              \
    }
SHUFFLE(shuffle_1, uint8_t)
SHUFFLE(shuffle_2, uint16_t)
SHUFFLE(shuffle_4, uint32_t)
SHUFFLE(shuffle_8, uint64_t)

static int fill_permutation(Rng *r, int dtype, char *y, int64_t n, const Scalar *s) {
    int64_t x[BLOCK];
    void *first = y;
    (void)s;
    for (int64_t k, at = 0; at < n; at += k) {
        k = MIN(n - at, BLOCK);
        EACH(k) x[i] = at + i;
        STORE_I64(k);
    }
    switch (WIDTH[dtype]) {
    case 1: shuffle_1(r, first, n); break;
    case 2: shuffle_2(r, first, n); break;
    case 4: shuffle_4(r, first, n); break;
    default: shuffle_8(r, first, n); break;
    }
    return 0;
}
#endif
