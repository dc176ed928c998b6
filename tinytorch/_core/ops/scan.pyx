"""Scans along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp.

Derivatives of the products and of logcumsumexp are linear recurrences,
y[k] = b[k] + a[k - shift] y[k - 1], whose own derivative is the recurrence in the other
direction: no division by elements, which may be zero, and double backward for nothing.
"""

from libc.math cimport INFINITY

from tinytorch._core.autograd cimport (
    Backward, Node, attach, link, needs_grad, new_node, save, save_output,
    saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, register_kernel, tt_parallel_for)
from tinytorch._core.ops.lines cimport along, put_along, sized
from tinytorch._core.ops.arithmetic cimport c_mul, c_sub
from tinytorch._core.ops.elementwise cimport deliver, take_result
from tinytorch._core.ops.pointwise cimport c_exp
from tinytorch._core.ops.reduce cimport deliver_pair, one_dim, out_code
from tinytorch._core.ops.select cimport c_clamp
from tinytorch._core.ops.shape cimport c_to, dtype_word
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    I64, compute_of, is_float)

from tinytorch._core.return_types import named_result

__all__ = ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"]
METHODS = __all__ + ["cumsum_", "cumprod_"]

cdef extern from *:
    """
    #include "scan.h"
    TT_LINE_OPS(cumsum, 0) TT_LINE_OPS(cumprod, 0)
    TT_LINE_OPS(cummax, 0) TT_LINE_OPS(cummin, 0)
    TT_FLOAT_LINE_OPS(logcumsumexp, 0) TT_FLOAT_LINE_OPS(recurrence, 0)
    TT_FLOAT_LINE_OPS(shifted, 0)
    """
    int line_driver(const KernelCall* call) nogil
    int TT_GIVES_VALUES, TT_GIVES_INDICES
    void** cumsum_ops
    void** cumprod_ops
    void** cummax_ops
    void** cummin_ops
    void** logcumsumexp_ops
    void** recurrence_ops
    void** shifted_ops

tt_parallel_for = parallel_for

cdef Kernel* line_kernel(const char* name, void** ops, int gives) except NULL:
    return register_kernel(name, <Driver>line_driver, ops, gives)

cdef int BOTH = TT_GIVES_VALUES | TT_GIVES_INDICES
cdef Kernel* CUMSUM = line_kernel("cumsum", cumsum_ops, TT_GIVES_VALUES)
cdef Kernel* CUMPROD = line_kernel("cumprod", cumprod_ops, TT_GIVES_VALUES)
cdef Kernel* CUMMAX = line_kernel("cummax", cummax_ops, BOTH)
cdef Kernel* CUMMIN = line_kernel("cummin", cummin_ops, BOTH)
cdef Kernel* LOGCUMSUMEXP = line_kernel("logcumsumexp", logcumsumexp_ops,
                                        TT_GIVES_VALUES)
cdef Kernel* RECURRENCE = line_kernel("recurrence", recurrence_ops, TT_GIVES_VALUES)
cdef Kernel* SHIFTED = line_kernel("shifted", shifted_ops, TT_GIVES_VALUES)


cdef Tensor scanned(const Kernel* kernel, Tensor x, Tensor w, int dim, int code,
                    bint backward=False, bint shift=False):
    cdef Scalar[3] s
    cdef Tensor y = sized(x, -1, 0, code)
    s[1].i = backward
    s[2].i = shift
    along(kernel, y, None, x, w, dim, compute_of[code], s, 3)
    return y


cdef Node scan_node(Backward backward, const char* title, Tensor x, int dim):
    cdef Node node = new_node(backward, title)
    link(node, 0, x)
    node.i0 = dim
    return node


# ---- the recurrence ----

cdef Tensor c_shifted(Tensor x, int dim, bint backward):
    cdef Node node = None
    if needs_grad(x):
        node = scan_node(shifted_backward, b"ShiftedBackward", x, dim)
        node.i1 = backward
    y = scanned(SHIFTED, x, None, dim, x.code, backward)
    if node is not None:
        attach(y, node)
    return y


