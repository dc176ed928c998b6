"""Quotients, whole quotients and remainders, with their operators.

The forms of an op are those of addition.pyx.
"""

from tinytorch._core.autograd cimport (
    Node, check_inplace, needs_grad, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport (
    OUT_BOOL, Driver, Kernel, View, pointwise, register_kernel, run, view_of)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, PROMOTE_FLOAT, TRUTH, Number, binary, code_with_number, code_with_tensor,
    number_of_float, unary)
from tinytorch._core.ops.multiplication cimport c_mul, c_mul_number, c_neg
from tinytorch._core.ops.operands cimport (
    OfNumber, OfTensors, before, call, call_into, linked, operate, operate_into)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, operators
from tinytorch._core.types cimport BOOL, is_float

__all__ = ["div", "divide", "true_divide", "floor_divide", "remainder", "fmod"]
METHODS = __all__ + ["div_", "divide_", "true_divide_", "floor_divide_", "remainder_",
                     "fmod_", "__rdiv__"]

cdef extern from *:
    """
    #include "division.h"
    TT_FLOAT_LOOPS(div) TT_LOOPS(trunc_divide) TT_LOOPS(floor_divide)
    TT_LOOPS(remainder) TT_LOOPS(fmod)
    """
    void** div_loops
    void** trunc_divide_loops
    void** floor_divide_loops
    void** remainder_loops
    void** fmod_loops
    void** is_zero_loops
    int refuse_zero_driver(const void* call) noexcept nogil

cdef Kernel* DIV = register_kernel("div", pointwise, div_loops, 0, 1)
cdef Kernel* TRUNC_DIVIDE = register_kernel(
    "trunc_divide", pointwise, trunc_divide_loops, 0, 1)
cdef Kernel* FLOOR_DIVIDE = register_kernel(
    "floor_divide", pointwise, floor_divide_loops, 0, 1)
cdef Kernel* REMAINDER = register_kernel("remainder", pointwise, remainder_loops, 0, 1)
cdef Kernel* FMOD = register_kernel("fmod", pointwise, fmod_loops, 0, 1)
cdef Kernel* IS_ZERO = register_kernel("is_zero", pointwise, is_zero_loops, OUT_BOOL)
cdef Kernel* REFUSE_ZERO = register_kernel(
    "refuse_zero", <Driver>refuse_zero_driver, NULL)


# ---- a / b ----

