"""Matrix products.  The only module that says `cblas`; rows first, on both sides.

Small products, vectors and integers go to the kernels of `include/gemm.h`.  Larger ones
are cut into blocks that depend on the shape alone, and OpenBLAS, with one thread of its
own, does a block at a time: results do not depend on the number of threads.
"""

import os

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.threads cimport parallel_for

__all__ = []

cdef extern from "dlfcn.h" nogil:
    int RTLD_NOW, RTLD_LOCAL
    void* dlopen(const char* path, int flags)
    void* dlsym(void* library, const char* name)
    char* dlerror()

cdef extern from "stdlib.h" nogil:
    char* getenv(const char* name)
    int setenv(const char* name, const char* value, int overwrite)
    int unsetenv(const char* name)

cdef extern from "gemm.h" nogil:
    enum: TT_F32, TT_F64, TT_I64
    void tt_gemm_f32(
        int64_t m, int64_t n, int64_t k, float alpha,
        const float* a, int64_t ars, int64_t acs,
        const float* b, int64_t brs, int64_t bcs,
        float beta, float* c, int64_t crs, int64_t ccs)
    void tt_gemm_f64(
        int64_t m, int64_t n, int64_t k, double alpha,
        const double* a, int64_t ars, int64_t acs,
        const double* b, int64_t brs, int64_t bcs,
        double beta, double* c, int64_t crs, int64_t ccs)
    void tt_gemm_i64(
        int64_t m, int64_t n, int64_t k, uint64_t alpha,
        const uint64_t* a, int64_t ars, int64_t acs,
        const uint64_t* b, int64_t brs, int64_t bcs,
        uint64_t beta, uint64_t* c, int64_t crs, int64_t ccs)

# ---- the library ----

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

cdef void* library = NULL
cdef Sgemm cblas_sgemm = NULL
cdef Dgemm cblas_dgemm = NULL

PACKAGE = "scipy_openblas32"
REMEDY = "install it with `pip install scipy-openblas32`"


def _library_path():
    """The path of OpenBLAS's library, found without importing its package."""
    from importlib.util import find_spec  # costs milliseconds: not at import
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        folder = os.path.join(folder, "lib")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.startswith("libscipy_openblas") and (
                    name.endswith((".so", ".dylib")) or ".so." in name):
                return os.path.join(folder, name)
    raise RuntimeError(
        f"tinytorch needs the BLAS library of the package {PACKAGE}: {REMEDY}")


cdef int ensure_blas() except -1:
    global library, cblas_sgemm, cblas_dgemm
    if library != NULL:
        return 0
    cdef bytes path = os.fsencode(_library_path())
    # OpenBLAS reads this once, while it is loaded, and starts no thread for "1".
    cdef char* wish = getenv("OPENBLAS_NUM_THREADS")
    cdef bytes before = b"" if wish == NULL else <bytes>wish
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    cdef void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)
    cdef char* error = dlerror() if handle == NULL else NULL
    if wish == NULL:
        unsetenv("OPENBLAS_NUM_THREADS")
    else:
        setenv("OPENBLAS_NUM_THREADS", before, 1)
    if handle == NULL:
        reason = error.decode(errors="replace")
        raise RuntimeError(f"tinytorch could not load BLAS ({reason}): {REMEDY}")
    library = handle
    try:
        (<void (*)(int) noexcept>blas_symbol("openblas_set_num_threads"))(1)
        cblas_dgemm = <Dgemm>blas_symbol("cblas_dgemm")
        cblas_sgemm = <Sgemm>blas_symbol("cblas_sgemm")
    except RuntimeError:
        library = NULL
        raise
    return 0


cdef void* blas_symbol(str name) except NULL:
    ensure_blas()
    cdef bytes symbol = b"scipy_" + name.encode()
    cdef void* address = dlsym(library, symbol)
    if address == NULL:
        raise RuntimeError(f"the BLAS library of {PACKAGE} has no {name}: {REMEDY}")
    return address


# ---- products ----

