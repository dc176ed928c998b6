"""scatter_reduce and index_reduce: products, means, extrema of what meets in one place.

index_reduce is scatter_reduce with the same index for a whole row.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.autograd cimport (
    Node, check_write, link, needs_grad2, new_node, rebase, attach, save, save_output,
    saved, send, wants)
from tinytorch._core.executor cimport copy_into, fill_with
from tinytorch._core.ops.along cimport check_rows
from tinytorch._core.ops.arithmetic cimport c_div, c_floor_divide, c_mul
from tinytorch._core.ops.assign cimport check_overlap, start
from tinytorch._core.ops.compare cimport c_eq, c_eq_number, c_logical_and
from tinytorch._core.ops.elementwise cimport Number, deliver, number_of_float
from tinytorch._core.ops.gather cimport (
    SCATTER_ADD, SCATTER_MAX, SCATTER_MIN, SCATTER_MUL, SCATTER_SET, c_gather,
    c_scatter, c_scatter_add, check_scatter, long_index, scatter_into)
from tinytorch._core.ops.mask cimport c_masked_fill
from tinytorch._core.ops.points cimport first_outside
from tinytorch._core.ops.select cimport c_where
from tinytorch._core.ops.shape cimport (
    c_expand, c_to, c_view, contiguous, ones_like, read_dim, zeros, zeros_like)
from tinytorch._core.storage cimport CPU
from tinytorch._core.tensor cimport Tensor, empty_beside
from tinytorch._core.types cimport (
    BOOL, I8, I16, I32, I64, MAX_DIMS, U8, is_float)

import warnings

METHODS = ["scatter_reduce", "scatter_reduce_", "index_reduce", "index_reduce_"]
__all__ = ["scatter_reduce", "index_reduce"]

cdef enum:
    SUM, PROD, MEAN, AMAX, AMIN

cdef dict kinds = {"sum": SUM, "prod": PROD, "mean": MEAN, "amax": AMAX, "amin": AMIN}
cdef int[5] modes = [SCATTER_ADD, SCATTER_MUL, SCATTER_ADD, SCATTER_MAX, SCATTER_MIN]


# ---- values ----

cdef Tensor neutral(Tensor y, int kind):
    """What a place that does not count itself starts from: a 0-d tensor."""
    cdef Tensor x = empty_beside(y, 0, NULL, y.code)
    cdef int64_t integer = kind == PROD
    cdef double value = kind == PROD
    cdef int bits = {I8: 7, I16: 15, I32: 31, I64: 63, U8: 8}.get(y.code, 1)
    cdef int64_t highest = <int64_t>((<uint64_t>1 << bits) - 1)
    if kind == AMAX:
        value = -INFINITY
        integer = 0 if y.code in (U8, BOOL) else -highest - 1
    elif kind == AMIN:
        value = INFINITY
        integer = highest
    fill_with(x, value, integer)
    return x


cdef Tensor one_of(Tensor y, int code):
    cdef Tensor x = empty_beside(y, 0, NULL, code)
    fill_with(x, 1, 1)
    return x


cdef Tensor counts(Tensor x, int dim, Tensor index, bint include_self):
    """How many values meet in each place of x, at least 1; in x's dtype."""
    cdef Number one = number_of_float(1)
    cdef Tensor n = ones_like(x) if include_self else zeros_like(x)
    scatter_into(n, dim, index, one_of(x, x.code), SCATTER_ADD)
    return n if include_self else c_masked_fill(n, c_eq_number(n, 0), &one)


cdef int reduce_into(Tensor y, int dim, Tensor index, Tensor source, int kind,
                     bint include_self) except -1:
    cdef Tensor n
    if not include_self:
        scatter_into(y, dim, index, neutral(y, kind), SCATTER_SET)
    scatter_into(y, dim, index, source, modes[kind])
    if kind == MEAN:
        n = counts(y, dim, index, include_self)
        copy_into(y, c_div(y, n) if is_float(y.code) else c_floor_divide(y, n))
    return 0


