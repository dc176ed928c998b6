"""Writing whole tensors in place: copy_, fill_, zero_ and fill_diagonal_.

What was in the tensor before gets zeros as its gradient, not none, as in PyTorch.
"""

from libc.math cimport isinf, isnan
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, check_history, check_inplace, check_source, check_write, grad_mode,
    link, link_fitted, needs_grad, new_node, rebase, refuse_repeated, send, wants)
from tinytorch._core.executor cimport copy_into, fill_with
from tinytorch._core.ops.elementwise cimport (
    Number, as_number, broadcast_with, deliver, number_of_int)
from tinytorch._core.ops.shape cimport c_clone, zeros_like
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty_like, is_contiguous, same_shape, size_of, view)
from tinytorch._core.types cimport (
    BOOL, BOOLS, F32, F64, FLOATS, I64, MAX_DIMS, U8, is_float, itemsize)

METHODS = ["copy_", "fill_", "zero_", "fill_diagonal_"]
__all__ = ["fill", "fill_", "zero_"]


# ---- numbers as elements ----

cdef tuple c_names = ("float", "double", "c10::Half", "c10::BFloat16", "int64_t", "int",
                      "int16_t", "int8_t", "uint8_t", "bool")
cdef double[10] largest = [3.4028234663852886e38, 0, 65504, 3.3895313892515355e38,
                           0, 2147483647, 32767, 127, 255, 0]


cdef double two_63 = 9223372036854775808.0


cdef int check_range(const Number* n, int code, bint halves=False) except -1:
    """Refuse numbers that the dtype cannot hold; `halves`: also for half types."""
    cdef bint fits
    if code == BOOL or code == F64:
        return 0
    if code == I64:
        fits = n.category != FLOATS or -two_63 <= n.f < two_63
    elif is_float(code):
        fits = (isinf(n.f) or isnan(n.f) or -largest[code] <= n.f <= largest[code]
                or code != F32 and not halves)
    elif code == U8:  # -1 is 255, as in C
        fits = -1 < n.f <= 255 if n.category == FLOATS else -256 < n.i < 256
    else:
        fits = -largest[code] - 1 <= n.f <= largest[code]
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {c_names[code]} without "
                           "overflow")
    return 0


cdef Number fitted(const Number* n, int code) noexcept:
    """The number as an element of the dtype: integers are cut off, truth is 0 or 1."""
    cdef Number result = n[0]
    if code == BOOL:
        result = number_of_int(n.f != 0)
        result.category = BOOLS
    elif not is_float(code) and n.category == FLOATS:
        result = number_of_int(<int64_t>n.f)
    return result


cdef int fill_number(Tensor y, const Number* n) except -1:
    return fill_with(y, n.f, n.f != 0 if y.code == BOOL else n.i)


# ---- memory that is shared ----

cdef bint spans_meet(Tensor x, int64_t count_x, Tensor y, int64_t count_y) noexcept:
    """Whether dense tensors of so many elements, in one storage, share some."""
    return (x.offset < y.offset + count_y * itemsize[y.code]
            and y.offset < x.offset + count_x * itemsize[x.code])


cdef int check_overlap(Tensor y, Tensor x) except -1:
    """Refuse targets that repeat elements, and dense tensors that overlap in part."""
    if not is_contiguous(y):
        refuse_repeated(y)
    if x is None or x.storage != y.storage or x.count == 0 or y.count == 0:
        return 0
    if not is_contiguous(x) or not is_contiguous(y):
        return 0
    if not spans_meet(x, x.count, y, y.count):
        return 0
    if x.offset != y.offset or x.count * itemsize[x.code] != y.count * itemsize[y.code]:
        refuse_overlap()
    return 0


cdef object deliver_apart(Tensor result, object given, object out):
    """Deliver what was made of the given tensors, but not over their elements."""
    if isinstance(out, Tensor):
        check_apart(<Tensor>out, result, given)
    return deliver(result, out)


