"""Scaled dot-product attention:  y = softmax(scale q k' + mask) v.

Forward and backward are one kernel call each, which keep no score of a pair; while a
graph is recorded in the backward pass, the same is made of ops.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, new_node, save, save_output, saved, send,
    wants)
from tinytorch._core.blas cimport ensure_blas, gemm, wants_blas
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.arithmetic cimport c_add, c_mul, c_mul_number, c_sub
from tinytorch._core.ops.compare cimport c_gt_number, c_lt_number
from tinytorch._core.ops.bmm cimport c_bmm
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.select cimport c_where_number
from tinytorch._core.ops.shape cimport (
    c_expand, c_reshape, c_to, c_unsqueeze, contiguous, ones_like)
from tinytorch._core.ops.softmax cimport c_softmax
from tinytorch._core.tensor cimport Tensor, empty_beside, over
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, BOOL, F16, F32, compute_of, is_float

__all__ = []

ctypedef int (*Gemm)(
    int dtype, bint ta, bint tb, int64_t m, int64_t n, int64_t k, double alpha,
    const void* a, int64_t lda, const void* b, int64_t ldb, double beta, void* c,
    int64_t ldc) noexcept nogil

cdef extern from *:
    """
    #include "attention.h"
    """
    int attention_driver(const KernelCall* call) noexcept nogil
    int attention_backward_driver(const KernelCall* call) noexcept nogil
    Gemm tt_gemm
    int TT_NO_MASK, TT_ADDED_MASK, TT_BOOL_MASK

tt_parallel_for = parallel_for
tt_gemm = gemm

cdef Kernel* FORWARD = register_kernel(
    "attention_forward", <Driver>attention_driver, NULL)
cdef Kernel* BACKWARD = register_kernel(
    "attention_backward", <Driver>attention_backward_driver, NULL)
FORWARD.count_flops = forward_flops
BACKWARD.count_flops = backward_flops


cdef double forward_flops(const KernelCall* call) noexcept nogil:
    cdef const View* q = &call.operand[2]
    return 2.0 * q.numel * call.operand[3].shape[2] * (
        1 + <double>call.operand[4].shape[3] / max(q.shape[3], 1))


cdef double backward_flops(const KernelCall* call) noexcept nogil:
    cdef const View* q = &call.operand[3]
    return 2.0 * q.numel * call.operand[4].shape[2] * (
        3 + 2 * <double>call.operand[5].shape[3] / max(q.shape[3], 1))


# ---- operands ----

cdef Tensor with_rows(Tensor x):
    """x with contiguous rows that do not overlap."""
    if (x.strides[3] == 1 or x.sizes[3] == 1) and (
            x.strides[2] >= x.sizes[3] or x.sizes[2] == 1) and x.strides[1] >= 0:
        return x
    return contiguous(x)


cdef Tensor heads_inside(Tensor like, int64_t a, int64_t heads, int64_t rows,
                         int64_t cols):
    """(a, heads, rows, cols) in the memory order of (a, rows, heads, cols), in which
    networks split and join heads: joining is then free."""
    cdef int64_t[4] sizes
    cdef int64_t[4] strides
    cdef Tensor y
    sizes[0], sizes[1], sizes[2], sizes[3] = a, rows, heads, cols
    y = empty_beside(like, 4, sizes, like.code)
    sizes[1], sizes[2] = heads, rows
    strides[0] = rows * heads * cols
    strides[1] = cols
    strides[2] = heads * cols
    strides[3] = 1
    return over(y, 4, sizes, strides, y.offset)


cdef inline Tensor heads_like(Tensor x):
    return heads_inside(x, x.sizes[0], x.sizes[1], x.sizes[2], x.sizes[3])


cdef int mask_kind(Tensor mask) noexcept:
    if mask is None:
        return TT_NO_MASK
    return TT_BOOL_MASK if mask.code == BOOL else TT_ADDED_MASK


# ---- the op ----

cdef Tensor c_attention(Tensor q, Tensor k, Tensor v, Tensor mask, bint causal,
                        double scale):
    """All are 4-d; mask has the shape of the scores, perhaps by repetition."""
    cdef Node node = None
    cdef Tensor y
    if q.code == F16 or q.code == BF16:
        y = c_attention(c_to(q, F32), c_to(k, F32), c_to(v, F32),
                        mask if mask is None or mask.code == BOOL else c_to(mask, F32),
                        causal, scale)
        return c_to(y, q.code)
    if needs_grad(q) or needs_grad(k) or needs_grad(v):
        node = new_node(attention_backward,
                        b"ScaledDotProductFlashAttentionForCpuBackward0")
        save(node, 0, q)
        save(node, 1, k)
        save(node, 2, v)
        node.i0 = causal
        node.f0 = scale
        link(node, 0, q)
        link(node, 1, k)
        link(node, 2, v)
    return attention_forward(node, q, k, v, mask, causal, scale)


cdef Tensor attention_forward(Node node, Tensor q, Tensor k, Tensor v, Tensor mask,
                              bint causal, double scale):
    cdef View[6] o
    cdef Scalar[3] s
    cdef Tensor y, lse
    q = with_rows(q)
    k = with_rows(k)
    v = with_rows(v)
    y = heads_inside(q, q.sizes[0], q.sizes[1], q.sizes[2], v.sizes[3])
    lse = empty_beside(q, 3, q.sizes, q.code)
    if wants_blas(q.code, 64, k.sizes[2], q.sizes[3]):
        ensure_blas()
    s[0].f = scale
    s[1].i = causal
    s[2].i = mask_kind(mask)
    view_of(&o[0], y)
    view_of(&o[1], lse)
    view_of(&o[2], q)
    view_of(&o[3], k)
    view_of(&o[4], v)
    if mask is not None:
        view_of(&o[5], mask)
    run(FORWARD, o, 5 if mask is None else 6, 2, s, 3, compute_of[q.code],
        y.storage.device)
    if node is not None:
        save_output(node, 3, y)
        node.context = (lse, mask)
        attach(y, node)
    return y


cdef int attention_backward(Node node, Tensor gy) except -1:
    """With p = softmax(s), s = scale q k' + mask: gv = p' gy, gp = gy v',
    gs = p (gp - sum(gp p)), gq = scale gs k, gk = scale gs' q"""
    if grad_mode():
        return by_composition(node, gy)
    cdef View[10] o
    cdef Scalar[3] s
    cdef Tensor lse, mask, gq, gk, gv
    cdef Tensor q = with_rows(saved(node, 0)), k = with_rows(saved(node, 1))
    cdef Tensor v = with_rows(saved(node, 2)), y = saved(node, 3)
    lse, mask = node.context
    gy = with_rows(gy)
    gq = heads_like(q)
    gk = heads_like(k)
    gv = heads_like(v)
    s[0].f = node.f0
    s[1].i = node.i0
    s[2].i = mask_kind(mask)
    view_of(&o[0], gq)
    view_of(&o[1], gk)
    view_of(&o[2], gv)
    view_of(&o[3], q)
    view_of(&o[4], k)
    view_of(&o[5], v)
    view_of(&o[6], y)
    view_of(&o[7], lse)
    view_of(&o[8], gy)
    if mask is not None:
        view_of(&o[9], mask)
    run(BACKWARD, o, 9 if mask is None else 10, 3, s, 3, compute_of[q.code],
        q.storage.device)
    send(node, 0, gq)
    send(node, 1, gk)
    send(node, 2, gv)
    return 0


