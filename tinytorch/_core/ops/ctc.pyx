"""Connectionist temporal classification: the loss of unaligned sequences."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, new_node, save, save_output, saved,
    send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.shape cimport contiguous, dtype_word
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_beside, empty_like
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport F32, F64, compute_of

__all__ = []

cdef extern from *:
    """
    #include "ctc.h"
    """
    int ctc_driver(const KernelCall* call) noexcept nogil
    int ctc_backward_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* FORWARD = register_kernel("ctc_forward", <Driver>ctc_driver, NULL)
cdef Kernel* BACKWARD = register_kernel(
    "ctc_backward", <Driver>ctc_backward_driver, NULL)


cdef int put_lengths(View* v, tuple lengths) except -1:
    """The last four operands: targets, lengths of inputs and targets, places."""
    cdef int k
    for k in range(4):
        view_of(&v[k], <Tensor>lengths[k])
    return 0


def _ctc_losses(Tensor log_probs not None, tuple lengths not None, int64_t longest,
                int64_t blank, zero_infinity):
    """Return the loss of each sequence of the batch.

    Args:
        log_probs: (T, N, C).
        lengths: int64 tensors: the targets, the lengths of inputs and of targets, and
            where each target begins.
        longest: the length of the longest target.
    """
    cdef View[7] v
    cdef Scalar[2] s
    cdef int64_t[3] shape
    cdef Node node = None
    cdef Tensor x = log_probs, y, alpha
    if x.code != F32 and x.code != F64:
        raise NotImplementedError(
            f"\"ctc_loss_cpu\" not implemented for '{dtype_word(x.code)}'")
    if needs_grad(x):
        node = new_node(ctc_backward, b"CtcLossBackward0")
        save(node, 0, x)
        node.i0 = blank
        node.i1 = bool(zero_infinity)
        link(node, 0, x)
    x = contiguous(x)
    shape[0], shape[1], shape[2] = x.sizes[1], x.sizes[0], 2 * longest + 1
    y = empty_beside(x, 1, shape, x.code)
    alpha = empty_beside(x, 3, shape, x.code)
    s[0].i = blank
    s[1].i = 0
    view_of(&v[0], y)
    view_of(&v[1], alpha)
    view_of(&v[2], x)
    put_lengths(&v[3], lengths)
    run(FORWARD, v, 7, 2, s, 2, compute_of[x.code], x.storage.device)
    if node is not None:
        save(node, 1, alpha)
        save_output(node, 2, y)
        node.context = lengths
        attach(y, node)
    return y


cdef int ctc_backward(Node node, Tensor gy) except -1:
    """dl = (exp(x) - alpha beta / exp(x) / exp(-l)) dx, where x is a log-softmax: what
    reaches the logits is then the gradient of the loss"""
    cdef View[9] v
    cdef Scalar[2] s
    cdef Tensor x = contiguous(saved(node, 0)), y = saved(node, 2), gx
    cdef Tensor alpha = saved(node, 1)
    cdef Node second = None
    if grad_mode() and (gy.flags | x.flags) & REQUIRES_GRAD:
        second = new_node(refuse_second, b"CtcLossBackwardBackward0")
        link(second, 0, gy)
        link(second, 1, saved(node, 0))
    gy = contiguous(gy)
    gx = empty_like(x)
    s[0].i = node.i0
    s[1].i = node.i1
    view_of(&v[0], gx)
    view_of(&v[1], gy)
    view_of(&v[2], y)
    view_of(&v[3], alpha)
    view_of(&v[4], x)
    put_lengths(&v[5], <tuple>node.context)
    run(BACKWARD, v, 9, 1, s, 2, compute_of[x.code], x.storage.device)
    if second is not None:
        attach(gx, second)
    return send(node, 0, gx)


cdef int refuse_second(Node node, Tensor gy) except -1:
    """Not known"""
    raise RuntimeError("the derivative for '_ctc_loss_backward' is not implemented. "
                       "This error means that you tried to differentiate ctc_loss "
                       "twice")