cdef enum:
    # Products of at most this many multiplications are faster without BLAS (measured).
    SMALL = 64 * 64 * 64
    # A chunk for the pool: this many multiplications, some 10 us.
    CHUNK = 1 << 19
    INT_MAX_ = 0x7fffffff

cdef struct Product:
    int dtype
    bint ta, tb
    int64_t batch, m, n, k
    double alpha, beta
    const char* a
    const char* b
    char* c
    int64_t lda, ldb, ldc                    # elements
    int64_t stride_a, stride_b, stride_c     # elements, between the matrices of a batch
    int64_t block_m, block_n                 # one task
    int64_t row_blocks, col_blocks           # tasks of one matrix


cdef bint is_small(int64_t m, int64_t n, int64_t k) noexcept nogil:
    # In floating point, as the product of three sizes may overflow.
    return <double>m * n * k <= SMALL or m == 1 or n == 1


cdef bint wants_blas(int dtype, int64_t m, int64_t n, int64_t k) noexcept nogil:
    return dtype != TT_I64 and not is_small(m, n, k)


cdef void own_kernel(
        const Product* p, const char* a, const char* b, char* c,
        int64_t m, int64_t n) noexcept nogil:
    cdef int64_t ars = 1 if p.ta else p.lda, acs = p.lda if p.ta else 1
    cdef int64_t brs = 1 if p.tb else p.ldb, bcs = p.ldb if p.tb else 1
    if p.dtype == TT_F32:
        tt_gemm_f32(
            m, n, p.k, <float>p.alpha, <const float*>a, ars, acs,
            <const float*>b, brs, bcs, <float>p.beta, <float*>c, p.ldc, 1)
    elif p.dtype == TT_F64:
        tt_gemm_f64(
            m, n, p.k, p.alpha, <const double*>a, ars, acs,
            <const double*>b, brs, bcs, p.beta, <double*>c, p.ldc, 1)
    else:
        tt_gemm_i64(
            m, n, p.k, <uint64_t><int64_t>p.alpha, <const uint64_t*>a, ars, acs,
            <const uint64_t*>b, brs, bcs, <uint64_t><int64_t>p.beta, <uint64_t*>c,
            p.ldc, 1)


cdef void one_block(
        const Product* p, const char* a, const char* b, char* c,
        int64_t m, int64_t n) noexcept nogil:
    if (is_small(m, n, p.k) or p.dtype == TT_I64 or cblas_sgemm == NULL
            or max(p.k, max(p.lda, max(p.ldb, p.ldc))) > INT_MAX_):
        own_kernel(p, a, b, c, m, n)
    elif p.dtype == TT_F32:
        cblas_sgemm(
            ROW_MAJOR, TRANS if p.ta else NO_TRANS, TRANS if p.tb else NO_TRANS,
            <int>m, <int>n, <int>p.k, <float>p.alpha, <const float*>a, <int>p.lda,
            <const float*>b, <int>p.ldb, <float>p.beta, <float*>c, <int>p.ldc)
    else:
        cblas_dgemm(
            ROW_MAJOR, TRANS if p.ta else NO_TRANS, TRANS if p.tb else NO_TRANS,
            <int>m, <int>n, <int>p.k, p.alpha, <const double*>a, <int>p.lda,
            <const double*>b, <int>p.ldb, p.beta, <double*>c, <int>p.ldc)


