"""Rows along one dimension, chosen by a vector of indices: select, add, copy, fill.

A 0-d tensor is treated as one of a single row.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_write, link, link_fitted, needs_grad, needs_grad2, new_node,
    save, saved, send, wants)
from tinytorch._core.ops.arithmetic cimport c_mul_number
from tinytorch._core.ops.assign cimport (
    check_overlap, check_range, deliver_apart, fill_number, fitted, recorded, start)
from tinytorch._core.ops.elementwise cimport Number, as_number, deliver
from tinytorch._core.ops.points cimport (
    PUT_ADD, PUT_SET, first_outside, read_along, write_along, write_points)
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.select cimport c_where_number, cast
from tinytorch._core.ops.shape cimport (
    c_reshape, contiguous, dtype_word, ones_like, read_dim, save_sizes, saved_sizes,
    zeros)
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, over, size_of, view)
from tinytorch._core.types cimport BOOL, BOOLS, FLOATS, I32, I64, MAX_DIMS, is_float

METHODS = ["index_select", "index_add", "index_add_", "index_copy", "index_copy_",
           "index_fill", "index_fill_"]
__all__ = ["index_select", "index_add", "index_copy", "index_fill"]

cdef int64_t one = 1


cdef Tensor as_row(Tensor x):
    """A 0-d tensor as one of a single row; no graph."""
    return view(x, 1, &one, &one, x.offset) if x.rank == 0 else x


cdef Tensor as_vector(Tensor index):
    return as_row(index if index.code == I64 else cast(index, I64))


# ---- select ----

cdef Tensor c_index_select(Tensor x, int dim, Tensor index):
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x):
        node = new_node(index_select_backward, b"IndexSelectBackward0")
        link(node, 0, x)
        save(node, 0, index)
        node.i0 = dim
        node.i1 = x.sizes[dim] if x.rank else 1
        node.i2 = x.rank
    try:
        y = read_along(as_row(x), dim, as_vector(index))
    except IndexError:
        raise IndexError("index out of range in self")
    if x.rank == 0:
        y = over(y, 0, NULL, NULL, y.offset)
    if node is not None:
        attach(y, node)
    return y


cdef int index_select_backward(Node node, Tensor gy) except -1:
    """dx = 0, plus dy's rows where the index points"""
    cdef Tensor index = saved(node, 0)
    if node.i2 == 0:
        send(node, 0, gy)
        return 0
    send(node, 0, c_index_spread(gy, <int>node.i0, node.i1, index))
    return 0


cdef Tensor c_index_spread(Tensor gy, int dim, int64_t size, Tensor index):
    cdef int64_t[MAX_DIMS] sizes
    cdef int d
    cdef Tensor gx
    cdef Node node
    for d in range(gy.rank):
        sizes[d] = size if d == dim else gy.sizes[d]
    gx = zeros(gy.rank, sizes, gy, gy.code)
    write_along(gx, dim, as_vector(index), gy, PUT_ADD)
    if needs_grad(gy):
        node = new_node(index_spread_backward, b"IndexAddBackward0")
        link(node, 0, gy)
        save(node, 0, index)
        node.i0 = dim
        attach(gx, node)
    return gx


cdef int index_spread_backward(Node node, Tensor gy) except -1:
    """dx = the rows of dy where the index points"""
    send(node, 0, c_index_select(gy, <int>node.i0, saved(node, 0)))
    return 0


def index_select(Tensor input not None, dim, Tensor index not None, *, out=None):
    """Return the entries of the input along `dim` that a vector of indices names."""
    cdef int d = read_dim(dim, input.rank, "index_select")
    cdef Tensor y
    if index.rank > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.code != I64 and index.code != I32:
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if input.rank == 0 and index.count != 1:
        raise RuntimeError("index_select(): Index to scalar can have only 1 value, got "
                           f"{index.count} value(s)")
    y = c_index_select(input, d, index)
    return deliver_apart(y, (input, index), out)


# ---- add ----

cdef str shape_text(Tensor x):
    return str(list(size_of(x)))


cdef int check_rows(Tensor x, int dim, Tensor index, Tensor source,
                    str op="index_add_") except -1:
    cdef int64_t rows = source.sizes[dim] if source.rank > dim else 1
    if index.rank > 1:
        raise IndexError(
            f"{op}(): Index is supposed to be a vector, but got dim: "
            f"{index.rank} with type: {dtype_word(index.code)} and size: "
            f"{shape_text(index)}")
    if index.code != I64 and index.code != I32:
        raise RuntimeError(f"{op}(): Expected dtype int32/int64 for index but got: "
                           f"{dtype_word(index.code)}")
    if x.code != source.code:
        raise RuntimeError(
            f"{op}(): self ({dtype_word(x.code)}) and source "
            f"({dtype_word(source.code)}) must have the same scalar type")
    if source.rank and dim >= source.rank:
        raise IndexError(f"{op}(): Indexing dim {dim} is out of bounds of the "
                         f"source tensor with dim {source.rank}")
    if index.count != rows:
        raise RuntimeError(
            f"{op}(): Number of indices ({index.count}) should be equal to "
            f"source.size(dim): ({rows}), for dim: {dim}")
    if not same_rows(x, source, dim):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified "
            f"dimension. Got self.shape = {shape_text(x)} source.shape = "
            f"{shape_text(source)}")
    return 0


