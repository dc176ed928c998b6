"""Activations of two operands: prelu with its slope, glu with half as the gate."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, grad_mode, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport c_mul, c_rsub_number
from tinytorch._core.ops.compare cimport c_gt_number, c_logical_not
from tinytorch._core.ops.elementwise cimport PROMOTE, binary, deliver, ternary
from tinytorch._core.ops.join cimport c_narrow
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport Loops, c_sigmoid, refuse_dtype
from tinytorch._core.ops.select cimport c_where, c_where_number
from tinytorch._core.ops.shape cimport c_reshape, dtype_word, read_dim
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport MAX_DIMS, is_float

__all__ = ["prelu"]
METHODS = ["prelu"]
FUNCTIONAL = ["prelu", "glu"]

cdef extern from *:
    """
    #include "gated.h"
    TT_FLOAT_LOOPS(prelu) TT_FLOAT_LOOPS(prelu_backward_a)
    TT_FLOAT_LOOPS(prelu_backward_b) TT_FLOAT_LOOPS(glu) TT_FLOAT_LOOPS(glu_backward_a)
    TT_FLOAT_LOOPS(glu_backward_b)
    """
    Loops prelu_loops, prelu_backward_a_loops, prelu_backward_b_loops, glu_loops
    Loops glu_backward_a_loops, glu_backward_b_loops

cdef Kernel* PRELU = register_kernel("prelu", pointwise, prelu_loops, 0, 2)
cdef Kernel* PRELU_A = register_kernel(
    "prelu_backward_a", pointwise, prelu_backward_a_loops, 0, 2)
cdef Kernel* PRELU_B = register_kernel(
    "prelu_backward_b", pointwise, prelu_backward_b_loops, 0, 2)
cdef Kernel* GLU = register_kernel("glu", pointwise, glu_loops, 0, 13)
cdef Kernel* GLU_A = register_kernel(
    "glu_backward_a", pointwise, glu_backward_a_loops, 0, 13)
cdef Kernel* GLU_B = register_kernel(
    "glu_backward_b", pointwise, glu_backward_b_loops, 0, 16)


def prelu(Tensor input not None, Tensor weight not None):
    """Return the elements, negative ones times `weight`.

    Args:
        weight: one slope, or one for each channel, that is along dimension 1.
    """
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t channels = input.sizes[1] if input.rank > 1 else 1
    cdef Node node = None
    cdef int d
    if weight.code != input.code:
        raise RuntimeError(f"prelu: Type promoting not supported. Got "
                           f"{dtype_word(input.code)} and {dtype_word(weight.code)}")
    if not is_float(input.code):
        refuse_dtype("prelu", input.code)
    if weight.rank > 1:
        raise RuntimeError("prelu: Expected `weight` to be a scalar or 1D tensor, but "
                           f"got: ndim = {weight.rank}")
    if weight.count != 1:
        if input.rank == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if weight.count != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter "
                f"numbers = {weight.count} and channel size = {channels}.")
    for d in range(input.rank):
        shape[d] = 1
    if input.rank > 1:
        shape[1] = weight.count
    weight = c_reshape(weight, input.rank, shape)
    if needs_grad2(input, weight):
        node = new_node(prelu_backward, b"PreluKernelBackward0")
        save(node, 0, input)
        save(node, 1, weight)
    return linked(node, binary(PRELU, PROMOTE, input, weight, NULL, None), input,
                  weight, None)


cdef int prelu_backward(Node node, Tensor gy) except -1:
    """dy = dx where x > 0, else w dx + x dw"""
    cdef Tensor x = saved(node, 0), w = saved(node, 1), positive
    if not grad_mode():
        if wants(node, 0):
            send(node, 0, ternary(PRELU_A, PROMOTE, gy, x, w, None))
        if wants(node, 1):
            send(node, 1, binary(PRELU_B, PROMOTE, gy, x, NULL, None))
        return 0
    positive = c_gt_number(x, 0)
    if wants(node, 0):
        send(node, 0, c_where(positive, gy, c_mul(w, gy)))
    if wants(node, 1):
        send(node, 1, c_where_number(c_logical_not(positive), c_mul(x, gy), 0))
    return 0


def glu(Tensor input not None, dim=-1, *, out=None):
    """Return ``a * sigmoid(b)`` with the halves a and b of `input` along `dim`."""
    cdef Tensor a, b
    cdef Node node = None
    cdef int d
    cdef int64_t half
    if input.rank == 0:
        raise RuntimeError("glu does not support scalars because halving size must be "
                           "even")
    d = read_dim(dim, input.rank, "glu")
    if input.sizes[d] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {d} is size "
                           f"{input.sizes[d]}")
    if not is_float(input.code):
        refuse_dtype("glu", input.code)
    half = input.sizes[d] // 2
    a = c_narrow(input, d, 0, half)
    b = c_narrow(input, d, half, half)
    if needs_grad2(a, b):
        node = new_node(glu_backward, b"GluBackward0")
        save(node, 0, a)
        save(node, 1, b)
    return deliver(
        linked(node, binary(GLU, PROMOTE, a, b, NULL, None), a, b, None), out)


cdef int glu_backward(Node node, Tensor gy) except -1:
    """dy = s da + a s (1 - s) db with s = sigmoid(b)"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1), s
    if not grad_mode():
        send(node, 0, binary(GLU_A, PROMOTE, gy, b, NULL, None))
        return send(node, 1, ternary(GLU_B, PROMOTE, gy, a, b, None))
    s = c_sigmoid(b)
    send(node, 0, c_mul(gy, s))
    return send(node, 1, c_mul(c_mul(gy, a), c_mul(s, c_rsub_number(s, 1))))