cdef int shifted_backward(Node node, Tensor gy) except -1:
    """gx[k] = gy[k + 1]"""
    return send(node, 0, c_shifted(gy, node.i0, not node.i1))


cdef Tensor c_recurrence(Tensor a, Tensor b, int dim, bint backward, bint shift):
    cdef Node node = None
    if needs_grad(a) or (b is not None and needs_grad(b)):
        node = scan_node(recurrence_backward, b"RecurrenceBackward", a, dim)
        if b is not None:
            link(node, 1, b)
        node.i1 = backward
        node.i2 = shift
        save(node, 0, a)
    y = scanned(RECURRENCE, a, b, dim, a.code, backward, shift)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


cdef int recurrence_backward(Node node, Tensor gy) except -1:
    """y[k] = b[k] + a[k - s] y[k - 1]:
    db[k] = gy[k] + a[k + 1 - s] db[k + 1],  da[k - s] = db[k] y[k - 1]"""
    cdef int dim = node.i0
    cdef bint backward = node.i1
    cdef Tensor gb = c_recurrence(saved(node, 0), gy, dim, not backward, not node.i2)
    cdef Tensor y
    send(node, 1, gb)
    if wants(node, 0):
        y = saved(node, 1)
        if node.i2:
            send(node, 0, c_mul(c_shifted(gb, dim, not backward), y))
        else:
            send(node, 0, c_mul(gb, c_shifted(y, dim, backward)))
    return 0


# ---- sums and products ----

cdef Tensor c_cumsum(Tensor x, int dim, int code, bint backward=False):
    cdef Node node = None
    x = c_to(x, code)
    if needs_grad(x):
        node = scan_node(cumsum_backward, b"CumsumBackward0", x, dim)
        node.i1 = backward
    y = scanned(CUMSUM, x, None, dim, code, backward)
    if node is not None:
        attach(y, node)
    return y


cdef int cumsum_backward(Node node, Tensor gy) except -1:
    """gx[k] = sum of gy[i] over i >= k"""
    return send(node, 0, c_cumsum(gy, node.i0, gy.code, not node.i1))


cdef Tensor c_cumprod(Tensor x, int dim, int code):
    cdef Node node = None
    x = c_to(x, code)
    if needs_grad(x):
        node = scan_node(cumprod_backward, b"CumprodBackward0", x, dim)
        save(node, 0, x)
    y = scanned(CUMPROD, x, None, dim, code)
    if node is not None:
        attach(y, node)
    return y


cdef int cumprod_backward(Node node, Tensor gy) except -1:
    """gx[k] = (x[0] ... x[k - 1]) s[k],  s[k] = gy[k] + x[k + 1] s[k + 1]"""
    cdef Tensor x = saved(node, 0)
    cdef int dim = node.i0
    return send(node, 0, c_mul(c_recurrence(x, None, dim, False, True),
                               c_recurrence(x, gy, dim, True, True)))


cdef Tensor c_logcumsumexp(Tensor x, int dim):
    cdef Node node = None
    if needs_grad(x):
        node = scan_node(logcumsumexp_backward, b"LogcumsumexpBackward0", x, dim)
        save(node, 0, x)
    y = scanned(LOGCUMSUMEXP, x, None, dim, x.code)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


cdef int logcumsumexp_backward(Node node, Tensor gy) except -1:
    """gx[k] = e^(x[k] - y[k]) s[k],  s[k] = gy[k] + e^(y[k] - y[k + 1]) s[k + 1]

    y never falls, so no exponent is positive; the last one, which counts for nothing,
    is kept from overflowing."""
    cdef Tensor x = saved(node, 0), y = saved(node, 1)
    cdef int dim = node.i0
    cdef Tensor falls = c_exp(c_clamp(c_sub(y, c_shifted(y, dim, True)), -INFINITY, 0))
    cdef Tensor s = c_recurrence(falls, c_to(gy, y.code), dim, True, False)
    return send(node, 0, c_mul(c_exp(c_sub(x, y)), s))


