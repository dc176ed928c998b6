"""Variances:  y = sum (x - mean)^2 / (n - correction), in two passes over x.

    d var = 2 (x - mean) dx / (n - correction)      d std = d var / (2 std)
"""

from libc.stdint cimport uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, needs_grad, save, save_output, saved, send)
from tinytorch._core.executor cimport Kernel, Scalar
from tinytorch._core.ops.arithmetic cimport (
    c_div, c_mul, c_mul_number, c_sub)
from tinytorch._core.ops.compare cimport c_eq_number, c_logical_not
from tinytorch._core.ops.elementwise cimport Number, as_number, deliver
from tinytorch._core.ops.reduce cimport (
    c_mean, count_over, dims_of, reduce_node, reduced, reduction, restored)
from tinytorch._core.ops.select cimport c_where_number
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport compute_of, is_float

import warnings

__all__ = ["var", "std", "var_mean", "std_mean"]
METHODS = ["var", "std"]

cdef extern from *:
    """
    #include "reductions.h"
    TT_FLOAT_REDUCTIONS(var) TT_FLOAT_REDUCTIONS(std) TT_FLOAT_REDUCTIONS(mean)
    """
    void** var_reductions
    void** std_reductions
    void** mean_reductions

cdef Kernel* VAR = reduction("var", var_reductions)
cdef Kernel* STD = reduction("std", std_reductions)
cdef Kernel* CENTRE = reduction("mean", mean_reductions)


cdef struct Spread:          # the arguments that all four share
    uint64_t dims
    bint keepdim
    double correction


# ---- the ops ----

cdef Tensor c_spread(Tensor x, const Spread* how, bint root, Tensor centre):
    """var, or std if root; centre: the mean with its dimensions kept."""
    cdef Node node = None
    cdef Scalar s
    cdef Tensor y
    cdef int compute = compute_of[x.code]
    s.f = how.correction
    if needs_grad(x):
        node = reduce_node(std_backward if root else var_backward,
                           b"StdBackward0" if root else b"VarBackward0", x, how.dims,
                           how.keepdim)
        node.f0 = how.correction
        save(node, 0, x)
    y = reduced(STD if root else VAR, x, how.dims, how.keepdim, x.code, compute, centre,
                &s, 1)
    if node is not None:
        if root:
            save_output(node, 1, y)
        attach(y, node)
    return y


cdef Tensor centre_of(Tensor x, uint64_t dims):
    """The mean in the type it is computed in, F32 or F64, without a graph."""
    cdef int compute = compute_of[x.code]
    return reduced(CENTRE, x, dims, True, compute, compute)


cdef int var_backward(Node node, Tensor gy) except -1:
    """gx = 2 gy (x - mean(x)) / (n - correction)"""
    cdef Tensor x = saved(node, 0)
    cdef double left = count_over(x, <uint64_t>node.i0) - node.f0
    cdef Tensor away = c_sub(x, c_mean(x, <uint64_t>node.i0, True))
    if left < 0:
        left = 0
    return send(node, 0, c_mul(c_mul_number(restored(node, gy), 2 / left), away))


cdef int std_backward(Node node, Tensor gy) except -1:
    """As var, with gy / (2 std); nothing where std is 0."""
    cdef Tensor y = saved(node, 1)
    cdef Tensor g = c_div(gy, c_mul_number(y, 2))
    g = c_where_number(c_logical_not(c_eq_number(y, 0)), g, 0)
    return var_backward(node, g)


# ---- arguments ----

cdef int read_spread(str name, Tensor x, object dim, object unbiased, object keepdim,
                     object correction, Spread* how) except -1:
    cdef Number n
    if not is_float(x.code):
        raise RuntimeError(
            f"{name} only support floating point and complex dtypes"
            if name.endswith("_mean") else
            "std and var only support floating point and complex dtypes")
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    how.dims = dims_of(dim, x.rank)
    how.keepdim = keepdim
    how.correction = 1
    if correction is not None:
        if unbiased is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments: "
                            "unbiased and correction exclude each other")
        if not as_number(correction, &n):
            raise TypeError(f"{name}(): argument 'correction' must be Number, not "
                            f"{type(correction).__name__}")
        how.correction = n.f
    elif unbiased is not None:
        how.correction = 1 if unbiased else 0
    if count_over(x, how.dims) - how.correction <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less "
            "than the reduction factor (input numel divided by output numel).",
            UserWarning, stacklevel=2)
    return 0


cdef object spread_and_mean(str name, Tensor x, object dim, object unbiased,
                            object keepdim, object correction, bint root):
    cdef Spread how
    cdef Tensor centre
    read_spread(name, x, dim, unbiased, keepdim, correction, &how)
    centre = centre_of(x, how.dims)
    return (c_spread(x, &how, root, centre), c_mean(x, how.dims, how.keepdim))


cdef object spread_alone(str name, Tensor x, object dim, object unbiased,
                         object keepdim, object correction, bint root, object out):
    cdef Spread how
    read_spread(name, x, dim, unbiased, keepdim, correction, &how)
    return deliver(c_spread(x, &how, root, centre_of(x, how.dims)), out)


# ---- for Python ----

def var(Tensor input not None, dim=None, unbiased=None, keepdim=False, *,
        correction=None, out=None, axis=None, keepdims=None):
    """Return the variance of all elements, or along `dim`.

    Args:
        correction: is taken from the number of elements, 1 unless given.

    Example:
        >>> var(tensor([1.0, 2.0, 3.0])).item()
        1.0
    """
    return spread_alone("var", input, dim if axis is None else axis, unbiased,
                        keepdim if keepdims is None else keepdims, correction, False,
                        out)


def std(Tensor input not None, dim=None, unbiased=None, keepdim=False, *,
        correction=None, out=None, axis=None, keepdims=None):
    """Return the standard deviation of all elements, or along `dim`; see var.

    Example:
        >>> std(tensor([1.0, 2.0, 3.0])).item()
        1.0
    """
    return spread_alone("std", input, dim if axis is None else axis, unbiased,
                        keepdim if keepdims is None else keepdims, correction, True,
                        out)


def var_mean(Tensor input not None, dim=None, unbiased=None, keepdim=False, *,
             correction=None, axis=None, keepdims=None):
    """Return the pair of var and mean.

    Example:
        >>> var_mean(tensor([1.0, 2.0, 3.0]))[1].item()
        2.0
    """
    return spread_and_mean("var_mean", input, dim if axis is None else axis, unbiased,
                           keepdim if keepdims is None else keepdims, correction, False)


def std_mean(Tensor input not None, dim=None, unbiased=None, keepdim=False, *,
             correction=None, axis=None, keepdims=None):
    """Return the pair of std and mean.

    Example:
        >>> std_mean(tensor([1.0, 2.0, 3.0]))[1].item()
        2.0
    """
    return spread_and_mean("std_mean", input, dim if axis is None else axis, unbiased,
                           keepdim if keepdims is None else keepdims, correction, True)
