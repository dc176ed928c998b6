"""Products, negation and squares, with their operators.

The forms of an op are those of addition.pyx.
"""

from tinytorch._core.autograd cimport (
    Node, check_inplace, needs_grad, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, binary, deliver, number_of_float, number_of_int, unary)
from tinytorch._core.ops.operands cimport (
    before, call, call_into, linked, operate, operate_into)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, operators
from tinytorch._core.types cimport BOOL

__all__ = ["mul", "multiply", "neg", "neg_", "negative", "positive", "square",
           "square_"]
METHODS = __all__ + ["mul_", "multiply_", "negative_"]

cdef extern from *:
    """
    #include "zip_arithmetic.h"
    #include "map_math.h"
    TT_LOOPS(mul) TT_LOOPS(neg) TT_LOOPS(square)
    """
    void** mul_loops
    void** neg_loops
    void** square_loops

cdef Kernel* MUL = register_kernel("mul", pointwise, mul_loops, 0, 1)
cdef Kernel* NEG = register_kernel("neg", pointwise, neg_loops, 0, 1)
cdef Kernel* SQUARE = register_kernel("square", pointwise, square_loops, 0, 1)


# ---- a b ----

cdef Tensor mul_tensors(Tensor a, Tensor b, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad2(a, b):
        node = new_node(mul_backward, b"MulBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, before(a, into))
        if a.flags & REQUIRES_GRAD:
            save(node, 1, b)
    return linked(node, binary(MUL, PROMOTE, a, b, NULL, into), a, b, into)


cdef int mul_backward(Node node, Tensor gy) except -1:
    """d(a b) = b da + a db"""
    if wants(node, 0):
        send(node, 0, c_mul(gy, saved(node, 1)))
    if wants(node, 1):
        send(node, 1, c_mul(gy, saved(node, 0)))
    return 0


cdef Tensor mul_number(Tensor x, const Number* n, bint swapped, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(scale_backward, b"MulBackward0")
        node.f0 = n.f
    return linked(node, binary(MUL, PROMOTE, x, None, n, into), x, None, into)


cdef int scale_backward(Node node, Tensor gy) except -1:
    """d(k x) = k dx"""
    send(node, 0, c_mul_number(gy, node.f0))
    return 0


def mul(input, other, *, out=None):
    """Return ``input * other``."""
    return call("mul", input, other, mul_tensors, mul_number, out)


def mul_(Tensor self not None, other):
    """In-place `mul`."""
    return call_into("mul", self, other, mul_tensors, mul_number)


cdef Tensor c_mul(Tensor a, Tensor b):
    return mul_tensors(a, b, None)


cdef Tensor c_mul_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return mul_number(x, &n, False, None)


# ---- -x and x^2 ----

cdef Tensor neg_into(Tensor x, Tensor into):
    cdef Node node = None
    if x.code == BOOL:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead.")
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(neg_backward, b"NegBackward0")
    return linked(node, unary(NEG, PROMOTE, x, into), x, None, into)


cdef int neg_backward(Node node, Tensor gy) except -1:
    """d(-x) = -dx"""
    send(node, 0, c_neg(gy))
    return 0


cdef Tensor square_into(Tensor x, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(square_backward, b"PowBackward0")
        save(node, 0, before(x, into))
    return linked(node, unary(SQUARE, PROMOTE, as_integers(x), into), x, None, into)


cdef Tensor as_integers(Tensor x):
    """Truth values count as int64 in powers."""
    cdef Number one = number_of_int(1)
    return binary(MUL, PROMOTE, x, None, &one, None) if x.code == BOOL else x


cdef int square_backward(Node node, Tensor gy) except -1:
    """d(x^2) = 2 x dx"""
    send(node, 0, c_mul(gy, c_mul_number(saved(node, 0), 2)))
    return 0


cdef Tensor c_neg(Tensor x):
    return neg_into(x, None)


cdef Tensor c_square(Tensor x):
    return square_into(x, None)


def neg(Tensor input not None, *, out=None):
    """Return ``-input``."""
    return deliver(neg_into(input, None), out)


def neg_(Tensor self not None):
    """In-place `neg`."""
    return neg_into(self, self)


def square(Tensor input not None, *, out=None):
    """Return ``input * input``."""
    return deliver(square_into(input, None), out)


def square_(Tensor self not None):
    """In-place `square`."""
    return square_into(self, self)


def positive(Tensor input not None):
    """Return the input itself."""
    if input.code == BOOL:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


multiply, multiply_ = mul, mul_
negative, negative_ = neg, neg_


# ---- operators ----

cdef object op_mul(object a, object b):
    return operate(a, b, mul_tensors, mul_number)

cdef object op_imul(object a, object b):
    return operate_into(a, b, mul_tensors, mul_number)

cdef object op_neg(Tensor x):
    return neg_into(x, None)

operators.mul, operators.imul, operators.neg = op_mul, op_imul, op_neg
