"""Special functions: error functions, the gamma family, entropy."""

from libc.math cimport M_2_SQRTPI, M_PI, M_SQRT1_2, log, sqrt
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, needs_grad, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_add_number, c_div, c_mul, c_mul_number, c_neg, c_square)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE_FLOAT, Number, as_number, binary, deliver, number_of_float, take_result)
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport (
    INPUT, NO_HALVES, OUTPUT, Loops, Op, apply, c_exp, c_log, define, describe_twins,
    result)
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport BOOL

__all__ = [
    "erf", "erfc", "erfinv", "lgamma", "digamma", "polygamma", "mvlgamma", "erf_",
    "erfc_"]
METHODS = [*__all__, "erfinv_", "lgamma_", "digamma_", "polygamma_", "mvlgamma_"]
SPECIAL = [
    "erf", "erfc", "erfinv", "erfcx", "digamma", "psi", "gammaln", "polygamma",
    "multigammaln", "zeta", "ndtr", "ndtri", "log_ndtr", "entr"]

cdef extern from *:
    """
    #include "special.h"
    #include "erfcx.h"
    #include "math_backward.h"
    TT_FLOAT_LOOPS(erf) TT_FLOAT_LOOPS(erf_backward) TT_FLOAT_LOOPS(erfc)
    TT_FLOAT_LOOPS(erfinv) TT_FLOAT_LOOPS(erfcx) TT_FLOAT_LOOPS(ndtr)
    TT_FLOAT_LOOPS(ndtri) TT_FLOAT_LOOPS(log_ndtr) TT_FLOAT_LOOPS(entr)
    TT_FLOAT_LOOPS(lgamma) TT_FLOAT_LOOPS(digamma) TT_FLOAT_LOOPS(polygamma)
    TT_FLOAT_LOOPS(zeta)
    """
    Loops erf_loops, erf_backward_loops, erfc_loops, erfinv_loops, erfcx_loops
    Loops ndtr_loops, ndtri_loops, log_ndtr_loops, entr_loops, lgamma_loops
    Loops digamma_loops, polygamma_loops, zeta_loops


# ---- error functions ----

cdef Op ERF = define("erf", erf_loops, INPUT, d_erf, erf_backward_loops, 15)

cdef Tensor gaussian(Tensor x, double height, double width):
    """height exp(-width x^2)"""
    return c_mul_number(c_exp(c_mul_number(c_square(x), -width)), height)

cdef Tensor d_erf(Node node, Tensor gy, Tensor x):
    """dy = 2 / sqrt(pi) exp(-x^2) dx"""
    return c_mul(gy, gaussian(x, M_2_SQRTPI, 1))


def erf(Tensor input not None, *, out=None):
    """Return the error function of each element."""
    return result(&ERF, input, out)


def erf_(Tensor self not None): return apply(&ERF, self, self)


cdef Tensor c_erf(Tensor x):
    return apply(&ERF, x, None)


cdef Op ERFC = define("erfc", erfc_loops, INPUT, d_erfc, NULL, 20)

cdef Tensor d_erfc(Node node, Tensor gy, Tensor x):
    """dy = -2 / sqrt(pi) exp(-x^2) dx"""
    return c_mul(gy, gaussian(x, -M_2_SQRTPI, 1))


def erfc(Tensor input not None, *, out=None):
    """Return ``1 - erf(input)``, exact where it is small."""
    return result(&ERFC, input, out)


def erfc_(Tensor self not None): return apply(&ERFC, self, self)


cdef Op ERFINV = define("erfinv", erfinv_loops, OUTPUT, d_erfinv, NULL, 25)

cdef Tensor d_erfinv(Node node, Tensor gy, Tensor y):
    """dy = sqrt(pi) / 2 exp(y^2) dx"""
    return c_mul(gy, gaussian(y, 1 / M_2_SQRTPI, -1))


def erfinv(Tensor input not None, *, out=None):
    """Return the number whose error function is each element."""
    return result(&ERFINV, input, out)


def erfinv_(Tensor self not None): return apply(&ERFINV, self, self)


cdef Tensor c_erfinv(Tensor x):
    return apply(&ERFINV, x, None)


cdef Op ERFCX = define("erfcx", erfcx_loops, INPUT, d_erfcx, NULL, 25)
ERFCX.title = b"SpecialErfcxBackward0"
ERFCX.refuses = NO_HALVES