# ---- extrema ----

cdef object c_cumextremum(const Kernel* kernel, const char* title, type kind, Tensor x,
                          int dim, object out):
    cdef Node node = None
    cdef Scalar[2] s
    cdef Tensor y = sized(x, -1, 0, x.code), index = sized(x, -1, 0, I64)
    s[1].i = 0
    along(kernel, y, index, x, None, dim, compute_of[x.code], s, 2)
    if needs_grad(x):
        node = scan_node(cumextremum_backward, title, x, dim)
        save(node, 0, index)
        attach(y, node)
    return deliver_pair(kind, y, index, out)


cdef int cumextremum_backward(Node node, Tensor gy) except -1:
    """gx[index[k]] += gy[k]"""
    cdef Tensor index = saved(node, 0)
    return send(node, 0, put_along(gy, index, node.i0,
                                   index.sizes[node.i0] if index.rank else 1))


# ---- for Python ----

cdef type CummaxResult = named_result("cummax", "values indices")
cdef type CumminResult = named_result("cummin", "values indices")


def cumsum(Tensor input not None, dim=None, *, dtype=None, out=None, axis=None):
    """Return the running sum along `dim`; integers are summed in int64.

    Example:
        >>> cumsum(tensor([1.0, 2.0, 3.0]), 0).tolist()
        [1.0, 3.0, 6.0]
    """
    return deliver(c_cumsum(input, one_dim("cumsum", dim, axis, input),
                            out_code(input, dtype, out)), out)


def cumprod(Tensor input not None, dim=None, *, dtype=None, out=None, axis=None):
    """Return the running product along `dim`; integers are multiplied in int64.

    Example:
        >>> cumprod(tensor([1.0, 2.0, 3.0]), 0).tolist()
        [1.0, 2.0, 6.0]
    """
    return deliver(c_cumprod(input, one_dim("cumprod", dim, axis, input),
                             out_code(input, dtype, out)), out)


def cumsum_(Tensor self not None, dim=None, *, dtype=None, axis=None):
    """In-place version of cumsum."""
    return take_result(self, c_to(c_cumsum(self, one_dim("cumsum", dim, axis, self),
                                           out_code(self, dtype, None)), self.code))


def cumprod_(Tensor self not None, dim=None, *, dtype=None, axis=None):
    """In-place version of cumprod."""
    return take_result(self, c_to(c_cumprod(self, one_dim("cumprod", dim, axis, self),
                                            out_code(self, dtype, None)), self.code))


def cummax(Tensor input not None, dim=None, *, out=None, axis=None):
    """Return the running maximum along `dim` and where it is.

    Example:
        >>> cummax(tensor([1.0, 3.0, 2.0]), 0).indices.tolist()
        [0, 1, 1]
    """
    return c_cumextremum(CUMMAX, b"CummaxBackward0", CummaxResult, input,
                         one_dim("cummax", dim, axis, input), out)


def cummin(Tensor input not None, dim=None, *, out=None, axis=None):
    """Return the running minimum along `dim` and where it is.

    Example:
        >>> cummin(tensor([3.0, 1.0, 2.0]), 0).indices.tolist()
        [0, 1, 1]
    """
    return c_cumextremum(CUMMIN, b"CumminBackward0", CumminResult, input,
                         one_dim("cummin", dim, axis, input), out)


def logcumsumexp(Tensor input not None, dim=None, *, out=None, axis=None):
    """Return the logarithm of the running sum of exponentials along `dim`.

    Example:
        >>> logcumsumexp(tensor([0.0, 0.0]), 0)[0].item()
        0.0
    """
    cdef int d = one_dim("logcumsumexp", dim, axis, input)
    if not is_float(input.code):
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{dtype_word(input.code)}'")
    return deliver(c_logcumsumexp(input, d), out)
