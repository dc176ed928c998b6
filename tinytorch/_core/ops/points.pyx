"""Calls that read or write where tensors of indices point; no graph is known here."""

from libc.stdint cimport int64_t

from tinytorch._core.executor cimport (
    Driver, Kernel, Scalar, View, copy_into, register_kernel, run, tt_parallel_for,
    view_of)
from tinytorch._core.ops.elementwise cimport broadcast_with
from tinytorch._core.ops.shape cimport contiguous
from tinytorch._core.tensor cimport (
    Tensor, data, empty_as, empty_beside, is_contiguous, size_of, view, wrote)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport (
    BF16, F16, F32, F64, I64, MAX_DIMS, compute_of)

cdef extern from "index.h" nogil:
    int index_get_driver(const void* call)
    int index_put_driver(const void* call)

tt_parallel_for = parallel_for

cdef Kernel* INDEX_GET = register_kernel("index_get", <Driver>index_get_driver, NULL)
cdef Kernel* INDEX_PUT = register_kernel("index_put", <Driver>index_put_driver, NULL)

cdef struct Points:             # how x is laid out for a call
    int before, indices, rank   # rank: of the result
    int64_t[MAX_DIMS] sizes     # of x:  before | indexed | after
    int64_t[MAX_DIMS] strides
    int64_t[2 * MAX_DIMS] result


# ---- layouts ----

cdef list aligned(Tensor x, list indices):
    cdef int64_t[2 * MAX_DIMS] sizes
    cdef int rank = 0
    cdef Tensor index, wide
    cdef list given = [index for index in indices if index is not None]
    cdef list result = []
    if len(given) > 1:
        for index in given:
            try:
                rank = broadcast_with(rank, sizes, index)
            except RuntimeError:
                refuse_shapes(given)
    for index in indices:
        if index is None or len(given) == 1:
            result.append(None if index is None else contiguous(index))
            continue
        if is_contiguous(index) and fits(index, rank, sizes):
            result.append(index)
            continue
        wide = empty_beside(index, rank, sizes, I64)
        copy_into(wide, index)
        result.append(wide)
    return result


cdef bint fits(Tensor x, int rank, const int64_t* sizes):
    cdef int d
    if x.rank != rank:
        return False
    for d in range(rank):
        if x.sizes[d] != sizes[d]:
            return False
    return True


cdef int refuse_shapes(list given) except -1:
    shapes = ", ".join([str(list(size_of(<Tensor>index))) for index in given])
    raise IndexError("shape mismatch: indexing tensors could not be broadcast together "
                     f"with shapes {shapes}")


cdef Tensor arrange(Tensor x, list indices, Points* p):
    """Lay x out with its indexed dimensions together; returns the first index."""
    cdef int d, k, n = len(indices), first = -1, last = -1, at
    cdef Tensor index = None
    cdef bint together
    p.indices = 0
    for d in range(n):
        if indices[d] is not None:
            if first < 0:
                first = d
                index = <Tensor>indices[d]
            last = d
            p.indices += 1
    together = last - first + 1 == p.indices
    p.before = first if together else 0
    at = 0
    for k in range(3 if not together else 1):  # all; or nothing, indexed, others
        for d in range(x.rank):
            if not together and (k == 0 or (k == 1) != (
                    d < n and indices[d] is not None)):
                continue
            p.sizes[at] = x.sizes[d]
            p.strides[at] = x.strides[d]
            at += 1
    p.rank = x.rank - p.indices + index.rank
    if p.rank > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions, got {p.rank}")
    for d in range(p.before):
        p.result[d] = p.sizes[d]
    for d in range(index.rank):
        p.result[p.before + d] = index.sizes[d]
    for d in range(p.before + p.indices, x.rank):
        p.result[index.rank + d - p.indices] = p.sizes[d]
    refuse_empty(p, index)
    return index


cdef int refuse_empty(const Points* p, Tensor index) except -1:
    """Nothing can be found in a dimension of size 0."""
    cdef int d
    if index.count:
        for d in range(p.before, p.before + p.indices):
            if p.sizes[d] == 0:
                raise IndexError(
                    "index is out of bounds for dimension with size 0")
    return 0


