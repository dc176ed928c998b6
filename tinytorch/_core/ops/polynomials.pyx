"""Orthogonal polynomials P_n(x), of which degree and point may both be tensors.

Derivatives there are none, as in PyTorch.
"""

from tinytorch._core.executor cimport Kernel, pointwise, register_kernel
from tinytorch._core.ops.elementwise cimport (
    PROMOTE_FLOAT, Number, as_number, binary, code_with_number, code_with_tensor,
    deliver)
from tinytorch._core.ops.pointwise cimport Loops, refuse_dtype
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport BF16, F16

SPECIAL = [
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
    "chebyshev_polynomial_w", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "hermite_polynomial_h", "hermite_polynomial_he",
    "laguerre_polynomial_l", "legendre_polynomial_p"]

cdef extern from *:
    """
    #include "polynomials.h"
    TT_FLOAT_LOOPS(chebyshev_polynomial_t) TT_FLOAT_LOOPS(chebyshev_polynomial_u)
    TT_FLOAT_LOOPS(chebyshev_polynomial_v) TT_FLOAT_LOOPS(chebyshev_polynomial_w)
    TT_FLOAT_LOOPS(shifted_chebyshev_polynomial_t)
    TT_FLOAT_LOOPS(shifted_chebyshev_polynomial_u)
    TT_FLOAT_LOOPS(shifted_chebyshev_polynomial_v)
    TT_FLOAT_LOOPS(shifted_chebyshev_polynomial_w) TT_FLOAT_LOOPS(hermite_polynomial_h)
    TT_FLOAT_LOOPS(hermite_polynomial_he) TT_FLOAT_LOOPS(laguerre_polynomial_l)
    TT_FLOAT_LOOPS(legendre_polynomial_p)
    """
    Loops chebyshev_polynomial_t_loops
    Loops chebyshev_polynomial_u_loops
    Loops chebyshev_polynomial_v_loops
    Loops chebyshev_polynomial_w_loops
    Loops shifted_chebyshev_polynomial_t_loops
    Loops shifted_chebyshev_polynomial_u_loops
    Loops shifted_chebyshev_polynomial_v_loops
    Loops shifted_chebyshev_polynomial_w_loops
    Loops hermite_polynomial_h_loops
    Loops hermite_polynomial_he_loops
    Loops laguerre_polynomial_l_loops
    Loops legendre_polynomial_p_loops


cdef Kernel* kernel_of(const char* name, Loops loops) except NULL:
    return register_kernel(name, pointwise, loops, 0, 30)  # of a degree around ten


cdef Kernel* CHEBYSHEV_T = kernel_of(
    "chebyshev_polynomial_t", chebyshev_polynomial_t_loops)
cdef Kernel* CHEBYSHEV_U = kernel_of(
    "chebyshev_polynomial_u", chebyshev_polynomial_u_loops)
cdef Kernel* CHEBYSHEV_V = kernel_of(
    "chebyshev_polynomial_v", chebyshev_polynomial_v_loops)
cdef Kernel* CHEBYSHEV_W = kernel_of(
    "chebyshev_polynomial_w", chebyshev_polynomial_w_loops)
cdef Kernel* SHIFTED_CHEBYSHEV_T = kernel_of(
    "shifted_chebyshev_polynomial_t", shifted_chebyshev_polynomial_t_loops)
cdef Kernel* SHIFTED_CHEBYSHEV_U = kernel_of(
    "shifted_chebyshev_polynomial_u", shifted_chebyshev_polynomial_u_loops)
cdef Kernel* SHIFTED_CHEBYSHEV_V = kernel_of(
    "shifted_chebyshev_polynomial_v", shifted_chebyshev_polynomial_v_loops)
cdef Kernel* SHIFTED_CHEBYSHEV_W = kernel_of(
    "shifted_chebyshev_polynomial_w", shifted_chebyshev_polynomial_w_loops)
cdef Kernel* HERMITE_H = kernel_of("hermite_polynomial_h", hermite_polynomial_h_loops)
cdef Kernel* HERMITE_HE = kernel_of(
    "hermite_polynomial_he", hermite_polynomial_he_loops)