cdef Tensor div_tensors(Tensor a, Tensor b, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad2(a, b):
        node = new_node(div_backward, b"DivBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, before(a, into))
        save(node, 1, b)
    return linked(node, binary(DIV, PROMOTE_FLOAT, a, b, NULL, into), a, b, into)


cdef int div_backward(Node node, Tensor gy) except -1:
    """d(a / b) = da / b - (a / b) / b db"""
    cdef Tensor b = saved(node, 1), a
    if wants(node, 0):
        send(node, 0, c_div(gy, b))
    if wants(node, 1):
        a = saved(node, 0)
        send(node, 1, c_mul(c_neg(gy), c_div(c_div(a, b), b)))
    return 0


cdef Tensor div_number(Tensor x, const Number* n, bint swapped, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(rdiv_backward if swapped else scale_down_backward,
                        b"DivBackward0")
        node.f0 = n.f
        if swapped:
            save(node, 0, x)
    if swapped:
        return linked(node, binary(DIV, PROMOTE_FLOAT, None, x, n, into), x, None, into)
    return linked(node, binary(DIV, PROMOTE_FLOAT, x, None, n, into), x, None, into)


cdef int scale_down_backward(Node node, Tensor gy) except -1:
    """d(x / k) = dx / k"""
    send(node, 0, c_div_number(gy, node.f0))
    return 0


cdef int rdiv_backward(Node node, Tensor gy) except -1:
    """d(k / x) = -k / x^2 dx"""
    cdef Tensor x = saved(node, 0)
    send(node, 0, c_mul(c_neg(gy), c_div(c_rdiv_number(x, node.f0), x)))
    return 0


cdef Tensor c_div(Tensor a, Tensor b):
    return div_tensors(a, b, None)


cdef Tensor c_div_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return div_number(x, &n, False, None)


cdef Tensor c_rdiv_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return div_number(x, &n, True, None)


# ---- whole quotients and remainders ----

cdef int check_divisor(str name, Tensor x, Tensor b, const Number* n,
                       bint swapped) except -1:
    """Whole division of integers by zero raises before anything is written."""
    cdef View[2] v
    cdef Tensor zero
    cdef int code = code_with_number(x, n) if b is None else code_with_tensor(x, b)
    if is_float(code):
        return 0
    if code == BOOL:
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
    if b is None and not swapped:
        if n.i == 0:
            raise RuntimeError("ZeroDivisionError")
        return 0
    zero = unary(IS_ZERO, TRUTH, x if b is None else b, None)
    view_of(&v[0], zero)
    run(REFUSE_ZERO, v, 1, 1, NULL, 0, 0, zero.storage.device)
    return 0


cdef Tensor whole(const Kernel* kernel, Tensor a, Tensor b, const Number* n,
                  bint swapped, Tensor into):
    """floor_divide, trunc_divide, remainder, fmod; b is None for a number."""
    cdef Node node = None
    cdef const char* title
    cdef Tensor y
    if into is not None:
        check_inplace(into)
    check_divisor("remainder_cpu" if kernel == REMAINDER else "fmod_cpu"
                  if kernel == FMOD else "div_floor_cpu" if kernel == FLOOR_DIVIDE
                  else "div_trunc_cpu", a, b, n, swapped)
    if needs_grad(a) or b is not None and needs_grad(b):
        title = (b"RemainderBackward0" if kernel == REMAINDER else b"FmodBackward0"
                 if kernel == FMOD else b"DivBackward1")
        node = new_node(quotient_backward if kernel == FLOOR_DIVIDE or
                        kernel == TRUNC_DIVIDE else remainder_backward, title)
        node.i0 = kernel == FMOD
        node.i1 = b is None and swapped
        node.f0 = 0 if n == NULL else n.f
        save(node, 0, before(a, into))
        if b is not None:
            save(node, 1, b)
    if b is None and swapped:
        y = binary(kernel, PROMOTE, None, a, n, into)
    else:
        y = binary(kernel, PROMOTE, a, b, n, into)
    return linked(node, y, a, b, into)


cdef int quotient_backward(Node node, Tensor gy) except -1:
    """A whole quotient is constant almost everywhere."""
    send(node, 0, c_mul_number(gy, 0))
    send(node, 1, c_mul_number(gy, 0))
    return 0


cdef int remainder_backward(Node node, Tensor gy) except -1:
    """d(a mod b) = da - (whole quotient of a and b) db"""
    cdef const Kernel* kernel = TRUNC_DIVIDE if node.i0 else FLOOR_DIVIDE
    cdef Number n
    if node.i1:  # k mod x
        n = number_of_float(node.f0)
        send(node, 0, c_neg(c_mul(gy, whole(kernel, saved(node, 0), None, &n, True,
                                            None))))
        return 0
    send(node, 0, gy)
    if wants(node, 1):
        send(node, 1, c_neg(c_mul(gy, whole(kernel, saved(node, 0), saved(node, 1),
                                            NULL, False, None))))
    return 0


cdef Tensor floor_divide_tensors(Tensor a, Tensor b, Tensor into):
    return whole(FLOOR_DIVIDE, a, b, NULL, False, into)

cdef Tensor floor_divide_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(FLOOR_DIVIDE, x, None, n, swapped, into)

cdef Tensor trunc_divide_tensors(Tensor a, Tensor b, Tensor into):
    return whole(TRUNC_DIVIDE, a, b, NULL, False, into)

cdef Tensor trunc_divide_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(TRUNC_DIVIDE, x, None, n, swapped, into)

cdef Tensor remainder_tensors(Tensor a, Tensor b, Tensor into):
    return whole(REMAINDER, a, b, NULL, False, into)

cdef Tensor remainder_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(REMAINDER, x, None, n, swapped, into)

cdef Tensor fmod_tensors(Tensor a, Tensor b, Tensor into):
    return whole(FMOD, a, b, NULL, False, into)

cdef Tensor fmod_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(FMOD, x, None, n, swapped, into)


cdef Tensor c_floor_divide(Tensor a, Tensor b):
    return floor_divide_tensors(a, b, None)


cdef int rounding_forms(object mode, OfTensors* tensors, OfNumber* number) except -1:
    if mode is None:
        tensors[0] = div_tensors
        number[0] = div_number
    elif mode == "floor":
        tensors[0] = floor_divide_tensors
        number[0] = floor_divide_number
    elif mode == "trunc":
        tensors[0] = trunc_divide_tensors
        number[0] = trunc_divide_number
    else:
        raise RuntimeError("div expected rounding_mode to be one of None, 'trunc', or "
                           f"'floor' but found '{mode}'")
    return 0


def div(input, other, *, rounding_mode=None, out=None):
    """Return ``input / other``, rounded if `rounding_mode` is 'floor' or 'trunc'."""
    cdef OfTensors tensors
    cdef OfNumber number
    rounding_forms(rounding_mode, &tensors, &number)
    return call("div", input, other, tensors, number, out)


def div_(Tensor self not None, other, *, rounding_mode=None):
    """In-place `div`."""
    cdef OfTensors tensors
    cdef OfNumber number
    rounding_forms(rounding_mode, &tensors, &number)
    return call_into("div", self, other, tensors, number)


def true_divide(input, other, *, out=None):
    """Return ``input / other``."""
    return call("true_divide", input, other, div_tensors, div_number, out)


def true_divide_(Tensor self not None, other):
    """In-place `true_divide`."""
    return call_into("true_divide", self, other, div_tensors, div_number)


def __rdiv__(Tensor self not None, other):
    return operate(other, self, div_tensors, div_number)


def floor_divide(input, other, *, out=None):
    """Return ``floor(input / other)``."""
    return call("floor_divide", input, other, floor_divide_tensors, floor_divide_number,
                out)


def floor_divide_(Tensor self not None, other):
    """In-place `floor_divide`."""
    return call_into("floor_divide", self, other, floor_divide_tensors,
                     floor_divide_number)


def remainder(input, other, *, out=None):
    """Return the remainder with the sign of the divisor: ``input % other``."""
    return call("remainder", input, other, remainder_tensors, remainder_number, out)


def remainder_(Tensor self not None, other):
    """In-place `remainder`."""
    return call_into("remainder", self, other, remainder_tensors, remainder_number)


def fmod(Tensor input not None, other, *, out=None):
    """Return the remainder with the sign of the dividend."""
    return call("fmod", input, other, fmod_tensors, fmod_number, out)


def fmod_(Tensor self not None, other):
    """In-place `fmod`."""
    return call_into("fmod", self, other, fmod_tensors, fmod_number)


divide, divide_ = div, div_


# ---- operators ----

cdef object op_truediv(object a, object b):
    return operate(a, b, div_tensors, div_number)

cdef object op_floordiv(object a, object b):
    return operate(a, b, floor_divide_tensors, floor_divide_number)

cdef object op_mod(object a, object b):
    return operate(a, b, remainder_tensors, remainder_number)

cdef object op_itruediv(object a, object b):
    return operate_into(a, b, div_tensors, div_number)

cdef object op_ifloordiv(object a, object b):
    return operate_into(a, b, floor_divide_tensors, floor_divide_number)

cdef object op_imod(object a, object b):
    return operate_into(a, b, remainder_tensors, remainder_number)

operators.truediv, operators.itruediv = op_truediv, op_itruediv
operators.floordiv, operators.ifloordiv = op_floordiv, op_ifloordiv
operators.mod, operators.imod = op_mod, op_imod