cdef int result_sizes(Tensor x, list indices, int64_t* sizes) except -1:
    cdef Points p
    cdef int d
    arrange(x, indices, &p)
    for d in range(p.rank):
        sizes[d] = p.result[d]
    return p.rank


# ---- calls ----

cdef int call(const Kernel* kernel, Tensor y, Tensor x, Tensor indexed, list indices,
              Points* p, bint wraps, int mode) except -1:
    cdef View[MAX_DIMS + 2] v
    cdef Scalar[4] s
    cdef int n = 2
    cdef Tensor index
    view_of(&v[0], y)
    view_of(&v[1], x)
    v[0 if indexed is y else 1].shape = p.sizes
    v[0 if indexed is y else 1].strides = p.strides
    for index in indices:
        if index is not None:
            view_of(&v[n], index)
            n += 1
    s[0].i = p.before
    s[1].i = p.indices
    s[2].i = wraps
    s[3].i = mode
    return run(kernel, v, n, 1, s, 4, compute_of[y.code], y.storage.device)


cdef Tensor read_points(Tensor x, list indices, bint wraps):
    cdef Points p
    cdef Tensor y
    arrange(x, indices, &p)
    y = empty_beside(x, p.rank, p.result, x.code)
    call(INDEX_GET, y, x, x, indices, &p, wraps, 0)
    return y


cdef int write_points(Tensor y, list indices, Tensor x, int mode, bint wraps) except -1:
    """x must broadcast to what read_points would return."""
    cdef Points p
    cdef Tensor index, sums
    if mode == PUT_ADD and y.code != F32 and y.code != F64 and y.code != I64:
        sums = computed(y)
        write_points(sums, indices, computed(x), mode, wraps)
        return copy_into(y, sums)
    index = arrange(y, indices, &p)
    if x.code != y.code:
        x = cast(x, y.code)
    x = spread_evenly(x, &p, index.rank)
    call(INDEX_PUT, y, x, y, indices, &p, wraps, mode)
    wrote(y)
    return 0


cdef Tensor cast(Tensor x, int code):
    cdef Tensor y = empty_as(x, code)
    copy_into(y, x)
    return y


cdef Tensor computed(Tensor x):
    """x in the dtype that sums are made in."""
    return cast(x, F32 if x.code == F16 or x.code == BF16 else I64)


cdef Tensor spread_evenly(Tensor x, const Points* p, int inner):
    """x expanded to the result's sizes, the dimensions of the indices evenly spaced."""
    cdef int64_t[2 * MAX_DIMS] strides
    cdef int d, shift = p.rank - x.rank
    cdef int64_t step = 0, n = 1
    cdef bint even = True
    cdef Tensor y
    for d in range(p.rank):
        strides[d] = 0
        if d >= shift and x.sizes[d - shift] != 1:
            strides[d] = x.strides[d - shift]
    for d in range(p.before + inner - 1, p.before - 1, -1):
        if p.result[d] == 1:
            continue
        even = even and (n == 1 or strides[d] == step * n)
        if n == 1:
            step = strides[d]
        n *= p.result[d]
    if even:
        return view(x, p.rank, p.result, strides, x.offset)
    y = empty_beside(x, p.rank, p.result, x.code)
    copy_into(y, x)
    return spread_evenly(y, p, inner)


# ---- one dimension ----

cdef list along(int dim, Tensor index):
    cdef list indices = [None] * dim
    indices.append(contiguous(index))
    return indices


cdef Tensor read_along(Tensor x, int dim, Tensor index):
    return read_points(x, along(dim, index), False)


cdef int write_along(Tensor y, int dim, Tensor index, Tensor x, int mode) except -1:
    return write_points(y, along(dim, index), x, mode, False)


cdef int64_t first_outside(Tensor index, int64_t size, bint wraps) except? -1:
    """The index that an IndexError was about."""
    cdef int64_t k, i
    cdef const int64_t* at
    index = contiguous(index)
    at = <const int64_t*>data(index)
    for k in range(index.count):
        i = at[k]
        if i >= size or i < (-size if wraps else 0):
            return i
    return 0
