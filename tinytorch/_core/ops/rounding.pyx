"""Magnitude, sign, angle and rounding; what replaces NaN and infinity."""

from libc.float cimport DBL_MAX, FLT_MAX
from libc.math cimport M_PI

from tinytorch._core.autograd cimport Node, needs_grad, new_node, send
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.compare cimport c_isfinite, c_isnan, c_lt_number
from tinytorch._core.ops.elementwise cimport PROMOTE, Number, deliver, number_of_float
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport (
    INPUT, NO_BOOLS, NOTHING, ONLY_FLOATS, Loops, Op, apply, define, describe_twins,
    flat, result, zeros_like)
from tinytorch._core.ops.select cimport c_where_number, choose
from tinytorch._core.tensor cimport Tensor, operators
from tinytorch._core.types cimport BF16, F16, F64, is_float

__all__ = [
    "abs", "absolute", "sign", "sgn", "ceil", "floor", "trunc", "fix", "round", "frac",
    "nan_to_num", "angle", "abs_", "ceil_", "floor_", "trunc_", "fix_", "round_",
    "frac_", "nan_to_num_"]
METHODS = [*__all__, "absolute_", "sign_", "sgn_"]
SPECIAL = ["round"]

cdef extern from *:
    """
    #include "map_math.h"
    #include "math_backward.h"
    #define TT_WHOLE_LOOPS(name) static void *name##_loops[3] = \\
        {(void *)name##_f32, (void *)name##_f64, (void *)copy_i64};
    TT_LOOPS(abs) TT_FLOAT_LOOPS(abs_backward) TT_LOOPS(sign) TT_FLOAT_LOOPS(frac)
    TT_WHOLE_LOOPS(ceil) TT_WHOLE_LOOPS(floor) TT_WHOLE_LOOPS(trunc)
    TT_WHOLE_LOOPS(round) TT_WHOLE_LOOPS(nan_to_num) TT_FLOAT_LOOPS(round_decimals)
    """
    Loops abs_loops, abs_backward_loops, sign_loops, frac_loops
    Loops ceil_loops, floor_loops, trunc_loops, round_loops, nan_to_num_loops
    Loops round_decimals_loops

cdef double BF16_MAX = 3.3895313892515355e38


# ---- magnitude and sign ----

cdef Op ABS = define("abs", abs_loops, INPUT, d_abs, abs_backward_loops, 1, PROMOTE)
ABS.refuses = NO_BOOLS

cdef Tensor d_abs(Node node, Tensor gy, Tensor x):
    """d|x| = sign(x) dx"""
    return c_mul(gy, apply(&SGN, x, None))


def abs(Tensor input not None, *, out=None):
    """Return the magnitude of each element."""
    return result(&ABS, input, out)


def abs_(Tensor self not None): return apply(&ABS, self, self)


absolute, absolute_ = abs, abs_

cdef Tensor c_abs(Tensor x):
    return apply(&ABS, x, None)

cdef object op_abs(Tensor x):
    return apply(&ABS, x, None)

operators.abs = op_abs


cdef Op SIGN = define("sign", sign_loops, NOTHING, flat, NULL, 1, PROMOTE)
cdef Op SGN = define("sgn", sign_loops, NOTHING, flat, NULL, 1, PROMOTE)


def sign(Tensor input not None, *, out=None):
    """Return -1, 0 or 1, the sign of each element."""
    return result(&SIGN, input, out)


def sgn(Tensor input not None, *, out=None):
    """Return the sign of each element, as `sign` does for real ones."""
    return result(&SGN, input, out)


def sign_(Tensor self not None): return apply(&SIGN, self, self)
def sgn_(Tensor self not None): return apply(&SGN, self, self)


cdef Tensor c_sign(Tensor x):
    return apply(&SIGN, x, None)


# ---- the angle of a real number ----


def angle(Tensor input not None, *, out=None):
    """Return 0 for numbers that are not negative, pi for negative ones."""
    return deliver(c_angle(input), out)


cdef Tensor c_angle(Tensor x):
    """NaN stays; integers become floats."""
    cdef Node node = None
    cdef Tensor y
    cdef Number pi = number_of_float(M_PI), zero = number_of_float(0)
    if not is_float(x.code):
        return choose(c_lt_number(x, 0), None, &pi, None, &zero, None)
    y = choose(c_lt_number(x, 0), None, &pi, zeros_like(x), NULL, None)
    y = choose(c_isnan(x), x, NULL, y, NULL, None)
    if needs_grad(x):
        node = new_node(angle_backward, b"AngleBackward0")
    return linked(node, y, x, None, None)

