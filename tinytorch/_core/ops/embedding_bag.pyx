"""Rows of a table, joined in bags by their sum, mean or maximum.

Forward is one kernel call.  The derivative of sums and means hands each element its
bag's gradient and adds them up per row; that of the maximum adds at the chosen ones.
"""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.compare cimport c_ge_number
from tinytorch._core.ops.embedding cimport c_add_rows, c_embedding, int64_index
from tinytorch._core.ops.gather cimport c_scatter_add
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.select cimport c_where_number
from tinytorch._core.ops.shape cimport (
    c_to, c_unsqueeze, contiguous, dtype_word, zeros)
from tinytorch._core.tensor cimport Tensor, empty_beside, empty_like
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, F16, F32, I64, compute_of, is_float

__all__ = []

cdef extern from *:
    """
    #include "embedding.h"
    """
    int embedding_bag_driver(const KernelCall* call) noexcept nogil
    int bag_of_driver(const KernelCall* call) noexcept nogil
    int TT_BAG_SUM, TT_BAG_MEAN, TT_BAG_MAX

tt_parallel_for = parallel_for

cdef Kernel* BAG = register_kernel("embedding_bag", <Driver>embedding_bag_driver, NULL)
cdef Kernel* BAG_OF = register_kernel("bag_of", <Driver>bag_of_driver, NULL)


cdef Tensor c_embedding_bag(Tensor w, Tensor index, Tensor offsets, Tensor weight,
                            int64_t bags, int mode, int64_t padding, bint by_frequency):
    cdef View[6] v
    cdef Scalar[3] s
    cdef int64_t[2] shape
    cdef Node node = None
    cdef Tensor y, chosen
    if w.code == F16 or w.code == BF16:
        y = c_embedding_bag(c_to(w, F32), index, offsets,
                            None if weight is None else c_to(weight, F32), bags, mode,
                            padding, by_frequency)
        return c_to(y, w.code)
    if needs_grad(w) or weight is not None and needs_grad(weight):
        node = new_node(bag_backward, b"EmbeddingBagBackward0")
        save(node, 0, w)
        save(node, 1, index)
        if weight is not None:
            save(node, 2, weight)
        node.i0 = mode
        node.i1 = padding
        node.i2 = by_frequency
        node.i3 = bags
        link(node, 0, w)
        if weight is not None:
            link(node, 1, weight)
    shape[0], shape[1] = bags, w.sizes[1]
    y = empty_beside(w, 2, shape, w.code)
    if mode != TT_BAG_MAX:
        shape[0] = 0
    chosen = empty_beside(w, 2, shape, I64)
    w = contiguous(w)
    s[0].i = mode
    s[1].i = padding
    s[2].i = weight is not None
    view_of(&v[0], y)
    view_of(&v[1], chosen)
    view_of(&v[2], w)
    view_of(&v[3], index)
    view_of(&v[4], offsets)
    if weight is not None:
        weight = contiguous(weight)
        view_of(&v[5], weight)
    try:
        run(BAG, v, 5 if weight is None else 6, 2, s, 3, compute_of[w.code],
            y.storage.device)
    except IndexError:
        raise IndexError("index out of range in self") from None
    if node is not None:
        node.context = (offsets, chosen)
        attach(y, node)
    return y


cdef int bag_backward(Node node, Tensor gy) except -1:
    """dy_b = sum over the bag of share (weight dw_index + w_index dweight), where the
    share is 1, one over the number, or 1 for the largest alone"""
    cdef Tensor w = saved(node, 0), index = saved(node, 1), weight = None
    cdef Tensor offsets, chosen, rows, share
    offsets, chosen = node.context
    if node.i0 == TT_BAG_MAX:
        return send(node, 0, of_chosen(w, chosen, gy))
    if node.s2 is not None:
        weight = saved(node, 2)
    rows, share = rows_of_bags(node, index, offsets, gy)
    if wants(node, 1):
        send(node, 1, c_sum(c_mul(c_mul(rows, share),
                                  c_embedding(w, index, -1, False)), 2))
    if wants(node, 0):
        if weight is not None:
            share = c_mul(share, c_unsqueeze(weight, 1))
        send(node, 0, c_add_rows(c_mul(rows, share), index, w.sizes[0], node.i1,
                                 node.i2))
    return 0


cdef tuple rows_of_bags(Node node, Tensor index, Tensor offsets, Tensor gy):
    """For each element the gradient of its bag, (n, cols), and its share, (n, 1)."""
    cdef View[4] v
    cdef Scalar[3] s
    cdef Tensor bag = empty_like(index)
    cdef Tensor share = empty_beside(gy, 1, index.sizes, gy.code)
    s[0].i = node.i0
    s[1].i = node.i1
    s[2].i = node.i3
    view_of(&v[0], bag)
    view_of(&v[1], share)
    view_of(&v[2], index)
    view_of(&v[3], offsets)
    run(BAG_OF, v, 4, 2, s, 3, compute_of[gy.code], gy.storage.device)
    return c_embedding(gy, bag, -1, False), c_unsqueeze(share, 1)


cdef Tensor of_chosen(Tensor w, Tensor chosen, Tensor gy):
    cdef Tensor given = c_ge_number(chosen, 0)  # an empty bag has chosen nothing
    return c_scatter_add(zeros(w.rank, w.sizes, w, w.code), 0,
                         c_where_number(given, chosen, 0), c_where_number(given, gy, 0),
                         False)


def _embedding_bag(Tensor weight not None, Tensor indices not None,
                   Tensor offsets not None, int mode, per_sample_weights,
                   include_last_offset, int64_t padding_idx, scale_grad_by_freq):
    """Return the bags, (bags, cols); mode 0 is the sum, 1 the mean, 2 the maximum."""
    cdef Tensor w = per_sample_weights
    cdef int64_t bags = offsets.count
    if not is_float(weight.code):
        raise RuntimeError(
            "expected scalar type Float, Double, Half or BFloat16 but found "
            f"{dtype_word(weight.code)}")
    if w is not None and w.code != weight.code:
        raise RuntimeError(
            f"expected scalar type {dtype_word(weight.code)} but found "
            f"{dtype_word(w.code)}")
    if include_last_offset:
        if bags < 1:
            raise RuntimeError("include_last_offset: number of offset should be at "
                               "least 1")
        bags -= 1
    try:
        return c_embedding_bag(
            weight, int64_index(indices, "embedding_bag"),
            int64_index(offsets, "embedding_bag"), w, bags, mode, padding_idx,
            bool(scale_grad_by_freq))
    except RuntimeError as error:
        if "status" not in str(error):
            raise
        raise RuntimeError(
            "offsets have to begin with 0, to grow, and to stay within the length of "
            f"the input, {indices.count}") from None
