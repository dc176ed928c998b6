"""Powers: tensor ** tensor, tensor ** number, number ** tensor."""

from libc.math cimport log

from tinytorch._core.autograd cimport (
    Node, check_inplace, check_write, grad_mode, needs_grad, needs_grad2, new_node,
    save_output, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport c_add_number, c_mul, c_mul_number
from tinytorch._core.ops.compare cimport (
    c_eq_number, c_ge_number, c_logical_and, c_logical_not, c_ne_number, narrow)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, binary, code_with_number, deliver, number_of_float, unary)
from tinytorch._core.ops.operands cimport linked, operate, operate_into
from tinytorch._core.ops.pointwise cimport (
    Loops, c_log, refuse_dtype, save_input, zeros_like)
from tinytorch._core.ops.select cimport c_where_number, cast
from tinytorch._core.ops.shape cimport c_to, dtype_word
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, operators
from tinytorch._core.types cimport BOOL, F64, is_float

__all__ = ["pow", "float_power"]
METHODS = ["pow", "pow_", "float_power", "float_power_", "__rpow__"]

cdef extern from *:
    """
    #include "power.h"
    #include "map_math.h"
    #include "math_backward.h"
    TT_LOOPS(power) TT_LOOPS(copy) TT_LOOPS(square) TT_LOOPS(cube) TT_FLOAT_LOOPS(sqrt)
    TT_FLOAT_LOOPS(rsqrt) TT_FLOAT_LOOPS(reciprocal) TT_FLOAT_LOOPS(inverse_square)
    TT_FLOAT_LOOPS(square_backward)
    """
    Loops power_loops, copy_loops, square_loops, cube_loops, sqrt_loops, rsqrt_loops
    Loops reciprocal_loops, inverse_square_loops, square_backward_loops

cdef Kernel* POW = register_kernel("pow", pointwise, power_loops, 0, 20)
cdef Kernel* POW_1 = register_kernel("pow_1", pointwise, copy_loops)
cdef Kernel* POW_2 = register_kernel("pow_2", pointwise, square_loops, 0, 1)
cdef Kernel* POW_3 = register_kernel("pow_3", pointwise, cube_loops, 0, 2)
cdef Kernel* POW_HALF = register_kernel("pow_half", pointwise, sqrt_loops, 0, 1)
cdef Kernel* POW_MINUS_HALF = register_kernel(
    "pow_minus_half", pointwise, rsqrt_loops, 0, 2)
cdef Kernel* POW_MINUS_1 = register_kernel(
    "pow_minus_1", pointwise, reciprocal_loops, 0, 1)
cdef Kernel* POW_MINUS_2 = register_kernel(
    "pow_minus_2", pointwise, inverse_square_loops, 0, 2)
cdef Kernel* POW_2_BACKWARD = register_kernel(
    "pow_2_backward", pointwise, square_backward_loops, 0, 2)


cdef const Kernel* of_exponent(double exponent) noexcept:
    """The kernel for an exponent that needs no logarithm, or NULL."""
    return (POW_2 if exponent == 2 else POW_3 if exponent == 3 else
            POW_HALF if exponent == 0.5 else POW_1 if exponent == 1 else
            POW_MINUS_HALF if exponent == -0.5 else
            POW_MINUS_1 if exponent == -1 else
            POW_MINUS_2 if exponent == -2 else NULL)


# ---- x^k ----

cdef Tensor pow_number(Tensor x, const Number* n, bint swapped, Tensor into):
    cdef Node node = None
    cdef Number k = n[0]
    cdef int code = code_with_number(x, n)
    cdef const Kernel* kernel
    cdef Tensor y
    if swapped:
        return number_pow(x, n)
    if not is_float(code):
        if n.i < 0:
            raise RuntimeError(
                "Integers to negative integer powers are not allowed.")
        narrow(&k, code)
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(pow_number_backward, b"PowBackward0")
        node.f0 = k.f
        save_input(node, 0, x, into)
    kernel = of_exponent(k.f)
    if kernel == NULL or code == BOOL:
        y = binary(POW, PROMOTE, x, None, &k, into)
    else:
        y = unary(kernel, PROMOTE, cast(x, code), into)
    return linked(node, y, x, None, into)


cdef int pow_number_backward(Node node, Tensor gy) except -1:
    """d(x^k) = k x^(k - 1) dx, and 0 for k = 0"""
    cdef Tensor x = saved(node, 0)
    cdef double k = node.f0
    if k == 0:
        return send(node, 0, zeros_like(gy))
    if k == 2:
        if grad_mode():
            return send(node, 0, c_mul(gy, c_mul_number(x, 2)))
        return send(node, 0, binary(POW_2_BACKWARD, PROMOTE, gy, x, NULL, None))
    return send(node, 0, c_mul(gy, c_mul_number(c_pow_number(x, k - 1), k)))


