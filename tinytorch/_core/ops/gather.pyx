"""gather and scatter: one index per element, along one dimension.

A 0-d tensor is treated as one of a single element.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, check_write, link, needs_grad, needs_grad2, new_node,
    save, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, Scalar, View, copy_into, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.assign cimport (
    c_copy_, check_overlap, check_range, deliver_apart, fill_number, recorded, start)
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, broadcast_with, deliver)
from tinytorch._core.ops.index cimport c_slice
from tinytorch._core.ops.points cimport first_outside
from tinytorch._core.ops.select cimport cast
from tinytorch._core.ops.shape cimport (
    c_expand, c_reshape, dtype_word, read_dim, save_sizes, saved_sizes, zeros)
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, size_of, view, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, F16, F32, F64, I32, I64, MAX_DIMS, compute_of, is_float)

import warnings

cdef extern from "gather.h" nogil:
    int gather_driver(const void* call)
    int scatter_driver(const void* call)

tt_parallel_for = parallel_for

METHODS = ["gather", "scatter", "scatter_", "scatter_add", "scatter_add_",
           "take_along_dim"]
__all__ = ["gather", "scatter", "scatter_add", "take_along_dim"]

cdef Kernel* GATHER = register_kernel("gather", <Driver>gather_driver, NULL)
cdef Kernel* SCATTER = register_kernel("scatter", <Driver>scatter_driver, NULL)

cdef int64_t one = 1


cdef Tensor as_row(Tensor x):
    return view(x, 1, &one, &one, x.offset) if x.rank == 0 else x


cdef Tensor long_index(Tensor index):
    return index if index.code == I64 else cast(index, I64)


cdef str shape_text(Tensor x):
    return str(list(size_of(x)))


cdef str c_name(int code):
    return (<str>c_names[code])


cdef tuple c_names = (
    "float", "double", "c10::Half", "c10::BFloat16", "long int", "int", "short int",
    "signed char", "unsigned char", "bool")


cdef int refuse_index(Tensor x, int dim, Tensor index) except -1:
    size = x.sizes[dim] if x.rank else 1
    i = first_outside(long_index(index), size, False)
    raise RuntimeError(
        f"index {i} is out of bounds for dimension {dim} with size {size}")


# ---- gather ----

cdef Tensor c_gather(Tensor x, int dim, Tensor index):
    cdef View[3] v
    cdef Scalar s
    cdef Node node = None
    cdef Tensor y = empty_beside(x, index.rank, index.sizes, x.code)
    cdef Tensor row_y = as_row(y), row_x = as_row(x), row = as_row(long_index(index))
    if needs_grad(x):
        node = new_node(gather_backward, b"GatherBackward0")
        link(node, 0, x)
        save(node, 0, index)
        node.f0 = dim
        save_sizes(node, x.rank, x.sizes)
    view_of(&v[0], row_y)
    view_of(&v[1], row_x)
    view_of(&v[2], row)
    s.i = dim
    try:
        run(GATHER, v, 3, 1, &s, 1, compute_of[x.code], x.storage.device)
    except IndexError:
        refuse_index(x, dim, index)
    if node is not None:
        attach(y, node)
    return y


cdef int gather_backward(Node node, Tensor gy) except -1:
    """dx = 0, plus dy wherever an index points"""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor index = saved(node, 0), gx
    cdef int rank = saved_sizes(node, sizes)
    gx = zeros(rank, sizes, gy, gy.code)
    send(node, 0, c_scatter_add(gx, <int>node.f0, index, gy, True))
    return 0


cdef int check_gather(Tensor x, int dim, Tensor index) except -1:
    cdef int d
    if index.count == 0:
        return 0
    if index.code != I64 and index.code != I32:
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    if max(x.rank, 1) != max(index.rank, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as "
                           "input tensor")
    for d in range(index.rank):
        if d != dim and x.rank and index.sizes[d] > x.sizes[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index "
                f"{shape_text(index)} to be no larger than self {shape_text(x)} apart "
                f"from dimension {dim}")
    return 0


def gather(Tensor input not None, dim, Tensor index not None, *, sparse_grad=False,
           out=None):
    """Return ``input[i][index[i][j]]`` (here for dim 1), in the index's shape.

    Example:
        >>> gather(tensor([[1, 2], [3, 4]]), 1, tensor([[1], [0]])).tolist()
        [[2], [3]]
    """
    cdef int d = read_dim(dim, input.rank, "gather")
    cdef Tensor y
    if sparse_grad:
        raise NotImplementedError("gather(): sparse gradients are not supported")
    check_gather(input, d, index)
    if isinstance(out, Tensor) and (<Tensor>out).code != input.code:
        raise RuntimeError(f"Expected out tensor to have dtype {c_name(input.code)}, "
                           f"but got {c_name((<Tensor>out).code)} instead")
    y = c_gather(input, d, index)
    return deliver_apart(y, (input, index), out)


def take_along_dim(Tensor input not None, Tensor indices not None, dim=None, *,
                   out=None):
    """Return the elements at `indices` along `dim`; other dimensions broadcast.

    Indices are taken modulo the dimension's size, as PyTorch does.
    """
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int d, k, rank
    cdef Tensor x = input, index = indices
    if indices.code != I64:
        raise RuntimeError("torch.take_along_dim(): dtype of indices should be Long "
                           f"but got {dtype_word(indices.code)}")
    if dim is None:
        x = c_reshape(x, 1, &x.count)
        index = c_reshape(index, 1, &index.count)
        return deliver(c_gather(x, 0, index), out)
    if x.rank != index.rank:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of "
            f"dimensions, but got {x.rank} dimensions for input, and {index.rank} "
            "dimensions for indices")
    d = read_dim(dim, x.rank, "take_along_dim")
    for k in range(x.rank):
        sizes[k] = 1 if k == d else x.sizes[k]
    rank = broadcast_with(x.rank, sizes, along_one(index, d))
    sizes[d] = x.sizes[d]
    x = c_expand(x, rank, sizes)
    sizes[d] = index.sizes[d]
    return deliver(c_gather(x, d, c_expand(index, rank, sizes).remainder(
        x.sizes[d])), out)


cdef Tensor along_one(Tensor x, int dim):
    """x's first entry along dim, for its sizes."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d
    for d in range(x.rank):
        sizes[d] = 1 if d == dim else x.sizes[d]
    return view(x, x.rank, sizes, x.strides, x.offset)


