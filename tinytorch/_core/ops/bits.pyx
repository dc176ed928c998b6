"""Bits of integers and truth values: and, or, xor, not, shifts, and their operators."""

from tinytorch._core.autograd cimport check_inplace
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, Number, binary, code_with_number, code_with_tensor, deliver, unary)
from tinytorch._core.ops.operands cimport call, call_into, operate, operate_into
from tinytorch._core.ops.pointwise cimport Loops, describe_twins, refuse_dtype
from tinytorch._core.tensor cimport Tensor, operators
from tinytorch._core.types cimport BOOL, is_float

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not",
           "bitwise_left_shift", "bitwise_right_shift"]
METHODS = __all__ + [
    "bitwise_and_", "bitwise_or_", "bitwise_xor_", "bitwise_not_",
    "bitwise_left_shift_", "bitwise_right_shift_", "__rand__", "__ror__", "__rxor__"]

cdef extern from *:
    """
    #include "zip_arithmetic.h"
    #include "map_math.h"
    #define TT_INT_LOOPS(name) \\
        static void *name##_loops[3] = {0, 0, (void *)name##_i64};
    TT_INT_LOOPS(bitwise_and) TT_INT_LOOPS(bitwise_or) TT_INT_LOOPS(bitwise_xor)
    TT_INT_LOOPS(bitwise_not) TT_INT_LOOPS(left_shift) TT_INT_LOOPS(right_shift)
    INT_MAP(not_truth, x == 0) TT_INT_LOOPS(not_truth)
    """
    Loops bitwise_and_loops, bitwise_or_loops, bitwise_xor_loops, bitwise_not_loops
    Loops left_shift_loops, right_shift_loops, not_truth_loops


cdef Kernel* AND = register_kernel("bitwise_and", pointwise, bitwise_and_loops, 0, 1)
cdef Kernel* OR = register_kernel("bitwise_or", pointwise, bitwise_or_loops, 0, 1)
cdef Kernel* XOR = register_kernel("bitwise_xor", pointwise, bitwise_xor_loops, 0, 1)
cdef Kernel* NOT = register_kernel("bitwise_not", pointwise, bitwise_not_loops, 0, 1)
cdef Kernel* NOT_TRUTH = register_kernel(
    "bitwise_not_truth", pointwise, not_truth_loops, 0, 1)
cdef Kernel* LSHIFT = register_kernel("lshift", pointwise, left_shift_loops, 0, 1)
cdef Kernel* RSHIFT = register_kernel("rshift", pointwise, right_shift_loops, 0, 1)


cdef Tensor bits(const Kernel* kernel, Tensor a, Tensor b, const Number* n,
                 bint swapped, Tensor into):
    """Two operands; b is None for a number."""
    cdef int code = code_with_number(a, n) if b is None else code_with_tensor(a, b)
    if is_float(code) or code == BOOL and (kernel == LSHIFT or kernel == RSHIFT):
        refuse_dtype(kernel.name, code)
    if into is not None:
        check_inplace(into)
    if swapped:
        return binary(kernel, PROMOTE, None, a, n, into)
    return binary(kernel, PROMOTE, a, b, n, into)


cdef Tensor inverted(Tensor x, Tensor into):
    if is_float(x.code):
        refuse_dtype(NOT.name, x.code)
    if into is not None:
        check_inplace(into)
    return unary(NOT_TRUTH if x.code == BOOL else NOT, PROMOTE, x, into)

cdef Tensor and_tensors(Tensor a, Tensor b, Tensor into):
    return bits(AND, a, b, NULL, False, into)

cdef Tensor and_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return bits(AND, x, None, n, swapped, into)

cdef Tensor or_tensors(Tensor a, Tensor b, Tensor into):
    return bits(OR, a, b, NULL, False, into)

cdef Tensor or_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return bits(OR, x, None, n, swapped, into)

cdef Tensor xor_tensors(Tensor a, Tensor b, Tensor into):
    return bits(XOR, a, b, NULL, False, into)

cdef Tensor xor_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return bits(XOR, x, None, n, swapped, into)

