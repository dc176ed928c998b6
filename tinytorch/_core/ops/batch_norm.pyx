"""Normalisation per channel, over the batch or over groups of channels.

Forward is one kernel call, which also updates the running averages, backward is one;
while a graph is recorded in the backward pass, the same formulas are made of ops.
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Backward, Node, attach, grad_mode, link, needs_grad, new_node, save, saved, send,
    wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run,
    tt_parallel_for, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul, c_sub
from tinytorch._core.ops.norm cimport normalised, through_norm
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport (
    c_clone, c_reshape, c_to, c_view, c_view_as, contiguous, dtype_word)
from tinytorch._core.tensor cimport (
    Tensor, empty_as, empty_beside, empty_like, is_contiguous, size_of, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, F16, F32, MAX_DIMS, compute_of, is_float

__all__ = ["batch_norm", "group_norm"]
FUNCTIONAL = []

cdef extern from *:
    """
    #include "batch_norm.h"
    TT_FLOAT_LOOPS(batch_norm_forward) TT_FLOAT_LOOPS(batch_norm_backward)
    TT_FLOAT_LOOPS(group_norm_forward) TT_FLOAT_LOOPS(group_norm_backward)
    """
    void** batch_norm_forward_loops
    void** batch_norm_backward_loops
    void** group_norm_forward_loops
    void** group_norm_backward_loops
    int batch_norm_driver(const KernelCall* call) noexcept nogil
    int batch_norm_backward_driver(const KernelCall* call) noexcept nogil
    int group_norm_driver(const KernelCall* call) noexcept nogil
    int group_norm_backward_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* BATCH = register_kernel(
    "batch_norm_forward", <Driver>batch_norm_driver, batch_norm_forward_loops, 0, 8)
cdef Kernel* BATCH_BACKWARD = register_kernel(
    "batch_norm_backward", <Driver>batch_norm_backward_driver,
    batch_norm_backward_loops, 0, 10)
cdef Kernel* GROUP = register_kernel(
    "group_norm_forward", <Driver>group_norm_driver, group_norm_forward_loops, 0, 8)
cdef Kernel* GROUP_BACKWARD = register_kernel(
    "group_norm_backward", <Driver>group_norm_backward_driver,
    group_norm_backward_loops, 0, 12)


# ---- what both have in common ----

cdef inline bint wanted(Tensor x, Tensor w, Tensor b) noexcept:
    return (needs_grad(x) or w is not None and needs_grad(w)
            or b is not None and needs_grad(b))


cdef inline int put(View* v, int k, Tensor x) except -1:
    """Operand k is x, if there is one; returns the next number."""
    if x is None:
        return k
    view_of(&v[k], x)
    return k + 1


cdef Node norm_node(Backward backward, const char* title, Tensor x, Tensor w, Tensor b):
    cdef Node node = new_node(backward, title)
    save(node, 0, x)
    if w is not None:
        save(node, 1, w)
    link(node, 0, x)
    if w is not None:
        link(node, 1, w)
    if b is not None:
        link(node, 2, b)
    return node


cdef Tensor per_channel(Tensor w, int rank):
    """(C) as (1, C, 1, ...)"""
    cdef int64_t[MAX_DIMS] shape
    cdef int d
    for d in range(rank):
        shape[d] = w.count if d == 1 else 1
    return c_view(w, rank, shape)


cdef uint64_t all_but_channels(int rank) noexcept:
    return ((<uint64_t>1 << rank) - 1) & ~<uint64_t>2


cdef int fused_backward(const Kernel* kernel, Node node, Tensor gy, Tensor x, Tensor w,
                        int64_t number) except -1:
    """One call for all three gradients; `number` is scalar 2."""
    cdef View[8] v
    cdef Scalar[4] s
    cdef int64_t C = x.sizes[1]
    cdef Tensor mean = saved(node, 2), rstd = saved(node, 3), gx, gw, gb
    x = contiguous(x)
    gy = contiguous(gy)
    if w is not None:
        w = contiguous(w)
    gx = empty_like(x)
    gw = empty_beside(x, 1, &C, x.code)
    gb = empty_like(gw)
    s[0].i = C
    s[1].i = spatial(x)
    s[2].i = number
    s[3].i = w is not None
    view_of(&v[0], gx)
    view_of(&v[1], gw)
    view_of(&v[2], gb)
    view_of(&v[3], x)
    view_of(&v[4], gy)
    view_of(&v[5], mean)
    view_of(&v[6], rstd)
    run(kernel, v, put(v, 7, w), 3, s, 4, compute_of[x.code], x.storage.device)
    if wants(node, 0):
        send(node, 0, gx)
    if wants(node, 1):
        send(node, 1, gw)
    if wants(node, 2):
        send(node, 2, gb)
    return 0


cdef int64_t spatial(Tensor x) noexcept:
    cdef int64_t n = 1
    cdef int d
    for d in range(2, x.rank):
        n *= x.sizes[d]
    return n


cdef Tensor to_float(Tensor x):
    return None if x is None else c_to(x, F32)


# ---- batch norm ----

cdef Tensor c_batch_norm(Tensor x, Tensor w, Tensor b, Tensor running_mean,
                         Tensor running_var, bint training, double momentum,
                         double eps):
    cdef Node node = None
    cdef Tensor y
    if x.code == F16 or x.code == BF16:
        y = c_batch_norm(c_to(x, F32), to_float(w), to_float(b), running_mean,
                         running_var, training, momentum, eps)
        return c_to(y, x.code)
    if wanted(x, w, b):
        node = norm_node(batch_backward, b"NativeBatchNormBackward0", x, w, b)
        node.i0 = training
        node.f0 = eps
    y = batch_forward(node, x, w, b, running_mean, running_var, training, momentum, eps)
    if node is not None:
        attach(y, node)
    return y


cdef Tensor average(Tensor r, int code):
    """Running averages as the kernel updates them: contiguous, of the compute type."""
    cdef Tensor y
    if r is None or r.code == code and is_contiguous(r):
        return r
    y = empty_as(r, code)
    copy_into(y, r)
    return y


cdef Tensor batch_forward(Node node, Tensor x, Tensor w, Tensor b, Tensor running_mean,
                          Tensor running_var, bint training, double momentum,
                          double eps):
    cdef View[8] v
    cdef Scalar[8] s
    cdef int64_t C = x.sizes[1]
    cdef int k
    cdef Tensor y, mean, rstd, m = average(running_mean, x.code)
    cdef Tensor r = average(running_var, x.code)
    x = contiguous(x)
    y = empty_like(x)
    mean = empty_beside(x, 1, &C, x.code)
    rstd = empty_like(mean)
    w = None if w is None else contiguous(w)
    b = None if b is None else contiguous(b)
    s[0].i = C
    s[1].i = spatial(x)
    s[2].f = eps
    s[3].f = momentum
    s[4].i = training
    s[5].i = m is not None
    s[6].i = w is not None
    s[7].i = b is not None
    view_of(&v[0], y)
    view_of(&v[1], mean)
    view_of(&v[2], rstd)
    k = put(v, put(v, 3, m), r)
    view_of(&v[k], x)
    k = put(v, put(v, k + 1, w), b)
    run(BATCH, v, k, 5 if training and m is not None else 3, s, 8, compute_of[x.code],
        y.storage.device)
    if training and m is not None:
        note_average(running_mean, m)
        note_average(running_var, r)
    if node is not None:
        save(node, 2, mean)
        save(node, 3, rstd)
    return y


cdef int note_average(Tensor r, Tensor written) except -1:
    if written is r:
        wrote(r)
    else:
        copy_into(r, written)
    return 0


cdef int batch_backward(Node node, Tensor gy) except -1:
    """dy = w dh + h dw + db with h = (x - mean) rstd; in training, mean and rstd are
    functions of x: gx = rstd (g - mean(g) - h mean(g h)) with g = gy w"""
    cdef Tensor x = saved(node, 0), w = None, h, rstd, g
    cdef bint training = node.i0
    cdef uint64_t dims = all_but_channels(x.rank)
    if node.s1 is not None:
        w = saved(node, 1)
    if not grad_mode():
        return fused_backward(BATCH_BACKWARD, node, gy, x, w, training)
    if training:
        h, rstd = normalised(x, dims, node.f0, True)
    else:
        rstd = per_channel(saved(node, 3), x.rank)
        h = c_mul(c_sub(x, per_channel(saved(node, 2), x.rank)), rstd)
    if wants(node, 0):
        g = gy if w is None else c_mul(gy, per_channel(w, x.rank))
        send(node, 0, through_norm(g, h, rstd, dims, True) if training
             else c_mul(g, rstd))
    if wants(node, 1):
        send(node, 1, c_sum(c_mul(gy, h), dims))
    if wants(node, 2):
        send(node, 2, c_sum(gy, dims))
    return 0


cdef int check_channels(str name, Tensor p, int64_t C) except -1:
    if p is not None and p.count != C:
        raise RuntimeError(f"{name} should contain {C} elements not {p.count}")
    return 0


def batch_norm(Tensor input not None, weight, bias, running_mean, running_var, training,
               double momentum, double eps, cudnn_enabled=True):
    """Return `input` (N, C, ...) normalised per channel.

    In training, by the batch's own mean and variance, with which the running averages
    are updated in place; otherwise by the running averages.
    """
    cdef Tensor w = weight, b = bias, m = running_mean, r = running_var
    cdef int64_t C
    if input.rank < 2:
        if input.count == 0:
            return c_clone(input)
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[-{max(input.rank, 1)}, {max(input.rank - 1, 0)}], but got "
                         "1)")
    C = input.sizes[1]
    check_channels("running_mean", m, C)
    check_channels("running_var", r, C)
    check_channels("weight", w, C)
    check_channels("bias", b, C)
    if (m is None) != (r is None) or not training and m is None:
        raise RuntimeError(
            f"{'running_mean' if m is None else 'running_var'} must be defined in "
            "evaluation mode" if not training else
            "running_mean and running_var must either both be None or neither be None")
    if not is_float(input.code):
        raise NotImplementedError(
            f"\"batch_norm\" not implemented for '{dtype_word(input.code)}'")
    return c_batch_norm(input, w, b, m, r, bool(training), momentum, eps)


# ---- group norm ----

cdef Tensor c_group_norm(Tensor x, int64_t groups, Tensor w, Tensor b, double eps):
    cdef View[6] v
    cdef Scalar[6] s
    cdef int64_t[2] shape
    cdef Node node = None
    cdef Tensor y, mean, rstd
    if x.code == F16 or x.code == BF16:
        y = c_group_norm(c_to(x, F32), groups, to_float(w), to_float(b), eps)
        return c_to(y, x.code)
    if wanted(x, w, b):
        node = norm_node(group_backward, b"NativeGroupNormBackward0", x, w, b)
        node.i0 = groups
        node.f0 = eps
    x = contiguous(x)
    w = None if w is None else contiguous(w)
    b = None if b is None else contiguous(b)
    shape[0], shape[1] = x.sizes[0], groups
    y = empty_like(x)
    mean = empty_beside(x, 2, shape, x.code)
    rstd = empty_like(mean)
    s[0].i = x.sizes[1]
    s[1].i = spatial(x)
    s[2].f = eps
    s[3].i = groups
    s[4].i = w is not None
    s[5].i = b is not None
    view_of(&v[0], y)
    view_of(&v[1], mean)
    view_of(&v[2], rstd)
    view_of(&v[3], x)
    run(GROUP, v, put(v, put(v, 4, w), b), 3, s, 6, compute_of[x.code],
        y.storage.device)
    if node is not None:
        save(node, 2, mean)
        save(node, 3, rstd)
        attach(y, node)
    return y


cdef int group_backward(Node node, Tensor gy) except -1:
    """As batch norm's in training, with means over a sample's group of channels"""
    cdef Tensor x = saved(node, 0), w = None, h, rstd, g
    cdef int64_t[3] shape
    cdef uint64_t dims = all_but_channels(x.rank)
    if node.s1 is not None:
        w = saved(node, 1)
    if not grad_mode():
        return fused_backward(GROUP_BACKWARD, node, gy, x, w, node.i0)
    shape[0], shape[1] = x.sizes[0], node.i0
    shape[2] = x.sizes[1] // node.i0 * spatial(x)
    h, rstd = normalised(grouped(x, shape), 4, node.f0, True)
    if wants(node, 0):
        g = gy if w is None else c_mul(gy, per_channel(w, x.rank))
        send(node, 0, c_view_as(through_norm(grouped(g, shape), h, rstd, 4, True), x))
    if wants(node, 1):
        send(node, 1, c_sum(c_mul(gy, c_view_as(h, x)), dims))
    if wants(node, 2):
        send(node, 2, c_sum(gy, dims))
    return 0


cdef Tensor grouped(Tensor x, const int64_t* shape):
    """(N, C, ...) as (N, groups, the rest)"""
    return c_reshape(x, 3, shape)


def group_norm(Tensor input not None, int64_t num_groups, weight=None, bias=None,
               double eps=1e-5, cudnn_enabled=True):
    """Return `input` (N, C, ...) normalised per sample and group of channels.

    Args:
        num_groups: the number of groups; divides C.
        weight, bias: (C), or None.
    """
    cdef Tensor w = weight, b = bias, p
    cdef int64_t C
    if input.rank < 2:
        raise RuntimeError("Expected at least 2 dimensions for input tensor but "
                           f"received {input.rank}")
    C = input.sizes[1]
    if num_groups <= 0:
        raise RuntimeError("Expected num groups to be greater than 0, got "
                           f"{num_groups}")
    if C % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(size_of(input))} and num_groups={num_groups}")
    for name, p in (("weight", w), ("bias", b)):
        if p is not None and (p.rank != 1 or p.count != C):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of "
                f"channels in input, but got {name} of shape {list(size_of(p))} and "
                f"input of shape {list(size_of(input))}")
    if not is_float(input.code):
        raise NotImplementedError(
            f"\"GroupNormKernelImpl\" not implemented for '{dtype_word(input.code)}'")
    return c_group_norm(input, num_groups, w, b, eps)