cdef Tensor d_erfcx(Node node, Tensor gy, Tensor x):
    """dy = (2 x y - 2 / sqrt(pi)) dx"""
    cdef Tensor y = apply(&ERFCX, x, None)
    return c_mul(gy, c_add_number(c_mul_number(c_mul(x, y), 2), -M_2_SQRTPI))


def erfcx(Tensor input not None, *, out=None):
    """Return ``exp(x^2) * erfc(x)``, which stays representable for large x."""
    return result(&ERFCX, input, out)


# ---- the normal distribution ----


cdef Op NDTR = define("ndtr", ndtr_loops, INPUT, d_ndtr, NULL, 20)
NDTR.title = b"SpecialNdtrBackward0"

cdef Tensor d_ndtr(Node node, Tensor gy, Tensor x):
    """dy = exp(-x^2 / 2) / sqrt(2 pi) dx"""
    return c_mul(gy, gaussian(x, 1 / sqrt(2 * M_PI), 0.5))


def ndtr(Tensor input not None, *, out=None):
    """Return the distribution function of the standard normal distribution."""
    return result(&NDTR, input, out)


cdef Op NDTRI = define("ndtri", ndtri_loops, OUTPUT, d_ndtri, NULL, 40)
NDTRI.title = b"SpecialNdtriBackward0"
NDTRI.refuses = NO_HALVES

cdef Tensor d_ndtri(Node node, Tensor gy, Tensor y):
    """dy = sqrt(2 pi) exp(y^2 / 2) dx"""
    return c_mul(gy, gaussian(y, sqrt(2 * M_PI), -0.5))


def ndtri(Tensor input not None, *, out=None):
    """Return the quantiles of the standard normal distribution."""
    return result(&NDTRI, input, out)


cdef Op LOG_NDTR = define("log_ndtr", log_ndtr_loops, INPUT, d_log_ndtr, NULL, 40)
LOG_NDTR.title = b"SpecialLogNdtrBackward0"
LOG_NDTR.refuses = NO_HALVES

cdef Tensor d_log_ndtr(Node node, Tensor gy, Tensor x):
    """dy = sqrt(2 / pi) / erfcx(-x / sqrt(2)) dx"""
    return c_div(c_mul_number(gy, sqrt(2 / M_PI)),
                 apply(&ERFCX, c_mul_number(x, -M_SQRT1_2), None))


def log_ndtr(Tensor input not None, *, out=None):
    """Return the logarithm of `ndtr`, exact in the lower tail."""
    return result(&LOG_NDTR, input, out)


cdef Op ENTR = define("entr", entr_loops, INPUT, d_entr, NULL, 12)
ENTR.title = b"SpecialEntrBackward0"

cdef Tensor d_entr(Node node, Tensor gy, Tensor x):
    """d(-x log x) = -(1 + log x) dx"""
    return c_mul(gy, c_neg(c_add_number(c_log(x), 1)))


def entr(Tensor input not None, *, out=None):
    """Return ``-x * log(x)``: 0 at 0, minus infinity below."""
    return result(&ENTR, input, out)


# ---- the gamma family ----


cdef Op LGAMMA = define("lgamma", lgamma_loops, INPUT, d_lgamma, NULL, 40)
cdef Op DIGAMMA = define("digamma", digamma_loops, INPUT, d_digamma, NULL, 40)
cdef Op POLYGAMMA = define("polygamma", polygamma_loops, INPUT, d_polygamma, NULL, 80)
POLYGAMMA.scalars = POLYGAMMA.integers = 1

cdef Tensor d_lgamma(Node node, Tensor gy, Tensor x):
    """dy = digamma(x) dx"""
    return c_mul(gy, c_digamma(x))

cdef Tensor d_digamma(Node node, Tensor gy, Tensor x):
    """dy = polygamma(1, x) dx"""
    return c_mul(gy, apply(&POLYGAMMA, x, None, 1))

cdef Tensor d_polygamma(Node node, Tensor gy, Tensor x):
    """dy = polygamma(n + 1, x) dx"""
    return c_mul(gy, apply(&POLYGAMMA, x, None, node.f0 + 1))


def lgamma(Tensor input not None, *, out=None):
    """Return the logarithm of the magnitude of the gamma function."""
    return result(&LGAMMA, input, out)


