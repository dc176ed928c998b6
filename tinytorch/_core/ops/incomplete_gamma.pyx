"""The regularised incomplete gamma functions: igamma, igammac."""

from tinytorch._core.autograd cimport (
    Node, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.arithmetic cimport c_add_number, c_mul, c_neg, c_sub
from tinytorch._core.ops.elementwise cimport PROMOTE, binary, deliver, take_result
from tinytorch._core.ops.operands cimport linked
from tinytorch._core.ops.pointwise cimport Loops, c_exp, c_log
from tinytorch._core.ops.shape cimport dtype_word
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport is_float

from tinytorch._core.ops.special import lgamma

__all__ = ["igamma", "igammac"]
METHODS = [*__all__, "igamma_", "igammac_"]
SPECIAL = ["gammainc", "gammaincc"]

cdef extern from *:
    """
    #include "incomplete_gamma.h"
    TT_FLOAT_LOOPS(igamma) TT_FLOAT_LOOPS(igammac)
    """
    Loops igamma_loops, igammac_loops

cdef Kernel* LOWER = register_kernel("igamma", pointwise, igamma_loops, 0, 200)
cdef Kernel* UPPER = register_kernel("igammac", pointwise, igammac_loops, 0, 200)


cdef Tensor igamma_of(Tensor a, Tensor x, bint upper):
    cdef Node node = None
    cdef Kernel* kernel = UPPER if upper else LOWER
    for t in (a, x):
        if not is_float((<Tensor>t).code):
            name = "igammac_cpu" if upper else "igamma_cpu"
            raise NotImplementedError(
                f"\"{name}\" not implemented for '{dtype_word((<Tensor>t).code)}'")
    if needs_grad2(a, x):
        node = new_node(igamma_backward, b"IgammacBackward0" if upper
                        else b"IgammaBackward0")
        node.i0 = upper
        save(node, 0, a)
        save(node, 1, x)
    return linked(node, binary(kernel, PROMOTE, a, x, NULL, None), a, x, None)


cdef int igamma_backward(Node node, Tensor gy) except -1:
    """dP = x^(a - 1) exp(-x) / Gamma(a) dx, dQ = -dP; for da there is no formula"""
    cdef Tensor a, x, density
    if wants(node, 0):
        raise NotImplementedError(
            f"the derivative for '{'igammac' if node.i0 else 'igamma'}: input' is not "
            "implemented.")
    a = saved(node, 0)
    x = saved(node, 1)
    density = c_mul(c_add_number(a, -1), c_log(x))
    density = c_exp(c_sub(c_sub(density, x), <Tensor>lgamma(a)))
    return send(node, 1, c_mul(gy, c_neg(density) if node.i0 else density))


def igamma(Tensor input not None, Tensor other not None, *, out=None):
    """Return the lower incomplete gamma function P(input, other), from 0 to 1."""
    return deliver(igamma_of(input, other, False), out)


def igammac(Tensor input not None, Tensor other not None, *, out=None):
    """Return the upper incomplete gamma function, ``1 - igamma(input, other)``."""
    return deliver(igamma_of(input, other, True), out)


def igamma_(Tensor self not None, Tensor other not None):
    return take_result(self, igamma_of(self, other, False))


def igammac_(Tensor self not None, Tensor other not None):
    return take_result(self, igamma_of(self, other, True))


def gammainc(Tensor input not None, Tensor other not None, *, out=None):
    """Return `igamma`."""
    return igamma(input, other, out=out)


def gammaincc(Tensor input not None, Tensor other not None, *, out=None):
    """Return `igammac`."""
    return igammac(input, other, out=out)
