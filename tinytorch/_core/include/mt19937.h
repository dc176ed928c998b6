/* The Mersenne Twister MT19937 (Matsumoto, Nishimura 1998), word by word and in bulk.

   A 64-bit draw is two words, the first one high; a double uses its low 53 bits. */
#ifndef TT_MT19937_H
#define TT_MT19937_H
#include "rng.h"

enum { MT_SHIFT = 397, MT_HEAD = MT_WORDS - MT_SHIFT };

#define MASK_53 ((1ULL << 53) - 1)

TT_INLINE uint32_t mt_twist(uint32_t u, uint32_t v) {
    return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^ (-(v & 1u) & 0x9908b0dfu);
}

TT_INLINE uint32_t mt_temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* The next 624 words in place.  Each needs its own old value, its neighbour's old value
   and one that lies MT_SHIFT ahead: both loops vectorise. */
TT_KERNEL void mt_renew(uint32_t *w) {
    for (int j = 0; j < MT_HEAD; j++)
        w[j] = w[j + MT_SHIFT] ^ mt_twist(w[j], w[j + 1]);
    for (int j = MT_HEAD; j < MT_WORDS - 1; j++)
        w[j] = w[j - MT_HEAD] ^ mt_twist(w[j], w[j + 1]);
    w[MT_WORDS - 1] = w[MT_SHIFT - 1] ^ mt_twist(w[MT_WORDS - 1], w[0]);
}

TT_KERNEL void mt_temper_all(uint32_t *restrict y, const uint32_t *restrict w,
                             int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = mt_temper(w[i]);
}

static void mt_seed(Rng *r, uint64_t seed) {
    uint32_t word = (uint32_t)seed;
    r->seed = seed;
    r->word[0] = word;
    for (uint32_t i = 1; i < MT_WORDS; i++)
        r->word[i] = word = 1812433253u * (word ^ (word >> 30)) + i;
    r->left = 1, r->next = 0;
    r->spare_set = r->spare_float_set = 0;
}

TT_INLINE uint32_t next_word(Rng *r) {
    if (--r->left == 0) {
        mt_renew(r->word);
        r->left = MT_WORDS, r->next = 0;
    }
    return mt_temper(r->word[r->next++]);
}

TT_INLINE uint64_t next_long(Rng *r) {
    uint64_t high = next_word(r);
    return high << 32 | next_word(r);
}

/* Uniform in [0, 1). */
TT_INLINE double next_double(Rng *r) {
    return (double)(int64_t)(next_long(r) & MASK_53) * 0x1p-53;
}

/* n draws into y, the same as n calls of next_word. */
static void next_words(Rng *r, uint32_t *y, int64_t n) {
    while (n > 0) {
        if (r->left == 1) {
            mt_renew(r->word);
            r->left = MT_WORDS + 1, r->next = 0;
        }
        int64_t k = r->left - 1 < n ? r->left - 1 : n;
        mt_temper_all(y, r->word + r->next, k);
        r->left -= (int32_t)k, r->next += (uint32_t)k;
        y += k, n -= k;
    }
}

/* The i-th 64-bit draw of a block of words; as a rotation it vectorises better. */
TT_INLINE uint64_t long_of(const uint32_t *w, int64_t i) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t pair;
    memcpy(&pair, w + 2 * i, 8);
    return pair << 32 | pair >> 32;
#else
    return (uint64_t)w[2 * i] << 32 | w[2 * i + 1];
#endif
}

/* v < 2^53 exactly; unlike the instruction this vectorises without AVX-512. */
TT_INLINE double f64_of_53(uint64_t v) {
    union { uint64_t i; double d; } high = {v >> 32 | 0x4530000000000000ULL};
    union { uint64_t i; double d; } low = {(v & 0xffffffffULL) | 0x4330000000000000ULL};
    return (high.d - 0x1.00000001p84) + low.d;
}
#endif