cdef Tensor lshift_tensors(Tensor a, Tensor b, Tensor into):
    return bits(LSHIFT, a, b, NULL, False, into)

cdef Tensor lshift_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return bits(LSHIFT, x, None, n, swapped, into)

cdef Tensor rshift_tensors(Tensor a, Tensor b, Tensor into):
    return bits(RSHIFT, a, b, NULL, False, into)

cdef Tensor rshift_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return bits(RSHIFT, x, None, n, swapped, into)


def bitwise_and(input, other, *, out=None):
    """Return the common bits of integers or truth values."""
    return call("bitwise_and", input, other, and_tensors, and_number, out)


def bitwise_or(input, other, *, out=None):
    """Return the bits that either operand has."""
    return call("bitwise_or", input, other, or_tensors, or_number, out)


def bitwise_xor(input, other, *, out=None):
    """Return the bits that exactly one operand has."""
    return call("bitwise_xor", input, other, xor_tensors, xor_number, out)


def bitwise_left_shift(input, other, *, out=None):
    """Return integers with their bits moved up by `other` places."""
    return call("bitwise_left_shift", input, other, lshift_tensors, lshift_number, out)


def bitwise_right_shift(input, other, *, out=None):
    """Return integers with their bits moved down by `other` places, sign kept."""
    return call("bitwise_right_shift", input, other, rshift_tensors, rshift_number,
                out)


def bitwise_not(Tensor input not None, *, out=None):
    """Return all bits, or truth values, inverted."""
    return deliver(inverted(input, None), out)


def bitwise_and_(Tensor self not None, other):
    return call_into("bitwise_and_", self, other, and_tensors, and_number)


def bitwise_or_(Tensor self not None, other):
    return call_into("bitwise_or_", self, other, or_tensors, or_number)


def bitwise_xor_(Tensor self not None, other):
    return call_into("bitwise_xor_", self, other, xor_tensors, xor_number)


def bitwise_left_shift_(Tensor self not None, other):
    return call_into("bitwise_left_shift_", self, other, lshift_tensors, lshift_number)


def bitwise_right_shift_(Tensor self not None, other):
    return call_into("bitwise_right_shift_", self, other, rshift_tensors,
                     rshift_number)


def bitwise_not_(Tensor self not None): return inverted(self, self)


def __rand__(Tensor self not None, other):
    return operate(other, self, and_tensors, and_number)


def __ror__(Tensor self not None, other):
    return operate(other, self, or_tensors, or_number)


def __rxor__(Tensor self not None, other):
    return operate(other, self, xor_tensors, xor_number)


cdef object op_and(object a, object b):
    return operate(a, b, and_tensors, and_number)

cdef object op_or(object a, object b):
    return operate(a, b, or_tensors, or_number)

cdef object op_xor(object a, object b):
    return operate(a, b, xor_tensors, xor_number)

cdef object op_lshift(object a, object b):
    return operate(a, b, lshift_tensors, lshift_number)

cdef object op_rshift(object a, object b):
    return operate(a, b, rshift_tensors, rshift_number)

cdef object op_iand(object a, object b):
    return operate_into(a, b, and_tensors, and_number)

cdef object op_ior(object a, object b):
    return operate_into(a, b, or_tensors, or_number)

cdef object op_ixor(object a, object b):
    return operate_into(a, b, xor_tensors, xor_number)

cdef object op_ilshift(object a, object b):
    return operate_into(a, b, lshift_tensors, lshift_number)

cdef object op_irshift(object a, object b):
    return operate_into(a, b, rshift_tensors, rshift_number)

cdef object op_invert(Tensor x):
    if is_float(x.code):
        raise TypeError("~ (operator.invert) is only implemented on integer and "
                        "Boolean-type tensors")
    return inverted(x, None)

operators.and_, operators.or_, operators.xor = op_and, op_or, op_xor
operators.lshift, operators.rshift = op_lshift, op_rshift
operators.iand, operators.ior, operators.ixor = op_iand, op_ior, op_ixor
operators.ilshift, operators.irshift = op_ilshift, op_irshift
operators.invert = op_invert


describe_twins(globals(), METHODS)
