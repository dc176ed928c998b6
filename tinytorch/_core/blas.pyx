"""Matrix products.  The only module that says `cblas`; rows first, on both sides.

Small and thin products go to the kernels of `include/gemm.h`, and so do large ones
where these are as fast as any (AVX2).  Elsewhere (AVX-512, Arm) OpenBLAS, with one
thread of its own, does a block of a large product at a time.  Blocks depend on the
shape alone, so results do not depend on the number of threads.
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc

from tinytorch._core.openblas cimport blas_symbol
from tinytorch._core.threads cimport parallel_for

__all__ = []

cdef extern from "gemm.h" nogil:
    enum:
        TT_F32, TT_F64, TT_I64
        TT_PANEL
        SMALL "TT_GEMM_SMALL"
        TASK "TT_GEMM_TASK"
        PACKED_BYTES "TT_PACKED_BYTES"
        PACKED_COLUMNS "TT_PACKED_COLUMNS"
        BLOCK_ROWS "TT_BLOCK_ROWS"
    void tt_gemm_f32(
        int64_t m, int64_t n, int64_t k, float alpha,
        const float* a, int64_t ars, int64_t acs,
        const float* b, int64_t brs, int64_t bcs,
        float beta, const float* d, int64_t drs, int64_t dcs,
        bint rectify, float* c, int64_t crs, int64_t ccs)
    void tt_gemm_f64(
        int64_t m, int64_t n, int64_t k, double alpha,
        const double* a, int64_t ars, int64_t acs,
        const double* b, int64_t brs, int64_t bcs,
        double beta, const double* d, int64_t drs, int64_t dcs,
        bint rectify, double* c, int64_t crs, int64_t ccs)
    void tt_gemm_i64(
        int64_t m, int64_t n, int64_t k, uint64_t alpha,
        const uint64_t* a, int64_t ars, int64_t acs,
        const uint64_t* b, int64_t brs, int64_t bcs,
        uint64_t beta, const uint64_t* d, int64_t drs, int64_t dcs,
        bint rectify, uint64_t* c, int64_t crs, int64_t ccs)

cdef extern from "gemm_packed.h" nogil:
    bint tt_own_is_fast()
    void* tt_borrow(size_t size, int* kept)
    void tt_give_back(void* data, int kept)
    void tt_pack_panels_f32(
        float* to, int64_t begin, int64_t end, int64_t k,
        const float* b, int64_t brs, int64_t bcs)
    void tt_packed_f32(
        int64_t m, int64_t n, int64_t k, float alpha,
        const float* a, int64_t ars, int64_t acs, const float* panels,
        float beta, const float* d, int64_t drs, bint rectify,
        float* c, int64_t crs, float* copy)
    void tt_pack_panels_f64(
        double* to, int64_t begin, int64_t end, int64_t k,
        const double* b, int64_t brs, int64_t bcs)
    void tt_packed_f64(
        int64_t m, int64_t n, int64_t k, double alpha,
        const double* a, int64_t ars, int64_t acs, const double* panels,
        double beta, const double* d, int64_t drs, bint rectify,
        double* c, int64_t crs, double* copy)
    void tt_pack_panels_i64(
        uint64_t* to, int64_t begin, int64_t end, int64_t k,
        const uint64_t* b, int64_t brs, int64_t bcs)
    void tt_packed_i64(
        int64_t m, int64_t n, int64_t k, uint64_t alpha,
        const uint64_t* a, int64_t ars, int64_t acs, const uint64_t* panels,
        uint64_t beta, const uint64_t* d, int64_t drs, bint rectify,
        uint64_t* c, int64_t crs, uint64_t* copy)

# ---- OpenBLAS ----

cdef enum:  # of cblas.h
    ROW_MAJOR = 101
    NO_TRANS = 111
    TRANS = 112

ctypedef void (*Sgemm)(
    int order, int ta, int tb, int m, int n, int k, float alpha, const float* a,
    int lda, const float* b, int ldb, float beta, float* c, int ldc) noexcept nogil
ctypedef void (*Dgemm)(
    int order, int ta, int tb, int m, int n, int k, double alpha, const double* a,
    int lda, const double* b, int ldb, double beta, double* c, int ldc) noexcept nogil

cdef Sgemm cblas_sgemm = NULL
cdef Dgemm cblas_dgemm = NULL


cdef int ensure_blas() except -1:
    global cblas_sgemm, cblas_dgemm
    if cblas_sgemm == NULL:
        cblas_dgemm = <Dgemm>blas_symbol("cblas_dgemm")
        cblas_sgemm = <Sgemm>blas_symbol("cblas_sgemm")
    return 0


# ---- products ----

cdef enum:
    # C with fewer rows or columns than this is a thin product: packing would cost more
    # than it gains.
    THIN = 12
    BLAS_EDGE = 128          # of C, the least for which a call of BLAS is efficient
    INT_MAX_ = 0x7fffffff

cdef bint prefers_own = tt_own_is_fast()

cdef struct Product:
    int dtype, size                          # bytes of an element
    bint ta, tb
    int64_t batch, m, n, k
    double alpha, beta
    bint rectify                             # 0 for what is negative
    const char* a
    const char* b
    const char* d                            # the term: c itself, or a row
    char* c
    int64_t ars, acs, brs, bcs, drs, crs     # strides as in gemm.h, elements
    int64_t stride_a, stride_b, stride_c     # between the matrices of a batch
    # The blocks of C, and the panels of B, for those tasks that use them:
    int64_t block_m, block_n, across         # across: blocks in a row of blocks
    int64_t lanes                            # columns of a panel
    char* panels


cdef bint is_direct(int64_t m, int64_t n, int64_t k) noexcept nogil:
    # In floating point, as the product of three sizes may overflow.
    return m <= THIN or n <= THIN or <double>m * n * k <= SMALL


cdef bint wants_blas(int dtype, int64_t m, int64_t n, int64_t k) noexcept nogil:
    return not prefers_own and dtype != TT_I64 and not is_direct(m, n, k)


cdef int64_t up(int64_t size, int64_t multiple) noexcept nogil:
    return (size + multiple - 1) // multiple * multiple


cdef int64_t even(int64_t size, int64_t wish, int64_t multiple) noexcept nogil:
    """The length of blocks of about `wish`, a multiple, that divide `size` evenly."""
    cdef int64_t parts = max(1, (size + wish // 2) // max(wish, 1))
    return up((size + parts - 1) // parts, multiple)


cdef int64_t blocks(Product* p, int64_t block_m, int64_t block_n) noexcept nogil:
    """Cut C into blocks; how many."""
    p.block_m, p.block_n = block_m, block_n
    p.across = (p.n + block_n - 1) // block_n
    return p.across * ((p.m + block_m - 1) // block_m)


cdef Product block(const Product* p, int64_t task) noexcept nogil:
    """The product that makes one block of C."""
    cdef Product q = p[0]
    cdef int64_t i = task // p.across * p.block_m, j = task % p.across * p.block_n
    q.m, q.n = min(p.block_m, p.m - i), min(p.block_n, p.n - j)
    q.a += p.size * i * p.ars
    q.b += p.size * j * p.bcs
    q.d += p.size * (i * p.drs + j)
    q.c += p.size * (i * p.crs + j)
    return q


# ---- without packing: small or thin ----

cdef void multiply_direct(const Product* p) noexcept nogil:
    if p.dtype == TT_F32:
        tt_gemm_f32(
            p.m, p.n, p.k, <float>p.alpha, <const float*>p.a, p.ars, p.acs,
            <const float*>p.b, p.brs, p.bcs, <float>p.beta, <const float*>p.d, p.drs, 1,
            p.rectify, <float*>p.c, p.crs, 1)
    elif p.dtype == TT_F64:
        tt_gemm_f64(
            p.m, p.n, p.k, p.alpha, <const double*>p.a, p.ars, p.acs,
            <const double*>p.b, p.brs, p.bcs, p.beta, <const double*>p.d, p.drs, 1,
            p.rectify, <double*>p.c, p.crs, 1)
    else:
        tt_gemm_i64(
            p.m, p.n, p.k, <uint64_t><int64_t>p.alpha, <const uint64_t*>p.a, p.ars,
            p.acs, <const uint64_t*>p.b, p.brs, p.bcs, <uint64_t><int64_t>p.beta,
            <const uint64_t*>p.d, p.drs, 1, False, <uint64_t*>p.c, p.crs, 1)


cdef void direct_blocks(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t task
    cdef Product q
    for task in range(begin, end):
        q = block(<Product*>context, task)
        multiply_direct(&q)


cdef void share_direct(Product* p) noexcept nogil:
    """Cut a thin product across its longer side; the tasks read a matrix once, which
    takes longer than the multiplications."""
    cdef int64_t wish = max(64, <int64_t>(TASK / 4 / (<double>min(p.m, p.n) * p.k)))
    cdef int64_t edge = even(max(p.m, p.n), wish, 16)
    parallel_for(
        direct_blocks, p,
        blocks(p, p.m if p.n > p.m else edge, edge if p.n > p.m else p.n), 1)


# ---- packed ----

cdef void pack_panels(void* context, int64_t begin, int64_t end) noexcept nogil:
    """Tasks are columns of B, in whole panels."""
    cdef Product* p = <Product*>context
    if p.dtype == TT_F32:
        tt_pack_panels_f32(
            <float*>p.panels, begin, end, p.k, <const float*>p.b, p.brs, p.bcs)
    elif p.dtype == TT_F64:
        tt_pack_panels_f64(
            <double*>p.panels, begin, end, p.k, <const double*>p.b, p.brs, p.bcs)
    else:
        tt_pack_panels_i64(
            <uint64_t*>p.panels, begin, end, p.k, <const uint64_t*>p.b, p.brs, p.bcs)


cdef void packed_blocks(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t task
    cdef Product q
    cdef const char* panels
    cdef void* copy = malloc((BLOCK_ROWS * 2 + 5) * TT_PANEL * (<Product*>context).size)
    for task in range(begin, end):
        q = block(<Product*>context, task)
        panels = q.panels + task % q.across * q.block_n * q.k * q.size
        if q.dtype == TT_F32:
            tt_packed_f32(
                q.m, q.n, q.k, <float>q.alpha, <const float*>q.a, q.ars, q.acs,
                <const float*>panels, <float>q.beta, <const float*>q.d, q.drs,
                q.rectify, <float*>q.c, q.crs, <float*>copy)
        elif q.dtype == TT_F64:
            tt_packed_f64(
                q.m, q.n, q.k, q.alpha, <const double*>q.a, q.ars, q.acs,
                <const double*>panels, q.beta, <const double*>q.d, q.drs,
                q.rectify, <double*>q.c, q.crs, <double*>copy)
        else:
            tt_packed_i64(
                q.m, q.n, q.k, <uint64_t><int64_t>q.alpha, <const uint64_t*>q.a, q.ars,
                q.acs, <const uint64_t*>panels, <uint64_t><int64_t>q.beta,
                <const uint64_t*>q.d, q.drs, False, <uint64_t*>q.c, q.crs,
                <uint64_t*>copy)
    free(copy)


cdef void multiply_packed(Product* p) noexcept nogil:
    """Pieces of B are packed once, then shared by all blocks of C."""
    cdef Product q = p[0]
    cdef int64_t lanes = 64 // p.size
    cdef int64_t columns = even(p.n, min(p.n, PACKED_COLUMNS), lanes)
    cdef int64_t depth = even(
        p.k, min(p.k, max(TT_PANEL, PACKED_BYTES // (columns * p.size))), 1)
    cdef int64_t block_m = even(p.m, BLOCK_ROWS, 6), j, t
    cdef double wish
    cdef int kept = 0
    q.panels = <char*>tt_borrow(columns * depth * p.size, &kept)
    if q.panels == NULL:
        tt_give_back(NULL, kept)
        multiply_direct(p)
        return
    for j from 0 <= j < p.n by columns:
        for t from 0 <= t < p.k by depth:
            q.n, q.k = min(columns, p.n - j), min(depth, p.k - t)
            q.a = p.a + t * p.acs * p.size
            q.b = p.b + (t * p.brs + j * p.bcs) * p.size
            q.c = p.c + j * p.size
            q.rectify = p.rectify and t + q.k == p.k
            if t == 0:
                q.beta, q.d, q.drs = p.beta, p.d + j * p.size, p.drs
            else:
                q.beta, q.d, q.drs = 1, q.c, p.crs
            parallel_for(
                pack_panels, &q, q.n, up(max(8 * lanes, TASK // 8 // q.k), lanes))
            wish = max(2.0 * TASK, <double>q.m * q.n * q.k / 32) / (block_m * q.k)
            parallel_for(
                packed_blocks, &q,
                blocks(&q, block_m, even(q.n, <int64_t>min(wish, q.n), lanes)), 1)
    tt_give_back(q.panels, kept)


# ---- BLAS ----

cdef void blas_blocks(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t task
    cdef Product q
    cdef int ta, tb, lda, ldb
    for task in range(begin, end):
        q = block(<Product*>context, task)
        ta, lda = TRANS if q.ta else NO_TRANS, <int>(q.acs if q.ta else q.ars)
        tb, ldb = TRANS if q.tb else NO_TRANS, <int>(q.bcs if q.tb else q.brs)
        if q.dtype == TT_F32:
            cblas_sgemm(
                ROW_MAJOR, ta, tb, <int>q.m, <int>q.n, <int>q.k, <float>q.alpha,
                <const float*>q.a, lda, <const float*>q.b, ldb,
                <float>q.beta, <float*>q.c, <int>q.crs)
        else:
            cblas_dgemm(
                ROW_MAJOR, ta, tb, <int>q.m, <int>q.n, <int>q.k, q.alpha,
                <const double*>q.a, lda, <const double*>q.b, ldb,
                q.beta, <double*>q.c, <int>q.crs)


cdef void multiply_blas(Product* p) noexcept nogil:
    """Blocks are square, as BLAS packs both operands, and enough for many threads."""
    cdef int64_t edge = BLAS_EDGE
    if p.d != p.c:  # BLAS adds to what is there
        scale(p)
    while edge < 4 * BLAS_EDGE and <double>p.m * p.n > 32.0 * edge * edge:
        edge *= 2
    parallel_for(
        blas_blocks, p, blocks(p, even(p.m, edge, 16), even(p.n, edge, 16)), 1)
    if p.rectify:
        rectify(p)


cdef void rectify(Product* p) noexcept nogil:
    """c where it is not negative, else 0."""
    cdef int64_t i, j
    cdef char* c
    for i in range(p.m):
        c = p.c + p.size * i * p.crs
        for j in range(p.n):
            if p.dtype == TT_F32:
                if (<float*>c)[j] < 0:
                    (<float*>c)[j] = 0
            elif (<double*>c)[j] < 0:
                (<double*>c)[j] = 0


# ---- the choice ----

cdef void multiply(Product* p) noexcept nogil:
    cdef double work = <double>p.m * p.n * p.k
    if is_direct(p.m, p.n, p.k):
        if work < TASK:
            multiply_direct(p)
        else:
            share_direct(p)
    elif (prefers_own or p.dtype == TT_I64 or cblas_sgemm == NULL
            or max(p.k, max(p.ars, max(p.acs, max(p.brs, max(p.bcs, p.crs)))))
            > INT_MAX_):
        multiply_packed(p)
    else:
        multiply_blas(p)


cdef void multiply_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const Product* p = <Product*>context
    cdef Product q
    cdef int64_t index
    for index in range(begin, end):
        q = p[0]
        q.a += index * p.stride_a * p.size
        q.b += index * p.stride_b * p.size
        q.c += index * p.stride_c * p.size
        q.d = q.c
        multiply(&q)  # its parallel loops run inside this task


cdef void scale(Product* p) noexcept nogil:
    """c = beta d"""
    cdef int64_t index, i, j
    cdef char* c
    cdef const char* d
    for index in range(p.batch):
        for i in range(p.m):
            c = p.c + p.size * (index * p.stride_c + i * p.crs)
            d = p.d + p.size * (index * p.stride_c + i * p.drs)
            for j in range(p.n):
                if p.dtype == TT_F32:
                    (<float*>c)[j] = (
                        <float>p.beta * (<float*>d)[j] if p.beta != 0 else 0)
                elif p.dtype == TT_F64:
                    (<double*>c)[j] = p.beta * (<double*>d)[j] if p.beta != 0 else 0
                else:
                    (<uint64_t*>c)[j] = <uint64_t><int64_t>p.beta * (<uint64_t*>d)[j]


cdef void multiply_all(Product* p) noexcept nogil:
    cdef double work = <double>p.m * p.n * p.k
    if p.batch <= 0 or p.m <= 0 or p.n <= 0:
        return
    if p.k <= 0:
        scale(p)
        if p.rectify:
            rectify(p)
    elif p.batch == 1:
        multiply(p)
    else:  # few large ones are shared one by one
        parallel_for(
            multiply_some, p, p.batch,
            p.batch if p.batch < 8 and work >= 4 * TASK
            else max(1, <int64_t>(TASK / work)))


cdef bint fill(
        Product* p, int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k,
        double alpha, const void* a, int64_t lda, const void* b, int64_t ldb,
        double beta, void* c, int64_t ldc) noexcept nogil:
    """Describe c = alpha op(a) op(b) + beta c; False if there is no such kernel."""
    if dtype != TT_F32 and dtype != TT_F64 and dtype != TT_I64:
        return False
    p.dtype, p.size, p.ta, p.tb = dtype, 4 if dtype == TT_F32 else 8, ta, tb
    p.batch, p.m, p.n, p.k = 1, m, n, k
    p.alpha, p.beta, p.rectify = alpha, beta, False
    p.a, p.b, p.d, p.c = <const char*>a, <const char*>b, <const char*>c, <char*>c
    p.ars, p.acs = 1 if ta else lda, lda if ta else 1
    p.brs, p.bcs = 1 if tb else ldb, ldb if tb else 1
    p.drs = p.crs = ldc
    p.stride_a = p.stride_b = p.stride_c = 0
    return True


cdef int gemm_batched(
        int dtype, bint ta, bint tb, int64_t batch, int64_t m, int64_t n, int64_t k,
        double alpha, const void* a, int64_t lda, int64_t stride_a,
        const void* b, int64_t ldb, int64_t stride_b,
        double beta, void* c, int64_t ldc, int64_t stride_c) noexcept nogil:
    cdef Product p
    if not fill(&p, dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        return -1
    p.batch = batch
    p.stride_a, p.stride_b, p.stride_c = stride_a, stride_b, stride_c
    multiply_all(&p)
    return 0


cdef int gemm(
        int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k,
        double alpha, const void* a, int64_t lda, const void* b, int64_t ldb,
        double beta, void* c, int64_t ldc) noexcept nogil:
    return gemm_batched(
        dtype, ta, tb, 1, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0)


cdef int gemm_layer(
        int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const void* a,
        int64_t lda, const void* b, int64_t ldb, const void* row, bint rectify, void* c,
        int64_t ldc) noexcept nogil:
    cdef Product p
    if not fill(&p, dtype, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, ldc):
        return -1
    if row != NULL:
        p.beta, p.d, p.drs = 1, <const char*>row, 0
    p.rectify = rectify
    multiply_all(&p)
    return 0


# ---- for the tests ----

def _prefer_own(bint prefer) -> bool:
    """Choose who does large products; return who did."""
    global prefers_own
    cdef bint before = prefers_own
    prefers_own = prefer
    return before


def _gemm(
        int dtype, bint ta, bint tb, shape, double alpha, a not None, int64_t lda,
        b not None, int64_t ldb, double beta, c not None, int64_t ldc,
        strides=(0, 0, 0), int64_t repeats=1):
    """Run gemm_batched on buffers, shape (batch, m, n, k); sizes are not checked."""
    cdef Py_buffer pa, pb, pc
    cdef int64_t batch, m, n, k, stride_a, stride_b, stride_c, _turn
    cdef int failed = 0
    batch, m, n, k = shape
    stride_a, stride_b, stride_c = strides
    if wants_blas(dtype, m, n, k):
        ensure_blas()
    PyObject_GetBuffer(a, &pa, PyBUF_SIMPLE)
    PyObject_GetBuffer(b, &pb, PyBUF_SIMPLE)
    PyObject_GetBuffer(c, &pc, PyBUF_WRITABLE)
    with nogil:
        for _turn in range(repeats):
            failed = gemm_batched(
                dtype, ta, tb, batch, m, n, k, alpha, pa.buf, lda, stride_a,
                pb.buf, ldb, stride_b, beta, pc.buf, ldc, stride_c)
    PyBuffer_Release(&pa)
    PyBuffer_Release(&pb)
    PyBuffer_Release(&pc)
    if failed:
        raise TypeError(f"gemm: no kernel for dtype {dtype}")