cdef Tensor reduced(Tensor x, int dim, Tensor index, Tensor source, int kind,
                    bint include_self, bint in_place, const char* title):
    cdef Node node = None
    cdef Tensor y
    if in_place:
        check_write(x, source)
        check_overlap(x, source)
    if kind == MEAN and x.code == BOOL:
        raise NotImplementedError(
            "\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'")
    if needs_grad2(x, source) and is_float(x.code):
        node = new_node(reduced_backward, title)
        link(node, 0, x)
        link(node, 1, source)
        save(node, 0, index)
        # In place, the values of before are kept as they were.
        save(node, 1, start(x, False) if in_place else x)
        save(node, 2, source)
        node.i0 = dim
        node.i1 = kind
        node.i2 = include_self
    if in_place and source.storage == x.storage:
        source = start(source, False)
    y = start(x, in_place and kind != MEAN and include_self)  # one write is one version
    if index.count:
        reduce_into(y, dim, index, source, kind, include_self)
    if in_place and y is not x:
        copy_into(x, y)
        y = x
    if node is not None:
        if kind > MEAN:
            save_output(node, 3, y)
        if in_place:
            rebase(y, node)
        else:
            attach(y, node)
    return y


# ---- gradients ----

cdef int reduced_backward(Node node, Tensor gy) except -1:
    """Sum: dx = ds = dy.  Mean: dy / n.  Product: the product of the others.  Extrema:
    dy in equal parts among all that attain them.  Without x itself: dx = 0 there."""
    cdef Tensor index = saved(node, 0), x = saved(node, 1), source = saved(node, 2)
    cdef Tensor gx = None, gs = None, y, part, first, second, share
    cdef int dim = <int>node.i0, kind = <int>node.i1
    if index.count == 0:
        send(node, 0, gy)
        if wants(node, 1):
            send(node, 1, zeros_like(source))
        return 0
    if kind <= MEAN and kind != PROD:
        gx = gy if kind == SUM else c_div(gy, counts(gy, dim, index, node.i2))
        if wants(node, 1):
            gs = c_gather(gx, dim, index)
    elif kind == PROD:
        if wants(node, 0):
            gx = product_before(node, gy, x, source, index)
        if wants(node, 1):
            gs = product_sources(node, gy, x, source, index)
    else:
        y = saved(node, 3)
        part = <Tensor>corner(source, index)
        first = c_to(c_eq(x, y), gy.code)
        second = c_to(c_eq(part, c_gather(y, dim, index)), gy.code)
        share = c_div(gy, c_scatter_add(first, dim, index, second, False))
        gx = c_mul(first, share)
        gs = c_mul(second, c_gather(share, dim, index))
    if wants(node, 0):
        if not node.i2:
            gx = c_scatter(gx, dim, index, zeros(0, NULL, gy, gy.code), False)
        send(node, 0, gx)
    if wants(node, 1):
        send(node, 1, spread(gs, index, source))
    return 0


cdef object corner(Tensor x, Tensor index):
    """The part of x that the index reaches."""
    cdef int d
    return x[tuple([slice(0, index.sizes[d]) for d in range(index.rank)])]


cdef Tensor product_before(Node node, Tensor gy, Tensor x, Tensor source, Tensor index):
    cdef Number one = number_of_float(1)
    cdef Tensor without = c_masked_fill(x, c_eq_number(x, 0), &one)
    cdef Tensor y = reduced(without, <int>node.i0, index, source, PROD, node.i2, False,
                            b"ScatterReduceBackward0")
    return c_div(c_mul(gy, y), without)


