"""Bessel functions, and Airy's function, which is one of them in disguise."""

from tinytorch._core.autograd cimport Node
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_div, c_mul, c_rdiv_number, c_sub)
from tinytorch._core.ops.compare cimport c_le_number, c_logical_not
from tinytorch._core.ops.pointwise cimport (
    INPUT, NO_HALVES, NOTHING, Loops, Op, apply, define, describe_twins, result)
from tinytorch._core.ops.rounding cimport c_abs, c_sign
from tinytorch._core.ops.select cimport c_where_number
from tinytorch._core.tensor cimport Tensor

__all__ = ["i0", "i0_"]
METHODS = __all__
SPECIAL = [
    "i0", "i0e", "i1", "i1e", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1",
    "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    "spherical_bessel_j0", "airy_ai"]

cdef extern from *:
    """
    #include "bessel.h"
    #include "airy.h"
    TT_FLOAT_LOOPS(i0) TT_FLOAT_LOOPS(i0e) TT_FLOAT_LOOPS(i1) TT_FLOAT_LOOPS(i1e)
    TT_FLOAT_LOOPS(bessel_j0) TT_FLOAT_LOOPS(bessel_j1) TT_FLOAT_LOOPS(bessel_y0)
    TT_FLOAT_LOOPS(bessel_y1) TT_FLOAT_LOOPS(modified_bessel_k0)
    TT_FLOAT_LOOPS(modified_bessel_k1) TT_FLOAT_LOOPS(scaled_modified_bessel_k0)
    TT_FLOAT_LOOPS(scaled_modified_bessel_k1) TT_FLOAT_LOOPS(spherical_bessel_j0)
    TT_FLOAT_LOOPS(airy_ai)
    """
    Loops i0_loops, i0e_loops, i1_loops, i1e_loops
    Loops bessel_j0_loops, bessel_j1_loops, bessel_y0_loops, bessel_y1_loops
    Loops modified_bessel_k0_loops, modified_bessel_k1_loops
    Loops scaled_modified_bessel_k0_loops, scaled_modified_bessel_k1_loops
    Loops spherical_bessel_j0_loops, airy_ai_loops


# ---- the modified functions, with derivatives ----

cdef Op I0 = define("i0", i0_loops, INPUT, d_i0, NULL, 70)
cdef Op I0E = define("i0e", i0e_loops, INPUT, d_i0e, NULL, 60)
cdef Op I1 = define("i1", i1_loops, INPUT, d_i1, NULL, 70)
cdef Op I1E = define("i1e", i1e_loops, INPUT, d_i1e, NULL, 60)
I0E.title = b"SpecialI0EBackward0"
I1.title = b"SpecialI1Backward0"
I1E.title = b"SpecialI1EBackward0"

cdef Tensor d_i0(Node node, Tensor gy, Tensor x):
    """d I0(x) = I1(x) dx"""
    return c_mul(gy, apply(&I1, x, None))

cdef Tensor d_i0e(Node node, Tensor gy, Tensor x):
    """d(e^-|x| I0(x)) = e^-|x| (I1(x) - sign(x) I0(x)) dx"""
    return c_mul(gy, c_sub(apply(&I1E, x, None),
                           c_mul(c_sign(x), apply(&I0E, x, None))))

cdef Tensor not_tiny(Tensor x):
    """Where 1 / x is no hazard; NaN passes."""
    return c_logical_not(c_le_number(c_abs(x), 1e-30))

cdef Tensor d_i1(Node node, Tensor gy, Tensor x):
    """d I1(x) = (I0(x) - I1(x) / x) dx, and dx / 2 at 0"""
    cdef Tensor away = not_tiny(x), z = c_where_number(away, x, 1)
    cdef Tensor slope = c_sub(apply(&I0, z, None), c_div(apply(&I1, z, None), z))
    return c_mul(gy, c_where_number(away, slope, 0.5))

cdef Tensor d_i1e(Node node, Tensor gy, Tensor x):
    """d(e^-|x| I1(x)) = (e^-|x| I0(x) - y (sign(x) + 1 / x)) dx, and dx / 2 at 0"""
    cdef Tensor away = not_tiny(x), z = c_where_number(away, x, 1)
    cdef Tensor slope = c_sub(apply(&I0E, z, None), c_mul(
        apply(&I1E, z, None), c_add(c_sign(z), c_rdiv_number(z, 1))))
    return c_mul(gy, c_where_number(away, slope, 0.5))


def i0(Tensor input not None, *, out=None):
    """Return the modified Bessel function of the first kind of order 0."""
    return result(&I0, input, out)


def i0_(Tensor self not None): return apply(&I0, self, self)


def i0e(Tensor input not None, *, out=None):
    """Return ``exp(-|x|) * i0(x)``."""
    return result(&I0E, input, out)


def i1(Tensor input not None, *, out=None):
    """Return the modified Bessel function of the first kind of order 1."""
    return result(&I1, input, out)


def i1e(Tensor input not None, *, out=None):
    """Return ``exp(-|x|) * i1(x)``."""
    return result(&I1E, input, out)


# ---- the others, which PyTorch does not differentiate either ----

cdef Op plain(str name, Loops loops) except *:
    """An op without a derivative."""
    cdef Op op = define(name, loops, NOTHING, NULL, NULL, 70)
    op.refuses = NO_HALVES
    return op

cdef Op J0 = plain("bessel_j0", bessel_j0_loops)
cdef Op J1 = plain("bessel_j1", bessel_j1_loops)
cdef Op Y0 = plain("bessel_y0", bessel_y0_loops)
cdef Op Y1 = plain("bessel_y1", bessel_y1_loops)
cdef Op MODIFIED_I0 = plain("modified_bessel_i0", i0_loops)
cdef Op MODIFIED_I1 = plain("modified_bessel_i1", i1_loops)
cdef Op K0 = plain("modified_bessel_k0", modified_bessel_k0_loops)
cdef Op K1 = plain("modified_bessel_k1", modified_bessel_k1_loops)
cdef Op K0E = plain("scaled_modified_bessel_k0", scaled_modified_bessel_k0_loops)
cdef Op K1E = plain("scaled_modified_bessel_k1", scaled_modified_bessel_k1_loops)
cdef Op SPHERICAL_J0 = plain("spherical_bessel_j0", spherical_bessel_j0_loops)
cdef Op AIRY = plain("airy_ai", airy_ai_loops)


def bessel_j0(Tensor input not None, *, out=None):
    """Return the Bessel function of the first kind of order 0."""
    return result(&J0, input, out)


def bessel_j1(Tensor input not None, *, out=None):
    """Return the Bessel function of the first kind of order 1."""
    return result(&J1, input, out)


def bessel_y0(Tensor input not None, *, out=None):
    """Return the Bessel function of the second kind of order 0."""
    return result(&Y0, input, out)


def bessel_y1(Tensor input not None, *, out=None):
    """Return the Bessel function of the second kind of order 1."""
    return result(&Y1, input, out)


def modified_bessel_i0(Tensor input not None, *, out=None):
    """Return `i0`, without a derivative."""
    return result(&MODIFIED_I0, input, out)


def modified_bessel_i1(Tensor input not None, *, out=None):
    """Return `i1`, without a derivative."""
    return result(&MODIFIED_I1, input, out)


def modified_bessel_k0(Tensor input not None, *, out=None):
    """Return the modified Bessel function of the second kind of order 0."""
    return result(&K0, input, out)


def modified_bessel_k1(Tensor input not None, *, out=None):
    """Return the modified Bessel function of the second kind of order 1."""
    return result(&K1, input, out)


def scaled_modified_bessel_k0(Tensor x not None, *, out=None):
    """Return ``exp(x) * modified_bessel_k0(x)``."""
    return result(&K0E, x, out)


def scaled_modified_bessel_k1(Tensor x not None, *, out=None):
    """Return ``exp(x) * modified_bessel_k1(x)``."""
    return result(&K1E, x, out)


def spherical_bessel_j0(Tensor x not None, *, out=None):
    """Return ``sin(x) / x``: the spherical Bessel function of order 0."""
    return result(&SPHERICAL_J0, x, out)


def airy_ai(Tensor x not None, *, out=None):
    """Return Airy's function Ai, which decays where x > 0 and swings where x < 0."""
    return result(&AIRY, x, out)


describe_twins(globals(), METHODS)