cdef Tensor c_pow_number(Tensor x, double exponent):
    cdef Number n = number_of_float(exponent)
    return pow_number(x, &n, False, None)


# ---- k^x ----

cdef Tensor number_pow(Tensor x, const Number* n):
    cdef Node node = None
    cdef Tensor y
    if code_with_number(x, n) == BOOL:
        refuse_dtype("pow", BOOL)
    if needs_grad(x):
        node = new_node(number_pow_backward, b"PowBackward2")
        node.f0 = n.f
        save_input(node, 0, x, None)
    y = binary(POW, PROMOTE, None, x, n, None)
    if node is not None:
        save_output(node, 1, y)
    return linked(node, y, x, None, None)


cdef int number_pow_backward(Node node, Tensor gy) except -1:
    """d(k^x) = log(k) y dx, and 0 for k = 0 and x >= 0"""
    cdef Tensor slope = c_mul_number(saved(node, 1), log(node.f0))
    if node.f0 == 0:
        slope = c_where_number(
            c_logical_not(c_ge_number(saved(node, 0), 0)), slope, 0)
    return send(node, 0, c_mul(gy, slope))


# ---- a^b ----

cdef Tensor pow_tensors(Tensor a, Tensor b, Tensor into):
    cdef Node node = None
    cdef Tensor y
    if a.code == BOOL and b.code == BOOL:
        refuse_dtype("pow", BOOL)
    if into is not None:
        check_write(into, b)
    if needs_grad2(a, b):
        node = new_node(pow_tensors_backward, b"PowBackward1")
        save_input(node, 0, a, into)
        save_input(node, 1, b, into)
    y = binary(POW, PROMOTE, a, b, NULL, into)
    if node is not None and b.flags & REQUIRES_GRAD:
        save_output(node, 2, y)
    return linked(node, y, a, b, into)


cdef int pow_tensors_backward(Node node, Tensor gy) except -1:
    """d(a^b) = b a^(b - 1) da + log(a) y db

    The first is 0 where b = 0, the second where a = 0 and b >= 0.
    """
    cdef Tensor a = saved(node, 0), b = saved(node, 1), slope, smooth
    if wants(node, 0):
        slope = c_mul(b, pow_tensors(a, c_add_number(b, -1), None))
        send(node, 0, c_where_number(c_ne_number(b, 0), c_mul(gy, slope), 0))
    if wants(node, 1):
        smooth = c_logical_not(c_logical_and(c_eq_number(a, 0), c_ge_number(b, 0)))
        slope = c_mul(saved(node, 2), c_log(a))
        send(node, 1, c_mul(gy, c_where_number(smooth, slope, 0)))
    return 0


cdef Tensor c_pow(Tensor a, Tensor b):
    return pow_tensors(a, b, None)


# ---- the public forms ----

cdef object raised(str name, object a, object b):
    """a ** b where either may be the number."""
    cdef object y = NotImplemented
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        y = operate(a, b, pow_tensors, pow_number)
    if y is NotImplemented:
        raise TypeError(f"{name}(): expected a Tensor and a Tensor or Number, got "
                        f"{type(a).__name__} and {type(b).__name__}")
    return y


def pow(input, exponent, *, out=None):
    """Return ``input ** exponent``; either may be a number."""
    return deliver(<Tensor>raised("pow", input, exponent), out)


def pow_(Tensor self not None, exponent):
    """In-place `pow`."""
    cdef object y = operate_into(self, exponent, pow_tensors, pow_number)
    if y is NotImplemented:
        raise TypeError("pow_(): argument 'exponent' must be Tensor or Number, not "
                        f"{type(exponent).__name__}")
    return y


def __rpow__(Tensor self not None, other):
    return raised("pow", other, self)


cdef object widened(object value):
    return c_to(<Tensor>value, F64) if isinstance(value, Tensor) else (
        value if isinstance(value, complex) else float(value))


def float_power(input, exponent, *, out=None):
    """Return ``input ** exponent`` computed in, and of, float64."""
    return deliver(
        <Tensor>raised("float_power", widened(input), widened(exponent)), out)


def float_power_(Tensor self not None, exponent):
    """In-place `float_power`; the tensor must be of float64."""
    if self.code != F64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {dtype_word(self.code)} but the "
            "operation's result requires dtype Double")
    return pow_(self, widened(exponent))


cdef object op_pow(object a, object b):
    return operate(a, b, pow_tensors, pow_number)

cdef object op_ipow(object a, object b):
    return operate_into(a, b, pow_tensors, pow_number)

operators.pow, operators.ipow = op_pow, op_ipow
