/* Sorting and selection of lines.  Driver: line.h.
   sort    s[1] descending
   topk    s[1] largest, s[2] sorted          kth     s[1] the rank, from 0
   median  s[1] whether NaN are left out      mode    the last index of the value */
#ifndef T
#ifndef TT_SORT_H
#define TT_SORT_H
#include "line.h"
#include "order.h"

/* Two arrays of keys and two of ids. */
#define TT_SORT_WORK 24
enum { TT_FEW = 32 };    /* so many of topk are found by insertion */

#define TT_FILE "sort.h"
#include "each_float.h"
#define T int64_t
#define U uint64_t
#define K(f) f##_i64
#define F(f) tt_##f##_i64
#include "sort.h"
#undef T
#undef U
#undef K
#undef F
#endif
#else

typedef struct {
    U *key, *other;
    uint32_t *id, *other_id;
} F(Work);

static F(Work) F(keys)(const Line *line, int descending) {
    const T *x = (const T *)line->x;
    const U flip = descending ? ~(U)0 : 0;
    F(Work) w;
    w.key = (U *)line->work;
    w.other = w.key + line->n;
    w.id = (uint32_t *)(w.other + line->n);
    w.other_id = w.id + line->n;
    for (int64_t i = 0; i < line->n; i++) w.key[i] = F(key)(x[i]) ^ flip;
    return w;
}

static F(Work) F(sorted)(const Line *line, int descending) {
    F(Work) w = F(keys)(line, descending);
    for (int64_t i = 0; i < line->n; i++) w.id[i] = (uint32_t)i;
    F(sort_keys)(w.key, w.id, w.other, w.other_id, line->n);
    return w;
}

static void F(give)(const Line *line, const uint32_t *id, int64_t m) {
    const T *x = (const T *)line->x;
    T *y = (T *)line->y;
    for (int64_t i = 0; i < m; i++) {
        if (y) y[i] = x[id[i]];
        line->index[i] = id[i];
    }
}

static void K(sort)(const Line *line) {
    F(give)(line, F(sorted)(line, line->s[1].i != 0).id, line->n);
}

/* The first element of rank k. */
static void F(give_rank)(const Line *line, F(Work) w, int64_t n, int64_t k) {
    const T *x = (const T *)line->x;
    memcpy(w.other, w.key, line->n * sizeof(U));
    const U found = F(select_key)(w.other, n, k);
    uint32_t i = 0;
    while (F(key)(x[i]) != found) i++;
    F(give)(line, &i, 1);
}

static void K(kth)(const Line *line) {
    F(give_rank)(line, F(keys)(line, 0), line->n, line->s[1].i);
}

/* The lower of two middle elements; a NaN, if it counts, is the median. */
static void K(median)(const Line *line) {
    const T *x = (const T *)line->x;
    F(Work) w = F(keys)(line, 0);
    int64_t numbers = 0, i = 0;
    uint32_t first_nan = 0;
    for (; i < line->n; i++) {
        w.key[numbers] = w.key[i];
        numbers += x[i] == x[i];
    }
    if (numbers == line->n || (numbers && line->s[1].i)) {
        F(give_rank)(line, w, numbers, (numbers - 1) / 2);
        return;
    }
    while (x[first_nan] == x[first_nan]) first_nan++;
    F(give)(line, &first_nan, 1);
}

/* The smallest of the values that occur most often. */
static void K(mode)(const Line *line) {
    F(Work) w = F(sorted)(line, 0);
    int64_t best = 0, begin = 0;
    uint32_t at = w.id[0];
    for (int64_t i = 0; i < line->n; i++) {
        if (w.key[i] != w.key[begin]) begin = i;
        if (i + 1 - begin > best) best = i + 1 - begin, at = w.id[i];
    }
    F(give)(line, &at, 1);
}

/* A few: kept in order while the line goes by. */
static void F(topk_few)(const Line *line, U flip) {
    const T *x = (const T *)line->x;
    const int64_t k = line->m;
    U key[TT_FEW];
    uint32_t id[TT_FEW];
    for (int64_t i = 0, taken = 0; i < line->n; i++) {
        const U here = F(key)(x[i]) ^ flip;
        if (taken == k && here >= key[k - 1]) continue;
        int64_t j = taken < k ? taken++ : k - 1;
        for (; j > 0 && key[j - 1] > here; j--) key[j] = key[j - 1], id[j] = id[j - 1];
        key[j] = here;
        id[j] = (uint32_t)i;
    }
    F(give)(line, id, k);
}

static void K(topk)(const Line *line) {
    const int64_t n = line->n, k = line->m;
    int64_t taken = 0, less = 0;
    if (k == 0) return;
    if (k <= TT_FEW) {
        F(topk_few)(line, line->s[1].i ? ~(U)0 : 0);
        return;
    }
    if (k > n / 8 && line->s[2].i) {
        F(give)(line, F(sorted)(line, line->s[1].i != 0).id, k);
        return;
    }
    F(Work) w = F(keys)(line, line->s[1].i != 0);
    memcpy(w.other, w.key, n * sizeof(U));
    const U last = F(select_key)(w.other, n, k - 1);
    for (int64_t i = 0; i < n; i++) less += w.key[i] < last;
    int64_t equal = k - less; /* of those that equal the last one, the first */
    for (int64_t i = 0; i < n && taken < k; i++) {
        if (w.key[i] > last || (w.key[i] == last && equal-- <= 0)) continue;
        w.key[taken] = w.key[i];
        w.id[taken++] = (uint32_t)i;
    }
    if (line->s[2].i) F(sort_keys)(w.key, w.id, w.other, w.other_id, k);
    F(give)(line, w.id, k);
}
#endif
