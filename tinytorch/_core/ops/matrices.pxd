"""What decompositions share: column-major copies, batches of LAPACK calls, failures.

LAPACK's matrices are stored column by column.  Ops copy their input so, one matrix
after the other; kernels get it as an operand of the ordinary shape, with strides that
say so, and work in place.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport Node
from tinytorch._core.executor cimport KernelCall, View
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.threads cimport Body
from tinytorch._core.types cimport itemsize

# ---- layout; none of these records ----
cdef Tensor empty_columns(Tensor like, int rank, const int64_t* sizes)
cdef Tensor columns(Tensor x)               # a copy
cdef Tensor columnwise(Tensor x)            # x itself if it is stored so
cdef Tensor per_matrix(Tensor a, int code)  # unset, an element for each matrix of a
cdef Tensor per_vector(Tensor a, int64_t n, int code)   # n elements for each matrix
cdef Tensor identity(Tensor like, int64_t n)            # (n, n), column-major

# ---- checks ----
cdef int check_matrix(Tensor a, str op, str name=*) except -1
cdef int check_square(Tensor a, str op, str name=*) except -1
cdef int check_floats(Tensor a, str op, bint halves=*) except -1
cdef int refuse_kernel(str kernel, Tensor a) except -1  # unless float32 or float64
cdef int check_same_dtype(Tensor a, Tensor b, str op, str first, str second) except -1
cdef Tensor with_batch(Tensor x, int batch, const int64_t* shape)    # recorded expand

# LAPACK's info of a batch: 0, or (index of the first failed matrix + 1) << 32 | info.
# Refuses capture; the _ex forms, which leave info to the caller, do not ask.
cdef int64_t first_failure(Tensor info) except? -1
cdef str batch_element(Tensor info, int64_t failure)   # "(Batch element 1): " or ""
cdef int raise_failure(str message) except -1          # LinAlgError

# `make` of the results, or of the tensors in `out`, filled with them.
cdef object results(object make, tuple ys, object out)

# What `save_output` kept at k, if it is the node's output nr and not the first.
cdef Tensor saved_result(Node node, int k, int nr)

# ---- kernels ----
# Runs `body(call, begin, end)` over the batch of operand `matrix`; `info` is the
# operand that may report NO_MEMORY, or -1.
cdef int each_matrix(const KernelCall* call, Body body, int matrix,
                     int info) noexcept nogil

cdef inline int64_t rows_of(const View* v) noexcept nogil:
    return v.shape[v.ndim - 2]

cdef inline int64_t cols_of(const View* v) noexcept nogil:
    return v.shape[v.ndim - 1]

cdef inline int lead(const View* v) noexcept nogil:
    """LAPACK's leading dimension."""
    return <int>max(v.shape[v.ndim - 2], 1)

cdef inline char* part(const View* v, int64_t i, int dims) noexcept nogil:
    """Element i of a batch whose elements have `dims` dimensions."""
    cdef int64_t size = 1
    cdef int d
    for d in range(v.ndim - dims, v.ndim):
        size *= v.shape[d]
    return v.data + i * size * itemsize[v.dtype]
