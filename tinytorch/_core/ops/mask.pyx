"""Masks: where elements are not zero, and reading and writing under a bool tensor."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, check_write, link, link_fitted, needs_grad,
    needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    Driver, Kernel, View, copy_into, refuse_capture, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.assign cimport (
    c_copy_, check_overlap, check_range, deliver_apart, fitted, recorded, start)
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, broadcast, deliver, number_of_int)
from tinytorch._core.ops.index cimport c_slice
from tinytorch._core.ops.points cimport PUT_SET, read_points, write_points
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.select cimport c_where_number, cast, choose
from tinytorch._core.ops.shape cimport (
    c_expand, c_reshape, c_transpose, contiguous, dtype_word, save_sizes, saved_sizes,
    zeros)
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, over, same_shape, size_of, view)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, I64, MAX_DIMS, is_float

cdef extern from "nonzero.h" nogil:
    enum: TT_NONZERO_BLOCK
    int nonzero_count_driver(const void* call)
    int nonzero_driver(const void* call)

tt_parallel_for = parallel_for

METHODS = ["nonzero", "argwhere", "masked_select", "masked_fill", "masked_fill_",
           "masked_scatter", "masked_scatter_"]
__all__ = ["nonzero", "argwhere", "masked_select", "masked_fill", "masked_scatter"]

cdef Kernel* NONZERO_COUNT = register_kernel(
    "nonzero_count", <Driver>nonzero_count_driver, NULL)
cdef Kernel* NONZERO = register_kernel("nonzero", <Driver>nonzero_driver, NULL)


# ---- where elements are not zero ----

cdef Tensor c_nonzero(Tensor x, bint flat=False):
    cdef View[3] v
    cdef int64_t[2] sizes
    cdef int64_t blocks = (x.count + TT_NONZERO_BLOCK - 1) // TT_NONZERO_BLOCK
    cdef Tensor counts, y
    refuse_capture("nonzero")
    if x.storage.device == META:
        raise NotImplementedError(
            "aten::nonzero: the size of the result depends on values, which meta "
            "tensors have not")
    x = contiguous(x)
    counts = empty_beside(x, 1, &blocks, I64)
    view_of(&v[0], counts)
    view_of(&v[1], x)
    run(NONZERO_COUNT, v, 2, 1, NULL, 0, 0, x.storage.device)
    sizes[0] = 1 if flat else x.rank
    sizes[1] = item(c_sum(counts))
    y = empty_beside(x, 2, sizes, I64)
    view_of(&v[0], y)
    view_of(&v[2], counts)
    run(NONZERO, v, 3, 1, NULL, 0, 0, x.storage.device)
    return y


def nonzero(Tensor input not None, *, out=None, as_tuple=False):
    """Return the indices of all elements that are not zero, one row for each.

    With ``as_tuple`` they come as one tensor per dimension, ready for indexing.
    """
    if not as_tuple:
        return deliver(c_transpose(c_nonzero(input), 0, 1), out)
    if out is not None:
        raise TypeError("nonzero(): as_tuple=True goes without out=")
    if input.rank == 0:
        input = input.reshape(1)
    return tuple(rows_of(c_nonzero(input)))


cdef int64_t one = 1  # the stride of flat memory


cdef list rows_of(Tensor x):
    return [row_of(x, d) for d in range(x.sizes[0])]


cdef Tensor row_of(Tensor x, int i):
    """Each row is its user's own."""
    return over(x, 1, x.sizes + 1, x.strides + 1,
                x.offset + i * x.strides[0] * sizeof(int64_t))


def argwhere(Tensor input not None):
    """Return the indices of all elements that are not zero, one row for each."""
    return c_transpose(c_nonzero(input), 0, 1)


# ---- reading under a mask ----

def masked_select(Tensor input not None, Tensor mask not None, *, out=None):
    """Return the elements of the input where the mask is true, in one dimension."""
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int rank
    cdef Tensor x, y
    cdef Node node = None
    if mask.code != BOOL:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    rank = broadcast(input, mask, sizes)
    x = c_expand(input, rank, sizes)
    mask = c_expand(mask, rank, sizes)
    if needs_grad(x):
        node = new_node(masked_select_backward, b"MaskedSelectBackward0")
        link(node, 0, x)
        save(node, 0, mask)
    y = selected(x, mask)
    if node is not None:
        attach(y, node)
    return deliver_apart(y, (input, mask), out)


cdef Tensor selected(Tensor x, Tensor mask):
    """The elements of x under a mask of its shape."""
    x = contiguous(x)
    return read_points(view(x, 1, &x.count, &one, x.offset),
                       rows_of(c_nonzero(mask, True)), False)


cdef int masked_select_backward(Node node, Tensor gy) except -1:
    """dx = 0, but dy in order where the mask is true"""
    cdef Tensor mask = saved(node, 0)
    send(node, 0, scattered(zeros(mask.rank, mask.sizes, gy, gy.code), mask, gy, True))
    return 0


# ---- filling under a mask ----

cdef tuple kinds = ("float", "double", "c10::Half", "c10::BFloat16", "long int", "int",
                    "short int", "signed char", "unsigned char", "bool")


cdef int check_mask(Tensor x, Tensor mask, bint in_place) except -1:
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int d, rank
    cdef bint fits
    if mask.code != BOOL:
        raise RuntimeError("masked_fill_ only supports boolean masks, but got mask "
                           f"with dtype {kinds[mask.code]}")
    if same_shape(x, mask):
        return 0
    rank = broadcast(x, mask, sizes)
    fits = rank == x.rank
    for d in range(min(rank, <int>x.rank)):
        fits = fits and sizes[d] == x.sizes[d]
    if in_place and not fits:
        raise RuntimeError(
            f"output with shape {list(size_of(x))} doesn't match the broadcast shape "
            f"{[sizes[d] for d in range(rank)]}")
    return 0


