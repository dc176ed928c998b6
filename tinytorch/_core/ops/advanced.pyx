"""Advanced indexing: x[tensor], masks, lists, and their mixtures with basic indices.

The basic part of a key makes a view; tensors then index the dimensions that it kept.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_write, link, needs_grad, needs_grad2, new_node, save, saved,
    send, wants)
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport refuse_capture
from tinytorch._core.ops.assign cimport (
    check_overlap, check_range, fill_number, fitted, recorded, start)
from tinytorch._core.ops.elementwise cimport Number, as_number
from tinytorch._core.ops.index cimport (
    Plan, apply_plan, clear_plan, plan_new, plan_select, plan_slice, plan_whole,
    register_advanced, type_name, write_into)
from tinytorch._core.ops.mask cimport (
    c_masked_fill_, c_nonzero, masked_fill_from, rows_of)
from tinytorch._core.ops.points cimport (
    PUT_ADD, PUT_SET, aligned, first_outside, read_points, result_sizes, write_points)
from tinytorch._core.ops.select cimport cast
from tinytorch._core.ops.sequences cimport index_from
from tinytorch._core.ops.shape cimport (
    c_reshape, contiguous, dtype_word, zeros)
from tinytorch._core.tensor cimport Tensor, empty_beside, size_of
from tinytorch._core.types cimport BOOL, I32, I64, MAX_DIMS, U8, is_float

import warnings

METHODS = ["index_put", "index_put_"]
__all__ = ["index_put", "index_put_"]


# ---- reading a key ----

cdef bint is_sequence(object value):
    return hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__") \
        and not isinstance(value, dict)


cdef bint means_tuple(object key) except -1:
    """Whether a list stands for a tuple of indices, as it did in the first NumPy."""
    if isinstance(key, str):
        raise TypeError("new(): invalid data type 'str'")
    if isinstance(key, Tensor) or hasattr(key, "__array__") or not is_sequence(key) \
            or len(key) >= 32:
        return False
    for entry in key:
        if entry is None or entry is Ellipsis or isinstance(entry, (slice, Tensor)) \
                or is_sequence(entry):
            return True
    return False


cdef tuple as_tuple(object key):
    if isinstance(key, tuple):
        return key
    if not means_tuple(key):
        return (key,)
    warnings.warn(
        "Using a non-tuple sequence for multidimensional indexing is deprecated and "
        "will be changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In "
        "pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], "
        "which will result either in an error or a different result",
        UserWarning, stacklevel=2)
    return tuple(key)


cdef object normal(object entry):
    """An entry as int, slice, None, Ellipsis, bool or an index tensor."""
    if entry is None or entry is Ellipsis or isinstance(entry, (bool, slice, Tensor)):
        return entry
    if type(entry) is int:
        return entry
    if is_sequence(entry):
        return index_from(entry)
    if hasattr(entry, "__index__"):
        return entry.__index__()
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
        f"Variables are valid indices (got {type_name(entry)})")


cdef int check_index(Tensor index) except -1:
    if index.code not in (I64, I32, U8, BOOL):
        raise IndexError(
            "tensors used as indices must be long, int, byte or bool tensors")
    return 0


cdef int dims_of(object entry) except -1:
    """How many dimensions of the tensor an entry takes."""
    cdef Tensor index
    if entry is None or entry is Ellipsis or isinstance(entry, bool):
        return 0
    if isinstance(entry, Tensor):
        index = <Tensor>entry
        check_index(index)
        return index.rank if index.code in (U8, BOOL) else 1
    return 1


cdef int read_key(Tensor x, object key, Plan* plan, list indices) except -1:
    """The basic part of a key goes to the plan; `indices` gets the tensors, by the
    dimensions of the view that the plan makes."""
    cdef list entries = [normal(entry) for entry in as_tuple(key)]
    cdef int taken = 0
    cdef bint opened = False
    clear_plan(plan)
    for entry in entries:
        taken += dims_of(entry)
    if taken > x.rank:
        raise IndexError(f"too many indices for tensor of dimension {x.rank}")
    for entry in entries:
        if entry is None:
            plan_new(plan)
        elif entry is Ellipsis:
            if not opened:
                plan_whole(plan, x, x.rank - taken)
            opened = True
        elif isinstance(entry, bool):
            read_truth(plan, x, indices, entry is True)
        elif isinstance(entry, slice):
            plan_slice(plan, x, entry)
        elif isinstance(entry, Tensor):
            read_tensor(plan, x, indices, <Tensor>entry)
        else:
            plan_select(plan, x, entry)
    return 0


cdef int put_index(list indices, int dim, Tensor index) except -1:
    while len(indices) < dim:
        indices.append(None)
    indices.append(index)
    return 0


cdef int read_truth(Plan* plan, Tensor x, list indices, bint value) except -1:
    """A truth value is an index 0, or none at all, into a new dimension."""
    cdef int64_t n = value
    put_index(indices, plan.rank, zeros(1, &n, x, I64))
    return plan_new(plan)


cdef int read_tensor(Plan* plan, Tensor x, list indices, Tensor index) except -1:
    if index.rank == 0 and index.code in (U8, BOOL):
        refuse_capture("indexing with a truth value")
        return read_truth(plan, x, indices, item(index) != 0)
    if index.rank == 0:
        refuse_capture("indexing with a number from a tensor")
        return plan_select(plan, x, item(index))
    put_index(indices, plan.rank, index)
    if index.code == BOOL or index.code == U8:
        return plan_whole(plan, x, index.rank)
    return plan_whole(plan, x, 1)


# ---- masks among the indices ----

cdef list without_masks(Tensor x, list indices):
    """Masks become indices of their true elements; all are int64 on x's device."""
    cdef list result = []
    cdef Tensor index
    for index in indices:
        if index is None:
            result.append(None)
        elif index.code == BOOL or index.code == U8:
            if index.code == U8:
                warnings.warn(
                    "indexing with dtype torch.uint8 is now deprecated, please use a "
                    "dtype torch.bool instead.", UserWarning, stacklevel=2)
            check_mask(x, index, len(result))
            result.extend(rows_of(c_nonzero(index)))
        else:
            result.append(index if index.code == I64 else cast(index, I64))
    return result


