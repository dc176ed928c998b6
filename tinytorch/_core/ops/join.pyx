"""cat and stack, and the single parts narrow and select."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, new_node, send, wants)
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.assign cimport deliver_apart
from tinytorch._core.ops.index cimport c_select, c_slice
from tinytorch._core.ops.shape cimport c_to, read_dim, read_int, wrap, zeros
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty_beside, same_shape, size_of, view)
from tinytorch._core.types cimport (
    INTEGERS, MAX_DIMS, category_of, is_float, itemsize, promote)

__all__ = ["cat", "concat", "concatenate", "stack", "narrow", "select"]
METHODS = ["narrow", "select"]


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
    y = empty_beside(first, first.rank, sizes, code)
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
    return joined(tensors, dim if axis is None else axis, out)


cdef object joined(object tensors, object dim, object out):
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
    return deliver_apart(c_cat(given, read_dim(dim, first.rank, "cat")), given, out)


def concat(tensors, dim=0, *, axis=None, out=None):
    """Alias of cat."""
    return joined(tensors, dim if axis is None else axis, out)


def concatenate(tensors, dim=0, *, axis=None, out=None):
    """Alias of cat."""
    return joined(tensors, dim if axis is None else axis, out)


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
                f"{list(size_of(first))} at entry 0 and {list(size_of(x))} at entry "
                f"{i}")
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
    y = empty_beside(first, first.rank + 1, sizes, code)
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
    cdef int at
    if len(given) == 0:
        raise RuntimeError("stack expects a non-empty TensorList")
    at = wrap(read_int(dim, "stack", "dim"), (<Tensor>given[0]).rank + 1)
    return deliver_apart(c_stack(given, at), given, out)


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
        if (<Tensor>start).rank or category_of((<Tensor>start).code) != INTEGERS:
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
