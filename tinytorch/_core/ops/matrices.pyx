"""Copies in column-major order, batches of LAPACK calls, and their failures."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, saved
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    TT_NO_MEMORY, TT_OK, Driver, Kernel, KernelCall, View, copy_into, fill_with,
    refuse_capture, register_kernel, run, view_of)
from tinytorch._core.lapack cimport NO_MEMORY
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.elementwise cimport deliver, same_device
from tinytorch._core.ops.shape cimport c_expand
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, set_sizes, view
from tinytorch._core.threads cimport Body, parallel_for
from tinytorch._core.types cimport F32, F64, I64, MAX_DIMS, is_float

__all__ = []
LINALG = ["LinAlgError"]


class LinAlgError(RuntimeError):
    """Raised where a matrix is singular, not positive definite, or without result."""


LinAlgError.__module__ = "torch.linalg"


# ---- layout ----

cdef Tensor empty_columns(Tensor like, int rank, const int64_t* sizes):
    cdef int64_t[MAX_DIMS] strides
    cdef Tensor y = empty_beside(like, rank, sizes, like.code)
    cdef int64_t step
    cdef int d
    if rank >= 2:
        strides[rank - 2] = 1
        strides[rank - 1] = max(sizes[rank - 2], 1)
        step = strides[rank - 1] * max(sizes[rank - 1], 1)
        for d in range(rank - 3, -1, -1):
            strides[d] = step
            step *= max(sizes[d], 1)
        set_sizes(y, rank, sizes, strides)
    return y


cdef Tensor columns(Tensor x):
    cdef Tensor y = empty_columns(x, x.rank, x.sizes)
    copy_into(y, x)
    return y


cdef Tensor columnwise(Tensor x):
    cdef int64_t step = 1
    cdef int r = x.rank, i, d
    for i in range(r):  # from the innermost: rows, columns, batch dimensions
        d = r - 2 if i == 0 else r - 1 if i == 1 else r - 1 - i
        if x.sizes[d] != 1 and x.strides[d] != step:
            return columns(x)
        step *= x.sizes[d]
    return x


cdef Tensor per_matrix(Tensor a, int code):
    return empty_beside(a, a.rank - 2, a.sizes, code)


cdef Tensor per_vector(Tensor a, int64_t n, int code):
    cdef int64_t[MAX_DIMS] shape
    memcpy(shape, a.sizes, (a.rank - 2) * sizeof(int64_t))
    shape[a.rank - 2] = n
    return empty_beside(a, a.rank - 1, shape, code)


cdef Tensor identity(Tensor like, int64_t n):
    cdef int64_t[2] shape
    cdef int64_t step = n + 1
    cdef Tensor y
    shape[0] = shape[1] = n
    y = empty_columns(like, 2, shape)
    fill_with(y, 0, 0)
    if n:
        fill_with(view(y, 1, &n, &step, y.offset), 1, 1)
    return y


# ---- checks ----

cdef int check_matrix(Tensor a, str op, str name="A") except -1:
    if a.rank < 2:
        raise RuntimeError(
            f"{op}: The input tensor {name} must have at least 2 dimensions.")
    return 0


cdef int check_square(Tensor a, str op, str name="A") except -1:
    check_matrix(a, op, name)
    if a.sizes[a.rank - 2] != a.sizes[a.rank - 1]:
        raise RuntimeError(
            f"{op}: {name} must be batches of square matrices, but they are "
            f"{a.sizes[a.rank - 2]} by {a.sizes[a.rank - 1]} matrices")
    return 0


cdef int check_floats(Tensor a, str op, bint halves=False) except -1:
    if not is_float(a.code):
        raise RuntimeError(f"{op}: Expected a floating point or complex tensor as "
                           f"input. Got {dtype_word(a.code)}")
    if not halves and a.code != F32 and a.code != F64:
        raise RuntimeError(f"{op}: Low precision dtypes not supported. Got "
                           f"{dtype_word(a.code)}")
    return 0


cdef int refuse_kernel(str kernel, Tensor a) except -1:
    if a.code != F32 and a.code != F64:
        raise NotImplementedError(
            f"\"{kernel}\" not implemented for '{dtype_word(a.code)}'")
    return 0


cdef int check_same_dtype(Tensor a, Tensor b, str op, str first, str second) except -1:
    if a.code != b.code:
        raise RuntimeError(
            f"{op}: Expected {first} and {second} to have the same dtype, but found "
            f"{first} of type {dtype_word(a.code)} and {second} of type "
            f"{dtype_word(b.code)} instead")
    return same_device(a, b)


cdef Tensor with_batch(Tensor x, int batch, const int64_t* shape):
    cdef int64_t[MAX_DIMS] sizes
    cdef int d
    cdef bint same = x.rank == batch + 2
    memcpy(sizes, shape, batch * sizeof(int64_t))
    sizes[batch] = x.sizes[x.rank - 2]
    sizes[batch + 1] = x.sizes[x.rank - 1]
    if same:
        for d in range(batch):
            same = same and sizes[d] == x.sizes[d]
    return x if same else c_expand(x, batch + 2, sizes)


# ---- failures ----

cdef int first_failure_driver(const KernelCall* call) noexcept nogil:
    """y = (i + 1) << 32 | info of the first matrix i that failed, or 0."""
    cdef const View* v = call.operand
    cdef const int32_t* info = <const int32_t*>v[1].data
    cdef int64_t* y = <int64_t*>v[0].data
    cdef int64_t i
    y[0] = 0
    for i in range(v[1].numel):
        if info[i]:
            y[0] = ((i + 1) << 32) + <uint32_t>info[i]
            return TT_OK
    return TT_OK


cdef Kernel* FIRST_FAILURE = register_kernel(
    "first_failure", <Driver>first_failure_driver, NULL)


cdef int64_t first_failure(Tensor info) except? -1:
    cdef View[2] v
    cdef Tensor y
    if info.storage.device == META:
        return 0
    refuse_capture("the success of a decomposition")
    y = empty_beside(info, 0, NULL, I64)
    view_of(&v[0], y)
    view_of(&v[1], info)
    run(FIRST_FAILURE, v, 2, 1, NULL, 0, 2, info.storage.device)
    return item(y)


cdef str batch_element(Tensor info, int64_t failure):
    return f"(Batch element {(failure >> 32) - 1}): " if info.rank else ""


cdef int raise_failure(str message) except -1:
    raise LinAlgError(message)


cdef object results(object make, tuple ys, object out):
    if out is None:
        return make(*ys)
    return make(*[deliver(<Tensor?>y, o) for y, o in zip(ys, out, strict=True)])


cdef Tensor saved_result(Node node, int k, int nr):
    cdef Tensor y = saved(node, k)
    y.output = nr
    return y


# ---- batches of calls ----

cdef extern from *:
    """
    #include "kernel.h"
    enum { TT_MATRICES_TASK = TT_PART(100000, 2000) };
    """
    # Multiplications, roughly, that are worth a task of their own.
    enum: TASK "TT_MATRICES_TASK"


cdef int each_matrix(const KernelCall* call, Body body, int matrix,
                     int info) noexcept nogil:
    cdef const View* a = &call.operand[matrix]
    cdef const View* failures = &call.operand[max(info, 0)]
    cdef double work = <double>rows_of(a) * cols_of(a) * min(rows_of(a), cols_of(a))
    cdef int64_t batch = 1, i
    cdef int d
    for d in range(a.ndim - 2):
        batch *= a.shape[d]
    if batch == 1:
        body(<void*>call, 0, 1)
    elif batch > 1:
        parallel_for(body, <void*>call, batch, max(1, <int64_t>(TASK / (work + 1000))))
    if info >= 0:
        for i in range(batch):
            if (<int32_t*>failures.data)[i] == NO_MEMORY:
                return TT_NO_MEMORY
    return TT_OK