# ---- scatter ----

cdef int check_scatter(Tensor x, int dim, Tensor index, Tensor source) except -1:
    """source is None for a number."""
    cdef int d
    cdef bint fits = True
    if index.count and index.code != I64 and index.code != I32:
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    if source is not None and x.code != source.code:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if index.count == 0:
        return 0
    if max(x.rank, 1) != max(index.rank, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as "
                           "self tensor")
    if source is not None and max(source.rank, 1) != max(index.rank, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as "
                           "src tensor")
    for d in range(index.rank):
        if d != dim and index.sizes[d] > (x.sizes[d] if x.rank else 1):
            fits = False
        if source is not None and index.sizes[d] > (
                source.sizes[d] if source.rank else 1):
            fits = False
    if not fits:
        of_source = "" if source is None else \
            f" and to be no larger size than src {shape_text(source)}"
        raise RuntimeError(
            f"Expected index {shape_text(index)} to be no larger than self "
            f"{shape_text(x)} apart from dimension {dim}{of_source}")
    return 0


cdef int scatter_into(Tensor y, int dim, Tensor index, Tensor x, int mode) except -1:
    cdef int64_t[MAX_DIMS] strides
    cdef View[3] v
    cdef Scalar[2] s
    cdef int d
    cdef Tensor sums, row, target
    if mode != SCATTER_SET and y.code != F32 and y.code != F64 and y.code != I64:
        sums = cast(y, F32 if y.code == F16 or y.code == BF16 else I64)
        scatter_into(sums, dim, index, cast(x, sums.code), mode)
        return copy_into(y, sums)
    row = as_row(index)
    target = as_row(y)
    view_of(&v[0], target)
    view_of(&v[2], row)
    if x.rank == 0 and row.count:
        for d in range(row.rank):
            strides[d] = 0
        x = view(x, row.rank, row.sizes, strides, x.offset)
    view_of(&v[1], x)
    s[0].i = dim
    s[1].i = mode
    try:
        run(SCATTER, v, 3, 1, s, 2, compute_of[y.code], y.storage.device)
    except IndexError:
        refuse_index(y, dim, index)
    wrote(y)
    return 0


