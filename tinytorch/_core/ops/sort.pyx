"""Sorting and selection along one dimension; derivatives go where the index says."""

from libc.math cimport NAN
from libc.stdint cimport INT32_MIN, INT64_MIN, int64_t

from tinytorch._core.autograd cimport Node, attach, needs_grad, save, save_output
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, fill_with, register_kernel, tt_parallel_for)
from tinytorch._core.ops.assign cimport check_apart
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.extremum cimport index_node, share_evenly
from tinytorch._core.ops.lines cimport along, drop, sized
from tinytorch._core.ops.reduce cimport deliver_pair, dim_of, reduce_node
from tinytorch._core.ops.shape cimport c_reshape
from tinytorch._core.tensor cimport Tensor, empty_beside
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, I64, compute_of

from tinytorch._core.return_types import named_result

__all__ = ["sort", "argsort", "msort", "topk", "kthvalue", "median", "nanmedian",
           "mode"]
METHODS = __all__

cdef extern from *:
    """
    #include "sort.h"
    TT_LINE_OPS(sort, TT_SORT_WORK) TT_LINE_OPS(topk, TT_SORT_WORK)
    TT_LINE_OPS(kth, TT_SORT_WORK) TT_LINE_OPS(median, TT_SORT_WORK)
    TT_LINE_OPS(mode, TT_SORT_WORK)
    """
    int line_driver(const KernelCall* call) nogil
    int TT_GIVES_VALUES, TT_GIVES_INDICES
    void** sort_ops
    void** topk_ops
    void** kth_ops
    void** median_ops
    void** mode_ops

tt_parallel_for = parallel_for

cdef Kernel* selection(const char* name, void** ops) except NULL:
    return register_kernel(name, <Driver>line_driver, ops,
                           TT_GIVES_VALUES | TT_GIVES_INDICES)

cdef Kernel* SORT = selection("sort", sort_ops)
cdef Kernel* TOPK = selection("topk", topk_ops)
cdef Kernel* KTH = selection("kthvalue", kth_ops)
cdef Kernel* MEDIAN = selection("median", median_ops)
cdef Kernel* MODE = selection("mode", mode_ops)


# ---- the ops ----

cdef Tensor chosen(const Kernel* kernel, const char* title, Tensor x, int dim,
                   int64_t m, bint keepdim, int64_t s1, int64_t s2, list index):
    """The m chosen elements of each line; where they are is appended to `index`."""
    cdef Scalar[3] s
    cdef Node node
    cdef Tensor y, at
    if x.rank and x.sizes[dim] >= <int64_t>1 << 32:
        raise NotImplementedError("lines of 2^32 elements and more cannot be sorted")
    y = sized(x, dim, m, x.code)
    at = sized(x, dim, m, I64)
    s[1].i = s1
    s[2].i = s2
    along(kernel, y, at, x, None, dim, compute_of[x.code], s, 3)
    if not keepdim:
        drop(y, dim)
        drop(at, dim)
    if needs_grad(x):
        node = index_node(title, x, dim, keepdim, at)
        node.i3 = x.rank
        attach(y, node)
    index.append(at)
    return y


cdef Tensor c_sort(Tensor x, int dim, bint descending, list index):
    return chosen(SORT, b"SortBackward0", x, dim, x.sizes[dim] if x.rank else 1, True,
                  descending, 0, index)


cdef Tensor median_of_all(Tensor x, bint leave_nan):
    """As a 0-d tensor; its derivative is shared by all elements that equal it."""
    cdef Scalar[2] s
    cdef Node node = None
    cdef Tensor y, at, line
    cdef int64_t[1] flat = [x.count]
    if x.count == 0:
        y = empty_beside(x, 0, NULL, x.code)
        # what a NaN becomes: the smallest integer of the machine's conversions
        fill_with(y, NAN, INT64_MIN if x.code == I64 else INT32_MIN)
        return y
    if needs_grad(x):
        node = reduce_node(share_evenly,
                           b"NanmedianBackward0" if leave_nan else b"MedianBackward0",
                           x, <unsigned long long>-1, False)
        save(node, 0, x)
    line = c_reshape(x.detach(), 1, flat)
    y = sized(line, 0, 1, x.code)
    at = sized(line, 0, 1, I64)
    s[1].i = leave_nan
    along(MEDIAN, y, at, line, None, 0, compute_of[x.code], s, 2)
    drop(y, 0)
    if node is not None:
        save_output(node, 1, y)
        attach(y, node)
    return y


# ---- arguments ----

