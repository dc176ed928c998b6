"""matmul and its kin: what may be multiplied with what, and which product that is."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_dot, c_mv, c_outer
from tinytorch._core.ops.elementwise cimport deliver, same_device
from tinytorch._core.ops.gemm cimport c_mm
from tinytorch._core.ops.shape cimport c_reshape, c_squeeze, c_unsqueeze
from tinytorch._core.tensor cimport Tensor, operators, size_of
from tinytorch._core.types cimport BOOL, MAX_DIMS

__all__ = ["matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger"]
METHODS = [*__all__, "__rmatmul__"]


# ---- checks ----

cdef tuple cpp_types = ("float", "double", "c10::Half", "c10::BFloat16", "long long",
                        "int", "short", "signed char", "unsigned char", "bool")


cdef str cpp_type(int code):
    return <str>cpp_types[code]


cdef int refuse_bool(str kernel, Tensor x) except -1:
    if x.code == BOOL:
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")
    return 0


cdef int check_mm(Tensor a, Tensor b) except -1:
    if a.code != b.code:
        raise RuntimeError("expected m1 and m2 to have the same dtype, but got: "
                           f"{cpp_type(a.code)} != {cpp_type(b.code)}")
    if a.sizes[1] != b.sizes[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a.sizes[0]}x{a.sizes[1]} and "
            f"{b.sizes[0]}x{b.sizes[1]})")
    refuse_bool("addmm_impl_cpu_", a)
    return same_device(a, b)


cdef int check_mv(Tensor a, Tensor x) except -1:
    if a.rank != 2 or x.rank != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got 1, {a.rank}, {x.rank}")
    if a.sizes[1] != x.sizes[0]:
        raise RuntimeError(
            f"size mismatch, got input ({a.sizes[0]}), mat "
            f"({a.sizes[0]}x{a.sizes[1]}), vec ({x.sizes[0]})")
    if a.code != x.code:
        word = dtype_word(x.code)
        raise RuntimeError("addmv input tensors must have the same dtype, but got "
                           f"{word}, {dtype_word(a.code)}, and {word}")
    refuse_bool("addmv_impl_cpu", a)
    return same_device(a, x)


cdef int check_dot(Tensor a, Tensor b, str name) except -1:
    if a.rank != 1 or b.rank != 1:
        raise RuntimeError(
            f"1D tensors expected, but got {a.rank}D and {b.rank}D tensors")
    if a.code != b.code:
        raise RuntimeError(
            f"{name} : expected both vectors to have same dtype, but found "
            f"{dtype_word(a.code)} and {dtype_word(b.code)}")
    if a.count != b.count:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a.count}] and src "
            f"[{b.count}] to have the same number of elements, but got {a.count} and "
            f"{b.count} elements respectively")
    refuse_bool("dot", a)
    return same_device(a, b)


cdef int check_bmm(Tensor a, Tensor b, int64_t batch, int64_t other) except -1:
    """Two batches of so many matrices."""
    cdef int64_t k = a.sizes[a.rank - 1], found = b.sizes[b.rank - 2]
    if k != found or batch != other:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{batch}, {k}] but got: [{other}, {found}].")
    if a.code != b.code:
        raise RuntimeError(f"expected scalar type {dtype_word(a.code)} but found "
                           f"{dtype_word(b.code)}")
    refuse_bool("bmm", a)
    return same_device(a, b)


cdef int check_batches(Tensor a, Tensor b) except -1:
    """Batches that broadcast: PyTorch reports how many there are then."""
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t batch = 1
    cdef int d
    for d in range(batch_shape(a, b, shape)):
        batch *= shape[d]
    return check_bmm(a, b, batch, batch)


# ---- matmul ----

cdef Tensor rows_of(Tensor x):
    """All rows of a batch of matrices as one matrix."""
    cdef int64_t[2] shape
    cdef int d
    shape[0] = 1
    for d in range(x.rank - 1):
        shape[0] *= x.sizes[d]
    shape[1] = x.sizes[x.rank - 1]
    return c_reshape(x, 2, shape)


cdef Tensor c_matmul(Tensor a, Tensor b):
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor y
    if a.rank == 2 and b.rank == 2:
        check_mm(a, b)
        return c_mm(a, False, b, False)
    if a.rank == 0 or b.rank == 0:
        raise RuntimeError("both arguments to matmul need to be at least 1D, but they "
                           f"are {a.rank}D and {b.rank}D")
    if a.rank == 1 and b.rank == 1:
        check_dot(a, b, "dot")
        return c_dot(a, b)
    if a.rank == 1 and b.rank == 2:
        check_mm(c_unsqueeze(a, 0), b)
        return c_mv(b, True, a)
    if a.rank == 2 and b.rank == 1:
        check_mv(a, b)
        return c_mv(a, False, b)
    if b.rank <= 2:  # one product of all rows
        memcpy(shape, a.sizes, (a.rank - 1) * sizeof(int64_t))
        y = rows_of(a)
        if b.rank == 1:
            check_mv(y, b)
            return c_reshape(c_mv(y, False, b), a.rank - 1, shape)
        check_mm(y, b)
        shape[a.rank - 1] = b.sizes[1]
        return c_reshape(c_mm(y, False, b, False), a.rank, shape)
    if a.rank == 1:
        a = c_unsqueeze(a, 0)
        check_batches(a, b)
        return c_squeeze(c_bmm(a, False, b, False), b.rank - 2)
    check_batches(a, b)
    return c_bmm(a, False, b, False)


cdef object op_matmul(object a, object b):
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return c_matmul(<Tensor>a, <Tensor>b)
    return NotImplemented


operators.matmul = op_matmul


def matmul(Tensor input not None, Tensor other not None, *, out=None):
    """Return the product of vectors, matrices, or broadcast batches of matrices.

    Example:
        >>> matmul(tensor([[1., 2.], [3., 4.]]), tensor([1., 1.])).tolist()
        [3.0, 7.0]
    """
    return deliver(c_matmul(input, other), out)


def __rmatmul__(Tensor self not None, Tensor other not None):
    return c_matmul(other, self)


def mm(Tensor input not None, Tensor mat2 not None, *, out=None):
    """Return the product of two matrices."""
    if input.rank != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.rank != 2:
        raise RuntimeError("mat2 must be a matrix")
    check_mm(input, mat2)
    return deliver(c_mm(input, False, mat2, False), out)


def bmm(Tensor input not None, Tensor mat2 not None, *, out=None):
    """Return the products of two batches of matrices: (b, m, k) and (b, k, n)."""
    if input.rank != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if mat2.rank != 3:
        raise RuntimeError("batch2 must be a 3D tensor")
    check_bmm(input, mat2, input.sizes[0], mat2.sizes[0])
    return deliver(c_bmm(input, False, mat2, False), out)


def mv(Tensor input not None, Tensor vec not None, *, out=None):
    """Return the product of a matrix and a vector."""
    check_mv(input, vec)
    return deliver(c_mv(input, False, vec), out)


def dot(Tensor input not None, Tensor tensor not None, *, out=None):
    """Return the sum of the products of two vectors' elements."""
    check_dot(input, tensor, "dot")
    return deliver(c_dot(input, tensor), out)