cdef Tensor filled(Tensor x, Tensor mask, const Number* n, bint in_place):
    cdef Node node = None
    cdef Number value = fitted(n, x.code)
    cdef Tensor y
    if in_place:
        check_inplace(x)
        check_overlap(x, None)
    check_mask(x, mask, in_place)
    check_range(n, x.code, True)
    if needs_grad(x):
        node = new_node(masked_fill_backward, b"MaskedFillBackward0")
        save(node, 0, mask)
    y = choose(mask, None, &value, x, NULL, x if in_place else None)
    if node is not None:
        link_fitted(node, 0, x, y)
    return recorded(y, node, in_place)


cdef int masked_fill_backward(Node node, Tensor gy) except -1:
    """dx = dy where the mask is false"""
    cdef Number zero = number_of_int(0)
    cdef Tensor mask = saved(node, 0)
    if wants(node, 0):
        send(node, 0, filled(gy, mask, &zero, False))
    if wants(node, 1):  # the value's, summed to 0-d where it is sent
        send(node, 1, c_where_number(mask, gy, 0))
    return 0


cdef Tensor filled_from(Tensor x, Tensor mask, Tensor value, bint in_place):
    cdef Node node = None
    cdef Tensor y
    if value.rank != 0:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor "
            f"with {value.rank} dimension(s).")
    if in_place:
        check_write(x, value)
        check_overlap(x, None)
    check_mask(x, mask, in_place)
    if needs_grad2(x, value) and is_float(x.code):
        node = new_node(masked_fill_backward, b"MaskedFillBackward1")
        save(node, 0, mask)
    y = choose(mask, cast(value, x.code), NULL, x, NULL, x if in_place else None)
    if node is not None:
        link_fitted(node, 0, x, y)
        link_fitted(node, 1, value, y)
    return recorded(y, node, in_place)


cdef Tensor c_masked_fill(Tensor x, Tensor mask, const Number* value):
    return filled(x, mask, value, False)


cdef Tensor c_masked_fill_(Tensor x, Tensor mask, const Number* value):
    return filled(x, mask, value, True)


cdef Tensor masked_fill_from(Tensor x, Tensor mask, Tensor value):
    return filled_from(x, mask, value, True)


cdef Tensor fill_any(str op, Tensor x, Tensor mask, object value, bint in_place):
    cdef Number n
    if isinstance(value, Tensor):
        return filled_from(x, mask, <Tensor>value, in_place)
    if not as_number(value, &n):
        raise TypeError(f"{op}() received an invalid combination of arguments - got "
                        f"(Tensor, {type(value).__name__}), but expected one of:\n"
                        " * (Tensor mask, Tensor value)\n"
                        " * (Tensor mask, Number value)")
    return filled(x, mask, &n, in_place)


def masked_fill(Tensor input not None, Tensor mask not None, value):
    """Return the input with `value` where the mask is true."""
    return fill_any("masked_fill", input, mask, value, False)


def masked_fill_(Tensor self not None, Tensor mask not None, value):
    """In-place `masked_fill`."""
    return fill_any("masked_fill_", self, mask, value, True)


# ---- writing under a mask ----

cdef Tensor scattered(Tensor x, Tensor mask, Tensor source, bint in_place):
    """x with source's elements, in order, where the mask is true."""
    cdef Node node = None
    cdef Tensor y, at
    cdef int64_t n
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    mask = c_expand(mask, x.rank, x.sizes)
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(masked_scatter_backward, b"MaskedScatterBackward0")
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, mask)
        save_sizes(node, source.rank, source.sizes)
    at = c_nonzero(mask)
    n = at.sizes[1]
    if n > source.count:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    y = start(x, in_place)
    source = contiguous(source)
    if x.rank == 0:
        if n:
            copy_into(y, view(source, 0, NULL, NULL, source.offset))
    elif n:
        write_points(y, rows_of(at), view(source, 1, &n, &one, source.offset), PUT_SET,
                     False)
    return recorded(y, node, in_place)


cdef int masked_scatter_backward(Node node, Tensor gy) except -1:
    """dx = dy where the mask is false; what was taken from the source gets dy there"""
    cdef int64_t[MAX_DIMS] sizes
    cdef int d, rank
    cdef int64_t n = 1
    cdef Number zero = number_of_int(0)
    cdef Tensor mask = saved(node, 0), g, taken
    if wants(node, 0):
        send(node, 0, filled(gy, mask, &zero, False))
    if wants(node, 1):
        rank = saved_sizes(node, sizes)
        for d in range(rank):
            n *= sizes[d]
        g = zeros(1, &n, gy, gy.code)
        taken = masked_select(gy, mask)
        c_copy_(c_slice(g, 0, 0, 1, taken.count), taken)
        send(node, 1, c_reshape(g, rank, sizes))
    return 0


cdef int check_source(Tensor x, Tensor mask, Tensor source) except -1:
    if mask.code != BOOL:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask "
                           f"with dtype {dtype_word(mask.code)}")
    if x.code != source.code:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{dtype_word(x.code)} and {dtype_word(source.code)}")
    return 0


def masked_scatter(Tensor input not None, Tensor mask not None, Tensor source not None):
    """Return the input with the source's elements, in order, where the mask is true."""
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int rank
    check_source(input, mask, source)
    rank = broadcast(input, mask, sizes)
    return scattered(c_expand(input, rank, sizes), mask, source, False)


def masked_scatter_(Tensor self not None, Tensor mask not None, Tensor source not None):
    """In-place `masked_scatter`."""
    check_source(self, mask, source)
    return scattered(self, mask, source, True)
