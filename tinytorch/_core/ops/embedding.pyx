"""Rows of a table by their numbers:  y = w[index].

The derivative adds rows of the same index up (`c_add_rows`); its own derivative is the
lookup again, so the two close under differentiation.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.arithmetic cimport c_div
from tinytorch._core.ops.shape cimport (
    c_reshape, c_to, contiguous, dtype_word, ones_like)
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, is_contiguous, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, F16, F32, I32, I64, MAX_DIMS, compute_of, is_float)

__all__ = ["embedding", "embedding_renorm_"]

cdef extern from *:
    """
    #include "embedding.h"
    """
    int embedding_driver(const KernelCall* call) noexcept nogil
    int embedding_backward_driver(const KernelCall* call) noexcept nogil
    int embedding_renorm_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* LOOKUP = register_kernel("embedding", <Driver>embedding_driver, NULL)
cdef Kernel* ADD_ROWS = register_kernel(
    "embedding_backward", <Driver>embedding_backward_driver, NULL)
cdef Kernel* RENORM = register_kernel(
    "embedding_renorm", <Driver>embedding_renorm_driver, NULL)


cdef Tensor int64_index(Tensor index, str what):
    if index.code != I64 and index.code != I32:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following "
            f"scalar types: Long, Int; but got torch.{dtype_word(index.code)}Tensor "
            f"instead (while checking arguments for {what})")
    return contiguous(c_to(index, I64))


cdef int run_checked(Kernel* kernel, View* v, int operands, const Scalar* s,
                     int scalars, Tensor x) except -1:
    try:
        return run(kernel, v, operands, 1, s, scalars, compute_of[x.code],
                   x.storage.device)
    except IndexError:
        raise IndexError("index out of range in self") from None


# ---- the lookup and its adjoint ----

cdef Tensor c_embedding(Tensor w, Tensor index, int64_t padding, bint by_frequency,
                        int64_t blank=-1):
    cdef View[3] v
    cdef Scalar s
    cdef int64_t[MAX_DIMS] shape
    cdef Node node = None
    cdef Tensor y
    if needs_grad(w):
        node = new_node(embedding_backward, b"EmbeddingBackward0")
        save(node, 0, index)
        node.i0 = w.sizes[0]
        node.i1 = padding
        node.i2 = by_frequency
        link(node, 0, w)
    memcpy(shape, index.sizes, index.rank * sizeof(int64_t))
    shape[index.rank] = w.sizes[1]
    y = empty_beside(w, index.rank + 1, shape, w.code)
    w = contiguous(w)
    s.i = blank
    view_of(&v[0], y)
    view_of(&v[1], w)
    view_of(&v[2], index)
    run_checked(LOOKUP, v, 3, &s, 1, w)
    if node is not None:
        attach(y, node)
    return y


cdef int embedding_backward(Node node, Tensor gy) except -1:
    """dy_k = dw_index(k)"""
    return send(node, 0, c_add_rows(gy, saved(node, 0), node.i0, node.i1, node.i2))


cdef Tensor c_add_rows(Tensor gy, Tensor index, int64_t rows, int64_t padding,
                       bint by_frequency):
    cdef View[3] v
    cdef Scalar[2] s
    cdef int64_t[2] shape
    cdef Node node = None
    cdef Tensor gw
    if gy.code == F16 or gy.code == BF16:
        gw = c_add_rows(c_to(gy, F32), index, rows, padding, by_frequency)
        return c_to(gw, gy.code)
    if needs_grad(gy):
        node = new_node(add_rows_backward, b"EmbeddingDenseBackwardBackward0")
        save(node, 0, index)
        node.i0 = rows
        node.i1 = padding
        node.i2 = by_frequency
        link(node, 0, gy)
    shape[0], shape[1] = rows, gy.sizes[gy.rank - 1]
    gw = empty_beside(gy, 2, shape, gy.code)
    gy = contiguous(gy)
    s[0].i = padding
    s[1].i = by_frequency
    view_of(&v[0], gw)
    view_of(&v[1], gy)
    view_of(&v[2], index)
    run_checked(ADD_ROWS, v, 3, s, 2, gy)
    if node is not None:
        attach(gw, node)
    return gw


cdef int add_rows_backward(Node node, Tensor ggw) except -1:
    """The adjoint of adding rows up is looking them up, without those left out"""
    cdef Tensor index = saved(node, 0), gg, count
    cdef int64_t[2] flat
    gg = c_embedding(ggw, index, node.i1, False, node.i1)
    if node.i2:
        flat[0], flat[1] = index.count, 1
        count = ones_like(c_reshape(c_to(index, ggw.code), 2, flat))
        count = c_add_rows(count, c_reshape(index, 1, flat), node.i0, -1, False)
        gg = c_div(gg, c_embedding(count, index, -1, False))
    return send(node, 0, gg)


# ---- for Python ----

def embedding(Tensor weight not None, Tensor indices not None, int64_t padding_idx=-1,
              scale_grad_by_freq=False, sparse=False):
    """Return the rows of `weight` at `indices`, as an additional last dimension.

    Args:
        padding_idx: a row that receives no gradient; -1 is none.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
    """
    if weight.rank != 2:
        raise RuntimeError("'weight' must be 2-D")
    if sparse:
        raise NotImplementedError("sparse gradients are not supported")
    return c_embedding(weight, int64_index(indices, "embedding"), padding_idx,
                       bool(scale_grad_by_freq))


def embedding_renorm_(Tensor self not None, Tensor indices not None, double max_norm,
                      double norm_type):
    """Scale rows at `indices` whose norm is above `max_norm` down to it, in place."""
    cdef View[2] v
    cdef Scalar[2] s
    cdef Tensor w = self, index = int64_index(indices, "embedding_renorm_")
    if self.rank != 2 or not is_float(self.code):
        raise RuntimeError("embedding_renorm_ expects a 2-D tensor of a float dtype")
    check_inplace(self)
    if not is_contiguous(self) or self.code == F16 or self.code == BF16:
        w = contiguous(c_to(self, F32 if self.code == F16 or self.code == BF16
                            else self.code))
    s[0].f = max_norm
    s[1].f = norm_type
    view_of(&v[0], w)
    view_of(&v[1], index)
    run_checked(RENORM, v, 2, s, 2, w)
    if w is self:
        wrote(self)
    else:
        copy_into(self, w)
    return self