# ---- the derivative as a composition ----

cdef Tensor for_all_heads(Tensor x, int64_t heads):
    """(B, G, S, E), repeated so that every head of queries has its own"""
    cdef int64_t[5] sizes
    if x.sizes[1] == heads:
        return x
    sizes[0], sizes[1], sizes[2] = x.sizes[0], x.sizes[1], heads // x.sizes[1]
    sizes[3], sizes[4] = x.sizes[2], x.sizes[3]
    x = c_expand(c_unsqueeze(x, 2), 5, sizes)
    sizes[1], sizes[2], sizes[3] = heads, sizes[3], sizes[4]
    return c_reshape(x, 4, sizes)


cdef Tensor for_groups(Tensor g, int64_t groups):
    """The way back: the sum over the heads of a group"""
    cdef int64_t[5] sizes
    if g.sizes[1] == groups:
        return g
    sizes[0], sizes[1], sizes[2] = g.sizes[0], groups, g.sizes[1] // groups
    sizes[3], sizes[4] = g.sizes[2], g.sizes[3]
    return c_sum(c_reshape(g, 5, sizes), 4)


cdef int by_composition(Node node, Tensor gy) except -1:
    cdef Tensor q = saved(node, 0), k = saved(node, 1), v = saved(node, 2), mask, p, gs
    cdef Tensor some = None
    cdef int64_t groups = k.sizes[1]
    k = for_all_heads(k, q.sizes[1])
    v = for_all_heads(v, q.sizes[1])
    mask = node.context[1]
    p = c_mul_number(c_bmm(q, False, k, True), node.f0)
    if node.i0:
        p = c_where_number(c_gt_number(c_triangle(ones_like(p), 0, False), 0), p,
                           -float("inf"))
    if mask is not None:
        p = c_where_number(mask, p, -float("inf")) if mask.code == BOOL else \
            c_add(p, mask)
        some = c_unsqueeze(c_lt_number(node.context[0], float("inf")), 3)
        p = c_where_number(some, p, 0)  # a query that attends to nothing would give NaN
    p = c_softmax(p, 3)
    if some is not None:
        p = c_mul(p, c_to(some, p.code))
    gs = c_bmm(gy, False, v, True)
    gs = c_mul(p, c_sub(gs, c_sum(c_mul(gs, p), 8, True)))
    gs = c_mul_number(gs, node.f0)
    if wants(node, 0):
        send(node, 0, c_bmm(gs, False, k, False))
    if wants(node, 1):
        send(node, 1, for_groups(c_bmm(gs, True, q, False), groups))
    if wants(node, 2):
        send(node, 2, for_groups(c_bmm(p, True, gy, False), groups))
    return 0


