"""The incomplete gamma functions.

igamma   P(a, x) = 1 / Gamma(a) times the integral of t^(a - 1) e^-t from 0 to x
igammac  Q(a, x) = 1 - P(a, x)
"""

from tinytorch._core.autograd cimport (
    Node, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport (
    c_add_number, c_div, c_mul, c_neg, linked)
from tinytorch._core.ops.elementwise cimport PROMOTE, binary, deliver, take_result
from tinytorch._core.ops.pointwise cimport Loops
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport is_float, promote

__all__ = ["igamma", "igammac"]
METHODS = ["igamma", "igammac", "igamma_", "igammac_"]
SPECIAL = ["gammainc", "gammaincc"]

cdef extern from *:
    """
    #include "igamma.h"
    TT_FLOAT_LOOPS(igamma) TT_FLOAT_LOOPS(igammac) TT_FLOAT_LOOPS(gamma_density)
    """
    Loops igamma_loops, igammac_loops, gamma_density_loops

cdef Kernel* IGAMMA = register_kernel("igamma", pointwise, igamma_loops, 0, 200)
cdef Kernel* IGAMMAC = register_kernel("igammac", pointwise, igammac_loops, 0, 200)
cdef Kernel* DENSITY = register_kernel(
    "gamma_density", pointwise, gamma_density_loops, 0, 80)


cdef Tensor incomplete(Tensor a, Tensor x, bint upper):
    """P(a, x), or Q if upper."""
    cdef Node node = None
    cdef int code = promote(a.code, x.code)
    if not is_float(code):
        raise NotImplementedError(
            f"\"igamma{'c' if upper else ''}_cpu\" not implemented for "
            f"'{dtype_word(code)}'")
    if needs_grad2(a, x):
        node = new_node(incomplete_backward,
                        b"IgammacBackward0" if upper else b"IgammaBackward0")
        node.i0 = upper
        save(node, 0, a)
        save(node, 1, x)
    return linked(node, binary(IGAMMAC if upper else IGAMMA, PROMOTE, a, x, NULL, None),
                  a, x, None)


cdef int incomplete_backward(Node node, Tensor gy) except -1:
    """dP = x^(a - 1) e^-x / Gamma(a) dx = -dQ; for da there is no formula"""
    cdef Tensor g
    if wants(node, 0):
        name = "igammac" if node.i0 else "igamma"
        raise NotImplementedError(
            f"the derivative for '{name}: input' is not implemented.")
    g = c_mul(gy, density(saved(node, 0), saved(node, 1)))
    return send(node, 1, c_neg(g) if node.i0 else g)


cdef Tensor density(Tensor a, Tensor x):
    """x^(a - 1) e^-x / Gamma(a)"""
    cdef Node node = None
    if needs_grad2(a, x):
        node = new_node(density_backward, b"GammaDensityBackward0")
        save(node, 0, a)
        save(node, 1, x)
    return linked(node, binary(DENSITY, PROMOTE, a, x, NULL, None), a, x, None)


cdef int density_backward(Node node, Tensor gy) except -1:
    """dy = y ((a - 1) / x - 1) dx"""
    cdef Tensor a = saved(node, 0), x = saved(node, 1)
    cdef Tensor slope = c_add_number(c_div(c_add_number(a, -1), x), -1)
    return send(node, 1, c_mul(c_mul(gy, density(a, x)), slope))


def igamma(Tensor input not None, Tensor other not None, *, out=None):
    """Return the regularised lower incomplete gamma function P(input, other).

    Example:
        >>> igamma(tensor([1.0]), tensor([0.0])).tolist()
        [0.0]
    """
    return deliver(incomplete(input, other, False), out)


def igamma_(Tensor self not None, Tensor other not None):
    """In-place `igamma`."""
    return take_result(self, incomplete(self, other, False))


def igammac(Tensor input not None, Tensor other not None, *, out=None):
    """Return the regularised upper incomplete gamma function Q(input, other)."""
    return deliver(incomplete(input, other, True), out)


def igammac_(Tensor self not None, Tensor other not None):
    """In-place `igammac`."""
    return take_result(self, incomplete(self, other, True))


def gammainc(Tensor input not None, Tensor other not None, *, out=None):
    """Alias of `tinytorch.igamma`."""
    return deliver(incomplete(input, other, False), out)


def gammaincc(Tensor input not None, Tensor other not None, *, out=None):
    """Alias of `tinytorch.igammac`."""
    return deliver(incomplete(input, other, True), out)
