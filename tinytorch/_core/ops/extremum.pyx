"""Largest and smallest elements, and where they are.

    amax, amin, and max, min of all    dx = dy / k at the k elements that equal y
    max, min along one dimension       dx = dy at the index
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, View, register_kernel, run, tt_parallel_for, view_of)
from tinytorch._core.ops.lines cimport drop, put_along, sized
from tinytorch._core.ops.arithmetic cimport c_div, c_mul
from tinytorch._core.ops.compare cimport c_eq, c_isnan, c_logical_and, c_logical_or
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.reduce cimport (
    ALL_DIMS, c_reduced, c_sum, deliver_pair, dim_of, match_out, named_dims,
    reduced, reduction, restored)
from tinytorch._core.ops.shape cimport c_reshape, c_to, c_unsqueeze
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, BOOL, F16, F32, I64, compute_of

from tinytorch._core.return_types import named_result

__all__ = ["amax", "amin", "aminmax", "max", "min", "argmax", "argmin"]
METHODS = __all__

cdef extern from *:
    """
    #include "reductions.h"
    #include "extremum.h"
    TT_REDUCTIONS(amax) TT_REDUCTIONS(amin)
    """
    int find_driver(const KernelCall* call) nogil
    void** amax_reductions
    void** amin_reductions
    void** finders

tt_parallel_for = parallel_for

cdef Kernel* AMAX = reduction("amax", amax_reductions)
cdef Kernel* AMIN = reduction("amin", amin_reductions)
cdef Kernel* FIND = register_kernel("find", <Driver>find_driver, finders)


# ---- values ----

cdef Tensor c_amax(Tensor x, uint64_t dims=<uint64_t>ALL_DIMS, bint keepdim=False):
    return c_reduced(AMAX, amax_backward, b"AmaxBackward0", x, dims, keepdim, x.code,
                     True, True)


cdef Tensor c_amin(Tensor x, uint64_t dims=<uint64_t>ALL_DIMS, bint keepdim=False):
    return c_reduced(AMIN, amax_backward, b"AminBackward0", x, dims, keepdim, x.code,
                     True, True)


cdef int amax_backward(Node node, Tensor gy) except -1:
    """gx = gy / k where x is y; k such elements share an output"""
    cdef Tensor y = restored(node, saved(node, 1))
    return send(node, 0, shared_out(c_eq(saved(node, 0), y), restored(node, gy),
                                    <uint64_t>node.i0, True))


cdef Tensor shared_out(Tensor same, Tensor gy, uint64_t dims, bint keepdim):
    """gy divided among the elements that tie; half types cannot count beyond 65504."""
    cdef int code = F32 if gy.code in (F16, BF16) else gy.code
    cdef Tensor mask = c_to(same, code)
    cdef Tensor each = c_div(c_to(gy, code), c_sum(mask, dims, keepdim))
    return c_to(c_mul(mask, each), gy.code)


cdef int share_evenly(Node node, Tensor gy) except -1:
    """As amax, where NaN equals NaN"""
    cdef Tensor x = saved(node, 0), y = saved(node, 1)
    cdef Tensor same = c_logical_or(c_eq(x, y), c_logical_and(c_isnan(x), c_isnan(y)))
    return send(node, 0, shared_out(same, gy, <uint64_t>ALL_DIMS, False))


cdef Tensor whole(const Kernel* kernel, const char* title, Tensor x):
    """The extremum of all elements."""
    return c_reduced(kernel, share_evenly, title, x, <uint64_t>ALL_DIMS, False, x.code,
                     True, True)


# ---- indices ----

cdef Tensor find(Tensor x, Tensor value, int dim):
    """Where each line along dim first has its value; dim is kept with size 1."""
    cdef View[3] v
    cdef Tensor index = sized(x, dim, 1, I64)
    view_of(&v[0], index)
    view_of(&v[1], x)
    view_of(&v[2], value)
    run(FIND, v, 3, 1, NULL, 0, compute_of[x.code], x.storage.device)
    return index


cdef Tensor argument(const Kernel* kernel, Tensor x, int dim, bint keepdim):
    cdef Tensor value = reduced(kernel, x, <uint64_t>1 << dim, True, x.code,
                                compute_of[x.code])
    cdef Tensor index = find(x, value, dim)
    if not keepdim:
        drop(index, dim)
    return index


cdef Tensor c_argmax(Tensor x, int dim, bint keepdim):
    return argument(AMAX, x, dim, keepdim)


cdef Node index_node(const char* title, Tensor x, int dim, bint keepdim, Tensor index):
    cdef Node node = new_node(index_backward, title)
    link(node, 0, x)
    save(node, 0, index)
    node.i0 = dim
    node.i1 = x.sizes[dim] if x.rank else 1
    node.i2 = keepdim
    return node


cdef int index_backward(Node node, Tensor gy) except -1:
    """gx[index] = gy, 0 elsewhere"""
    cdef Tensor index = saved(node, 0)
    cdef int dim = node.i0
    if not node.i2 and (index.rank or node.i3):
        gy = c_unsqueeze(gy, dim)
        index = c_unsqueeze(index, dim)
    return send(node, 0, put_along(gy, index, dim, node.i1))


cdef object along_dim(const Kernel* kernel, const char* title, type kind, Tensor x,
                      int dim, bint keepdim, object out):
    """Values and indices of the extrema along dim."""
    cdef Node node
    cdef Tensor value = reduced(kernel, x, <uint64_t>1 << dim, True, x.code,
                                compute_of[x.code])
    cdef Tensor index = find(x, value, dim)
    if not keepdim:
        drop(value, dim)
        drop(index, dim)
    if needs_grad(x):
        node = index_node(title, x, dim, keepdim, index)
        node.i3 = x.rank
        attach(value, node)
    return deliver_pair(kind, value, index, out)


# ---- arguments ----

cdef int check_lines(str name, Tensor x, uint64_t dims, bint colon=True) except -1:
    """Extrema have no identity: every line needs an element."""
    cdef int d
    if x.count:
        return 0
    if dims == <uint64_t>ALL_DIMS:
        raise (IndexError if name.startswith("arg") else RuntimeError)(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
            + ("" if name.startswith("arg") else
               " Specify the reduction dim with the 'dim' argument."))
    for d in range(x.rank):
        if dims >> d & 1 and x.sizes[d] == 0:
            raise IndexError(f"{name}{'()' if colon else ''}: Expected reduction dim "
                             f"{d} to have non-zero size.")
    return 0


cdef object extrema(str name, Tensor x, object dim, object keepdim, object out):
    """max and min in their three meanings."""
    cdef bint most = name == "max"
    cdef const Kernel* kernel = AMAX if most else AMIN
    cdef const char* title
    if isinstance(dim, Tensor):
        # a method of a family that stands above this one
        return deliver((x.maximum if most else x.minimum)(dim), out)
    if dim is None:
        check_lines(name, x, <uint64_t>ALL_DIMS)
        title = b"MaxBackward1" if most else b"MinBackward1"
        match_out(x, out)
        return deliver(whole(kernel, title, x), out)
    cdef int d = dim_of(dim, x.rank)
    check_lines(name, x, <uint64_t>1 << d)
    title = b"MaxBackward0" if most else b"MinBackward0"
    return along_dim(kernel, title, MaxResult if most else MinResult, x, d, keepdim,
                     out)


cdef object arguments(str name, Tensor x, object dim, object keepdim, object out):
    cdef const Kernel* kernel = AMAX if name == "argmax" else AMIN
    cdef Tensor y
    cdef int64_t[64] ones
    cdef int d
    cdef int64_t[1] flat = [x.count]
    if x.code == BOOL:
        raise RuntimeError(f"{name}(): does not support bool input")
    if dim is None:
        check_lines(name, x, <uint64_t>ALL_DIMS)
        y = argument(kernel, c_reshape(x.detach(), 1, flat), 0, False)
        if keepdim:
            for d in range(x.rank):
                ones[d] = 1
            y = c_reshape(y, x.rank, ones)
        return deliver(y, out)
    d = dim_of(dim, x.rank)
    check_lines(name, x, <uint64_t>1 << d)
    return deliver(argument(kernel, x, d, keepdim), out)


cdef tuple c_words = ("float", "double", "c10::Half", "c10::BFloat16", "long int",
                      "int", "short int", "signed char", "unsigned char", "bool")


cdef str c_word(Tensor x):
    return <str>c_words[x.code]


cdef type MaxResult = named_result("max", "values indices")
cdef type MinResult = named_result("min", "values indices")
cdef type AminmaxResult = named_result("aminmax", "min max")


# ---- for Python ----

def amax(Tensor input not None, dim=(), keepdim=False, *, out=None, axis=None,
         keepdims=None):
    """Return the largest element of all, or along the dimensions `dim`.

    Example:
        >>> amax(tensor([[1.0, 4.0], [3.0, 2.0]]), 1).tolist()
        [4.0, 3.0]
    """
    cdef uint64_t dims = named_dims(dim, axis, input.rank)
    check_lines("amax", input, dims)
    match_out(input, out)
    return deliver(c_amax(input, dims, keepdim if keepdims is None else keepdims), out)


def amin(Tensor input not None, dim=(), keepdim=False, *, out=None, axis=None,
         keepdims=None):
    """Return the smallest element of all, or along the dimensions `dim`.

    Example:
        >>> amin(tensor([[1.0, 4.0], [3.0, 2.0]]), 1).tolist()
        [1.0, 2.0]
    """
    cdef uint64_t dims = named_dims(dim, axis, input.rank)
    check_lines("amin", input, dims)
    match_out(input, out)
    return deliver(c_amin(input, dims, keepdim if keepdims is None else keepdims), out)


def aminmax(Tensor input not None, *, dim=None, keepdim=False, out=None, axis=None,
            keepdims=None):
    """Return the smallest and the largest element, of all or along one dimension.

    Example:
        >>> aminmax(tensor([1.0, 4.0, 3.0])).max.item()
        4.0
    """
    cdef uint64_t dims = <uint64_t>ALL_DIMS
    cdef bint keep = keepdim if keepdims is None else keepdims
    if axis is not None:
        dim = axis
    if dim is not None:
        dims = <uint64_t>1 << dim_of(dim, input.rank)
        check_lines("aminmax", input, dims, False)
    elif input.count == 0:
        raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension "
                           "as the operation has no identity.")
    for target in out or ():
        if (<Tensor?>target).code != input.code:
            raise RuntimeError(
                f"Expected out tensor to have dtype {c_word(input)}, but got "
                f"{c_word(<Tensor>target)} instead")
    return deliver_pair(AminmaxResult, c_amin(input, dims, keep),
                        c_amax(input, dims, keep), out)


def max(Tensor input not None, dim=None, keepdim=False, *, other=None, out=None,
        axis=None, keepdims=None):
    """Return the largest element of all; or, along `dim`, the largest and their
    indices; or, given another tensor, the larger of each two elements.

    Example:
        >>> max(tensor([[1.0, 4.0], [3.0, 2.0]]), 1).indices.tolist()
        [1, 0]
    """
    if axis is not None or other is not None:
        dim = axis if other is None else other
    return extrema("max", input, dim, keepdim if keepdims is None else keepdims, out)


def min(Tensor input not None, dim=None, keepdim=False, *, other=None, out=None,
        axis=None, keepdims=None):
    """Return the smallest element of all; or, along `dim`, the smallest and their
    indices; or, given another tensor, the smaller of each two elements.

    Example:
        >>> min(tensor([[1.0, 4.0], [3.0, 2.0]]), 1).indices.tolist()
        [0, 1]
    """
    if axis is not None or other is not None:
        dim = axis if other is None else other
    return extrema("min", input, dim, keepdim if keepdims is None else keepdims, out)


def argmax(Tensor input not None, dim=None, keepdim=False, *, out=None, axis=None,
           keepdims=None):
    """Return the index of the largest element, of all in a row or along `dim`.

    Example:
        >>> argmax(tensor([1.0, 4.0, 3.0])).item()
        1
    """
    return arguments("argmax", input, dim if axis is None else axis,
                     keepdim if keepdims is None else keepdims, out)


def argmin(Tensor input not None, dim=None, keepdim=False, *, out=None, axis=None,
           keepdims=None):
    """Return the index of the smallest element, of all in a row or along `dim`.

    Example:
        >>> argmin(tensor([1.0, 4.0, 3.0])).item()
        0
    """
    return arguments("argmin", input, dim if axis is None else axis,
                     keepdim if keepdims is None else keepdims, out)