cdef Tensor scattered(Tensor x, int dim, Tensor index, Tensor source, int mode,
                      bint in_place, Node node):
    cdef Tensor y, values = source
    if in_place:
        if source.storage == x.storage:
            values = start(source, False)
    y = start(x, in_place)
    if index.count:
        scatter_into(y, dim, long_index(index), values, mode)
    return recorded(y, node, in_place)


cdef Tensor c_scatter(Tensor x, int dim, Tensor index, Tensor source, bint in_place):
    cdef Node node = None
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(scatter_backward, b"ScatterBackward0")
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, index)
        node.i0 = dim
        keep_source(node, source)
    return scattered(x, dim, index, source, SCATTER_SET, in_place, node)


cdef int keep_source(Node node, Tensor source) except -1:
    """Its sizes: all that a gradient needs of the source."""
    node.context = [source.sizes[d] for d in range(source.rank)]
    return 0


cdef Tensor source_gradient(Node node, Tensor gy, int dim, Tensor index):
    """gy gathered, in the source's sizes; what the index did not reach gets 0."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d, rank = len(node.context)
    cdef bint same = rank == index.rank
    cdef Tensor g = c_gather(gy, dim, index)
    for d in range(rank):
        sizes[d] = node.context[d]
        same = same and sizes[d] == index.sizes[d]
    if same:
        return g
    if rank == 0:
        return c_reshape(g, rank, sizes)
    if g.rank == 0:
        g = c_reshape(g, 1, &one)
    return widen(g, rank, sizes)


cdef Tensor widen(Tensor g, int rank, const int64_t* sizes):
    """g in the first corner of a larger tensor of zeros."""
    cdef Tensor whole = zeros(rank, sizes, g, g.code), part = whole
    cdef int d
    for d in range(rank):
        if g.sizes[d] != sizes[d]:
            part = c_slice(part, d, 0, 1, g.sizes[d])
    c_copy_(part, g)
    return whole


cdef int scatter_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 where it was overwritten; ds = dy where the index points"""
    cdef Tensor index = saved(node, 0)
    cdef int dim = <int>node.i0
    if wants(node, 0):
        send(node, 0, c_scatter(gy, dim, index, zeros(0, NULL, gy, gy.code), False))
    if wants(node, 1):
        send(node, 1, source_gradient(node, gy, dim, index))
    return 0


cdef Tensor c_scatter_add(Tensor x, int dim, Tensor index, Tensor source,
                          bint in_place):
    cdef Node node = None
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(scatter_add_backward, b"ScatterAddBackward0")
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, index)
        node.i0 = dim
        keep_source(node, source)
    return scattered(x, dim, index, source, SCATTER_ADD, in_place, node)


cdef int scatter_add_backward(Node node, Tensor gy) except -1:
    """dx = dy; ds = dy where the index points"""
    send(node, 0, gy)
    if wants(node, 1):
        send(node, 1, source_gradient(node, gy, <int>node.i0, saved(node, 0)))
    return 0


