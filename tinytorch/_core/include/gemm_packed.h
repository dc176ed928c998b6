/* Large matrix products in two steps, each of which threads may share: B is packed into
   panels once, then every block of C is made from rows of A and these panels.  The
   strides are those of gemm.h, whose tiles do the work; C's and D's columns touch. */
#ifndef T
#ifndef TT_GEMM_PACKED_H
#define TT_GEMM_PACKED_H
#include "gemm.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TT_PAGE 4096 /* rows further apart than this cost a page table look-up each */

/* True where the kernels below are as fast as the machine: compiled for its vectors,
   which are no longer than 32 bytes. */
static inline int tt_own_is_fast(void) {
#define TT_TEXT_(...) #__VA_ARGS__
#define TT_TEXT(...) TT_TEXT_(__VA_ARGS__)
#ifdef __AVX2__
    const int vectors = 1;
#else
    const int vectors = sizeof(TT_TEXT(TT_CLONES)) > 1; /* not empty */
#endif
#ifdef __x86_64__
    return vectors && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           !__builtin_cpu_supports("avx512f");
#else
    return 0 * vectors;
#endif
}

/* Memory for packed operands.  One piece is kept, as fresh pages cost more than the
   packing; who finds it taken has one of its own. */
static struct {
    _Atomic int taken;
    size_t size;
    void *data;
} tt_kept;

static void *tt_borrow(size_t size, int *kept) {
    *kept = !atomic_exchange(&tt_kept.taken, 1);
    if (!*kept) return malloc(size);
    if (tt_kept.size < size) {
        free(tt_kept.data);
        tt_kept.data = malloc(size);
        tt_kept.size = tt_kept.data ? size : 0;
    }
    return tt_kept.data;
}

static void tt_give_back(void *data, int kept) {
    if (kept)
        atomic_store(&tt_kept.taken, 0);
    else
        free(data);
}

#define TT_FILE "gemm_packed.h"
#include "each_vector.h"
#endif
#else

#define VEC K(tt_vector)

/* Step 1: copy columns begin..end of B, k long, into panels of 2 VL columns, each
   contiguous.  Begin is a multiple of 2 VL; `to` is the first panel of all. */
TT_KERNEL void K(tt_pack_panels)(T *to, int64_t begin, int64_t end, int64_t k,
                                 const T *b, int64_t brs, int64_t bcs) {
    const int64_t whole = bcs == 1 ? end - (end - begin) % (2 * VL) : begin;
    for (int64_t p = 0; p < k && whole > begin; p++) /* along the rows: few pages */
        for (int64_t j = begin; j < whole; j += 2 * VL) {
            T *row = to + j * k + p * 2 * VL;
            *(VEC *)row = *(const VEC *)(b + p * brs + j);
            *(VEC *)(row + VL) = *(const VEC *)(b + p * brs + j + VL);
        }
    for (int64_t j = whole; j < end; j += 2 * VL)
        K(tt_pack)(to + j * k, 2 * VL, b + j * bcs, brs, bcs, k,
                   end - j < 2 * VL ? end - j : 2 * VL);
}

/* Copy a block of A whose columns are contiguous into strips of six rows, k long. */
TT_KERNEL void K(tt_pack_strips)(T *to, int64_t m, int64_t k, const T *a, int64_t acs) {
    for (int64_t p = 0; p < k; p++) {
        const T *x = a + p * acs;
        for (int64_t i = 0; i < m - m % 6; i += 6)
            for (int64_t r = 0; r < 6; r++) to[i * k + p * 6 + r] = x[i + r];
        for (int64_t i = m - m % 6; i < m; i++)
            to[(m - m % 6) * k + p * 6 + i % 6] = x[i];
    }
}

/* Step 2: a block of C from rows of A and the packed panels of B.  Where the rows of A
   are far apart they are copied to `copy`: (m + 5) * TT_PANEL elements, or NULL. */
static void K(tt_packed)(int64_t m, int64_t n, int64_t k, T alpha, const T *a,
                         int64_t ars, int64_t acs, const T *panels, T beta, const T *d,
                         int64_t drs, int rectify, T *c, int64_t crs, T *copy) {
    const int64_t pass = tt_depth(k);
    const int far = copy && (ars > acs ? ars : acs) * sizeof(T) >= TT_PAGE;
    for (int64_t p = 0; p < k; p += pass, beta = 1, d = c, drs = crs) {
        const int64_t depth = k - p < pass ? k - p : pass;
        const T *from = a + p * acs;
        int64_t xrs = ars, xcs = acs, strip = ars;
        if (far && acs != 1) {
            K(tt_pack_strips)(copy, m, depth, from, acs);
            from = copy, strip = depth, xrs = 1, xcs = 6;
        } else if (far) {
            for (int64_t i = 0; i < m; i++)
                memcpy(copy + i * depth, from + i * ars, depth * sizeof(T));
            from = copy, strip = xrs = depth;
        }
        for (int64_t j = 0; j < n; j += 2 * VL)
            K(tt_panel)(2, m, depth, alpha, from, strip, xrs, xcs,
                        panels + j * k + p * 2 * VL, 2 * VL, beta, d + j, drs, 1,
                        rectify && p + depth == k, c + j, crs, 1, 0,
                        n - j < 2 * VL ? n - j : 2 * VL);
    }
}
#undef VEC
#endif
