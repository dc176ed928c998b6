"""Comparisons, predicates and logic.  Truth values are results without a graph."""

from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport check_inplace
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    OUT_BOOL, Kernel, Scalar, pointwise, refuse_capture, register_kernel)
from tinytorch._core.ops.elementwise cimport (
    TRUTH, Number, as_number, binary, deliver, number_of_float, unary)
from tinytorch._core.ops.pointwise cimport Loops, describe_twins
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.tensor cimport Tensor, operators, same_shape
from tinytorch._core.types cimport FLOATS, I8, I16, I32, U8, dtype_of

from tinytorch._core.ops.data import from_numpy

__all__ = [
    "eq", "ne", "lt", "le", "gt", "ge", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "isclose", "allclose", "equal", "isnan", "isinf", "isfinite",
    "isposinf", "isneginf", "isreal", "signbit", "logical_and", "logical_or",
    "logical_xor", "logical_not"]
METHODS = __all__ + [
    "eq_", "ne_", "lt_", "le_", "gt_", "ge_", "not_equal_", "less_", "less_equal_",
    "greater_", "greater_equal_", "logical_and_", "logical_or_", "logical_xor_",
    "logical_not_"]

cdef extern from *:
    """
    #include "zip_compare.h"
    TT_LOOPS(eq) TT_LOOPS(ne) TT_LOOPS(lt) TT_LOOPS(le) TT_LOOPS(gt) TT_LOOPS(ge)
    TT_LOOPS(isclose) TT_LOOPS(isnan) TT_LOOPS(isinf) TT_LOOPS(isfinite)
    TT_LOOPS(isposinf) TT_LOOPS(isneginf) TT_LOOPS(signbit)
    TT_LOOPS(logical_not) TT_LOOPS(logical_and) TT_LOOPS(logical_or)
    TT_LOOPS(logical_xor)
    """
    Loops eq_loops, ne_loops, lt_loops, le_loops, gt_loops, ge_loops, isclose_loops
    Loops isnan_loops, isinf_loops, isfinite_loops, isposinf_loops, isneginf_loops
    Loops signbit_loops, logical_not_loops, logical_and_loops, logical_or_loops
    Loops logical_xor_loops


cdef Kernel* truth(const char* name, Loops loops) except NULL:
    return register_kernel(name, pointwise, loops, OUT_BOOL, 1)


# ---- comparisons ----

cdef Kernel* comparisons[6]    # by Python's numbers for <, <=, ==, !=, >, >=
comparisons[Py_LT], comparisons[Py_LE] = truth("lt", lt_loops), truth("le", le_loops)
comparisons[Py_EQ], comparisons[Py_NE] = truth("eq", eq_loops), truth("ne", ne_loops)
comparisons[Py_GT], comparisons[Py_GE] = truth("gt", gt_loops), truth("ge", ge_loops)


cdef int narrow(Number* n, int code) except -1:
    """Wrap an integer as if it were an element; PyTorch compares it as one."""
    cdef int bits = (8 if code == I8 or code == U8 else 16 if code == I16 else
                     32 if code == I32 else 64)
    cdef int64_t limit = <int64_t>1 << (bits - (code != U8)) if bits < 64 else 0
    if bits == 64 or n.category == FLOATS:
        return 0
    if n.i >= limit or n.i < -limit:
        raise RuntimeError(f"value cannot be converted to type {dtype_of(code).name}_t "
                           "without overflow")
    if code == U8 and n.i < 0:
        n.i += limit
    return 0


cdef object compare(int op, object a, object b, Tensor into):
    """a <op> b; NotImplemented if b is neither tensor nor number."""
    cdef Number n
    cdef Tensor x = <Tensor>a
    if into is not None:
        check_inplace(into)
    if isinstance(b, Tensor):
        return binary(comparisons[op], TRUTH, x, <Tensor>b, NULL, into)
    if not as_number(b, &n):
        return NotImplemented
    if I32 <= x.code <= U8:
        narrow(&n, x.code)
    return binary(comparisons[op], TRUTH, x, None, &n, into)


cdef object compared(int op, Tensor x, object other, Tensor into, object out):
    cdef object y = compare(op, x, other, into)
    if y is NotImplemented:
        raise TypeError(
            f"{comparisons[op].name.decode()}(): argument 'other' (position 2) must be "
            f"Tensor or Number, not {type(other).__name__}")
    return y if out is None else deliver(<Tensor>y, out)


def eq(Tensor input not None, other, *, out=None):
    """Return where ``input == other``."""
    return compared(Py_EQ, input, other, None, out)