cdef int check_apart(Tensor y, Tensor result, object given) except -1:
    """Refuse an out= tensor that would lie over one of the given ones, when it has got
    the result's shape."""
    cdef Tensor x
    cdef bint fits = same_shape(y, result)
    if fits:
        refuse_repeated(y)
    for x in given:
        if x is y or fits and x.count and x.storage == y.storage and same_places(x, y):
            refuse_overlap()
        if x.storage != y.storage or not is_contiguous(x):
            continue
        if fits and not is_contiguous(y):
            continue
        if spans_meet(x, x.count, y, result.count):
            refuse_overlap()
    return 0


cdef int refuse_overlap() except -1:
    raise RuntimeError(
        "unsupported operation: some elements of the input tensor and the written-to "
        "tensor refer to a single memory location. Please clone() the tensor before "
        "performing the operation.")


cdef bint same_places(Tensor x, Tensor y):
    """Whether element i of x lies where element i of y does."""
    cdef int d
    if x.offset != y.offset or x.code != y.code or not same_shape(x, y):
        return False
    for d in range(x.rank):
        if x.strides[d] != y.strides[d] and x.sizes[d] != 1:
            return False
    return True


# ---- an op and its in-place twin ----

cdef Tensor start(Tensor x, bint in_place):
    cdef Tensor y
    if in_place:
        check_inplace(x)
        return x
    y = empty_like(x)
    copy_into(y, x)
    return y


cdef Tensor recorded(Tensor y, Node node, bint in_place):
    if node is not None:
        if in_place:
            rebase(y, node)
        else:
            attach(y, node)
    return y


# ---- copies ----

cdef int check_sizes(Tensor y, Tensor x) except -1:
    """x must broadcast to y's own shape."""
    cdef int64_t[2 * MAX_DIMS] shape
    cdef int d, rank
    cdef bint fits
    if same_shape(x, y):
        return 0
    for d in range(y.rank):
        shape[d] = y.sizes[d]
    rank = broadcast_with(y.rank, shape, x)
    fits = rank == y.rank
    if fits:
        for d in range(rank):
            fits = fits and shape[d] == y.sizes[d]
    if not fits:
        raise RuntimeError(
            f"output with shape {list(size_of(y))} doesn't match the broadcast shape "
            f"{[shape[d] for d in range(rank)]}")
    return 0


cdef Node overwriting(Tensor y, Tensor x, int (*backward)(Node, Tensor) except -1,
                      const char* title):
    """The node of a write; links before anything is written.

    A view's old values are part of its base, which rebase() takes care of.
    """
    cdef Node node
    if not grad_mode() or not is_float(y.code):
        return None
    if not y.flags & REQUIRES_GRAD and (x is None or not x.flags & REQUIRES_GRAD):
        return None
    node = new_node(backward, title)
    if y.base is None:
        link(node, 0, y)
    else:
        node.inputs = 1
    if x is not None:
        link_fitted(node, 1, x, y)
    return node


cdef Tensor c_copy_(Tensor y, Tensor x):
    cdef Node node
    check_write(y, x)
    if x is y:
        return y
    check_sizes(y, x)
    check_overlap(y, x)
    if x.storage.device == META and y.storage.device != META:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    node = overwriting(y, x, copy_backward, b"CopyBackwards")
    if x.storage == y.storage and not same_places(x, y):
        x = c_clone(x)  # it is read while its memory is written
    copy_into(y, x)
    if node is not None:
        rebase(y, node)
    return y


cdef int copy_backward(Node node, Tensor gy) except -1:
    """What was there gets 0; dx = dy, summed over what was broadcast, in x's dtype"""
    if wants(node, 0):
        send(node, 0, zeros_like(gy))
    send(node, 1, gy)
    return 0


def copy_(Tensor self not None, src, non_blocking=False):
    """Write the elements of `src`, broadcast and cast, into this tensor."""
    cdef Number n
    if isinstance(src, Tensor):
        return c_copy_(self, <Tensor>src)
    if not as_number(src, &n):
        raise TypeError("copy_(): argument 'other' (position 1) must be Tensor, not "
                        f"{type(src).__name__}")
    return c_fill_(self, &n)


# ---- fills ----

cdef int forget(Node node, Tensor gy) except -1:
    """What was overwritten has no influence."""
    if wants(node, 0):
        send(node, 0, zeros_like(gy))
    return 0


cdef Tensor c_fill_(Tensor y, const Number* n):
    cdef Node node
    check_history(y)
    check_range(n, y.code)
    node = overwriting(y, None, forget, b"FillBackward2")
    fill_number(y, n)
    if node is not None:
        rebase(y, node)
    return y