cdef Tensor scatter_number(Tensor x, int dim, Tensor index, const Number* n, int mode,
                           bint in_place):
    cdef Node node = None
    cdef Tensor value
    if in_place:
        check_inplace(x)
        check_overlap(x, None)
    check_range(n, x.code)
    value = empty_beside(x, 0, NULL, x.code)
    fill_number(value, n)
    if needs_grad(x):
        if mode == SCATTER_SET:
            node = new_node(scatter_number_backward, b"ScatterBackward1")
        else:
            node = new_node(no_derivative, b"NotImplemented")
        link(node, 0, x)
        save(node, 0, index)
        node.i0 = dim
    return scattered(x, dim, index, value, mode, in_place, node)


cdef int scatter_number_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 where it was overwritten"""
    send(node, 0, c_scatter(gy, <int>node.i0, saved(node, 0),
                            zeros(0, NULL, gy, gy.code), False))
    return 0


cdef int no_derivative(Node node, Tensor gy) except -1:
    raise RuntimeError("derivative for aten::scatter with reduce= is not implemented")


cdef int read_mode(object reduce) except -1:
    if reduce is None:
        return SCATTER_SET
    if reduce == "add":
        return SCATTER_ADD
    if reduce == "multiply":
        return SCATTER_MUL
    raise RuntimeError("reduce argument must be either add or multiply.")


cdef object absent = object()


cdef Tensor scatter_any(Tensor x, object dim, Tensor index, object src, object value,
                        object reduce, bint in_place):
    cdef int d = read_dim(dim, x.rank, "scatter"), mode = read_mode(reduce)
    cdef Number n
    cdef Node node = None
    if src is absent:
        src = value
    if not isinstance(src, Tensor):
        if src is absent or not as_number(src, &n):
            raise TypeError("scatter() received an invalid combination of arguments: "
                            "expected (int dim, Tensor index, Tensor src or Number "
                            "value)")
        check_scatter(x, d, index, None)
        return scatter_number(x, d, index, &n, mode, in_place)
    check_scatter(x, d, index, <Tensor>src)
    if mode == SCATTER_SET:
        return c_scatter(x, d, index, <Tensor>src, in_place)
    warnings.warn(
        "The reduce argument of torch.scatter with Tensor src is deprecated and will "
        "be removed in a future PyTorch release. Use torch.scatter_reduce instead for "
        "more reduction options.", UserWarning, stacklevel=2)
    if in_place:
        check_write(x, <Tensor>src)
        check_overlap(x, <Tensor>src)
    if needs_grad2(x, <Tensor>src) and is_float(x.code):
        node = new_node(no_derivative, b"NotImplemented")
        link(node, 0, x)
        link(node, 1, <Tensor>src)
    return scattered(x, d, index, <Tensor>src, mode, in_place, node)


def scatter(Tensor input not None, dim, Tensor index not None, src=absent, *,
            value=absent, reduce=None, out=None):
    """Return the input with `src` (or one number) written where the index points.

    ``output[index[i][j]][j] = src[i][j]`` for dim 0; `reduce` is "add" or "multiply".
    """
    return deliver(scatter_any(input, dim, index, src, value, reduce, False), out)


def scatter_(Tensor self not None, dim, Tensor index not None, src=absent, *,
             value=absent, reduce=None):
    """In-place `scatter`."""
    return scatter_any(self, dim, index, src, value, reduce, True)


def scatter_add(Tensor input not None, dim, Tensor index not None, Tensor src not None,
                *, out=None):
    """Return the input with `src` added where the index points, in order."""
    cdef int d = read_dim(dim, input.rank, "scatter_add")
    check_scatter(input, d, index, src)
    return deliver(c_scatter_add(input, d, index, src, False), out)


def scatter_add_(Tensor self not None, dim, Tensor index not None, Tensor src not None):
    """In-place `scatter_add`."""
    cdef int d = read_dim(dim, self.rank, "scatter_add_")
    check_scatter(self, d, index, src)
    return c_scatter_add(self, d, index, src, True)