cdef int check_mask(Tensor x, Tensor mask, int dim) except -1:
    cdef int d
    for d in range(mask.rank):
        if dim + d >= x.rank or mask.sizes[d] != x.sizes[dim + d]:
            raise IndexError(
                f"The shape of the mask {list(size_of(mask))} at index {d} does not "
                f"match the shape of the indexed tensor {list(size_of(x))} at index "
                f"{dim + d}")
    return 0


cdef list read_indices(Tensor x, list indices):
    cdef Tensor index
    for index in indices:
        if index is not None:
            check_index(index)
    indices = without_masks(x, indices)
    if len(indices) > x.rank:
        raise IndexError(f"too many indices for tensor of dimension {x.rank} (got "
                         f"{len(indices)})")
    return aligned(x, indices)


cdef int refuse_outside(Tensor x, list indices) except -1:
    """Say which index it was that a kernel refused."""
    cdef int d
    cdef int64_t i
    cdef Tensor index
    for d, index in enumerate(indices):
        if index is not None:
            i = first_outside(index, x.sizes[d], True)
            if i < -x.sizes[d] or i >= x.sizes[d]:
                raise IndexError(f"index {i} is out of bounds for dimension {d} with "
                                 f"size {x.sizes[d]}")
    return 0


# ---- graphs ----

cdef int keep_indices(Node node, list indices, Tensor x) except -1:
    """All indices and x's sizes in the context; the first three indices also where
    writes are noticed."""
    cdef int k = 0
    node.context = (indices, [x.sizes[d] for d in range(x.rank)])
    for index in indices:
        if index is not None and k < 3:
            save(node, k, <Tensor>index)
            k += 1
    return 0


