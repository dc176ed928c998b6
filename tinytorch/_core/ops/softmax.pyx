"""Softmax and log-softmax along a dimension, and the cross-entropy of logits.

softmax       y = exp(x - m) / sum(exp(x - m)),  m = max(x)
cross-entropy loss of a row = log(sum(exp(x))) - x[class]
"""

from libc.stdint cimport uint64_t

from tinytorch._core.autograd cimport (
    Backward, Node, attach, grad_mode, link, needs_grad, new_node, save_output, saved,
    send, swap_grad_mode)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_mul, c_neg, c_sub
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.pointwise cimport c_exp
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_to, c_transpose, contiguous, read_dim
from tinytorch._core.tensor cimport (
    Tensor, empty_like)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, F16, F32, compute_of, dtype as dtype_class, is_float, parse_dtype)

import warnings

__all__ = ["softmax", "log_softmax"]
METHODS = ["softmax", "log_softmax"]
FUNCTIONAL = ["softmax", "log_softmax", "softmin"]
SPECIAL = ["softmax", "log_softmax"]

cdef extern from *:
    """
    #include "softmax.h"
    TT_FLOAT_LOOPS(softmax_forward) TT_FLOAT_LOOPS(softmax_backward)
    TT_FLOAT_LOOPS(log_softmax_forward) TT_FLOAT_LOOPS(log_softmax_backward)
    """
    void** softmax_forward_loops
    void** softmax_backward_loops
    void** log_softmax_forward_loops
    void** log_softmax_backward_loops
    int rows_driver(const KernelCall* call) noexcept nogil

tt_parallel_for = parallel_for

cdef Kernel* SOFTMAX = register_kernel(
    "softmax_forward", <Driver>rows_driver, softmax_forward_loops, 0, 5)
cdef Kernel* SOFTMAX_BACKWARD = register_kernel(
    "softmax_backward", <Driver>rows_driver, softmax_backward_loops, 0, 4)
cdef Kernel* LOG_SOFTMAX = register_kernel(
    "log_softmax_forward", <Driver>rows_driver, log_softmax_forward_loops, 0, 5)
cdef Kernel* LOG_SOFTMAX_BACKWARD = register_kernel(
    "log_softmax_backward", <Driver>rows_driver, log_softmax_backward_loops, 0, 4)


# ---- calls over rows ----

cdef Tensor over_rows(const Kernel* kernel, Tensor a, Tensor b, int dim):
    """y = kernel(a[, b]) along `dim`, which is moved to the end for the kernel."""
    cdef View[3] v
    cdef Scalar cols
    cdef Tensor y
    cdef int last = a.rank - 1
    if a.rank == 0 or dim == last:
        a = contiguous(a)
        y = empty_like(a)
        cols.i = a.sizes[last] if a.rank else 1
        view_of(&v[0], y)
        view_of(&v[1], a)
        if b is not None:
            b = contiguous(b)
            view_of(&v[2], b)
        run(kernel, v, 2 if b is None else 3, 1, &cols, 1, compute_of[a.code],
            y.storage.device)
        return y
    y = over_rows(kernel, contiguous(swap(a, dim)), None if b is None else
                  contiguous(swap(b, dim)), last)
    return contiguous(swap(y, dim))


cdef Tensor swap(Tensor x, int dim):
    """x with `dim` and the last dimension exchanged, outside any graph."""
    cdef bint mode = swap_grad_mode(False)
    try:
        return c_transpose(x, dim, x.rank - 1)
    finally:
        swap_grad_mode(mode)


cdef int check_float(Tensor x, str kernel) except -1:
    if not is_float(x.code):
        raise NotImplementedError(
            f"\"{kernel}\" not implemented for '{dtype_word(x.code)}'")
    return 0


cdef Tensor recorded(const Kernel* kernel, Backward backward, const char* title,
                     str word, Tensor x, int dim):
    """y = kernel(x) along `dim`; the derivative is made from y."""
    cdef Node node = None
    cdef Tensor y
    if x.code == F16 or x.code == BF16:
        y = recorded(kernel, backward, title, word, c_to(x, F32), dim)
        return c_to(y, x.code)
    check_float(x, word)
    if needs_grad(x):
        node = new_node(backward, title)
        node.i0 = dim
    y = over_rows(kernel, x, None, dim)
    if node is not None:
        save_output(node, 0, y)
        link(node, 0, x)
        attach(y, node)
    return y


# ---- softmax ----

cdef Tensor c_softmax(Tensor x, int dim):
    return recorded(SOFTMAX, softmax_node, b"SoftmaxBackward0",
                    "softmax_lastdim_kernel_impl", x, dim)


cdef int softmax_node(Node node, Tensor gy) except -1:
    """dx = y (dy - sum(y dy))"""
    cdef Tensor y = saved(node, 0)
    cdef int dim = node.i0
    if not grad_mode():
        send(node, 0, over_rows(SOFTMAX_BACKWARD, y, gy, dim))
        return 0
    send(node, 0, c_mul(y, c_sub(gy, c_sum(c_mul(y, gy), <uint64_t>1 << dim, True))))
    return 0


cdef Tensor c_log_softmax(Tensor x, int dim):
    return recorded(LOG_SOFTMAX, log_softmax_node, b"LogSoftmaxBackward0",
                    "log_softmax_lastdim_kernel_impl", x, dim)


cdef int log_softmax_node(Node node, Tensor gy) except -1:
    """dx = dy - exp(y) sum(dy)"""
    cdef Tensor y = saved(node, 0)
    cdef int dim = node.i0
    if not grad_mode():
        send(node, 0, over_rows(LOG_SOFTMAX_BACKWARD, y, gy, dim))
        return 0
    send(node, 0, c_sub(gy, c_mul(c_exp(y), c_sum(gy, <uint64_t>1 << dim, True))))
    return 0


cdef int given_dim(Tensor x, object dim, str name) except -1:
    """`dim`, or, with a warning, the one that PyTorch takes where none is given."""
    if dim is not None:
        return read_dim(dim, x.rank)
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to "
        "include dim=X as an argument.", stacklevel=3)
    return 0 if x.rank in (0, 1, 3) else 1


cdef Tensor prepared(Tensor x, object dtype):
    return x if dtype is None else c_to(x, parse_dtype(dtype, x.code))


def softmax(Tensor input not None, dim=None, _stacklevel=3, dtype=None, *, out=None):
    """Return ``exp(input)`` scaled so that it sums to one along `dim`.

    Example:
        >>> softmax(tensor([0.0, 0.0]), 0).tolist()
        [0.5, 0.5]
    """
    if isinstance(_stacklevel, dtype_class):  # torch.softmax(x, dim, dtype)
        dtype = _stacklevel
    cdef int d = given_dim(input, dim, "softmax")
    return deliver(c_softmax(prepared(input, dtype), d), out)


def log_softmax(Tensor input not None, dim=None, _stacklevel=3, dtype=None, *,
                out=None):
    """Return the logarithm of `softmax`, computed without its rounding."""
    if isinstance(_stacklevel, dtype_class):
        dtype = _stacklevel
    cdef int d = given_dim(input, dim, "log_softmax")
    return deliver(c_log_softmax(prepared(input, dtype), d), out)


def softmin(Tensor input not None, dim=None, _stacklevel=3, dtype=None):
    """Return the softmax of ``-input``."""
    cdef int d = given_dim(input, dim, "softmin")
    return c_softmax(c_neg(prepared(input, dtype)), d)
