"""take and put: indices into a tensor as if it were flat."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_write, link, needs_grad, needs_grad2, new_node, save, saved,
    send, wants)
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.advanced cimport index_embed
from tinytorch._core.ops.assign cimport (
    check_overlap, deliver_apart, recorded, start)
from tinytorch._core.ops.points cimport (
    PUT_ADD, PUT_SET, first_outside, read_points, write_points)
from tinytorch._core.ops.shape cimport (
    c_reshape, contiguous, dtype_word, save_sizes, saved_sizes, zeros)
from tinytorch._core.tensor cimport Tensor, view
from tinytorch._core.types cimport I64, MAX_DIMS, is_float

METHODS = ["take", "put", "put_"]
__all__ = ["take", "put"]

cdef int64_t one = 1  # the stride of flat memory


cdef Tensor flat(Tensor x):
    """x, contiguous, as one dimension; no graph."""
    return view(x, 1, &x.count, &one, x.offset)


cdef int check_long(Tensor index, str op) except -1:
    if index.code != I64:
        raise RuntimeError(f"{op}(): Expected a long tensor for index, but got "
                           f"{dtype_word(index.code)}")
    return 0


cdef int refuse_place(Tensor x, Tensor index) except -1:
    raise IndexError(
        f"out of range: tried to access index {first_outside(index, x.count, True)} on "
        f"a tensor of {x.count} elements.")


cdef Tensor c_take(Tensor x, Tensor index):
    cdef Node node = None
    cdef Tensor y
    if index.count and not x.count:
        raise IndexError("take(): tried to take from an empty tensor")
    if needs_grad(x):
        node = new_node(take_backward, b"TakeBackward0")
        link(node, 0, x)
        save(node, 0, index)
        save_sizes(node, x.rank, x.sizes)
    try:
        y = read_points(flat(contiguous(x)), [contiguous(index)], True)
    except IndexError:
        refuse_place(x, index)
        raise
    if node is not None:
        attach(y, node)
    return y


cdef int take_backward(Node node, Tensor gy) except -1:
    """dx = 0, plus dy wherever an index points"""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t n = 1
    cdef Tensor index = saved(node, 0)
    cdef int d, rank = saved_sizes(node, sizes)
    for d in range(rank):
        n *= sizes[d]
    send(node, 0, c_reshape(index_embed(gy, 1, &n, [contiguous(index)]), rank, sizes))
    return 0


def take(Tensor input not None, Tensor index not None, *, out=None):
    """Return the elements of the flattened input at the indices, in their shape."""
    cdef Tensor y
    check_long(index, "take")
    y = c_take(input, index)
    return deliver_apart(y, (input, index), out)


cdef Tensor put_into(Tensor x, Tensor index, Tensor source, bint accumulate,
                     bint in_place):
    cdef Tensor y
    cdef Node node = None
    check_long(index, "put_")
    if x.code != source.code:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got "
            f"self.dtype = {dtype_word(x.code)} and source.dtype = "
            f"{dtype_word(source.code)}")
    if index.count != source.count:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, "
            f"but got source.numel() = {source.count}, index.numel() = {index.count}")
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    if index.count and not x.count:
        raise IndexError("put_(): Tried to put elements into an empty tensor")
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(put_backward, b"PutBackward0")
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, index)
        save_sizes(node, source.rank, source.sizes)
        node.f0 = accumulate
    y = start(x, False)  # contiguous; a view in place gets it back
    try:
        write_points(flat(y), [flat(contiguous(index))], flat(contiguous(source)),
                     PUT_ADD if accumulate else PUT_SET, True)
    except IndexError:
        refuse_place(x, index)
        raise
    if in_place:
        copy_into(x, y)
        y = x
    return recorded(y, node, in_place)


cdef int put_backward(Node node, Tensor gy) except -1:
    """dx = dy, 0 where it was overwritten; dv = dy where the indices point"""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor index = saved(node, 0)
    cdef int rank = saved_sizes(node, sizes)
    if wants(node, 0):
        send(node, 0, gy if node.f0 else put_into(
            gy, index, zeros(index.rank, index.sizes, gy, gy.code), False, False))
    if wants(node, 1):
        send(node, 1, c_reshape(c_take(gy, index), rank, sizes))
    return 0


def put(Tensor input not None, Tensor index not None, Tensor source not None,
        accumulate=False):
    """Return the input with the source's elements at indices into the flat input."""
    return put_into(input, index, source, accumulate, False)


def put_(Tensor self not None, Tensor index not None, Tensor source not None,
         accumulate=False):
    """In-place `put`."""
    return put_into(self, index, source, accumulate, True)
