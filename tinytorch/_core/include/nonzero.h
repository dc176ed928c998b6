/* Where the elements that are not zero stand, in two passes over blocks: first how many
   each block has, then their indices.  x is contiguous. */
#ifndef TT_NONZERO_H
#define TT_NONZERO_H
#include <string.h>
#include "call.h"

enum { TT_NONZERO_BLOCK = TT_PART(32768, 64) };

/* Truth of elements by the bits that count: the sign of a float zero does not. */
#define NONZERO(T, mask)                                                               \
    TT_KERNEL int64_t nonzero_count_##T(const void *from, int64_t n) {                 \
        const T *x = (const T *)from;                                                  \
        int64_t count = 0;                                                             \
        for (int64_t i = 0; i < n; i++) count += (x[i] & (T)(mask)) != 0;              \
        return count;                                                                  \
    }                                                                                  \
    static int64_t nonzero_find_##T(const void *from, int64_t n, int32_t *found) {     \
        const T *x = (const T *)from;                                                  \
        int64_t count = 0;                                                             \
        for (int64_t i = 0; i < n; i++) {                                              \
            found[count] = (int32_t)i;                                                 \
            count += (x[i] & (T)(mask)) != 0;                                          \
        }                                                                              \
        return count;                                                                  \
    }
typedef uint16_t half_bits;
typedef uint32_t float_bits;
typedef uint64_t double_bits;
NONZERO(uint8_t, -1) NONZERO(uint16_t, -1) NONZERO(uint32_t, -1) NONZERO(uint64_t, -1)
NONZERO(half_bits, 0x7fff) NONZERO(float_bits, 0x7fffffff)
NONZERO(double_bits, 0x7fffffffffffffff)

typedef int64_t (*NonzeroCount)(const void *, int64_t);
typedef int64_t (*NonzeroFind)(const void *, int64_t, int32_t *);
#define NONZERO_TABLE(f)                                                               \
    {f##float_bits, f##double_bits, f##half_bits, f##half_bits, f##uint64_t,           \
     f##uint32_t, f##uint16_t, f##uint8_t, f##uint8_t, f##uint8_t}
static const NonzeroCount nonzero_counts[10] = NONZERO_TABLE(nonzero_count_);
static const NonzeroFind nonzero_finds[10] = NONZERO_TABLE(nonzero_find_);

static int64_t nonzero_length(const View *x, int64_t block) {
    int64_t n = x->numel - block * TT_NONZERO_BLOCK;
    return n < TT_NONZERO_BLOCK ? n : TT_NONZERO_BLOCK;
}

static void nonzero_count_blocks(void *context, int64_t begin, int64_t end) {
    const KernelCall *call = (const KernelCall *)context;
    const View *x = &call->operand[1];
    int64_t *count = (int64_t *)call->operand[0].data, size = tt_itemsize[x->dtype];
    for (int64_t b = begin; b < end; b++)
        count[b] = nonzero_counts[x->dtype](x->data + b * TT_NONZERO_BLOCK * size,
                                            nonzero_length(x, b));
}

/* operands: counts by block (int64), x */
static int nonzero_count_driver(const KernelCall *call) {
    int64_t blocks = call->operand[0].numel;
    if (blocks <= 1) nonzero_count_blocks((void *)call, 0, blocks);
    else tt_parallel_for(nonzero_count_blocks, (void *)call, blocks, 1);
    return TT_OK;
}

/* The place of element i: one number by dimension, or i itself if there is one row. */
static void nonzero_place(const View *x, const View *y, int64_t i, int64_t column) {
    int64_t *at = (int64_t *)y->data + column, step = y->shape[1];
    if (y->shape[0] == 1) {
        *at = i;
        return;
    }
    for (int d = x->ndim - 1; d >= 0; d--) {
        int64_t rest = i / x->shape[d];
        at[d * step] = i - rest * x->shape[d];
        i = rest;
    }
}

static void nonzero_find_blocks(void *context, int64_t begin, int64_t end) {
    const KernelCall *call = (const KernelCall *)context;
    const View *y = &call->operand[0], *x = &call->operand[1];
    const int64_t *count = (const int64_t *)call->operand[2].data;
    int64_t column = 0, size = tt_itemsize[x->dtype];
    int32_t found[TT_NONZERO_BLOCK + 1];
    for (int64_t b = 0; b < begin; b++) column += count[b];
    for (int64_t b = begin; b < end; b++) {
        int64_t first = b * TT_NONZERO_BLOCK;
        int64_t n = nonzero_finds[x->dtype](x->data + first * size,
                                            nonzero_length(x, b), found);
        for (int64_t k = 0; k < n; k++)
            nonzero_place(x, y, first + found[k], column + k);
        column += n;
    }
}

/* operands: indices (dimensions of x, or 1; number found), x, counts by block */
static int nonzero_driver(const KernelCall *call) {
    int64_t blocks = call->operand[2].numel;
    if (call->operand[0].numel == 0) return TT_OK;
    if (blocks <= 1) nonzero_find_blocks((void *)call, 0, blocks);
    else tt_parallel_for(nonzero_find_blocks, (void *)call, blocks, 1);
    return TT_OK;
}
#endif