def _plain_attention(Tensor query not None, Tensor key not None, Tensor value not None,
                     bint causal, scale, bint groups):
    """Return the attention of 4-d tensors without a mask, or None if something is amiss
    or has to be broadcast: the commonest case, without the cost of all checks.
    """
    cdef Tensor q = query, k = key, v = value
    cdef double factor
    if (q.rank != 4 or k.rank != 4 or v.rank != 4 or q.code != k.code or q.code
        != v.code
            or not is_float(q.code) or q.sizes[0] != k.sizes[0]
            or q.sizes[0] != v.sizes[0] or k.sizes[1] != v.sizes[1]
            or k.sizes[2] != v.sizes[2] or q.sizes[3] != k.sizes[3] or q.sizes[3] == 0):
        return None
    if q.sizes[1] != k.sizes[1] and (
            not groups or k.sizes[1] == 0 or q.sizes[1] % k.sizes[1]):
        return None
    factor = 1 / sqrt(<double>q.sizes[3]) if scale is None else scale
    return c_attention(q, k, v, None, causal, factor)


def _attention(Tensor query not None, Tensor key not None, Tensor value not None, mask,
               bint causal, double scale):
    """Return the attention of 4-d tensors whose shapes fit.

    Args:
        query: (B, H, L, E).
        key, value: (B, G, S, E) and (B, G, S, V), where G divides H.
        mask: (B, H, L, S), bool or of the query's dtype, or None.
    """
    cdef Tensor m = mask
    return c_attention(query, key, value, m, causal, scale)