cdef list kept_indices(Node node):
    cdef int k, n = 0
    if node.context is None:
        saved(node, 0)  # raises: the graph was released
    for index in <list>(<tuple>node.context)[0]:
        n += index is not None
    for k in range(min(n, 3)):
        saved(node, k)
    return <list>(<tuple>node.context)[0]


cdef Tensor c_index(Tensor x, list indices):
    return index_aligned(x, read_indices(x, indices))


cdef Tensor index_aligned(Tensor x, list indices):
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x):
        node = new_node(index_backward, b"IndexBackward0")
        link(node, 0, x)
        keep_indices(node, indices, x)
    try:
        y = read_points(x, indices, True)
    except IndexError:
        refuse_outside(x, indices)
        raise
    if node is not None:
        attach(y, node)
    return y


cdef int index_backward(Node node, Tensor gy) except -1:
    """dx = 0, plus dy wherever an index points"""
    cdef int64_t[MAX_DIMS] sizes
    cdef list indices = kept_indices(node)
    cdef int rank = 0
    for size in <list>(<tuple>node.context)[1]:
        sizes[rank] = size
        rank += 1
    send(node, 0, index_embed(gy, rank, sizes, indices))
    return 0


cdef Tensor index_embed(Tensor gy, int rank, const int64_t* sizes, list indices):
    """The adjoint of reading: zeros, with gy added where the indices point."""
    cdef Tensor gx = zeros(rank, sizes, gy, gy.code)
    cdef Node node
    write_points(gx, indices, gy, PUT_ADD, True)
    if needs_grad(gy):
        node = new_node(index_embed_backward, b"IndexPutBackward0")
        link(node, 0, gy)
        keep_indices(node, indices, gx)
        attach(gx, node)
    return gx


cdef int index_embed_backward(Node node, Tensor gy) except -1:
    """dx = dy where the indices point"""
    send(node, 0, index_aligned(gy, kept_indices(node)))
    return 0


cdef Tensor c_index_put(Tensor x, list indices, Tensor value, bint accumulate,
                        bint in_place):
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int rank
    cdef Node node = None
    cdef Tensor y
    if in_place:
        check_write(x, value)
        check_overlap(x, None)
    if x.code != value.code:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{dtype_word(x.code)} for the destination and {dtype_word(value.code)} "
            "for the source.")
    indices = read_indices(x, indices)
    rank = result_sizes(x, indices, sizes)
    value = fit_value(value, rank, sizes)
    if needs_grad2(x, value) and is_float(x.code):
        node = new_node(index_put_backward, b"IndexPutBackward0")
        link(node, 0, x)
        link(node, 1, value)
        fit_gradient(node, value, rank, sizes)
        keep_indices(node, indices, x)
        node.i0 = accumulate
    if value.storage == x.storage and in_place:
        value = copied(value)  # it is read while its memory is written
    y = start(x, in_place)
    try:
        write_points(y, indices, value, PUT_ADD if accumulate else PUT_SET, True)
    except IndexError:
        refuse_outside(x, indices)
        raise
    return recorded(y, node, in_place)


cdef Tensor copied(Tensor x):
    return start(x, False)


cdef Tensor fit_value(Tensor value, int rank, const int64_t* sizes):
    """The value without leading dimensions of size 1 that the result has not."""
    cdef int d, drop = 0, shift
    cdef bint fits
    while drop < value.rank - rank and value.sizes[drop] == 1:
        drop += 1
    fits = value.rank - drop <= rank
    shift = rank - (value.rank - drop)
    for d in range(drop, value.rank):
        fits = fits and (value.sizes[d] == 1 or
                         value.sizes[d] == sizes[d - drop + shift])
    if not fits:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(size_of(value))} cannot be "
            f"broadcast to indexing result of shape {[sizes[d] for d in range(rank)]}")
    return c_reshape(value, value.rank - drop, value.sizes + drop) if drop else value


