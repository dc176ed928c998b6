"""What ops along one dimension share, and two ops that are each other's derivative:

    take_along   y[k] = x[index[k]]
    put_along    y[index[k]] += g[k]
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.shape cimport contiguous
from tinytorch._core.tensor cimport Tensor, empty_beside, set_sizes
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport MAX_DIMS, compute_of

cdef extern from "pick.h" nogil:
    int take_along_driver(const KernelCall* call)
    int put_along_driver(const KernelCall* call)

tt_parallel_for = parallel_for

cdef Kernel* TAKE = register_kernel("take_along", <Driver>take_along_driver, NULL)
cdef Kernel* PUT = register_kernel("put_along", <Driver>put_along_driver, NULL)


cdef int along(const Kernel* kernel, Tensor y, Tensor index, Tensor x, Tensor w,
               int dim, int compute, Scalar* s, int scalars) except -1:
    cdef View[4] v
    cdef int k = 0, outputs
    if y is not None:
        view_of(&v[k], y)
        k += 1
    if index is not None:
        view_of(&v[k], index)
        k += 1
    outputs = k
    view_of(&v[k], x)
    k += 1
    if w is not None:
        view_of(&v[k], w)
        k += 1
    s[0].i = dim
    return run(kernel, v, k, outputs, s, scalars, compute, x.storage.device)


cdef Tensor sized(Tensor x, int dim, int64_t n, int code):
    cdef int64_t[MAX_DIMS] shape
    cdef int d
    for d in range(x.rank):
        shape[d] = n if d == dim else x.sizes[d]
    return empty_beside(x, x.rank, shape, code)


cdef int drop(Tensor y, int dim) except -1:
    cdef int64_t[MAX_DIMS] shape
    cdef int d, k = 0
    for d in range(y.rank):
        if d != dim:
            shape[k] = y.sizes[d]
            k += 1
    return set_sizes(y, k, shape, NULL)


cdef int pick(const Kernel* kernel, Tensor y, Tensor x, Tensor index, int dim,
              int64_t n) except -1:
    cdef View[3] v
    cdef Scalar[3] s
    cdef int d
    x = contiguous(x)
    index = contiguous(index)
    view_of(&v[0], y)
    view_of(&v[1], x)
    view_of(&v[2], index)
    s[0].i = n
    s[1].i = index.sizes[dim] if index.rank else 1
    s[2].i = 1
    for d in range(dim + 1, index.rank):
        s[2].i *= index.sizes[d]
    return run(kernel, v, 3, 1, s, 3, compute_of[y.code], y.storage.device)


cdef Tensor take_along(Tensor x, Tensor index, int dim):
    cdef Node node = None
    cdef int64_t n = x.sizes[dim] if x.rank else 1
    if needs_grad(x):
        node = new_node(take_backward, b"GatherBackward0")
        link(node, 0, x)
        save(node, 0, index)
        node.i0 = dim
        node.i1 = n
    y = sized(index, -1, 0, x.code)
    pick(TAKE, y, x, index, dim, n)
    if node is not None:
        attach(y, node)
    return y


cdef int take_backward(Node node, Tensor gy) except -1:
    """gx[index[k]] += gy[k]"""
    return send(node, 0, put_along(gy, saved(node, 0), node.i0, node.i1))


cdef Tensor put_along(Tensor g, Tensor index, int dim, int64_t n):
    cdef Node node = None
    if needs_grad(g):
        node = new_node(put_backward, b"ScatterAddBackward0")
        link(node, 0, g)
        save(node, 0, index)
        node.i0 = dim
    y = sized(g, dim, n, g.code)
    pick(PUT, y, g, index, dim, n)
    if node is not None:
        attach(y, node)
    return y


cdef int put_backward(Node node, Tensor gy) except -1:
    """gg[k] = gy[index[k]]"""
    return send(node, 0, take_along(gy, saved(node, 0), node.i0))


def delivered(Tensor y not None, out):
    """Return y, or `out` filled with it: for compositions written in Python."""
    return deliver(y, out)