cdef Tensor product_sources(Node node, Tensor gy, Tensor x, Tensor source,
                            Tensor index):
    """A single zero in a place gets the product of all others, directly."""
    cdef Number one = number_of_float(1)
    cdef int dim = <int>node.i0
    cdef bint counted = node.i2
    cdef Tensor part = <Tensor>corner(source, index)
    cdef Tensor zero = c_eq_number(part, 0), found, single, y, others
    found = c_scatter_add(zeros_like(gy), dim, index, c_to(zero, gy.code), True)
    found = c_gather(found, dim, index)
    single = c_logical_and(zero, c_eq_number(found, 1))
    y = reduced(x, dim, index, part, PROD, counted, False, b"ScatterReduceBackward0")
    others = reduced(x, dim, index, c_masked_fill(part, single, &one), PROD, counted,
                     False, b"ScatterReduceBackward0")
    return c_where(single, c_gather(c_mul(gy, others), dim, index),
                   c_div(c_gather(c_mul(gy, y), dim, index),
                         c_masked_fill(part, zero, &one)))


cdef Tensor spread(Tensor g, Tensor index, Tensor source):
    """g in the source's sizes, 0 where the index does not reach."""
    cdef Tensor whole
    cdef int d
    cdef bint same = index.rank == source.rank
    for d in range(index.rank):
        same = same and index.sizes[d] == source.sizes[d]
    if same:
        return g
    whole = zeros_like(source)
    corner(whole, index).copy_(g)
    return whole


# ---- functions ----

cdef int read_kind(object reduce) except -1:
    if reduce not in kinds:
        raise RuntimeError("reduce argument must be either sum, prod, mean, amax or "
                           f"amin, got {reduce}")
    return kinds[reduce]


cdef Tensor scatter_any(Tensor x, object dim, Tensor index, Tensor src, object reduce,
                        bint include_self, bint in_place):
    cdef int d = read_dim(dim, x.rank, "scatter_reduce")
    check_scatter(x, d, index, src)
    return reduced(x, d, long_index(index), src, read_kind(reduce), include_self,
                   in_place, b"ScatterReduceBackward0")


def scatter_reduce(Tensor input not None, dim, Tensor index not None,
                   Tensor src not None, reduce, *, include_self=True, out=None):
    """Return the input with `src` reduced into the places that the index names.

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; without ``include_self`` the
    input's own values do not count where the index points.
    """
    y = scatter_any(input, dim, index, src, reduce, include_self, False)
    return deliver(<Tensor>y, out)


def scatter_reduce_(Tensor self not None, dim, Tensor index not None,
                    Tensor src not None, reduce, *, include_self=True):
    """In-place `scatter_reduce`."""
    return scatter_any(self, dim, index, src, reduce, include_self, True)


cdef Tensor rows_any(Tensor x, object dim, Tensor index, Tensor source, object reduce,
                     bint include_self, bint in_place):
    cdef int64_t[MAX_DIMS] sizes
    cdef int k, d = read_dim(dim, x.rank, "index_reduce")
    cdef Tensor wide
    if reduce not in kinds or reduce == "sum":
        raise RuntimeError("index_reduce(): Expected reduce to be one of prod, mean, "
                           f"amax or amin but got {reduce}.")
    warnings.warn("index_reduce() is in beta and the API may change at any time.",
                  UserWarning, stacklevel=3)
    check_rows(x, d, index, source, "index_reduce_")
    for k in range(source.rank):
        sizes[k] = index.count if k == d else 1
    wide = c_view(contiguous(long_index(index)), source.rank, sizes)
    wide = c_expand(wide, source.rank, source.sizes)
    if index.storage.device == CPU and \
            first_outside(long_index(index), x.sizes[d] if x.rank else 1, False):
        raise IndexError("index out of range in self")
    return reduced(x, d, wide, source, kinds[reduce], include_self, in_place,
                   b"IndexReduceBackward0")


def index_reduce(Tensor input not None, dim, Tensor index not None,
                 Tensor source not None, reduce, *, include_self=True, out=None):
    """Return the input with the source's rows reduced into those that the index names.

    `reduce` is "prod", "mean", "amax" or "amin".
    """
    y = rows_any(input, dim, index, source, reduce, include_self, False)
    return deliver(<Tensor>y, out)


def index_reduce_(Tensor self not None, dim, Tensor index not None,
                  Tensor source not None, reduce, *, include_self=True):
    """In-place `index_reduce`."""
    return rows_any(self, dim, index, source, reduce, include_self, True)