cdef int fit_gradient(Node node, Tensor value, int rank,
                      const int64_t* sizes) except -1:
    """The value's gradient arrives with the result's sizes."""
    cdef int d
    cdef bint same = value.rank == rank
    for d in range(value.rank):
        same = same and value.sizes[d] == sizes[d]
    if not same:
        shape = [value.sizes[d] for d in range(value.rank)]
        node.fits = [None, (<int>value.code, shape)]
    return 0


cdef int index_put_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 where it was overwritten; dv = dy where the indices point"""
    cdef list indices = kept_indices(node)
    if wants(node, 0):
        send(node, 0, gy if node.i0 else c_index_put(
            gy, indices, zeros(0, NULL, gy, gy.code), False, False))
    if wants(node, 1):
        send(node, 1, index_aligned(gy, indices))
    return 0


# ---- operators ----

cdef object getitem(Tensor x, object key):
    cdef Plan plan
    cdef list indices = []
    if isinstance(key, Tensor) and (<Tensor>key).rank and (<Tensor>key).code == I64 \
            and x.rank:
        return index_aligned(x, [contiguous(<Tensor>key)])
    read_key(x, key, &plan, indices)
    if plan_matters(&plan, x):
        x = apply_plan(x, &plan)
    return c_index(x, indices) if indices else x


cdef bint plan_matters(const Plan* plan, Tensor x) noexcept:
    cdef int k
    for k in range(plan.steps):
        if plan.step[k].kind or plan.step[k].size != x.sizes[k] or \
                plan.step[k].stride != 1:
            return True
    return False


cdef int setitem(Tensor x, object key, object value) except -1:
    cdef Plan plan
    cdef Number n
    cdef list indices = []
    cdef Tensor v, mask
    if key is False:
        return 0
    if key is True:
        key = None
    read_key(x, key, &plan, indices)
    if plan_matters(&plan, x) or not indices:
        x = apply_plan(x, &plan)
    if not indices:
        return write_into(x, value)
    mask = <Tensor>indices[0] if len(indices) == 1 else None
    if mask is not None and mask.code not in (BOOL, U8):
        mask = None
    if isinstance(value, Tensor):
        v = <Tensor>value
        if mask is not None and v.count == 1 and v.code == x.code:
            check_mask(x, mask, 0)
            masked_fill_from(x, trailing(mask, x.rank), c_reshape(v, 0, NULL))
            return 0
    elif isinstance(value, (int, float)) and as_number(value, &n):
        check_range(&n, x.code)
        if mask is not None:
            check_mask(x, mask, 0)
            n = fitted(&n, x.code)
            c_masked_fill_(x, trailing(mask, x.rank), &n)
            return 0
        v = empty_beside(x, 0, NULL, x.code)
        fill_number(v, &n)
    else:
        return write_into(x, value)  # which says that it cannot
    c_index_put(x, indices, v, False, True)
    return 0


cdef Tensor trailing(Tensor mask, int rank):
    """A mask of the first dimensions, to be broadcast along the others."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d
    for d in range(rank):
        sizes[d] = mask.sizes[d] if d < mask.rank else 1
    return c_reshape(mask, rank, sizes)


register_advanced(getitem, setitem)


# ---- functions ----

cdef list index_list(object indices, str op):
    if isinstance(indices, Tensor) or not isinstance(indices, (tuple, list)):
        raise TypeError(f"{op}(): argument 'indices' (position 2) must be tuple of "
                        f"Tensors, not {type(indices).__name__}")
    for k, index in enumerate(indices):
        if index is not None and not isinstance(index, Tensor):
            raise TypeError(f"expected Tensor as element {k} in argument 0, but got "
                            f"{type(index).__name__}")
    return list(indices)


def index_put(Tensor input not None, indices, Tensor values not None, accumulate=False):
    """Return the input with `values` where the indices, one per dimension, point.

    With ``accumulate`` the values are added, in order where indices repeat.
    """
    return c_index_put(input, index_list(indices, "index_put"), values, accumulate,
                       False)


def index_put_(Tensor self not None, indices, Tensor values not None, accumulate=False):
    """In-place `index_put`."""
    return c_index_put(self, index_list(indices, "index_put_"), values, accumulate,
                       True)
