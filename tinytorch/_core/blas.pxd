from libc.stdint cimport int64_t

# Load BLAS; RuntimeError if it is missing.  Ops call it when `wants_blas` says that the
# product would use it.  Without it our own kernels would do the work, slower there and
# with other rounding.
cdef int ensure_blas() except -1
cdef bint wants_blas(int dtype, int64_t m, int64_t n, int64_t k) noexcept nogil

# c = alpha op(a) op(b) + beta c, all row-major; op transposes where ta, tb say so.
# op(a) is (m, k), op(b) is (k, n), c is (m, n); ld*: elements from one stored row to
# the next.  beta == 0 never reads c.  dtype: F32, F64 or I64 (with integers
# for alpha and beta).  Returns 0, or -1 for another dtype.
cdef int gemm(
    int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k,
    double alpha, const void* a, int64_t lda, const void* b, int64_t ldb,
    double beta, void* c, int64_t ldc) noexcept nogil

# c = op(a) op(b) + row, which is added to every row of the product and may be NULL.
# With `rectify` (F32, F64) 0 takes the place of what is negative.
cdef int gemm_layer(
    int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k, const void* a,
    int64_t lda, const void* b, int64_t ldb, const void* row, bint rectify, void* c,
    int64_t ldc) noexcept nogil

# gemm for `batch` products; stride*: elements from one matrix to the next, 0 for an
# operand that all share.
cdef int gemm_batched(
    int dtype, bint ta, bint tb, int64_t batch, int64_t m, int64_t n, int64_t k,
    double alpha, const void* a, int64_t lda, int64_t stride_a,
    const void* b, int64_t ldb, int64_t stride_b,
    double beta, void* c, int64_t ldc, int64_t stride_c) noexcept nogil