cdef Kernel* LAGUERRE_L = kernel_of(
    "laguerre_polynomial_l", laguerre_polynomial_l_loops)
cdef Kernel* LEGENDRE_P = kernel_of(
    "legendre_polynomial_p", legendre_polynomial_p_loops)


cdef object polynomial(const Kernel* kernel, object x, object n, object out):
    """y = P_n(x); one of the two may be a number."""
    cdef Number number
    cdef Tensor a, b
    cdef int code
    if isinstance(x, Tensor) and isinstance(n, Tensor):
        a, b = <Tensor>x, <Tensor>n
        code = code_with_tensor(a, b)
    elif isinstance(x, Tensor) and as_number(n, &number):
        a, b = <Tensor>x, None
        code = code_with_number(a, &number)
    elif isinstance(n, Tensor) and as_number(x, &number):
        a, b = None, <Tensor>n
        code = code_with_number(b, &number)
    else:
        name = kernel.name.decode()
        raise TypeError(
            f"special_{name}() received an invalid combination of arguments - got "
            f"({type(x).__name__}, {type(n).__name__}), but expected one of:\n"
            " * (Tensor x, Tensor n, *, Tensor out = None)\n"
            " * (Number x, Tensor n, *, Tensor out = None)\n"
            " * (Tensor x, Number n, *, Tensor out = None)\n")
    if code == F16 or code == BF16:
        refuse_dtype(kernel.name, code)
    return deliver(binary(kernel, PROMOTE_FLOAT, a, b, &number, None), out)


def chebyshev_polynomial_t(x, n, *, out=None):
    """Return Chebyshev's polynomial of the first kind: ``cos(n acos(x))``."""
    return polynomial(CHEBYSHEV_T, x, n, out)


def chebyshev_polynomial_u(x, n, *, out=None):
    """Return Chebyshev's polynomial of the second kind, ``n + 1`` at 1."""
    return polynomial(CHEBYSHEV_U, x, n, out)


def chebyshev_polynomial_v(x, n, *, out=None):
    """Return Chebyshev's polynomial of the third kind, 1 at 1."""
    return polynomial(CHEBYSHEV_V, x, n, out)


def chebyshev_polynomial_w(x, n, *, out=None):
    """Return Chebyshev's polynomial of the fourth kind, ``2 n + 1`` at 1."""
    return polynomial(CHEBYSHEV_W, x, n, out)


def shifted_chebyshev_polynomial_t(x, n, *, out=None):
    """Return `chebyshev_polynomial_t` of ``2 x - 1``."""
    return polynomial(SHIFTED_CHEBYSHEV_T, x, n, out)


def shifted_chebyshev_polynomial_u(x, n, *, out=None):
    """Return `chebyshev_polynomial_u` of ``2 x - 1``."""
    return polynomial(SHIFTED_CHEBYSHEV_U, x, n, out)


def shifted_chebyshev_polynomial_v(x, n, *, out=None):
    """Return `chebyshev_polynomial_v` of ``2 x - 1``."""
    return polynomial(SHIFTED_CHEBYSHEV_V, x, n, out)


def shifted_chebyshev_polynomial_w(x, n, *, out=None):
    """Return `chebyshev_polynomial_w` of ``2 x - 1``."""
    return polynomial(SHIFTED_CHEBYSHEV_W, x, n, out)


def hermite_polynomial_h(x, n, *, out=None):
    """Return Hermite's polynomial of the weight ``exp(-x^2)``."""
    return polynomial(HERMITE_H, x, n, out)


def hermite_polynomial_he(x, n, *, out=None):
    """Return Hermite's polynomial of the weight ``exp(-x^2 / 2)``."""
    return polynomial(HERMITE_HE, x, n, out)


def laguerre_polynomial_l(x, n, *, out=None):
    """Return Laguerre's polynomial, of the weight ``exp(-x)``."""
    return polynomial(LAGUERRE_L, x, n, out)


def legendre_polynomial_p(x, n, *, out=None):
    """Return Legendre's polynomial, of the weight 1 on [-1, 1]."""
    return polynomial(LEGENDRE_P, x, n, out)
