"""split, chunk and unbind: views of a tensor's parts, the inverses of cat and stack."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, attach, output_gradient, send
from tinytorch._core.ops.index cimport c_slice
from tinytorch._core.ops.join cimport c_cat, c_stack
from tinytorch._core.ops.shape cimport read_dim, read_int, view_node, viewed, zeros
from tinytorch._core.tensor cimport (
    INHERITS_GRAD, NO_GRAD_VIEW, NO_REBASE, REQUIRES_GRAD, Tensor, forget_base)
from tinytorch._core.types cimport I64, MAX_DIMS, itemsize

__all__ = [
    "split", "split_with_sizes", "chunk", "unbind", "unsafe_split", "unsafe_chunk",
    "unsafe_split_with_sizes", "tensor_split"]
METHODS = __all__


# ---- split ----

cdef Tensor piece(Tensor x, Node node, int nr, int dim, int64_t start, int64_t length):
    """Output nr of a node of several outputs; nobody may write to it under autograd."""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor y
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[dim] = length
    y = viewed(x, None, x.rank, sizes, x.strides,
               x.offset + start * x.strides[dim] * itemsize[x.code])
    y.flags |= NO_REBASE
    if node is not None:
        attach(y, node, nr)
    return y


cdef list gradients_of(Node node, Tensor gy, int dim, list sizes):
    """The gradients of all outputs; zeros for those that were not used."""
    cdef int64_t[MAX_DIMS] shape
    cdef int i
    cdef Tensor known = None, g
    cdef list found = []
    for i in range(node.outputs):
        g = output_gradient(node, i) if i else gy
        found.append(g)
        if g is not None:
            known = g
    for i in range(node.outputs):
        if found[i] is None:
            memcpy(shape, known.sizes, known.rank * sizeof(int64_t))
            if sizes is not None:
                shape[dim] = sizes[i]
            found[i] = zeros(known.rank, shape, known, known.code)
    return found


cdef tuple split_into(Tensor x, int dim, list sizes, const char* title):
    """One view per size along dim; the sizes add up to that of x."""
    cdef int64_t at = 0, n
    cdef int nr = 0
    cdef Node node = view_node(x, split_backward, title)
    cdef list pieces = []
    if node is not None:
        node.i0 = dim
        node.context = sizes
    for n in sizes:
        pieces.append(piece(x, node, nr, dim, at, n))
        at += n
        nr += 1
    return tuple(pieces)


cdef int split_backward(Node node, Tensor gy) except -1:
    """dx = the dy_k joined again"""
    cdef list parts = gradients_of(node, gy, <int>node.i0, node.context)
    send(node, 0, c_cat(parts, <int>node.i0))
    return 0


cdef list equal_sizes(Tensor x, int dim, int64_t size):
    cdef int64_t n = x.sizes[dim], i
    if size == 0 or n == 0:
        return [n]
    return [min(size, n - i) for i in range(0, n, size)]


cdef tuple c_split(Tensor x, int dim, int64_t size):
    return split_into(x, dim, equal_sizes(x, dim, size), b"SplitBackward0")


cdef int check_split(Tensor x, int64_t size, int dim) except -1:
    if size < 0:
        raise RuntimeError("split expects split_size be non-negative, but got "
                           f"split_size={size}")
    if size == 0 and x.sizes[dim]:
        raise RuntimeError("split_size can only be 0 if dimension size is 0, but got "
                           f"dimension size of {x.sizes[dim]}")
    return 0


cdef int split_dim(Tensor x, object dim, str op) except -1:
    if x.rank == 0:
        raise RuntimeError(f"{op} expects at least a 1-dimensional tensor")
    return read_dim(dim, x.rank, op)


def split(Tensor tensor not None, split_size_or_sections=None, dim=0, *,
          split_size=None, split_sizes=None):
    """Return views of equal size along a dimension, or of the given sizes."""
    cdef int d = split_dim(tensor, dim, "split")
    cdef int64_t size
    size_or_sizes = split_size_or_sections
    if size_or_sizes is None:
        size_or_sizes = split_sizes if split_size is None else split_size
    if isinstance(size_or_sizes, (tuple, list)):
        return split_with_sizes(tensor, size_or_sizes, d)
    if isinstance(size_or_sizes, float) or not hasattr(size_or_sizes, "__index__"):
        raise TypeError("split_with_sizes(): argument 'split_sizes' (position 2) must "
                        f"be tuple of ints, not {type(size_or_sizes).__name__}")
    size = size_or_sizes.__index__()
    check_split(tensor, size, d)
    return c_split(tensor, d, size)


cdef list checked_sizes(Tensor x, object split_sizes, int dim):
    cdef list sizes = [s.__index__() for s in split_sizes]
    for size in sizes:
        if size < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, "
                f"but got split_sizes={sizes}")
    if sum(sizes) != x.sizes[dim]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {x.sizes[dim]} "
            f"(input tensor's size at dimension {dim}), but got split_sizes={sizes}")
    return sizes


def split_with_sizes(Tensor input not None, split_sizes, dim=0):
    """Return views of the given sizes along a dimension."""
    cdef int d = split_dim(input, dim, "split")
    return split_into(input, d, checked_sizes(input, split_sizes, d),
                      b"SplitWithSizesBackward0")


cdef list chunk_sizes(Tensor x, object chunks, int dim):
    cdef int64_t n = read_int(chunks, "chunk", "chunks"), size
    if n <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {n}")
    size = (x.sizes[dim] + n - 1) // n
    if size == 0:
        return [0] * n
    return equal_sizes(x, dim, size)


def chunk(Tensor input not None, chunks, dim=0):
    """Return at most `chunks` views of equal size along a dimension."""
    cdef int d = split_dim(input, dim, "chunk")
    return split_into(input, d, chunk_sizes(input, chunks, d), b"SplitBackward0")


def tensor_split(Tensor input not None, indices_or_sections=None, dim=0, *,
                 indices=None, sections=None):
    """Return views between the given indices, or so many of nearly equal size."""
    cdef int64_t n, size, at = 0, end
    cdef int d
    cdef list parts = []
    where = indices_or_sections
    if where is None:
        where = indices if sections is None else sections
    if input.rank == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but "
                           "got a tensor with 0 dims")
    d = read_dim(dim, input.rank, "tensor_split")
    n = input.sizes[d]
    if isinstance(where, Tensor):
        where = split_points(<Tensor>where)
    if not isinstance(where, (tuple, list)):
        size = read_int(where, "tensor_split", "sections")
        if size <= 0:
            raise RuntimeError("number of sections must be larger than 0, got "
                               f"{size}")
        for i in range(size):
            end = at + n // size + (1 if i < n % size else 0)
            parts.append(c_slice(input, d, at, 1, end - at))
            at = end
        return tuple(parts)
    for index in [*where, n]:
        end = index.__index__()
        end = min(max(end + n if end < 0 else end, 0), n)
        parts.append(c_slice(input, d, at, 1, max(end - at, 0)))
        at = end
    return tuple(parts)


cdef object split_points(Tensor x):
    if x.code != I64:
        raise RuntimeError("tensor_split expected tensor_indices_or_sections to have "
                           f"dtype of long, but got {x.dtype}")
    if x.rank > 1:
        raise RuntimeError("tensor_split expected tensor_indices_or_sections to be a "
                           "zero-dimensional or one-dimensional tensor, but got a "
                           f"tensor with {x.rank} dims")
    return x.tolist()


# ---- unbind ----

cdef tuple c_unbind(Tensor x, int dim):
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int d, i, rank = x.rank - 1
    cdef Node node = view_node(x, unbind_backward, b"UnbindBackward0")
    cdef Tensor y
    cdef list parts = []
    for d in range(rank):
        sizes[d] = x.sizes[d if d < dim else d + 1]
        strides[d] = x.strides[d if d < dim else d + 1]
    if node is not None:
        node.i0 = dim
    for i in range(x.sizes[dim]):
        y = viewed(x, None, rank, sizes, strides,
                   x.offset + i * x.strides[dim] * itemsize[x.code])
        y.flags |= NO_REBASE
        if node is not None:
            attach(y, node, i)
        parts.append(y)
    return tuple(parts)


cdef int unbind_backward(Node node, Tensor gy) except -1:
    """dx = the dy_k stacked again"""
    send(node, 0, c_stack(gradients_of(node, gy, 0, None), <int>node.i0))
    return 0


def unbind(Tensor input not None, dim=0):
    """Return the views at all indices of a dimension."""
    if input.rank == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return c_unbind(input, read_dim(dim, input.rank, "unbind"))


# ---- the same without the ties of views ----

cdef tuple untied(tuple parts):
    """Parts that autograd takes for tensors of their own."""
    cdef Tensor y
    for y in parts:
        forget_base(y)
        y.flags &= ~(NO_REBASE | NO_GRAD_VIEW)
        if y.flags & INHERITS_GRAD:
            y.flags &= ~(REQUIRES_GRAD | INHERITS_GRAD)
    return parts


def unsafe_split(Tensor input not None, split_size, dim=0):
    """Return split(input, split_size, dim), writable in place under autograd."""
    cdef int d = split_dim(input, dim, "split")
    cdef int64_t size = read_int(split_size, "unsafe_split", "split_size")
    check_split(input, size, d)
    return untied(split_into(input, d, equal_sizes(input, d, size),
                             b"UnsafeSplitBackward0"))


def unsafe_chunk(Tensor input not None, chunks, dim=0):
    """Return chunk(input, chunks, dim), writable in place under autograd."""
    cdef int d = split_dim(input, dim, "chunk")
    return untied(split_into(input, d, chunk_sizes(input, chunks, d),
                             b"UnsafeSplitBackward0"))


def unsafe_split_with_sizes(Tensor input not None, split_sizes, dim=0):
    """Return split_with_sizes(...), writable in place under autograd."""
    cdef int d = split_dim(input, dim, "split")
    return untied(split_into(input, d, checked_sizes(input, split_sizes, d),
                             b"UnsafeSplitWithSizesBackward0"))