cdef void some_blocks(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const Product* p = <const Product*>context
    cdef int64_t size = 4 if p.dtype == TT_F32 else 8
    cdef int64_t task, index, i, j
    for task in range(begin, end):
        index = task // (p.row_blocks * p.col_blocks)
        j = task % p.col_blocks * p.block_n
        i = task // p.col_blocks % p.row_blocks * p.block_m
        one_block(
            p,
            p.a + size * (index * p.stride_a + i * (1 if p.ta else p.lda)),
            p.b + size * (index * p.stride_b + j * (p.ldb if p.tb else 1)),
            p.c + size * (index * p.stride_c + i * p.ldc + j),
            min(p.block_m, p.m - i), min(p.block_n, p.n - j))


cdef int64_t even_blocks(int64_t size, int64_t wish) noexcept nogil:
    """The length of blocks of about `wish` that divide `size` evenly."""
    cdef int64_t parts = max(1, (size + wish // 2) // wish)
    return min(size, ((size + parts - 1) // parts + 15) // 16 * 16)


cdef void cut(Product* p) noexcept nogil:
    """Choose the blocks: square, as packing costs their edges; enough for many threads.
    """
    cdef double area = <double>p.m * p.n
    cdef int64_t edge = 128
    if is_small(p.m, p.n, p.k) and area * p.k < 2 * CHUNK:
        p.block_m, p.block_n, p.row_blocks, p.col_blocks = p.m, p.n, 1, 1
        return
    if p.m == 1 or p.n == 1:  # vectors: the memory of a matrix is read once
        edge = max(64, CHUNK // 8 // p.k)
    elif area < 2 * 128 * 128:
        edge = 64
    else:
        while edge < 512 and area > 32.0 * edge * edge:
            edge *= 2
    p.block_m = even_blocks(p.m, edge)
    p.block_n = even_blocks(p.n, edge)
    p.row_blocks = (p.m + p.block_m - 1) // p.block_m
    p.col_blocks = (p.n + p.block_n - 1) // p.block_n


cdef void scale(Product* p) noexcept nogil:
    """c = beta c, for products without a term."""
    cdef int64_t index, i, j
    cdef char* c
    for index in range(p.batch):
        for i in range(p.m):
            if p.dtype == TT_F32:
                c = p.c + 4 * (index * p.stride_c + i * p.ldc)
                for j in range(p.n):
                    (<float*>c)[j] = (
                        <float>p.beta * (<float*>c)[j] if p.beta != 0 else 0)
            elif p.dtype == TT_F64:
                c = p.c + 8 * (index * p.stride_c + i * p.ldc)
                for j in range(p.n):
                    (<double*>c)[j] = p.beta * (<double*>c)[j] if p.beta != 0 else 0
            else:
                c = p.c + 8 * (index * p.stride_c + i * p.ldc)
                for j in range(p.n):
                    (<uint64_t*>c)[j] *= <uint64_t><int64_t>p.beta


cdef int gemm_batched(
        int dtype, bint ta, bint tb, int64_t batch, int64_t m, int64_t n, int64_t k,
        double alpha, const void* a, int64_t lda, int64_t stride_a,
        const void* b, int64_t ldb, int64_t stride_b,
        double beta, void* c, int64_t ldc, int64_t stride_c) noexcept nogil:
    cdef Product p
    cdef double work
    if dtype != TT_F32 and dtype != TT_F64 and dtype != TT_I64:
        return -1
    if batch <= 0 or m <= 0 or n <= 0:
        return 0
    p.dtype, p.ta, p.tb = dtype, ta, tb
    p.batch, p.m, p.n, p.k = batch, m, n, k
    p.alpha, p.beta = alpha, beta
    p.a, p.b, p.c = <const char*>a, <const char*>b, <char*>c
    p.lda, p.ldb, p.ldc = lda, ldb, ldc
    p.stride_a, p.stride_b, p.stride_c = stride_a, stride_b, stride_c
    if k <= 0:
        scale(&p)
        return 0
    if batch == 1 and m * n <= 4096 and k <= 64:
        own_kernel(&p, p.a, p.b, p.c, m, n)
        return 0
    cut(&p)
    work = <double>p.block_m * p.block_n * k
    parallel_for(
        some_blocks, &p, batch * p.row_blocks * p.col_blocks,
        1 if work >= CHUNK else <int64_t>(CHUNK / work))
    return 0


cdef int gemm(
        int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k,
        double alpha, const void* a, int64_t lda, const void* b, int64_t ldb,
        double beta, void* c, int64_t ldc) noexcept nogil:
    return gemm_batched(
        dtype, ta, tb, 1, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0)


# ---- for the tests ----

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
