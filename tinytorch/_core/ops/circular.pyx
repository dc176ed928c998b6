"""Circular and hyperbolic functions and their inverses, sinc, and degrees."""

from libc.math cimport M_PI

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.arithmetic cimport (
    c_add_number, c_div, c_mul, c_mul_number, c_neg, c_rsub_number, c_square, c_sub)
from tinytorch._core.ops.compare cimport c_ne_number
from tinytorch._core.ops.pointwise cimport (
    INPUT, NOTHING, OUTPUT, Loops, Op, apply, c_rsqrt, define, describe_twins, result)
from tinytorch._core.ops.select cimport c_where_number
from tinytorch._core.tensor cimport Tensor

__all__ = [
    "sin", "cos", "tan", "asin", "acos", "atan", "sinc", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "deg2rad", "rad2deg", "arcsin", "arccos", "arctan",
    "arcsinh", "arccosh", "arctanh",
    "sin_", "cos_", "tan_", "asin_", "acos_", "atan_", "sinc_", "sinh_", "cosh_",
    "tanh_", "asinh_", "acosh_", "atanh_", "deg2rad_", "rad2deg_", "arcsin_", "arccos_",
    "arctan_", "arcsinh_", "arccosh_", "arctanh_"]
METHODS = __all__
SPECIAL = ["sinc"]
FUNCTIONAL = ["tanh"]

cdef extern from *:
    """
    #include "map_math.h"
    #include "math_backward.h"
    #include "activation_backward.h"
    TT_FLOAT_LOOPS(sin) TT_FLOAT_LOOPS(cos) TT_FLOAT_LOOPS(tan) TT_FLOAT_LOOPS(asin)
    TT_FLOAT_LOOPS(acos) TT_FLOAT_LOOPS(atan) TT_FLOAT_LOOPS(sinc) TT_FLOAT_LOOPS(sinh)
    TT_FLOAT_LOOPS(cosh) TT_FLOAT_LOOPS(tanh) TT_FLOAT_LOOPS(asinh)
    TT_FLOAT_LOOPS(acosh) TT_FLOAT_LOOPS(atanh) TT_FLOAT_LOOPS(deg2rad)
    TT_FLOAT_LOOPS(rad2deg) TT_FLOAT_LOOPS(sin_backward) TT_FLOAT_LOOPS(cos_backward)
    TT_FLOAT_LOOPS(tan_backward) TT_FLOAT_LOOPS(asin_backward)
    TT_FLOAT_LOOPS(acos_backward) TT_FLOAT_LOOPS(atan_backward)
    TT_FLOAT_LOOPS(sinh_backward) TT_FLOAT_LOOPS(cosh_backward)
    TT_FLOAT_LOOPS(tanh_backward) TT_FLOAT_LOOPS(asinh_backward)
    TT_FLOAT_LOOPS(acosh_backward) TT_FLOAT_LOOPS(atanh_backward)
    """
    Loops sin_loops, cos_loops, tan_loops, asin_loops
    Loops acos_loops, atan_loops, sinc_loops, sinh_loops
    Loops cosh_loops, tanh_loops, asinh_loops, acosh_loops
    Loops atanh_loops, deg2rad_loops, rad2deg_loops, sin_backward_loops
    Loops cos_backward_loops, tan_backward_loops, asin_backward_loops
    Loops acos_backward_loops, atan_backward_loops, sinh_backward_loops
    Loops cosh_backward_loops, tanh_backward_loops
    Loops asinh_backward_loops, acosh_backward_loops, atanh_backward_loops


# ---- circular functions ----

cdef Op SIN = define("sin", sin_loops, INPUT, d_sin, sin_backward_loops, 10)

cdef Tensor d_sin(Node node, Tensor gy, Tensor x):
    """d(sin x) = cos(x) dx"""
    return c_mul(gy, c_cos(x))


def sin(Tensor input not None, *, out=None):
    """Return the sine of each element, in radians."""
    return result(&SIN, input, out)


def sin_(Tensor self not None): return apply(&SIN, self, self)


cdef Tensor c_sin(Tensor x):
    return apply(&SIN, x, None)


