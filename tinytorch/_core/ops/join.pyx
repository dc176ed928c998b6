"""cat and stack, and their inverses split and unbind: each is the other's derivative."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, inference_mode, link, new_node, output_gradient, send, wants)
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.index cimport c_select, c_slice
from tinytorch._core.ops.shape cimport (
    c_to, read_dim, read_int, read_sizes, view_node, viewed, wrap, zeros)
from tinytorch._core.tensor cimport (
    INFERENCE, NO_REBASE, REQUIRES_GRAD, Tensor, empty_beside, item, same_shape, size_of,
    view)
from tinytorch._core.types cimport I64, MAX_DIMS, is_float, itemsize, promote

__all__ = [
    "cat", "concat", "concatenate", "stack", "split", "split_with_sizes", "chunk",
    "unbind", "narrow", "select", "unsafe_split", "unsafe_chunk",
    "unsafe_split_with_sizes", "tensor_split"]
METHODS = [
    "split", "split_with_sizes", "chunk", "unbind", "narrow", "select",
    "unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes", "tensor_split"]


# ---- arguments ----

cdef list tensors_of(object tensors, str op):
    cdef int i = 0
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{op}(): argument 'tensors' (position 1) must be tuple of "
                        f"Tensors, not {type(tensors).__name__}")
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got "
                            f"{type(x).__name__}")
        i += 1
    return <list>tensors if type(tensors) is list else list(tensors)


cdef int common_code(list tensors) except -1:
    cdef Tensor x = <Tensor>tensors[0]
    cdef int code = x.code
    for x in tensors:
        if x.code != code:
            code = promote(code, x.code)
    return code


cdef Tensor unset(Tensor like, int rank, const int64_t* sizes, int code):
    cdef Tensor y = empty_beside(like, rank, sizes, code)
    if inference_mode():
        y.flags |= INFERENCE
    return y


cdef inline bint is_nothing(Tensor x) noexcept:
    """A 1-d tensor of size 0 may be joined with anything."""
    return x.rank == 1 and x.sizes[0] == 0


# ---- cat ----

cdef int check_joinable(Tensor x, Tensor first, int dim, int position) except -1:
    cdef int d
    if x.rank != first.rank:
        raise RuntimeError("Tensors must have same number of dimensions: got "
                           f"{first.rank} and {x.rank}")
    for d in range(x.rank):
        if d != dim and x.sizes[d] != first.sizes[d]:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size "
                f"{first.sizes[d]} but got size {x.sizes[d]} for tensor number "
                f"{position} in the list.")
    if x.storage.device != first.storage.device:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {first.device} and {x.device}!")
    return 0


cdef Tensor c_cat(list tensors, int dim):
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t total = 0, at = 0
    cdef int code = common_code(tensors), i = 0, n = 0
    cdef Tensor first = None, x, y
    cdef Node node = None
    for x in tensors:
        if x.flags & REQUIRES_GRAD:
            n += 1
        if is_nothing(x):
            i += 1
            continue
        if first is None:
            first = x
        elif x is not first:
            check_joinable(x, first, dim, i)
        total += x.sizes[dim]
        i += 1
    if first is None:
        first = <Tensor>tensors[0]
    memcpy(sizes, first.sizes, first.rank * sizeof(int64_t))
    sizes[dim] = total
    if n and grad_mode() and is_float(code):
        node = new_node(cat_backward, b"CatBackward0")
        tensors = [c_to(<Tensor>x, code) for x in tensors]
    y = unset(first, first.rank, sizes, code)
    for x in tensors:
        if x.count:
            memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
            copy_into(view(y, y.rank, sizes, y.strides,
                           at * y.strides[dim] * itemsize[code]), x)
        if not is_nothing(x):
            at += x.sizes[dim]
    if node is not None:
        for i in range(len(tensors)):
            link(node, i, <Tensor>tensors[i])
        node.i0 = dim
        node.context = [-1 if is_nothing(<Tensor>x) else (<Tensor>x).sizes[dim]
                        for x in tensors]
        attach(y, node)
    return y


cdef int cat_backward(Node node, Tensor gy) except -1:
    """dx_k = the slice of dy that x_k became"""
    cdef int i, dim = <int>node.i0
    cdef int64_t at = 0, n, none = 0
    cdef list sizes = <list>node.context
    for i in range(node.inputs):
        n = sizes[i]
        if wants(node, i):
            send(node, i, zeros(1, &none, gy, gy.code) if n < 0
                 else c_slice(gy, dim, at, 1, n))
        at += max(n, 0)
    return 0


def cat(tensors, dim=0, *, axis=None, out=None):
    """Return the tensors joined along a dimension that they have.

    Example:
        >>> cat([ones(1, 2), zeros(2, 2)]).shape
        torch.Size([3, 2])
    """
    return deliver(joined(tensors, dim if axis is None else axis), out)


cdef Tensor joined(object tensors, object dim):
    cdef list given = tensors_of(tensors, "cat")
    cdef Tensor first = None, x
    cdef int i = 0
    if len(given) == 0:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for x in given:
        if x.rank == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be "
                               "concatenated")
        if first is None and not is_nothing(x):
            first = x
        i += 1
    if first is None:
        first = <Tensor>given[0]
    return c_cat(given, read_dim(dim, first.rank, "cat"))


def concat(tensors, dim=0, *, axis=None, out=None):
    """Alias of cat."""
    return deliver(joined(tensors, dim if axis is None else axis), out)


def concatenate(tensors, dim=0, *, axis=None, out=None):
    """Alias of cat."""
    return deliver(joined(tensors, dim if axis is None else axis), out)


# ---- stack ----

cdef Tensor c_stack(list tensors, int dim):
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int64_t[MAX_DIMS + 1] strides
    cdef int code = common_code(tensors), i = 0, d
    cdef bint recorded = False
    cdef Tensor first = <Tensor>tensors[0], x, y
    cdef Node node = None
    for x in tensors:
        recorded = recorded or x.flags & REQUIRES_GRAD
        if not same_shape(x, first):
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got "
                f"{list(size_of(first))} at entry 0 and {list(size_of(x))} at entry {i}")
        if x.storage.device != first.storage.device:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, {first.device} and {x.device}!")
        i += 1
    if recorded and grad_mode() and is_float(code):
        node = new_node(stack_backward, b"StackBackward0")
        tensors = [c_to(<Tensor>x, code) for x in tensors]
    for d in range(first.rank + 1):
        sizes[d] = len(tensors) if d == dim else first.sizes[d if d < dim else d - 1]
    y = unset(first, first.rank + 1, sizes, code)
    for d in range(first.rank):
        strides[d] = y.strides[d if d < dim else d + 1]
    i = 0
    for x in tensors:
        copy_into(view(y, first.rank, first.sizes, strides,
                       i * y.strides[dim] * itemsize[code]), x)
        i += 1
    if node is not None:
        for i in range(len(tensors)):
            link(node, i, <Tensor>tensors[i])
        node.i0 = dim
        attach(y, node)
    return y


cdef int stack_backward(Node node, Tensor gy) except -1:
    """dx_k = dy at k"""
    cdef int i
    for i in range(node.inputs):
        if wants(node, i):
            send(node, i, c_select(gy, <int>node.i0, i))
    return 0


def stack(tensors, dim=0, *, out=None):
    """Return the tensors joined along a new dimension."""
    cdef list given = tensors_of(tensors, "stack")
    if len(given) == 0:
        raise RuntimeError("stack expects a non-empty TensorList")
    return deliver(c_stack(given, wrap(read_int(dim, "stack", "dim"),
                                       (<Tensor>given[0]).rank + 1)), out)


# ---- one part ----

cdef Tensor c_narrow(Tensor x, int dim, int64_t start, int64_t length):
    return c_slice(x, dim, start, 1, length)


def narrow(Tensor input not None, dim, start, length):
    """Return the view of `length` entries of a dimension from `start` on."""
    cdef int64_t at, n = read_int(length, "narrow", "length"), size
    cdef int d
    if input.rank == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    d = read_dim(dim, input.rank, "narrow")
    size = input.sizes[d]
    if n < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if isinstance(start, Tensor):
        if (<Tensor>start).rank or is_float((<Tensor>start).code):
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = item(<Tensor>start)
    at = read_int(start, "narrow", "start")
    if at < -size or at > size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, "
                         f"{size}], but got {at})")
    if at < 0:
        at += size
    if at + n > size:
        raise RuntimeError(f"start ({at}) + length ({n}) exceeds dimension size "
                           f"({size}).")
    return c_slice(input, d, at, 1, n)


def select(Tensor input not None, dim, index):
    """Return the view at one index of a dimension, without that dimension."""
    cdef int d
    cdef int64_t i = read_int(index, "select", "index")
    if input.rank == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = read_dim(dim, input.rank, "select")
    if i < -input.sizes[d] or i >= input.sizes[d]:
        raise IndexError(f"select(): index {i} out of range for tensor of size "
                         f"{list(size_of(input))} at dimension {d}")
    return c_select(input, d, i + input.sizes[d] if i < 0 else i)


# ---- split ----

cdef Tensor piece(Tensor x, Node node, int nr, int dim, int64_t start, int64_t length):
    """Output nr of a node of several outputs; nobody may write to it under autograd."""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor y
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[dim] = length
    y = viewed(x, None, x.rank, sizes, x.strides,
               x.offset + start * x.strides[dim] * itemsize[x.code])
    if node is not None:
        attach(y, node, nr)
        y.flags |= NO_REBASE
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


def split(Tensor tensor not None, split_size_or_sections=None, dim=0, *, split_size=None,
          split_sizes=None):
    """Return views of equal size along a dimension, or of the given sizes."""
    cdef int d = split_dim(tensor, dim, "split")
    cdef int64_t size
    size_or_sizes = split_size_or_sections
    if size_or_sizes is None:
        size_or_sizes = split_sizes if split_size is None else split_size
    if isinstance(size_or_sizes, (tuple, list)):
        return split_with_sizes(tensor, size_or_sizes, d)
    if isinstance(size_or_sizes, float) or not hasattr(size_or_sizes, "__index__"):
        raise TypeError("split_with_sizes(): argument 'split_sizes' (position 2) must be "
                        f"tuple of ints, not {type(size_or_sizes).__name__}")
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


def tensor_split(Tensor input not None, indices_or_sections=None, dim=0, *, indices=None,
                 sections=None):
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
                           "zero-dimensional or one-dimensional tensor, but got a tensor "
                           f"with {x.rank} dims")
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
        if node is not None:
            attach(y, node, i)
            y.flags |= NO_REBASE
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
        y.base = None
        y.flags &= ~NO_REBASE
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
