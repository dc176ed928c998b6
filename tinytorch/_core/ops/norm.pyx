"""Normalisation over the last dimensions:  y = (x - mean) rstd w + b.

Forward is one kernel call and so is backward; while a graph is recorded in the backward
pass, the same formula is made of ops (`normalised`, `through_norm`).
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.arithmetic cimport c_add_number, c_mul, c_square, c_sub
from tinytorch._core.ops.pointwise cimport c_rsqrt
from tinytorch._core.ops.reduce cimport c_mean, c_sum
from tinytorch._core.ops.shape cimport c_to, contiguous, dtype_word, read_sizes
from tinytorch._core.tensor cimport Tensor, empty_beside, empty_like, size_of
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, F16, F32, MAX_DIMS, compute_of, is_float

__all__ = ["layer_norm", "rms_norm"]
FUNCTIONAL = ["layer_norm", "rms_norm"]

cdef extern from *:
    """
    #include "norm.h"
    TT_FLOAT_LOOPS(layer_norm_forward) TT_FLOAT_LOOPS(layer_norm_backward)
    """
    void** layer_norm_forward_loops
    void** layer_norm_backward_loops
    int norm_driver(const KernelCall* call) noexcept nogil
    int norm_backward_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* FORWARD = register_kernel(
    "layer_norm_forward", <Driver>norm_driver, layer_norm_forward_loops, 0, 8)
cdef Kernel* BACKWARD = register_kernel(
    "layer_norm_backward", <Driver>norm_backward_driver, layer_norm_backward_loops,
    0, 16)


# ---- the derivative as a composition ----

cdef tuple normalised(Tensor x, uint64_t dims, double eps, bint centre):
    cdef Tensor rstd
    if centre:
        x = c_sub(x, c_mean(x, dims, True))
    rstd = c_rsqrt(c_add_number(c_mean(c_square(x), dims, True), eps))
    return c_mul(x, rstd), rstd


cdef Tensor through_norm(Tensor g, Tensor h, Tensor rstd, uint64_t dims, bint centre):
    """gx = rstd (g - mean(g) - h mean(g h))"""
    cdef Tensor slope = c_mul(h, c_mean(c_mul(g, h), dims, True))
    if centre:
        g = c_sub(g, c_mean(g, dims, True))
    return c_mul(rstd, c_sub(g, slope))


# ---- checks ----

cdef int check_shapes(Tensor x, int n, const int64_t* shape, Tensor w,
                      Tensor b) except -1:
    if (n >= 1 and is_float(x.code) and ends_with(x, n, shape)
            and fits_affine(x, n, shape, w) and fits_affine(x, n, shape, b)):
        return 0
    return refuse_shapes(x, n, shape, w, b)


cdef inline bint ends_with(Tensor x, int n, const int64_t* shape) noexcept:
    cdef int d
    if n > x.rank:
        return False
    for d in range(n):
        if x.sizes[x.rank - n + d] != shape[d]:
            return False
    return True


cdef inline bint fits_affine(Tensor x, int n, const int64_t* shape, Tensor p) noexcept:
    return p is None or p.rank == n and ends_with(p, n, shape) and (
        p.code == x.code or x.code >= F16 and p.code == F32)


cdef int refuse_shapes(Tensor x, int n, const int64_t* shape, Tensor w,
                       Tensor b) except -1:
    cdef int d
    cdef list sizes = [shape[d] for d in range(n)]
    cdef Tensor p
    if n < 1:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, "
                           "i.e., containing at least one element, but got "
                           f"normalized_shape = {sizes}")
    for name, p in (("weight", w), ("bias", b)):
        if p is not None and list(size_of(p)) != sizes:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got "
                f"{name} of shape {list(size_of(p))} and normalized_shape = {sizes}")
    if not ends_with(x, n, shape):
        raise RuntimeError(
            f"Given normalized_shape={sizes}, expected input with shape "
            f"[*, {', '.join(map(str, sizes))}], but got input of size"
            f"{list(size_of(x))}")
    if not is_float(x.code):
        raise NotImplementedError(
            f"\"LayerNormKernelImpl\" not implemented for '{dtype_word(x.code)}'")
    for p in (w, b):
        if not fits_affine(x, n, shape, p):
            raise RuntimeError(
                f"expected scalar type {dtype_word(x.code)} but found "
                f"{dtype_word(p.code)}")
    return 0


# ---- the op ----

cdef Tensor normalise(Tensor x, int n, Tensor w, Tensor b, double eps, bint centre):
    """Over the last n dimensions, which w and b have."""
    cdef Node node = None
    cdef Tensor y
    if x.code == F16 or x.code == BF16:
        y = normalise(c_to(x, F32), n, None if w is None else c_to(w, F32),
                      None if b is None else c_to(b, F32), eps, centre)
        return c_to(y, x.code)
    if (needs_grad(x) or w is not None and needs_grad(w)
            or b is not None and needs_grad(b)):
        node = new_node(norm_backward, b"NativeLayerNormBackward0" if centre else
                        b"FusedRmsNormBackward0")
        save(node, 0, x)
        if w is not None:
            save(node, 1, w)
        node.i0 = n
        node.i1 = centre
        node.f0 = eps
    y = norm_forward(node, x, n, w, b, eps, centre)
    if node is not None:
        link(node, 0, x)
        if w is not None:
            link(node, 1, w)
        if b is not None:
            link(node, 2, b)
        attach(y, node)
    return y


cdef Tensor norm_forward(Node node, Tensor x, int n, Tensor w, Tensor b, double eps,
                         bint centre):
    cdef View[6] v
    cdef Scalar[5] s
    cdef int operands = 4, d
    cdef int64_t cols = 1
    cdef Tensor y, mean, rstd
    for d in range(x.rank - n, x.rank):
        cols *= x.sizes[d]
    x = contiguous(x)
    y = empty_like(x)
    mean = empty_beside(x, x.rank - n, x.sizes, x.code)
    rstd = empty_beside(x, x.rank - n, x.sizes, x.code)
    s[0].i = cols
    s[1].f = eps
    s[2].i = centre
    s[3].i = w is not None
    s[4].i = b is not None
    view_of(&v[0], y)
    view_of(&v[1], mean)
    view_of(&v[2], rstd)
    view_of(&v[3], x)
    if w is not None:
        w = contiguous(w)
        view_of(&v[operands], w)
        operands += 1
    if b is not None:
        b = contiguous(b)
        view_of(&v[operands], b)
        operands += 1
    run(FORWARD, v, operands, 3, s, 5, compute_of[x.code], y.storage.device)
    if node is not None:
        save(node, 2, mean)
        save(node, 3, rstd)
    return y


cdef int norm_backward(Node node, Tensor gy) except -1:
    """dy = w dh + h dw + db,  gx = rstd (g - mean(g) - h mean(g h)) with g = gy w"""
    cdef Tensor x = saved(node, 0), w = None
    if node.s1 is not None:
        w = saved(node, 1)
    if grad_mode():
        return norm_composition(node, gy, x, w)
    return fused_backward(node, gy, x, w)


cdef int fused_backward(Node node, Tensor gy, Tensor x, Tensor w) except -1:
    cdef View[8] v
    cdef Scalar[5] s
    cdef int n = node.i0
    cdef Tensor mean = saved(node, 2), rstd = saved(node, 3), gx, gw, gb
    x = contiguous(x)
    gy = contiguous(gy)
    gx = empty_like(x)
    gw = empty_beside(x, n, x.sizes + (x.rank - n), x.code)
    gb = empty_like(gw)
    s[0].i = gw.count
    s[1].f = node.f0
    s[2].i = node.i1
    s[3].i = w is not None
    s[4].i = 0
    view_of(&v[0], gx)
    view_of(&v[1], gw)
    view_of(&v[2], gb)
    view_of(&v[3], x)
    view_of(&v[4], gy)
    view_of(&v[5], mean)
    view_of(&v[6], rstd)
    if w is not None:
        w = contiguous(w)
        view_of(&v[7], w)
    run(BACKWARD, v, 7 if w is None else 8, 3, s, 5, compute_of[x.code],
        x.storage.device)
    if wants(node, 0):
        send(node, 0, gx)
    if wants(node, 1):
        send(node, 1, gw)
    if wants(node, 2):
        send(node, 2, gb)
    return 0


cdef int norm_composition(Node node, Tensor gy, Tensor x, Tensor w) except -1:
    cdef int n = node.i0, d
    cdef uint64_t over = 0, rows = 0
    cdef Tensor h, rstd
    for d in range(x.rank):
        if d < x.rank - n:
            rows |= <uint64_t>1 << d
        else:
            over |= <uint64_t>1 << d
    h, rstd = normalised(x, over, node.f0, node.i1)
    if wants(node, 0):
        send(node, 0, through_norm(gy if w is None else c_mul(gy, w), h, rstd, over,
                                   node.i1))
    if wants(node, 1):
        send(node, 1, c_sum(c_mul(gy, h), rows) if rows else c_mul(gy, h))
    if wants(node, 2):
        send(node, 2, c_sum(gy, rows) if rows else gy)
    return 0


# ---- for Python ----

def layer_norm(Tensor input not None, normalized_shape, weight=None, bias=None,
               double eps=1e-5, cudnn_enable=True):
    """Return `input` with mean 0, variance 1 over its last dimensions, scaled, shifted.

    Args:
        normalized_shape: the sizes of those dimensions.
        weight, bias: of that shape, or None.

    Example:
        >>> layer_norm(tensor([1.0, 3.0]), [2], eps=0.0).tolist()
        [-1.0, 1.0]
    """
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor w = weight, b = bias
    cdef int n = read_sizes(normalized_shape, shape, "layer_norm")
    check_shapes(input, n, shape, w, b)
    return normalise(input, n, w, b, eps, True)


cdef double[4] epsilons = [2.0 ** -23, 2.0 ** -52, 2.0 ** -10, 2.0 ** -7]  # by dtype


def rms_norm(Tensor input not None, normalized_shape, weight=None, eps=None):
    """Return `input` over the root of its mean square over the last dimensions, scaled.

    Args:
        eps: is added to the mean square; None is the dtype's machine epsilon.
    """
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor w = weight
    cdef int n = read_sizes(normalized_shape, shape, "rms_norm")
    check_shapes(input, n, shape, w, None)
    return normalise(input, n, w, None, epsilons[input.code] if eps is None else eps,
                     False)
