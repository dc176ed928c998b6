"""Copies and casts; the order of memory that a copy may keep."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, gradient_ops, link, link_fitted, needs_grad, new_node,
    send)
from tinytorch._core.executor cimport copy_new, fill_new
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty_as, empty_beside, empty_like, is_contiguous, set_sizes,
    twin, view)
from tinytorch._core.types cimport MAX_DIMS


cdef Tensor contiguous(Tensor x):
    cdef Tensor y
    if is_contiguous(x):
        return x
    y = empty_like(x)
    copy_new(y, x)
    return y


cdef int memory_order(Tensor x, int* order) except -1:
    """x's dimensions from the innermost in memory outwards.

    Strides of 0 do not say where a dimension belongs: it stays where it stands.
    """
    cdef int i, k, at
    cdef int64_t near, far
    for i in range(x.rank):
        order[i] = x.rank - 1 - i
    for i in range(1, x.rank):
        at = i
        for k in range(i - 1, -1, -1):
            near, far = x.strides[order[k]], x.strides[order[at]]
            if near == 0 or far == 0:
                continue
            if near < far or (near == far and x.sizes[order[k]] <= x.sizes[order[at]]):
                if near < far:
                    break
                continue
            order[k], order[at] = order[at], order[k]
            at = k
    return 0


cdef Tensor empty_preserved(Tensor x, int code):
    """An unset tensor without gaps whose dimensions lie in memory in x's order."""
    cdef int[MAX_DIMS] order
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t step = 1
    cdef int i
    cdef Tensor y = empty_as(x, code)
    if is_contiguous(x):
        return y
    memory_order(x, order)
    for i in range(x.rank):
        strides[order[i]] = step
        step *= x.sizes[order[i]] if x.sizes[order[i]] > 1 else 1
    set_sizes(y, x.rank, x.sizes, strides)
    return y


cdef Tensor in_memory_order(Tensor x, const int* order):
    """A view whose dimensions run from the outermost in memory inwards."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int i
    for i in range(x.rank):
        sizes[i] = x.sizes[order[x.rank - 1 - i]]
        strides[i] = x.strides[order[x.rank - 1 - i]]
    return view(x, x.rank, sizes, strides, x.offset)


cdef Tensor copy_preserved(Tensor x, int code):
    cdef int[MAX_DIMS] order
    cdef Tensor y = empty_preserved(x, code)
    if is_contiguous(x):
        copy_new(y, x)
    else:  # walk both in the order in which they lie
        memory_order(x, order)
        copy_new(in_memory_order(y, order), in_memory_order(x, order))
    return y


cdef Tensor c_contiguous(Tensor x):
    return x if is_contiguous(x) else c_clone(x)


cdef int pass_on(Node node, Tensor gy) except -1:
    """dx = dy, cast to x's dtype where it is sent"""
    send(node, 0, gy)
    return 0


cdef Tensor c_clone(Tensor x):
    cdef Tensor y = empty_as(x, x.code)
    cdef Node node = None
    if needs_grad(x):
        node = new_node(pass_on, b"CloneBackward0")
        link(node, 0, x)
    copy_new(y, x)
    if node is not None:
        attach(y, node)
    return y


cdef Tensor c_to(Tensor x, int code):
    cdef Tensor y
    cdef Node node
    if x.code == code:
        return x
    y = empty_as(x, code)
    copy_new(y, x)
    if code <= 3 and x.flags & REQUIRES_GRAD and grad_mode():
        node = new_node(pass_on, b"ToCopyBackward0")
        link_fitted(node, 0, x, y)
        attach(y, node)
    return y


cdef Tensor c_detach(Tensor x):
    return twin(x)


cdef Tensor zeros(int rank, const int64_t* sizes, Tensor like, int code):
    cdef Tensor y = empty_beside(like, rank, sizes, code)
    fill_new(y, 0, 0)
    return y


cdef Tensor zeros_like(Tensor x):
    return zeros(x.rank, x.sizes, x, x.code)


cdef Tensor ones_like(Tensor x):
    cdef Tensor y = empty_like(x)
    fill_new(y, 1, 1)
    return y


gradient_ops.clone = c_clone
gradient_ops.ones_like = ones_like