cdef Op COS = define("cos", cos_loops, INPUT, d_cos, cos_backward_loops, 10)

cdef Tensor d_cos(Node node, Tensor gy, Tensor x):
    """d(cos x) = -sin(x) dx"""
    return c_mul(gy, c_neg(c_sin(x)))


def cos(Tensor input not None, *, out=None):
    """Return the cosine of each element, in radians."""
    return result(&COS, input, out)


def cos_(Tensor self not None): return apply(&COS, self, self)


cdef Tensor c_cos(Tensor x):
    return apply(&COS, x, None)


cdef Op TAN = define("tan", tan_loops, OUTPUT, d_tan, tan_backward_loops, 10)

cdef Tensor d_tan(Node node, Tensor gy, Tensor y):
    """dy = (1 + y^2) dx"""
    return c_mul(gy, c_add_number(c_square(y), 1))


def tan(Tensor input not None, *, out=None):
    """Return the tangent of each element, in radians."""
    return result(&TAN, input, out)


def tan_(Tensor self not None): return apply(&TAN, self, self)


cdef Tensor c_tan(Tensor x):
    return apply(&TAN, x, None)


cdef Op ASIN = define("asin", asin_loops, INPUT, d_asin, asin_backward_loops, 15)

cdef Tensor d_asin(Node node, Tensor gy, Tensor x):
    """d(asin x) = dx / sqrt(1 - x^2)"""
    return c_mul(gy, c_rsqrt(c_rsub_number(c_square(x), 1)))


def asin(Tensor input not None, *, out=None):
    """Return the angle whose sine is each element."""
    return result(&ASIN, input, out)


def asin_(Tensor self not None): return apply(&ASIN, self, self)


cdef Op ACOS = define("acos", acos_loops, INPUT, d_acos, acos_backward_loops, 15)

cdef Tensor d_acos(Node node, Tensor gy, Tensor x):
    """d(acos x) = -dx / sqrt(1 - x^2)"""
    return c_mul(c_neg(gy), c_rsqrt(c_rsub_number(c_square(x), 1)))


def acos(Tensor input not None, *, out=None):
    """Return the angle whose cosine is each element."""
    return result(&ACOS, input, out)


def acos_(Tensor self not None): return apply(&ACOS, self, self)


cdef Op ATAN = define("atan", atan_loops, INPUT, d_atan, atan_backward_loops, 15)

cdef Tensor d_atan(Node node, Tensor gy, Tensor x):
    """d(atan x) = dx / (x^2 + 1)"""
    return c_div(gy, c_add_number(c_square(x), 1))


def atan(Tensor input not None, *, out=None):
    """Return the angle whose tangent is each element."""
    return result(&ATAN, input, out)


def atan_(Tensor self not None): return apply(&ATAN, self, self)


cdef Op SINC = define("sinc", sinc_loops, INPUT, d_sinc, NULL, 12)

cdef Tensor d_sinc(Node node, Tensor gy, Tensor x):
    """dy = (cos(pi x) - sinc(x)) / x dx, and 0 at 0"""
    cdef Tensor z = c_mul_number(x, M_PI), square = c_mul(z, x)
    cdef Tensor slope = c_div(c_sub(c_mul(z, c_cos(z)), c_sin(z)), square)
    return c_where_number(c_ne_number(square, 0), c_mul(gy, slope), 0)


def sinc(Tensor input not None, *, out=None):
    """Return ``sin(pi * input) / (pi * input)``, and 1 at 0."""
    return result(&SINC, input, out)


def sinc_(Tensor self not None): return apply(&SINC, self, self)


# ---- hyperbolic functions ----


cdef Op SINH = define("sinh", sinh_loops, INPUT, d_sinh, sinh_backward_loops, 12)

cdef Tensor d_sinh(Node node, Tensor gy, Tensor x):
    """d(sinh x) = cosh(x) dx"""
    return c_mul(gy, apply(&COSH, x, None))


def sinh(Tensor input not None, *, out=None):
    """Return the hyperbolic sine of each element."""
    return result(&SINH, input, out)


def sinh_(Tensor self not None): return apply(&SINH, self, self)


cdef Op COSH = define("cosh", cosh_loops, INPUT, d_cosh, cosh_backward_loops, 12)