def vdot(Tensor input not None, Tensor other not None, *, out=None):
    """Return `dot`: the two differ only for complex vectors."""
    check_dot(input, other, "dot")
    return deliver(c_dot(input, other), out)


def inner(Tensor input not None, Tensor other not None, *, out=None):
    """Return the products summed over the last dimension of both."""
    cdef int64_t[2 * MAX_DIMS] shape
    cdef int r = input.rank, q = other.rank
    cdef Tensor y
    if r == 0 or q == 0:
        return deliver(c_mul(input, other), out)
    if input.code != other.code:
        raise RuntimeError("both inputs should have same dtype")
    if input.sizes[r - 1] != other.sizes[q - 1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got "
            f"shapes {list(size_of(input))} and {list(size_of(other))}")
    if r == 1 and q == 1:
        check_dot(input, other, "dot")
        return deliver(c_dot(input, other), out)
    refuse_bool("addmm_impl_cpu_", input)
    if r + q - 2 > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions")
    memcpy(shape, input.sizes, (r - 1) * sizeof(int64_t))
    memcpy(shape + r - 1, other.sizes, (q - 1) * sizeof(int64_t))
    y = c_mm(rows_of(input), False, rows_of(other), True)
    y = c_reshape(y, r + q - 2, shape)
    return deliver(y, out)


def outer(Tensor input not None, Tensor vec2 not None, *, out=None):
    """Return the products of all pairs of elements of two vectors."""
    if input.rank != 1:
        raise RuntimeError(f"outer: Expected 1-D argument self, but got {input.rank}-D")
    if vec2.rank != 1:
        raise RuntimeError(f"outer: Expected 1-D argument vec2, but got {vec2.rank}-D")
    return deliver(c_outer(input, vec2), out)


ger = outer