def ne(Tensor input not None, other, *, out=None):
    """Return where ``input != other``."""
    return compared(Py_NE, input, other, None, out)


def lt(Tensor input not None, other, *, out=None):
    """Return where ``input < other``."""
    return compared(Py_LT, input, other, None, out)


def le(Tensor input not None, other, *, out=None):
    """Return where ``input <= other``."""
    return compared(Py_LE, input, other, None, out)


def gt(Tensor input not None, other, *, out=None):
    """Return where ``input > other``."""
    return compared(Py_GT, input, other, None, out)


def ge(Tensor input not None, other, *, out=None):
    """Return where ``input >= other``."""
    return compared(Py_GE, input, other, None, out)


def eq_(Tensor self not None, other): return compared(Py_EQ, self, other, self, None)
def ne_(Tensor self not None, other): return compared(Py_NE, self, other, self, None)
def lt_(Tensor self not None, other): return compared(Py_LT, self, other, self, None)
def le_(Tensor self not None, other): return compared(Py_LE, self, other, self, None)
def gt_(Tensor self not None, other): return compared(Py_GT, self, other, self, None)
def ge_(Tensor self not None, other): return compared(Py_GE, self, other, self, None)


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
not_equal_, less_, less_equal_, greater_, greater_equal_ = ne_, lt_, le_, gt_, ge_


cdef object op_compare(object a, object b, int op):
    cdef object y = compare(op, a, b, None)
    if y is NotImplemented and (op == Py_EQ or op == Py_NE) and \
            hasattr(b, "__array_interface__"):
        # NumPy leaves the comparison to us, and Python would compare identities
        try:
            b = from_numpy(b)
        except TypeError:
            return NotImplemented    # elements that no tensor has
        y = compare(op, a, b, None)
    return y

operators.compare = op_compare

cdef Tensor c_eq(Tensor a, Tensor b):
    return binary(comparisons[Py_EQ], TRUTH, a, b, NULL, None)

cdef Tensor c_ne(Tensor a, Tensor b):
    return binary(comparisons[Py_NE], TRUTH, a, b, NULL, None)

cdef Tensor c_lt(Tensor a, Tensor b):
    return binary(comparisons[Py_LT], TRUTH, a, b, NULL, None)

cdef Tensor c_le(Tensor a, Tensor b):
    return binary(comparisons[Py_LE], TRUTH, a, b, NULL, None)

cdef Tensor c_gt(Tensor a, Tensor b):
    return binary(comparisons[Py_GT], TRUTH, a, b, NULL, None)

cdef Tensor c_ge(Tensor a, Tensor b):
    return binary(comparisons[Py_GE], TRUTH, a, b, NULL, None)

cdef Tensor with_number(int op, Tensor x, double value):
    cdef Number n = number_of_float(value)
    return binary(comparisons[op], TRUTH, x, None, &n, None)

cdef Tensor c_eq_number(Tensor x, double value):
    return with_number(Py_EQ, x, value)

cdef Tensor c_ne_number(Tensor x, double value):
    return with_number(Py_NE, x, value)

cdef Tensor c_lt_number(Tensor x, double value):
    return with_number(Py_LT, x, value)

cdef Tensor c_le_number(Tensor x, double value):
    return with_number(Py_LE, x, value)

cdef Tensor c_gt_number(Tensor x, double value):
    return with_number(Py_GT, x, value)

cdef Tensor c_ge_number(Tensor x, double value):
    return with_number(Py_GE, x, value)


# ---- equality of whole tensors ----

cdef Kernel* ISCLOSE = truth("isclose", isclose_loops)


