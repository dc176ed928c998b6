"""Triangles and diagonals of matrices."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, link, needs_grad, new_node, rebase, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.shape cimport c_clone, c_reshape, contiguous, read_int, wrap
from tinytorch._core.ops.strided cimport c_diagonal, on_diagonal
from tinytorch._core.tensor cimport Tensor, empty_like, is_contiguous, wrote
from tinytorch._core.threads cimport parallel_for

__all__ = ["tril", "triu", "diag", "diag_embed", "diagflat"]
METHODS = ["tril", "triu", "tril_", "triu_", "diag", "diag_embed", "diagflat"]

cdef extern from "triangle.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int triangle_driver(const KernelCall* call)
    ctypedef struct KernelCall:
        pass

tt_parallel_for = parallel_for
cdef Kernel* TRIANGLE = register_kernel("triangle", <Driver>triangle_driver, NULL)


# ---- triangles ----

cdef int fill_triangle(Tensor y, Tensor x, int64_t diagonal, bint upper) except -1:
    """Both contiguous; y may be x."""
    cdef View[2] v
    cdef Scalar[2] s
    view_of(&v[0], y)
    view_of(&v[1], x)
    s[0].i = diagonal
    s[1].i = upper
    run(TRIANGLE, v, 2, 1, s, 2, 0, y.storage.device)
    wrote(y)
    return 0


cdef Tensor c_triangle(Tensor x, int64_t diagonal, bint upper):
    cdef Tensor y = empty_like(x)
    cdef Node node
    fill_triangle(y, contiguous(x), diagonal, upper)
    if needs_grad(x):
        node = new_node(triangle_backward,
                        b"TriuBackward0" if upper else b"TrilBackward0")
        link(node, 0, x)
        node.i0 = diagonal
        node.i1 = upper
        attach(y, node)
    return y


cdef int triangle_backward(Node node, Tensor gy) except -1:
    """dx = the same triangle of dy"""
    send(node, 0, c_triangle(gy, node.i0, node.i1 != 0))
    return 0


cdef Tensor triangle_in_place(Tensor x, int64_t diagonal, bint upper):
    cdef Node node = None
    cdef Tensor y
    check_inplace(x)
    if needs_grad(x):
        node = new_node(triangle_backward,
                        b"TriuBackward0" if upper else b"TrilBackward0")
        link(node, 0, x)
        node.i0 = diagonal
        node.i1 = upper
    if is_contiguous(x):
        fill_triangle(x, x, diagonal, upper)
    else:
        y = contiguous(x)
        fill_triangle(y, y, diagonal, upper)
        copy_into(x, y)
    if node is not None:
        rebase(x, node)
    return x


cdef int64_t read_diagonal(Tensor x, object diagonal, str op) except? -1:
    if isinstance(diagonal, (float, bool)) or not hasattr(diagonal, "__index__"):
        raise TypeError(f"{op}(): argument 'diagonal' (position 1) must be int, not "
                        f"{type(diagonal).__name__}")
    if x.rank < 2:
        raise RuntimeError(f"{op}: input tensor must have at least 2 dimensions")
    return diagonal.__index__()


def tril(Tensor input not None, diagonal=0, *, out=None):
    """Return the matrix with zeros above a diagonal."""
    return deliver(c_triangle(input, read_diagonal(input, diagonal, "tril"), False),
                   out)


def triu(Tensor input not None, diagonal=0, *, out=None):
    """Return the matrix with zeros below a diagonal."""
    return deliver(c_triangle(input, read_diagonal(input, diagonal, "triu"), True), out)


def tril_(Tensor self not None, diagonal=0):
    """Set self to zero above a diagonal."""
    return triangle_in_place(self, read_diagonal(self, diagonal, "tril"), False)


def triu_(Tensor self not None, diagonal=0):
    """Set self to zero below a diagonal."""
    return triangle_in_place(self, read_diagonal(self, diagonal, "triu"), True)


# ---- diagonals ----

cdef Tensor placed(Tensor x, int64_t offset, int a, int b):
    """x's last dimension as the diagonal of dimensions a and b of the result."""
    cdef int64_t n = x.sizes[x.rank - 1] + (offset if offset > 0 else -offset)
    cdef Tensor y = on_diagonal(x, offset, a, b, n, n)
    if y.node is not None:
        (<Node>y.node).title = b"DiagEmbedBackward0"
    return y


def diag(Tensor input not None, diagonal=0, *, out=None):
    """Return a vector as a diagonal matrix, or a copy of a matrix's diagonal."""
    cdef int64_t offset = read_int(diagonal, "diag", "diagonal")
    if input.rank == 1:
        return deliver(placed(input, offset, 0, 1), out)
    if input.rank == 2:
        return deliver(c_clone(c_diagonal(input, offset, 0, 1)), out)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.rank}D")


def diag_embed(Tensor input not None, offset=0, dim1=-2, dim2=-1):
    """Return the last dimension as diagonals of new matrices."""
    cdef int a, b
    if input.rank == 0:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], "
                         "but got -2)")
    a = wrap(read_int(dim1, "diag_embed", "dim1"), input.rank + 1)
    b = wrap(read_int(dim2, "diag_embed", "dim2"), input.rank + 1)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return placed(input, read_int(offset, "diag_embed", "offset"), a, b)


def diagflat(Tensor input not None, offset=0):
    """Return the elements as the diagonal of a matrix."""
    cdef int64_t n = input.count
    return placed(c_reshape(input, 1, &n), read_int(offset, "diagflat", "offset"), 0, 1)