cdef Tensor d_cosh(Node node, Tensor gy, Tensor x):
    """d(cosh x) = sinh(x) dx"""
    return c_mul(gy, apply(&SINH, x, None))


def cosh(Tensor input not None, *, out=None):
    """Return the hyperbolic cosine of each element."""
    return result(&COSH, input, out)


def cosh_(Tensor self not None): return apply(&COSH, self, self)


cdef Op TANH = define("tanh", tanh_loops, OUTPUT, d_tanh, tanh_backward_loops, 12)

cdef Tensor d_tanh(Node node, Tensor gy, Tensor y):
    """dy = (1 - y^2) dx"""
    return c_mul(gy, c_rsub_number(c_square(y), 1))


def tanh(Tensor input not None, *, out=None):
    """Return the hyperbolic tangent of each element."""
    return result(&TANH, input, out)


def tanh_(Tensor self not None): return apply(&TANH, self, self)


cdef Tensor c_tanh(Tensor x):
    return apply(&TANH, x, None)


cdef Op ASINH = define("asinh", asinh_loops, INPUT, d_asinh, asinh_backward_loops, 15)

cdef Tensor d_asinh(Node node, Tensor gy, Tensor x):
    """d(asinh x) = dx / sqrt(x^2 + 1)"""
    return c_mul(gy, c_rsqrt(c_add_number(c_square(x), 1)))


def asinh(Tensor input not None, *, out=None):
    """Return the inverse hyperbolic sine of each element."""
    return result(&ASINH, input, out)


def asinh_(Tensor self not None): return apply(&ASINH, self, self)


cdef Op ACOSH = define("acosh", acosh_loops, INPUT, d_acosh, acosh_backward_loops, 15)

cdef Tensor d_acosh(Node node, Tensor gy, Tensor x):
    """d(acosh x) = dx / sqrt(x^2 - 1)"""
    return c_mul(gy, c_rsqrt(c_add_number(c_square(x), -1)))


def acosh(Tensor input not None, *, out=None):
    """Return the inverse hyperbolic cosine of each element."""
    return result(&ACOSH, input, out)


def acosh_(Tensor self not None): return apply(&ACOSH, self, self)


cdef Op ATANH = define("atanh", atanh_loops, INPUT, d_atanh, atanh_backward_loops, 15)

cdef Tensor d_atanh(Node node, Tensor gy, Tensor x):
    """d(atanh x) = dx / (1 - x^2)"""
    return c_div(gy, c_rsub_number(c_square(x), 1))


def atanh(Tensor input not None, *, out=None):
    """Return the inverse hyperbolic tangent of each element."""
    return result(&ATANH, input, out)


def atanh_(Tensor self not None): return apply(&ATANH, self, self)


# ---- degrees ----


cdef Op DEG2RAD = define("deg2rad", deg2rad_loops, NOTHING, d_deg2rad)

cdef Tensor d_deg2rad(Node node, Tensor gy, Tensor k):
    """dy = pi / 180 dx"""
    return c_mul_number(gy, M_PI / 180)


def deg2rad(Tensor input not None, *, out=None):
    """Return angles given in degrees in radians."""
    return result(&DEG2RAD, input, out)


def deg2rad_(Tensor self not None): return apply(&DEG2RAD, self, self)


cdef Op RAD2DEG = define("rad2deg", rad2deg_loops, NOTHING, d_rad2deg)

cdef Tensor d_rad2deg(Node node, Tensor gy, Tensor k):
    """dy = 180 / pi dx"""
    return c_mul_number(gy, 180 / M_PI)


def rad2deg(Tensor input not None, *, out=None):
    """Return angles given in radians in degrees."""
    return result(&RAD2DEG, input, out)


def rad2deg_(Tensor self not None): return apply(&RAD2DEG, self, self)


arcsin, arcsin_ = asin, asin_
arccos, arccos_ = acos, acos_
arctan, arctan_ = atan, atan_
arcsinh, arcsinh_ = asinh, asinh_
arccosh, arccosh_ = acosh, acosh_
arctanh, arctanh_ = atanh, atanh_

describe_twins(globals(), METHODS)