cdef bint same_rows(Tensor x, Tensor source, int dim):
    """Whether the sizes are the same but for those along dim."""
    cdef int d
    if x.rank != source.rank:
        return x.rank <= 1 and source.rank <= 1
    for d in range(x.rank):
        if d != dim and x.sizes[d] != source.sizes[d]:
            return False
    return True


cdef int refuse_row(Tensor x, int dim, Tensor index, type kind, str op) except -1:
    size = x.sizes[dim] if x.rank else 1
    i = first_outside(as_vector(index), size, False)
    raise kind(f"{op}index {i} is out of bounds for dimension {dim} with size {size}")


cdef Tensor c_index_add(Tensor x, int dim, Tensor index, Tensor source, double alpha,
                        bint in_place):
    cdef Node node = None
    cdef Tensor y, addend
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(index_add_backward, b"IndexAddBackward0")
        link(node, 0, x)
        link_fitted(node, 1, source, source)
        save(node, 0, index)
        node.i0 = dim
        node.i1 = source.rank
        node.f0 = alpha
    addend = as_row(source)
    if alpha != 1:
        addend = c_mul_number(addend.detach(), alpha)
        if addend.code != x.code:
            addend = cast(addend, x.code)
    elif in_place and source.storage == x.storage:
        addend = start(addend, False)
    y = start(x, in_place)
    try:
        write_along(as_row(y), dim, as_vector(index), addend, PUT_ADD)
    except IndexError:
        refuse_row(x, dim, index, RuntimeError, "")
    return recorded(y, node, in_place)


cdef int index_add_backward(Node node, Tensor gy) except -1:
    """dx = dy; ds = alpha times dy's rows where the index points"""
    cdef Tensor g
    send(node, 0, gy)
    if wants(node, 1):
        g = c_index_select(gy, <int>node.i0, saved(node, 0))
        if g.rank != node.i1:
            g = c_reshape(g, <int>node.i1, &one)
        send(node, 1, g if node.f0 == 1 else c_mul_number(g, node.f0))
    return 0


cdef double read_alpha(object alpha, Tensor x) except? -1:
    cdef Number n
    if not as_number(alpha, &n):
        raise TypeError("index_add(): argument 'alpha' must be Number, not "
                        f"{type(alpha).__name__}")
    if n.category == FLOATS and not is_float(x.code):
        n = fitted(&n, x.code)
    if n.category == BOOLS and x.code != BOOL and n.i > 1:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return n.f


def index_add(Tensor input not None, dim, Tensor index not None, Tensor source not None,
              *, alpha=1, out=None):
    """Return the input with ``alpha * source`` added to the rows that the index names.

    Rows that are named several times are added in order.
    """
    cdef int d = read_dim(dim, input.rank, "index_add")
    cdef Tensor y
    check_rows(input, d, index, source)
    y = c_index_add(input, d, index, source, read_alpha(alpha, input), False)
    return deliver(y, out)


def index_add_(Tensor self not None, dim, Tensor index not None, Tensor source not None,
               *, alpha=1):
    """In-place `index_add`."""
    cdef int d = read_dim(dim, self.rank, "index_add_")
    check_rows(self, d, index, source)
    return c_index_add(self, d, index, source, read_alpha(alpha, self), True)


# ---- copy ----

cdef int check_copy(Tensor x, int dim, Tensor index, Tensor source) except -1:
    cdef int64_t rows = source.sizes[dim] if source.rank > dim else 1
    if index.rank > 1:
        raise IndexError("index_copy_(): Index should have dimension 1 or 0 (got "
                         f"{index.rank})")
    if source.rank == 0 and index.count != 1:
        raise IndexError("index_copy_(): When source is scalar, index should have one "
                         f"element (got {index.count})")
    if source.rank != x.rank and source.rank and x.rank:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their "
            f"dimensionality must match. Source dimensionality ({source.rank}), "
            f"destination dimensionality ({x.rank})")
    if index.code != I64:
        raise RuntimeError("index_copy_(): Expected a long tensor for index, but got "
                           f"{dtype_word(index.code)}")
    if x.code != source.code:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got "
            f"(self) {dtype_word(x.code)} and (source) {dtype_word(source.code)}")
    if not same_rows(x, source, dim):
        a, b = (" ".join([str(s) for d, s in enumerate(size_of(t)) if d != dim])
                for t in (x, source))
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. "
            f"Destination slice shape: {a} at dimension {dim} and source slice shape: "
            f"{b} at dimension 0.")
    if source.rank and index.count != rows:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.count}) should be equal to "
            f"source.size(dim) ({rows})")
    return 0