cdef int angle_backward(Node node, Tensor gy) except -1:
    """dy = 0"""
    return send(node, 0, zeros_like(gy))


# ---- rounding; integers are whole already ----

cdef Op whole(str name, Loops loops) except *:
    cdef Op op = define(name, loops, NOTHING, flat, NULL, 1, PROMOTE)
    op.refuses = NO_BOOLS
    return op

cdef Op CEIL = whole("ceil", ceil_loops)
cdef Op FLOOR = whole("floor", floor_loops)
cdef Op TRUNC = whole("trunc", trunc_loops)
cdef Op ROUND = whole("round", round_loops)
cdef Op ROUND_DECIMALS = whole("round", round_decimals_loops)
ROUND_DECIMALS.refuses = ONLY_FLOATS
ROUND_DECIMALS.scalars = ROUND_DECIMALS.integers = 1
ROUND_DECIMALS.title = b"RoundBackward1"


def ceil(Tensor input not None, *, out=None):
    """Return the next whole number upwards."""
    return result(&CEIL, input, out)


def floor(Tensor input not None, *, out=None):
    """Return the next whole number downwards."""
    return result(&FLOOR, input, out)


def trunc(Tensor input not None, *, out=None):
    """Return the next whole number towards 0."""
    return result(&TRUNC, input, out)


def ceil_(Tensor self not None): return apply(&CEIL, self, self)
def floor_(Tensor self not None): return apply(&FLOOR, self, self)
def trunc_(Tensor self not None): return apply(&TRUNC, self, self)


fix, fix_ = trunc, trunc_


def round(Tensor input not None, *, int decimals=0, out=None):
    """Return the nearest number with that many decimals, of two the even one.

    Negative `decimals` round to tens, hundreds and so on.
    """
    return deliver(rounded(input, decimals, None), out)


def round_(Tensor self not None, *, int decimals=0):
    return rounded(self, decimals, self)


cdef Tensor rounded(Tensor x, int decimals, Tensor into):
    return (apply(&ROUND_DECIMALS, x, into, decimals) if decimals else
            apply(&ROUND, x, into))

cdef Tensor c_floor(Tensor x):
    return apply(&FLOOR, x, None)

cdef Tensor c_trunc(Tensor x):
    return apply(&TRUNC, x, None)


cdef Op FRAC = define("frac", frac_loops, NOTHING, d_frac, NULL, 1, PROMOTE)
FRAC.refuses = ONLY_FLOATS

cdef Tensor d_frac(Node node, Tensor gy, Tensor k):
    """dy = dx"""
    return gy


def frac(Tensor input not None, *, out=None):
    """Return what `trunc` cuts off."""
    return result(&FRAC, input, out)


def frac_(Tensor self not None): return apply(&FRAC, self, self)


# ---- what is not finite ----


cdef Op NAN_TO_NUM = define(
    "nan_to_num", nan_to_num_loops, INPUT, d_nan_to_num, NULL, 1, PROMOTE)
NAN_TO_NUM.scalars = 3

cdef Tensor d_nan_to_num(Node node, Tensor gy, Tensor x):
    """dy = dx where x is finite"""
    return c_where_number(c_isfinite(x), gy, 0)

cdef Tensor replaced(Tensor x, object nan, object posinf, object neginf, Tensor into):
    cdef double largest = (65504 if x.code == F16 else BF16_MAX if x.code == BF16 else
                           DBL_MAX if x.code == F64 else FLT_MAX)
    return apply(&NAN_TO_NUM, x, into, 0 if nan is None else nan,
                 largest if posinf is None else posinf,
                 -largest if neginf is None else neginf)


def nan_to_num(Tensor input not None, nan=0.0, posinf=None, neginf=None, *, out=None):
    """Return the elements with NaN and the infinities replaced.

    Infinities become the largest and the smallest number of the dtype if nothing else
    is asked for.
    """
    return deliver(replaced(input, nan, posinf, neginf, None), out)


def nan_to_num_(Tensor self not None, nan=0.0, posinf=None, neginf=None):
    return replaced(self, nan, posinf, neginf, self)


describe_twins(globals(), METHODS)
