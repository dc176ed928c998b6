/* Sorting by keys: unsigned words in the order of the values, NaN last.  Equal keys
   keep their order.  Keys of descending order are the complements: NaN comes first. */
#ifndef T
#ifndef TT_ORDER_H
#define TT_ORDER_H
#include <math.h>
#include <string.h>

#include "kernel.h"

enum { TT_INSERTION = 24 };       /* up to here insertion beats counting */

#define TT_FILE "order.h"
#include "each_float.h"

TT_INLINE uint64_t tt_key_i64(int64_t x) { return (uint64_t)x ^ (uint64_t)1 << 63; }
#define T int64_t
#define U uint64_t
#define F(f) tt_##f##_i64
#define TT_KEYED
#include "order.h"
#undef TT_KEYED
#undef T
#undef U
#undef F
#endif
#else

#ifndef TT_KEYED
TT_INLINE U F(key)(T x) {
    const U sign = (U)1 << (8 * sizeof(U) - 1);
    U u;
    if (x != x) return ~(U)0;
    if (x == 0) return sign;
    memcpy(&u, &x, sizeof u);
    return u & sign ? ~u : u | sign;
}
#endif

/* One digit of 8 bits: keys and ids in stable order of it. */
static void F(digit)(const U *key, const uint32_t *id, U *to_key, uint32_t *to_id,
                     int64_t n, int shift, uint32_t *count) {
    uint32_t start = 0;
    for (int d = 0; d < 256; d++) {
        const uint32_t here = count[d];
        count[d] = start;
        start += here;
    }
    for (int64_t i = 0; i < n; i++) {
        const uint32_t at = count[key[i] >> shift & 255]++;
        to_key[at] = key[i];
        to_id[at] = id[i];
    }
}

static void F(insertion)(U *key, uint32_t *id, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const U k = key[i];
        const uint32_t what = id[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] > k; j--) key[j] = key[j - 1], id[j] = id[j - 1];
        key[j] = k;
        id[j] = what;
    }
}

/* Sort n keys with their ids; the second pair of arrays is working memory.  Digits that
   all keys share cost nothing.  Of the keys only the order and equality remain. */
static void F(sort_keys)(U *key, uint32_t *id, U *other_key, uint32_t *other_id,
                         int64_t n) {
    uint32_t count[sizeof(U)][256];
    U *from = key, *to = other_key;
    uint32_t *from_id = id, *to_id = other_id;
    if (n <= TT_INSERTION) {
        F(insertion)(key, id, n);
        return;
    }
    /* Counted from the least key, so that a small range of values has few digits. */
    U least = key[0];
    for (int64_t i = 1; i < n; i++) least = key[i] < least ? key[i] : least;
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < n; i++) {
        key[i] -= least;
        for (unsigned b = 0; b < sizeof(U); b++) count[b][key[i] >> 8 * b & 255]++;
    }
    for (unsigned b = 0; b < sizeof(U); b++) {
        if (count[b][from[0] >> 8 * b & 255] == (uint32_t)n) continue;
        F(digit)(from, from_id, to, to_id, n, 8 * b, count[b]);
        U *swapped = from;
        from = to, to = swapped;
        uint32_t *swapped_id = from_id;
        from_id = to_id, to_id = swapped_id;
    }
    if (from != key) {
        memcpy(key, from, n * sizeof *key);
        memcpy(id, from_id, n * sizeof *id);
    }
}

/* The key of rank k, from 0; `key` is shortened to the candidates, digit by digit. */
static U F(select_key)(U *key, int64_t n, int64_t k) {
    if (n <= TT_INSERTION) {
        uint32_t id[TT_INSERTION] = {0};
        F(insertion)(key, id, n);
        return key[k];
    }
    for (int shift = 8 * (int)sizeof(U) - 8; shift >= 0 && n > 1; shift -= 8) {
        int64_t count[256] = {0}, kept = 0;
        int d = 0;
        for (int64_t i = 0; i < n; i++) count[key[i] >> shift & 255]++;
        while (k >= count[d]) k -= count[d++];
        if (count[d] == n) continue;
        for (int64_t i = 0; i < n; i++) {
            key[kept] = key[i];
            kept += (int)(key[i] >> shift & 255) == d;
        }
        n = kept;
    }
    return key[0];
}
#endif