def isclose(Tensor input not None, Tensor other not None, double rtol=1e-5,
            double atol=1e-8, bint equal_nan=False):
    """Return where ``|input - other| <= atol + rtol * |other|``."""
    cdef Scalar[3] s
    if input.code != other.code:
        raise RuntimeError(f"{dtype_of(input.code)} did not match "
                           f"{dtype_of(other.code)}")
    if rtol < 0:
        raise RuntimeError(
            f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(
            f"atol must be greater than or equal to zero, but got {atol:g}")
    s[0].f = rtol
    s[1].f = atol
    s[2].i = equal_nan
    return binary(ISCLOSE, TRUTH, input, other, NULL, None, s, 3)


cdef bint all_true(Tensor x) except -1:
    return item(c_sum(c_logical_not(x))) == 0


def allclose(Tensor input not None, Tensor other not None, double rtol=1e-5,
             double atol=1e-8, bint equal_nan=False):
    """Return whether all elements are close to each other, as `isclose` says."""
    refuse_capture("allclose")
    return all_true(isclose(input, other, rtol, atol, equal_nan))


def equal(Tensor input not None, Tensor other not None):
    """Return whether both tensors have the same shape and elements."""
    refuse_capture("equal")
    return same_shape(input, other) and all_true(c_eq(input, other))


# ---- predicates ----


cdef Kernel* ISNAN = truth("isnan", isnan_loops)
cdef Kernel* ISINF = truth("isinf", isinf_loops)
cdef Kernel* ISFINITE = truth("isfinite", isfinite_loops)
cdef Kernel* ISPOSINF = truth("isposinf", isposinf_loops)
cdef Kernel* ISNEGINF = truth("isneginf", isneginf_loops)
cdef Kernel* SIGNBIT = truth("signbit", signbit_loops)
cdef Kernel* LOGICAL_NOT = truth("logical_not", logical_not_loops)


def isnan(Tensor input not None):
    """Return which elements are not a number."""
    return unary(ISNAN, TRUTH, input, None)


def isinf(Tensor input not None):
    """Return which elements are positive or negative infinity."""
    return unary(ISINF, TRUTH, input, None)


def isfinite(Tensor input not None):
    """Return which elements are neither infinite nor NaN."""
    return unary(ISFINITE, TRUTH, input, None)


def isposinf(Tensor input not None, *, out=None):
    """Return which elements are positive infinity."""
    return deliver(unary(ISPOSINF, TRUTH, input, None), out)


def isneginf(Tensor input not None, *, out=None):
    """Return which elements are negative infinity."""
    return deliver(unary(ISNEGINF, TRUTH, input, None), out)


def isreal(Tensor input not None):
    """Return which elements are real: all, since there are no complex ones."""
    cdef Tensor x = unary(LOGICAL_NOT, TRUTH, input, None)
    return binary(comparisons[Py_EQ], TRUTH, x, x, NULL, None)


def signbit(Tensor input not None, *, out=None):
    """Return which elements have a minus sign, -0.0 among them."""
    return deliver(unary(SIGNBIT, TRUTH, input, None), out)


cdef Tensor c_isfinite(Tensor x):
    return unary(ISFINITE, TRUTH, x, None)

cdef Tensor c_isnan(Tensor x):
    return unary(ISNAN, TRUTH, x, None)


# ---- logic ----

cdef Kernel* LOGICAL_AND = truth("logical_and", logical_and_loops)
cdef Kernel* LOGICAL_OR = truth("logical_or", logical_or_loops)
cdef Kernel* LOGICAL_XOR = truth("logical_xor", logical_xor_loops)


cdef Tensor logic(const Kernel* kernel, Tensor a, Tensor b, Tensor into):
    if into is not None:
        check_inplace(into)
    if b is None:
        return unary(kernel, TRUTH, a, into)
    return binary(kernel, TRUTH, a, b, NULL, into)


def logical_and(Tensor input not None, Tensor other not None, *, out=None):
    """Return where both are true, that is not 0."""
    return deliver(logic(LOGICAL_AND, input, other, None), out)


def logical_or(Tensor input not None, Tensor other not None, *, out=None):
    """Return where either is true."""
    return deliver(logic(LOGICAL_OR, input, other, None), out)


def logical_xor(Tensor input not None, Tensor other not None, *, out=None):
    """Return where exactly one is true."""
    return deliver(logic(LOGICAL_XOR, input, other, None), out)


def logical_not(Tensor input not None, *, out=None):
    """Return which elements are false, that is 0."""
    return deliver(logic(LOGICAL_NOT, input, None, None), out)


def logical_and_(Tensor self not None, Tensor other not None):
    return logic(LOGICAL_AND, self, other, self)


def logical_or_(Tensor self not None, Tensor other not None):
    return logic(LOGICAL_OR, self, other, self)


def logical_xor_(Tensor self not None, Tensor other not None):
    return logic(LOGICAL_XOR, self, other, self)


def logical_not_(Tensor self not None): return logic(LOGICAL_NOT, self, None, self)


cdef Tensor c_logical_not(Tensor x):
    return unary(LOGICAL_NOT, TRUTH, x, None)

cdef Tensor c_logical_and(Tensor a, Tensor b):
    return binary(LOGICAL_AND, TRUTH, a, b, NULL, None)

cdef Tensor c_logical_or(Tensor a, Tensor b):
    return binary(LOGICAL_OR, TRUTH, a, b, NULL, None)


describe_twins(globals(), METHODS)