cdef Tensor copied(Tensor x, int dim, Tensor index, Tensor source, bint in_place):
    cdef Node node = None
    cdef Tensor y, values = as_row(source)
    check_copy(x, dim, index, source)
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
        if source.storage == x.storage:
            values = start(values, False)
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(index_copy_backward, b"IndexCopyBackward0")
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, index)
        node.f0 = dim
        save_sizes(node, source.rank, source.sizes)
    y = start(x, in_place)
    try:
        write_along(as_row(y), dim, as_vector(index), values, PUT_SET)
    except IndexError:
        refuse_row(x, dim, index, IndexError, "index_copy_(): ")
    return recorded(y, node, in_place)


cdef int index_copy_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 in the rows that were overwritten; ds = those rows of dy"""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor index = saved(node, 0)
    cdef int dim = <int>node.f0, rank = saved_sizes(node, sizes)
    if wants(node, 0):
        send(node, 0, filled(gy, dim, index, zeros(0, NULL, gy, gy.code), False))
    if wants(node, 1):
        send(node, 1, c_reshape(c_index_select(gy, dim, index), rank, sizes))
    return 0


def index_copy(Tensor input not None, dim, Tensor index not None,
               Tensor source not None, *, out=None):
    """Return the input with the rows that the index names replaced by the source's."""
    return deliver(copied(input, read_dim(dim, input.rank, "index_copy"), index, source,
                          False), out)


def index_copy_(Tensor self not None, dim, Tensor index not None,
                Tensor source not None):
    """In-place `index_copy`."""
    return copied(self, read_dim(dim, self.rank, "index_copy_"), index, source, True)


# ---- fill ----

cdef Tensor filled(Tensor x, int dim, Tensor index, Tensor value, bint in_place,
                   const char* title=b"IndexFillBackward1"):
    """Indices may be negative here, as in PyTorch."""
    cdef Node node = None
    cdef Tensor y
    if in_place:
        check_write(x, value)
        check_overlap(x, None)
    if needs_grad2(x, value) and is_float(x.code):
        node = new_node(index_fill_backward, title)
        link(node, 0, x)
        link(node, 1, value)
        save(node, 0, index)
        node.i0 = dim
    if in_place and value.storage == x.storage:
        value = start(value, False)
    y = start(x, in_place)
    try:
        write_points(as_row(y), [None] * dim + [contiguous(as_vector(index))], value,
                     PUT_SET, True)
    except IndexError:
        size = x.sizes[dim] if x.rank else 1
        i = first_outside(as_vector(index), size, True)
        raise IndexError(
            f"index {i} is out of bounds for dimension {dim} with size {size}")
    return recorded(y, node, in_place)


cdef int index_fill_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 in the filled rows; dv = the sum of those rows of dy"""
    cdef Tensor index = saved(node, 0), mask
    cdef int dim = <int>node.i0
    if wants(node, 0):
        send(node, 0, filled(gy, dim, index, zeros(0, NULL, gy, gy.code), False))
    if wants(node, 1):  # a row that is named twice counts once
        mask = filled(zeros(gy.rank, gy.sizes, gy, BOOL), dim, index,
                      ones_like(zeros(0, NULL, gy, BOOL)), True)
        send(node, 1, c_sum(c_where_number(mask, gy, 0)))
    return 0


cdef Tensor fill_rows(Tensor x, object dim, Tensor index, object value, bint in_place):
    cdef int d = read_dim(dim, x.rank, "index_fill")
    cdef Number n
    cdef Tensor v
    if index.code != I64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.rank > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        v = <Tensor>value
        if v.rank:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got "
                f"tensor with {v.rank} dimension(s).")
        return filled(x, d, index, v, in_place)
    if not as_number(value, &n):
        raise TypeError("index_fill(): argument 'value' must be Number or Tensor, not "
                        f"{type(value).__name__}")
    check_range(&n, x.code)
    v = empty_beside(x, 0, NULL, x.code)
    fill_number(v, &n)
    return filled(x, d, index, v, in_place, b"IndexFillBackward0")


def index_fill(Tensor input not None, dim, Tensor index not None, value):
    """Return the input with the rows that the index names set to `value`."""
    return fill_rows(input, dim, index, value, False)


def index_fill_(Tensor self not None, dim, Tensor index not None, value):
    """In-place `index_fill`."""
    return fill_rows(self, dim, index, value, True)