cdef int check_line(str name, Tensor x, int dim) except -1:
    if x.rank and x.sizes[dim] == 0:
        raise IndexError(
            f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    return 0


cdef object middle(str name, const char* title, type kind, Tensor x, object dim,
                   object keepdim, object out, bint leave_nan):
    cdef list index = []
    cdef Tensor y
    cdef int d
    if x.code == BOOL:
        raise NotImplementedError(f"\"{name}_out\" not implemented for 'Bool'")
    if dim is None:
        return deliver(median_of_all(x, leave_nan), out)
    d = dim_of(dim, x.rank)
    check_line(name, x, d)
    y = chosen(MEDIAN, title, x, d, 1, keepdim, leave_nan, 0, index)
    return deliver_pair(kind, y, <Tensor>index[0], out)


cdef type SortResult = named_result("sort", "values indices")
cdef type TopkResult = named_result("topk", "values indices")
cdef type KthvalueResult = named_result("kthvalue", "values indices")
cdef type MedianResult = named_result("median", "values indices")
cdef type NanmedianResult = named_result("nanmedian", "values indices")
cdef type ModeResult = named_result("mode", "values indices")


# ---- for Python ----

def sort(Tensor input not None, dim=-1, descending=False, *, stable=None, out=None):
    """Return the elements in order along `dim`, and where they were.

    Equal elements keep their order, whether `stable` is asked for or not; NaN counts as
    the largest.

    Example:
        >>> sort(tensor([3.0, 1.0, 2.0])).indices.tolist()
        [1, 2, 0]
    """
    cdef list index = []
    cdef Tensor y = c_sort(input, dim_of(dim, input.rank), descending, index)
    return deliver_pair(SortResult, y, <Tensor>index[0], out)


def argsort(Tensor input not None, dim=-1, descending=False, *, stable=False):
    """Return the indices that sort along `dim`; see sort.

    Example:
        >>> argsort(tensor([3.0, 1.0, 2.0])).tolist()
        [1, 2, 0]
    """
    cdef list index = []
    c_sort(input, dim_of(dim, input.rank), descending, index)
    return index[0]


def msort(Tensor input not None, *, out=None):
    """Return the elements in order along the first dimension.

    Example:
        >>> msort(tensor([3.0, 1.0, 2.0])).tolist()
        [1.0, 2.0, 3.0]
    """
    cdef list index = []
    return deliver(c_sort(input, 0, False, index), out)


def topk(Tensor input not None, k, dim=-1, largest=True, sorted=True, *, out=None):
    """Return the k largest (or smallest) elements along `dim`, and where they are.

    Example:
        >>> topk(tensor([3.0, 1.0, 2.0]), 2).values.tolist()
        [3.0, 2.0]
    """
    cdef list index = []
    cdef Tensor y
    cdef int d = dim_of(dim, input.rank)
    cdef int64_t m = k
    if m < 0 or m > (input.sizes[d] if input.rank else 1):
        raise RuntimeError("selected index k out of range")
    if input.rank:
        y = chosen(TOPK, b"TopkBackward0", input, d, m, True, largest, sorted, index)
    else:
        y = chosen(SORT, b"TopkBackward0", input, d, 1, True, 0, 0, index)
    return deliver_pair(TopkResult, y, <Tensor>index[0], out)


def kthvalue(Tensor input not None, k, dim=-1, keepdim=False, *, out=None):
    """Return the k-th smallest element along `dim`, counted from 1, and where it is.

    Example:
        >>> kthvalue(tensor([3.0, 1.0, 2.0]), 2).values.item()
        2.0
    """
    cdef list index = []
    cdef Tensor y
    cdef int d = dim_of(dim, input.rank)
    cdef int64_t rank = k
    if rank < 1 or rank > (input.sizes[d] if input.rank else 1):
        check_line("kthvalue", input, d)
        raise RuntimeError(
            f"kthvalue(): selected number k out of range for dimension {d}")
    if input.code == BOOL:
        raise NotImplementedError("\"kthvalue_cpu\" not implemented for 'Bool'")
    y = chosen(KTH, b"KthvalueBackward0", input, d, 1, keepdim, rank - 1, 0, index)
    if out is not None:
        check_apart(<Tensor?>out[0], y, (input,))
    return deliver_pair(KthvalueResult, y, <Tensor>index[0], out)


def median(Tensor input not None, dim=None, keepdim=False, *, out=None):
    """Return the median of all elements, or along `dim` with its index; of two middle
    elements the smaller one.

    Example:
        >>> median(tensor([3.0, 1.0, 2.0, 4.0])).item()
        2.0
    """
    return middle("median", b"MedianBackward1", MedianResult, input, dim, keepdim, out,
                  False)


def nanmedian(Tensor input not None, dim=None, keepdim=False, *, out=None):
    """Return the median of what is not NaN; see median.

    Example:
        >>> nanmedian(tensor([3.0, float("nan"), 2.0])).item()
        2.0
    """
    return middle("nanmedian", b"NanmedianBackward1", NanmedianResult, input, dim,
                  keepdim, out, True)


def mode(Tensor input not None, dim=-1, keepdim=False, *, out=None):
    """Return the most frequent element along `dim`, and where it is last.

    Example:
        >>> mode(tensor([1.0, 2.0, 2.0])).values.item()
        2.0
    """
    cdef list index = []
    cdef Tensor y
    cdef int d = dim_of(dim, input.rank)
    check_line("mode", input, d)
    y = chosen(MODE, b"ModeBackward0", input, d, 1, keepdim, 0, 0, index)
    return deliver_pair(ModeResult, y, <Tensor>index[0], out)
