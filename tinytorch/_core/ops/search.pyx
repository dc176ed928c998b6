"""Distinct elements, places among sorted ones, and counts."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t

from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, refuse_capture, register_kernel,
    run, tt_parallel_for, view_of)
from tinytorch._core.ops.along cimport c_index_select
from tinytorch._core.ops.elementwise cimport as_tensor, deliver
from tinytorch._core.ops.extremum cimport c_amax, c_amin
from tinytorch._core.ops.reduce cimport dim_of
from tinytorch._core.ops.shape cimport (
    c_permute, c_reshape, c_to, contiguous, dtype_word)
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, same_shape, size_of
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BOOL, F32, F64, I32, I64, MAX_DIMS, compute_of, is_float, promote)

__all__ = ["unique", "unique_consecutive", "searchsorted", "bucketize", "bincount",
           "histc"]
METHODS = ["unique", "unique_consecutive", "bincount", "histc"]

cdef extern from *:
    """
    #include "unique.h"
    #include "search.h"
    """
    int unique_driver(const KernelCall* call) nogil
    int searchsorted_driver(const KernelCall* call) nogil
    int bincount_driver(const KernelCall* call) nogil
    int histc_driver(const KernelCall* call) nogil
    void** unique_functions
    void** search_functions
    void** histc_functions

tt_parallel_for = parallel_for

cdef Kernel* UNIQUE = register_kernel("unique", <Driver>unique_driver, unique_functions)
cdef Kernel* SEARCH = register_kernel(
    "searchsorted", <Driver>searchsorted_driver, search_functions)
cdef Kernel* BINCOUNT = register_kernel("bincount", <Driver>bincount_driver, NULL)
cdef Kernel* HISTC = register_kernel("histc", <Driver>histc_driver, histc_functions)


cdef Tensor vector(Tensor like, int64_t n, int code):
    return empty_beside(like, 1, &n, code)


cdef int refuse_meta(str name, Tensor x) except -1:
    refuse_capture(name)
    if x.storage.device == META:
        raise NotImplementedError(f"{name}: the size of the result depends on values, "
                                  "which a meta tensor does not have")
    return 0


# ---- unique ----

cdef object distinct(str name, Tensor x, bint sorted, object inverse, object counts,
                     object dim):
    """The distinct elements, or slices along dim, with what else is asked for."""
    cdef int64_t[2] shape
    cdef int[MAX_DIMS] order
    cdef int d, k
    cdef Tensor rows = x.detach(), groups, sizes, first, total, y
    cdef View[5] v
    cdef Scalar s
    refuse_meta(name, x)
    if x.count >= <int64_t>1 << 32:
        raise NotImplementedError(f"{name}: 2^32 elements and more are not supported")
    if dim is None:
        shape[0] = x.count
        shape[1] = 1
        d = 0
    else:
        if x.rank == 0:
            raise IndexError(
                f"Dimension specified as {dim} but tensor has no dimensions")
        d = dim_of(dim, x.rank)
        for k in range(x.rank):
            if k != d and x.sizes[k] == 0:
                raise RuntimeError("There are 0 sized dimensions, and they aren't "
                                   "selected, so unique cannot be applied")
        shape[0] = x.sizes[d]
        shape[1] = x.count // shape[0] if shape[0] else 0
        order[0] = d
        for k in range(1, x.rank):
            order[k] = k - 1 if k <= d else k
        rows = c_permute(rows, order)
    rows = contiguous(c_reshape(rows, 2, shape))
    first, groups = vector(x, shape[0], I64), vector(x, shape[0], I64)
    sizes, total = vector(x, shape[0], I64), vector(x, 1, I64)
    view_of(&v[0], first)
    view_of(&v[1], groups)
    view_of(&v[2], sizes)
    view_of(&v[3], total)
    view_of(&v[4], rows)
    s.i = sorted
    run(UNIQUE, v, 5, 4, &s, 1, compute_of[x.code], x.storage.device)
    found = item(total)
    first = first.narrow(0, 0, found)
    y = c_index_select(c_reshape(rows, 1, shape) if dim is None else x.detach(), d,
                       first)
    results = [y]
    if inverse:
        results.append(c_reshape(groups, x.rank, x.sizes) if dim is None else groups)
    if counts:
        results.append(sizes.narrow(0, 0, found).clone())
    return results[0] if len(results) == 1 else tuple(results)


# ---- searchsorted ----

cdef int check_search(Tensor edges, Tensor x, Tensor sorter, str side,
                      bint right) except -1:
    cdef int d
    cdef bint rows = edges.rank == x.rank
    if side is not None and side not in ("left", "right"):
        raise RuntimeError("torch.searchsorted(): side can only be 'left' or 'right' "
                           f"but got {side}")
    if right and side == "left":
        raise RuntimeError("torch.searchsorted(): side and right can't be set to "
                           "opposites, got side of left while right was True")
    if edges.rank == 0 or (x.rank == 0 and edges.rank != 1):
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries "
            f"tensor dimension is 1, but we got boundaries tensor dim({edges.rank}) "
            f"and input value's dim({x.rank}) numel({x.count})")
    if edges.rank != 1:
        for d in range(edges.rank - 1):
            rows = rows and edges.sizes[d] == x.sizes[d]
        if not rows:
            raise RuntimeError(
                "torch.searchsorted(): boundaries tensor should be 1 dimension or the "
                "first N-1 dimensions of boundaries tensor and input value tensor must "
                f"match, but we got boundaries tensor {list(size_of(edges))} and input "
                f"value tensor {list(size_of(x))}")
    if sorter is None:
        return 0
    if not same_shape(edges, sorter):
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but "
            f"got boundary tensor {list(size_of(edges))}and got sorter tensor "
            f"{list(size_of(sorter))}")
    if sorter.code != I64:
        raise RuntimeError("torch.searchsorted(): sorter must be a tensor of long "
                           f"dtype but got dtype {dtype_word(sorter.code)}")
    refuse_meta("searchsorted with a sorter", sorter)
    if sorter.count and (item(c_amin(sorter)) < 0 or
                         item(c_amax(sorter)) >= sorter.sizes[sorter.rank - 1]):
        raise RuntimeError("torch.searchsorted(): sorter index out of range")
    return 0


cdef Tensor searched(Tensor edges, Tensor x, Tensor sorter, bint right, bint narrow):
    cdef View[4] v
    cdef Scalar[3] s
    cdef int code = promote(edges.code, x.code) if x.rank else edges.code
    cdef int compute = compute_of[code if is_float(code) or not is_float(x.code)
                                  else F64]
    cdef int type = I64 if compute == 2 else compute
    cdef Tensor y = empty_beside(x, x.rank, x.sizes, I64)
    edges = contiguous(c_to(edges.detach(), type))
    x = contiguous(c_to(x.detach(), type))
    view_of(&v[0], y)
    view_of(&v[1], edges)
    view_of(&v[2], x)
    if sorter is not None:
        sorter = contiguous(sorter)
        view_of(&v[3], sorter)
    s[0].i = edges.sizes[edges.rank - 1]
    s[1].i = 1 if edges.rank == 1 else x.count // x.sizes[x.rank - 1] if x.count else 1
    s[2].i = right
    run(SEARCH, v, 3 if sorter is None else 4, 1, s, 3, compute, x.storage.device)
    return c_to(y, I32) if narrow else y


cdef object searched_into(Tensor edges, Tensor x, Tensor sorter, bint right,
                          bint narrow, object out):
    if isinstance(out, Tensor) and (<Tensor>out).code != (I32 if narrow else I64):
        raise RuntimeError(
            "torch.searchsorted(): output tensor's dtype is wrong, it can only be "
            "Int(int32) or Long(int64) depending on whether out_int32 flag is True, "
            f"but we got output tensor's dtype {dtype_word((<Tensor>out).code)} and "
            f"out_int32 flag is {narrow}")
    return deliver(searched(edges, x, sorter, right, narrow), out)


# ---- counts ----

cdef Tensor counted(Tensor x, Tensor weights, int64_t least):
    cdef View[3] v
    cdef Tensor y
    cdef int64_t size = least
    cdef int code = I64
    if x.count:
        if item(c_amin(x)) < 0:
            raise RuntimeError(
                "bincount only supports 1-d non-negative integral inputs.")
        size = max(size, <int64_t>item(c_amax(x)) + 1)
    if weights is not None:
        code = F32 if weights.code == F32 else F64
        weights = contiguous(c_to(weights.detach(), code))
        view_of(&v[2], weights)
    y = vector(x, size, code)
    x = contiguous(c_to(x, I64))
    view_of(&v[0], y)
    view_of(&v[1], x)
    run(BINCOUNT, v, 2 if weights is None else 3, 1, NULL, 0, compute_of[code],
        x.storage.device)
    return y


# ---- for Python ----

def unique(Tensor input not None, sorted=True, return_inverse=False,
           return_counts=False, dim=None):
    """Return the distinct elements, in order, or the distinct slices along `dim`.

    Args:
        return_inverse: also which of them each element is.
        return_counts: also how often each occurs.

    Example:
        >>> unique(tensor([3, 1, 3])).tolist()
        [1, 3]
    """
    return distinct("unique", input, True, return_inverse, return_counts, dim)


def unique_consecutive(Tensor input not None, return_inverse=False, return_counts=False,
                       dim=None):
    """Return the elements, or slices along `dim`, that differ from the one before.

    Example:
        >>> unique_consecutive(tensor([3, 3, 1, 3])).tolist()
        [3, 1, 3]
    """
    return distinct("unique_consecutive", input, False, return_inverse, return_counts,
                    dim)


def searchsorted(Tensor sorted_sequence not None, input, *, out_int32=False,
                 right=False, side=None, sorter=None, out=None):
    """Return where each value would have to be put to keep the sequence sorted.

    Example:
        >>> searchsorted(tensor([1, 3, 5]), tensor([3, 6])).tolist()
        [1, 3]
    """
    cdef Tensor x = as_tensor(input, sorted_sequence)
    check_search(sorted_sequence, x, sorter, side, right)
    return searched_into(sorted_sequence, x, sorter, right or side == "right",
                         out_int32, out)


def bucketize(input, Tensor boundaries not None, *, out_int32=False, right=False,
              out=None):
    """Return in which of the buckets between sorted boundaries each value falls.

    Example:
        >>> bucketize(tensor([3, 6]), tensor([1, 3, 5]), right=True).tolist()
        [2, 3]
    """
    if boundaries.rank != 1:
        raise RuntimeError("boundaries tensor must be 1 dimension, but got "
                           f"dim({boundaries.rank})")
    return searched_into(boundaries, as_tensor(input, boundaries), None, right,
                         out_int32, out)


def bincount(Tensor input not None, weights=None, minlength=0):
    """Return how often each whole number from 0 occurs, or the sum of its weights.

    Example:
        >>> bincount(tensor([1, 2, 2])).tolist()
        [0, 1, 2]
    """
    if is_float(input.code) or input.code == BOOL:
        raise NotImplementedError("\"bincount_cpu\" not implemented for "
                                  f"'{dtype_word(input.code)}'")
    if input.rank != 1:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if weights is not None and not same_shape(<Tensor?>weights, input):
        raise RuntimeError("weights should be 1-d and have the same length as input")
    refuse_meta("bincount", input)
    return counted(input, weights, minlength)


def histc(Tensor input not None, bins=100, min=0, max=0, *, out=None):
    """Return how many elements fall into each of `bins` equal parts of [min, max]; if
    both are equal, the range is that of the elements.

    Example:
        >>> histc(tensor([1.0, 2.0, 3.0]), 4).tolist()
        [1.0, 0.0, 1.0, 1.0]
    """
    cdef View[2] v
    cdef Scalar[2] s
    cdef double least = min, most = max
    cdef Tensor x = input.detach(), y
    cdef int type = compute_of[x.code]
    if not is_float(x.code):
        raise NotImplementedError("\"histogram_cpu\" not implemented for "
                                  f"'{dtype_word(x.code)}'")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for "
                           "dimension 0")
    if least == most and x.count:
        refuse_meta("histc without a range", x)
        least, most = item(c_amin(x)), item(c_amax(x))
    if not (isfinite(least) and isfinite(most)):
        raise RuntimeError(f"torch.histc: range of [{least:g}, {most:g}] is not finite")
    if least > most:
        raise RuntimeError("torch.histc: max must be larger than min")
    if least == most:
        least, most = least - 1, most + 1
    y = vector(x, bins, type)
    x = contiguous(c_to(x, type))  # compute types of floats are their own dtypes
    s[0].f = least
    s[1].f = most
    view_of(&v[0], y)
    view_of(&v[1], x)
    run(HISTC, v, 2, 1, s, 2, type, x.storage.device)
    return deliver(c_to(y, input.code), out)