def digamma(Tensor input not None, *, out=None):
    """Return the derivative of `lgamma`."""
    return result(&DIGAMMA, input, out)


def lgamma_(Tensor self not None): return apply(&LGAMMA, self, self)
def digamma_(Tensor self not None): return apply(&DIGAMMA, self, self)


gammaln, psi = lgamma, digamma

cdef Tensor c_lgamma(Tensor x):
    return apply(&LGAMMA, x, None)

cdef Tensor c_digamma(Tensor x):
    return apply(&DIGAMMA, x, None)


cdef Tensor polygamma_of(Tensor x, int64_t n, Tensor into):
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return apply(&POLYGAMMA, x, into, n)


def polygamma(n, input, *, out=None):
    """Return the n-th derivative of `digamma`; as a method, ``x.polygamma(n)``."""
    if isinstance(n, Tensor):
        n, input = input, n
    return deliver(polygamma_of(<Tensor?>input, n, None), out)


def polygamma_(Tensor self not None, int64_t n): return polygamma_of(self, n, self)


cdef Tensor mvlgamma_of(Tensor x, int64_t p):
    """p (p - 1) / 4 log(pi) + sum over j < p of lgamma(x - j / 2)"""
    cdef Tensor y
    cdef int64_t j
    if x.code == BOOL:
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    y = c_lgamma(x)
    for j in range(1, p):
        y = c_add(y, c_lgamma(c_add_number(x, -0.5 * j)))
    return c_add_number(y, p * (p - 1) / 4.0 * log(M_PI))


def mvlgamma(Tensor input not None, int64_t p, *, out=None):
    """Return the logarithm of the gamma function of p dimensions."""
    return deliver(mvlgamma_of(input, p), out)


def mvlgamma_(Tensor self not None, int64_t p):
    return take_result(self, mvlgamma_of(self, p))


def multigammaln(Tensor input not None, int64_t p, *, out=None):
    """Return `mvlgamma`."""
    return deliver(mvlgamma_of(input, p), out)


cdef Kernel* ZETA = register_kernel("zeta", pointwise, zeta_loops, 0, 200)

cdef Tensor zeta_of(Tensor x, Tensor q, const Number* n, bint swapped):
    """zeta(x, q); q is None for a number, or stands first if swapped."""
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x) or q is not None and needs_grad(q):
        node = new_node(zeta_backward, b"SpecialZetaBackward0")
        node.i0 = swapped
        node.f0 = 0 if n == NULL else n.f
        save(node, 0, x)
        if q is not None:
            save(node, 1, q)
    if swapped:
        y = binary(ZETA, PROMOTE_FLOAT, None, x, n, None)
    else:
        y = binary(ZETA, PROMOTE_FLOAT, x, q, n, None)
    return linked(node, y, x, q, None)

cdef int zeta_backward(Node node, Tensor gy) except -1:
    """d zeta(x, q) = -x zeta(x + 1, q) dq; for dx there is no formula"""
    cdef Tensor x
    cdef Number n
    if node.i0:  # the number is x
        n = number_of_float(node.f0 + 1)
        return send(node, 0, c_mul_number(
            c_mul(gy, zeta_of(saved(node, 0), None, &n, True)), -node.f0))
    if wants(node, 0):
        raise NotImplementedError("the derivative for 'zeta' is not implemented.")
    x = saved(node, 0)
    return send(node, 1, c_mul(c_mul(gy, c_neg(x)), zeta_of(
        c_add_number(x, 1), saved(node, 1), NULL, False)))


def zeta(input, other, *, out=None):
    """Return Hurwitz's zeta function, the sum over k >= 0 of ``(other + k)^-input``."""
    cdef Number n
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        return deliver(zeta_of(<Tensor>input, <Tensor>other, NULL, False), out)
    if isinstance(input, Tensor) and as_number(other, &n):
        return deliver(zeta_of(<Tensor>input, None, &n, False), out)
    if isinstance(other, Tensor) and as_number(input, &n):
        return deliver(zeta_of(<Tensor>other, None, &n, True), out)
    raise TypeError("zeta(): expected two Tensors or a Tensor and a Number, got "
                    f"{type(input).__name__} and {type(other).__name__}")


describe_twins(globals(), METHODS)
