"""Further reductions: prod, nansum, any, all, count_nonzero, logsumexp.

    prod        d y = sum over k of (product of the others) dx[k]
    logsumexp   dx = dy e^(x - y)
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, needs_grad, save, save_output, saved, send)
from tinytorch._core.executor cimport Kernel
from tinytorch._core.ops.arithmetic cimport c_mul, c_sub
from tinytorch._core.ops.compare cimport c_isnan, c_logical_not
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.pointwise cimport c_exp
from tinytorch._core.ops.reduce cimport (
    ALL_DIMS, c_reduced, c_sum, dim_of, dims_of, named_dims, out_code, reduce_node,
    reduced, reduction, restored, spread_over)
from tinytorch._core.ops.scan cimport c_recurrence
from tinytorch._core.ops.shape cimport c_reshape, c_to, dtype_word
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport (
    BOOL, I64, U8, compute_of, get_default_dtype_code,
    is_float)

__all__ = ["prod", "nansum", "any", "all", "count_nonzero", "logsumexp"]
METHODS = __all__
SPECIAL = ["logsumexp"]

cdef extern from *:
    """
    #include "reductions.h"
    TT_REDUCTIONS(prod) TT_REDUCTIONS(any) TT_REDUCTIONS(all)
    TT_REDUCTIONS(count_nonzero)
    TT_FLOAT_REDUCTIONS(logsumexp) TT_FLOAT_REDUCTIONS(nansum)
    TT_REDUCTIONS(amax)
    """
    void** prod_reductions
    void** any_reductions
    void** all_reductions
    void** count_nonzero_reductions
    void** logsumexp_reductions
    void** nansum_reductions
    void** amax_reductions

cdef Kernel* PROD = reduction("prod", prod_reductions)
cdef Kernel* ANY = reduction("any", any_reductions)
cdef Kernel* ALL = reduction("all", all_reductions)
cdef Kernel* COUNT_NONZERO = reduction("count_nonzero", count_nonzero_reductions)
cdef Kernel* LOGSUMEXP = reduction("logsumexp", logsumexp_reductions)
cdef Kernel* NANSUM = reduction("nansum", nansum_reductions)
cdef Kernel* PEAK = reduction("amax", amax_reductions)


# ---- prod ----

cdef Tensor c_prod(Tensor x, int dim, bint keepdim, int code):
    """Over one dimension, or over all if dim is -1."""
    x = c_to(x, code)
    if dim < 0:
        return c_reduced(PROD, prod_backward, b"ProdBackward0", x, <uint64_t>ALL_DIMS,
                         keepdim, code, True)
    return c_reduced(PROD, prod_backward, b"ProdBackward1", x, <uint64_t>1 << dim,
                     keepdim, code, True)


cdef int prod_backward(Node node, Tensor gy) except -1:
    """gx[k] = gy (x[0] ... x[k - 1]) (x[k + 1] ... x[n - 1])"""
    cdef Tensor x = saved(node, 0), line = x, others
    cdef int64_t[1] whole = [x.count]
    cdef int dim = 0
    if node.i0 == ALL_DIMS:
        line = c_reshape(x, 1, whole)
    else:
        while not node.i0 >> dim & 1:
            dim += 1
    others = c_mul(c_recurrence(line, None, dim, False, True),
                   c_recurrence(line, None, dim, True, True))
    return send(node, 0, c_mul(spread_over(node, gy), c_reshape(others, x.rank,
                                                                x.sizes)))


# ---- nansum ----

cdef Tensor c_nansum(Tensor x, uint64_t dims, bint keepdim, int code):
    if not is_float(x.code):
        return c_sum(x, dims, keepdim, code)
    x = c_to(x, code)
    return c_reduced(NANSUM, nansum_backward, b"NansumBackward0", x, dims, keepdim,
                     code, True)


cdef int nansum_backward(Node node, Tensor gy) except -1:
    """gx = gy where x is a number"""
    return send(node, 0, c_mul(spread_over(node, gy),
                               c_logical_not(c_isnan(saved(node, 0)))))


# ---- truth values and counts ----

cdef Tensor counted(const Kernel* kernel, Tensor x, uint64_t dims, bint keepdim,
                    int code):
    return reduced(kernel, x, dims, keepdim, code, compute_of[x.code])


cdef object truth(const Kernel* kernel, str name, Tensor x, object dim, object keepdim,
                  object out):
    cdef int code = U8 if x.code == U8 else BOOL
    cdef Tensor y
    if isinstance(out, Tensor) and (<Tensor>out).code not in (BOOL, U8):
        raise RuntimeError(f"{name} only supports bool tensor for result, got: "
                           f"{dtype_word((<Tensor>out).code)}")
    if isinstance(dim, (tuple, list)) and not dim:
        y = c_to(c_to(x.detach(), BOOL), code)  # no dimension, unlike None
    else:
        y = counted(kernel, x, dims_of(dim, x.rank), keepdim, code)
    return deliver(y, out)


# ---- logsumexp ----

cdef Tensor c_logsumexp(Tensor x, uint64_t dims, bint keepdim):
    """log of sum of e^x, from differences to the maximum."""
    cdef Node node = None
    cdef Tensor peak, y
    cdef int compute = compute_of[x.code]
    if needs_grad(x):
        node = reduce_node(logsumexp_backward, b"LogsumexpBackward0", x, dims, keepdim)
        save(node, 0, x)
    peak = reduced(PEAK, x, dims, True, compute, compute)  # F32 and F64 are their own
    y = reduced(LOGSUMEXP, x, dims, keepdim, x.code, compute, peak)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


cdef int logsumexp_backward(Node node, Tensor gy) except -1:
    """gx = gy e^(x - y)"""
    cdef Tensor weight = c_exp(c_sub(saved(node, 0), restored(node, saved(node, 1))))
    return send(node, 0, c_mul(restored(node, gy), weight))


# ---- for Python ----

def prod(Tensor input not None, dim=None, keepdim=False, *, dtype=None, out=None,
         axis=None, keepdims=None):
    """Return the product of all elements, or along one dimension.

    Example:
        >>> prod(tensor([2.0, 3.0])).item()
        6.0
    """
    cdef int d = -1
    if axis is not None:
        dim = axis
    if dim is not None:
        d = dim_of(dim, input.rank)
    return deliver(c_prod(input, d, keepdim if keepdims is None else keepdims,
                          out_code(input, dtype, out)), out)


def nansum(Tensor input not None, dim=None, keepdim=False, *, dtype=None, out=None,
           axis=None, keepdims=None):
    """Return the sum in which NaN counts as 0.

    Example:
        >>> nansum(tensor([1.0, float("nan")])).item()
        1.0
    """
    return deliver(c_nansum(input, named_dims(dim, axis, input.rank),
                            keepdim if keepdims is None else keepdims,
                            out_code(input, dtype, out)), out)


def any(Tensor input not None, dim=None, keepdim=False, *, out=None, axis=None,
        keepdims=None):
    """Return whether any element is true, of all or along `dim`.

    Example:
        >>> any(tensor([0.0, 2.0])).item()
        True
    """
    return truth(ANY, "any", input, dim if axis is None else axis,
                 keepdim if keepdims is None else keepdims, out)


def all(Tensor input not None, dim=None, keepdim=False, *, out=None, axis=None,
        keepdims=None):
    """Return whether all elements are true, of all or along `dim`.

    Example:
        >>> all(tensor([0.0, 2.0])).item()
        False
    """
    return truth(ALL, "all", input, dim if axis is None else axis,
                 keepdim if keepdims is None else keepdims, out)


def count_nonzero(Tensor input not None, dim=None):
    """Return how many elements differ from 0, of all or along `dim`.

    Example:
        >>> count_nonzero(tensor([0.0, 2.0])).item()
        1
    """
    return counted(COUNT_NONZERO, input, dims_of(dim, input.rank), False, I64)


def logsumexp(Tensor input not None, dim, keepdim=False, *, out=None, axis=None,
              keepdims=None):
    """Return the logarithm of the sum of exponentials along `dim`.

    Example:
        >>> logsumexp(tensor([1000.0, 1000.0]), 0).item()
        1000.6931762695312
    """
    if not is_float(input.code):
        input = c_to(input, get_default_dtype_code())
    return deliver(c_logsumexp(input, named_dims(dim, axis, input.rank),
                               keepdim if keepdims is None else keepdims), out)
