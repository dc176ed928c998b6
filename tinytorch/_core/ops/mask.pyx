"""Masks: where elements are not zero, and reading and writing under a bool tensor."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, grad_mode, link, link_fitted, needs_grad, needs_grad2,
    new_node, rebase, save, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, View, copy_into, refuse_capture, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.assign cimport check_overlap, check_range
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, broadcast, broadcast_with, deliver, number_of_int)
from tinytorch._core.ops.points cimport PUT_SET, read_points, write_points
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.select cimport choose
from tinytorch._core.ops.shape cimport (
    c_clone, c_expand, c_reshape, c_transpose, c_view_as, contiguous, dtype_word,
    zeros_like)
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, data, empty_beside, item, same_shape, size_of, view)
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
    cdef int64_t block, blocks = (x.count + TT_NONZERO_BLOCK - 1) // TT_NONZERO_BLOCK
    cdef Tensor counts, y
    refuse_capture("nonzero")
    if x.storage.device == META:
        raise NotImplementedError(
            "aten::nonzero: the size of the result depends on values, which meta tensors "
            "have not")
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
    cdef Tensor y
    if not as_tuple:
        return deliver(c_transpose(c_nonzero(input), 0, 1), out)
    if out is not None:
        raise TypeError("nonzero(): as_tuple=True goes without out=")
    if input.rank == 0:
        input = input.reshape(1)
    y = c_nonzero(input)
    return tuple([row_of(y, d) for d in range(input.rank)])


cdef Tensor row_of(Tensor x, int i):
    cdef Tensor y = view(x, 1, x.sizes + 1, x.strides + 1,
                         x.offset + i * x.strides[0] * sizeof(int64_t))
    y.base = None  # each is its user's own
    return y


def argwhere(Tensor input not None):
    """Return the indices of all elements that are not zero, one row for each."""
    return c_transpose(c_nonzero(input), 0, 1)


# ---- reading under a mask ----

cdef Tensor widened(Tensor x, int rank, const int64_t* sizes):
    return c_expand(x, rank, sizes)


def masked_select(Tensor input not None, Tensor mask not None, *, out=None):
    """Return the elements of the input where the mask is true, in one dimension."""
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int rank
    cdef Tensor x, y
    cdef Node node = None
    if mask.code != BOOL:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    rank = broadcast(input, mask, sizes)
    x = widened(input, rank, sizes)
    mask = widened(mask, rank, sizes)
    if needs_grad(x):
        node = new_node(masked_select_backward, b"MaskedSelectBackward0")
        link(node, 0, x)
        save(node, 0, mask)
    y = selected(x, mask)
    if node is not None:
        attach(y, node)
    return deliver(y, out)


cdef Tensor selected(Tensor x, Tensor mask):
    """The elements of x under a mask of its shape."""
    cdef Tensor at = row_of(c_nonzero(mask, True), 0)
    x = contiguous(x)
    return read_points(view(x, 1, &x.count, [1], x.offset), [at], False)


cdef int masked_select_backward(Node node, Tensor gy) except -1:
    """dx = 0, but dy in order where the mask is true"""
    cdef Tensor mask = saved(node, 0), gx = empty_beside(gy, mask.rank, mask.sizes, gy.code)
    cdef Number zero = number_of_int(0)
    masked_fill_everywhere(gx)
    send(node, 0, masked_scatter_(gx, mask, gy))
    return 0


cdef int masked_fill_everywhere(Tensor x) except -1:
    copy_into(x, zeros_like(x))
    return 0


# ---- filling under a mask ----

cdef tuple kinds = ("float", "double", "c10::Half", "c10::BFloat16", "long int", "int",
                    "short int", "signed char", "unsigned char", "bool")


cdef int check_mask(Tensor mask, str op) except -1:
    if mask.code != BOOL:
        raise RuntimeError(f"{op} only supports boolean masks, but got mask with dtype "
                           f"{kinds[mask.code]}")
    return 0