cdef Tensor fill_from(Tensor y, Tensor value):
    """Fill with a 0-d tensor, which may need a gradient."""
    cdef Node node
    if value.rank != 0:
        raise RuntimeError("fill_ only supports 0-dimension value tensor but got "
                           f"tensor with {value.rank} dimensions.")
    check_history(y)
    check_source(y, value)
    node = overwriting(y, value, copy_backward, b"FillBackward3")
    if value.storage == y.storage:
        value = c_clone(value)
    copy_into(y, value)
    if node is not None:
        rebase(y, node)
    return y


def fill_(Tensor self not None, value):
    """Set all elements to one number, or to that of a 0-d tensor."""
    cdef Number n
    if isinstance(value, Tensor):
        return fill_from(self, <Tensor>value)
    if not as_number(value, &n):
        raise TypeError("fill_() received an invalid combination of arguments - got "
                        f"({type(value).__name__}), but expected one of:\n"
                        " * (Tensor value)\n * (Number value)\n")
    return c_fill_(self, &n)


def fill(Tensor input not None, value):
    """Return a tensor like the input with all elements set to `value`."""
    cdef Tensor y = empty_like(input)
    cdef Tensor x = value if isinstance(value, Tensor) else None
    cdef Node node = None
    fill_(y, value if x is None else x.detach())
    if is_float(y.code) and (needs_grad(input) or x is not None and needs_grad(x)):
        node = new_node(copy_backward,
                        b"FillBackward0" if x is None else b"FillBackward1")
        link(node, 0, input)
        if x is not None:
            link_fitted(node, 1, x, y)
        attach(y, node)
    return y


def zero_(Tensor self not None):
    """Set all elements to zero."""
    cdef Node node
    check_history(self)
    node = overwriting(self, None, forget, b"ZeroBackward0")
    fill_with(self, 0, 0)
    if node is not None:
        rebase(self, node)
    return self


# ---- the diagonal ----

cdef int fill_diagonals(Tensor x, const Number* n, bint wrap) except -1:
    """Without history; wrapping goes on below the square on top of a tall matrix."""
    cdef int d
    cdef int64_t stride = 0, size = x.sizes[0], width, more
    for d in range(x.rank):
        stride += x.strides[d]
        if x.sizes[d] < size:
            size = x.sizes[d]
    fill_number(view(x, 1, &size, &stride, x.offset), n)
    width = x.sizes[1]
    if wrap and x.rank == 2 and x.sizes[0] > width + 1:
        more = (x.count + width) // (width + 1) - size
        fill_number(view(x, 1, &more, &stride,
                         x.offset + stride * (width + 1) * itemsize[x.code]), n)
    return 0


cdef Tensor diagonal_filled(Tensor x, const Number* n, bint wrap):
    cdef Node node
    check_history(x)
    check_range(n, x.code)
    node = overwriting(x, None, fill_diagonal_backward, b"FillDiagonalBackward0")
    if node is not None:
        if x.base is not None:
            link(node, 0, x)
        node.i0 = wrap
    fill_diagonals(x, n, wrap)
    if node is not None:
        rebase(x, node)
    return x


cdef int fill_diagonal_backward(Node node, Tensor gy) except -1:
    """dx = dy off the diagonal"""
    cdef Number zero = number_of_int(0)
    send(node, 0, diagonal_filled(c_clone(gy), &zero, node.i0))
    return 0


def fill_diagonal_(Tensor self not None, fill_value, wrap=False):
    """Set the main diagonal to a number; `wrap` repeats it in tall matrices."""
    cdef Number n
    cdef int d
    if not as_number(fill_value, &n):
        raise TypeError("fill_diagonal_(): argument 'fill_value' (position 1) must be "
                        f"Number, not {type(fill_value).__name__}")
    if self.rank < 2:
        raise RuntimeError("dimensions must larger than 1")
    for d in range(self.rank):
        if self.rank > 2 and self.sizes[d] != self.sizes[0]:
            raise RuntimeError(
                "all dimensions of input must be of equal length")
    if self.count == 0:
        return self
    return diagonal_filled(self, &n, wrap)
