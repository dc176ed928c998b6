"""Views of any strides: as_strided, diagonal, unfold.

A view reads its elements from the memory of another one; the adjoint adds gradients up
there.  Both are `take` and `embed` between two layouts of one storage, and each is the
derivative of the other.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cimport cython

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, send, set_edge)
from tinytorch._core.executor cimport (
    Driver, Kernel, View, copy_into, fill_with, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.shape cimport (
    contiguous, read_dim, read_int, read_sizes, reshaped_in_place, view_node,
    viewed, zeros)
from tinytorch._core.tensor cimport (
    Tensor, empty_beside, is_contiguous, over, wrote)
from tinytorch._core.types cimport (
    BF16, COMPUTE_I64, F16, F32, I64, MAX_DIMS, compute_of, itemsize)

__all__ = ["as_strided", "diagonal"]
METHODS = ["as_strided", "as_strided_", "diagonal", "unfold"]

cdef extern from "overlap.h" nogil:
    int overlap_add_driver(const KernelCall* call)
    void** overlap_add_functions
    ctypedef struct KernelCall:
        pass

cdef Kernel* ADD = register_kernel(
    "overlap_add", <Driver>overlap_add_driver, overlap_add_functions, 0, 1)


# ---- layouts ----

@cython.final
@cython.freelist(64)
@cython.no_gc  # holds numbers only
cdef class Layout:
    """Sizes, strides and offset of a tensor that need not live any more."""

    def __init__(self):
        raise TypeError("layouts are made by views")

    def __dealloc__(self):
        free(self.sizes)


cdef Layout layout(int rank, const int64_t* sizes, const int64_t* strides,
                   int64_t offset):
    cdef Layout made = Layout.__new__(Layout)
    made.sizes = <int64_t*>malloc((2 * rank + 1) * sizeof(int64_t))
    if made.sizes == NULL:
        raise MemoryError()
    made.strides = made.sizes + rank
    made.rank = rank
    made.offset = offset
    memcpy(made.sizes, sizes, rank * sizeof(int64_t))
    memcpy(made.strides, strides, rank * sizeof(int64_t))
    return made


cdef Layout layout_of(Tensor x):
    return layout(x.rank, x.sizes, x.strides, x.offset // itemsize[x.code])


cdef int64_t end_of(Layout a) noexcept:
    """One past the last element, counted like a.offset."""
    cdef int64_t last = a.offset
    cdef int i
    for i in range(a.rank):
        if a.sizes[i] == 0:
            return a.offset
        last += (a.sizes[i] - 1) * a.strides[i]
    return last + 1


cdef bint overlaps(Layout a) noexcept:
    """Whether two indices may show the same element; in doubt, yes."""
    cdef int[MAX_DIMS] order
    cdef int i, k, n = 0
    cdef int64_t reach = 0
    for i in range(a.rank):
        if a.sizes[i] == 0:
            return False
        if a.sizes[i] > 1:
            k = n
            while k > 0 and a.strides[order[k - 1]] > a.strides[i]:
                order[k] = order[k - 1]
                k -= 1
            order[k] = i
            n += 1
    for i in range(n):
        if a.strides[order[i]] <= reach:
            return True
        reach += (a.sizes[order[i]] - 1) * a.strides[order[i]]
    return False


# ---- the two adjoints ----

cdef Tensor memory_for(Tensor like, Layout inner, Layout outer, int code,
                       int64_t* begin):
    """Zeros for the part of the storage that both layouts span, from `begin` on."""
    cdef int64_t first = min(inner.offset, outer.offset)
    cdef int64_t n = max(end_of(inner), end_of(outer)) - first
    begin[0] = first
    return zeros(1, &n, like, code)


cdef Tensor part(Tensor memory, Layout a, int64_t begin):
    return over(memory, a.rank, a.sizes, a.strides,
                (a.offset - begin) * itemsize[memory.code])


cdef int add_at(Tensor memory, Layout a, int64_t begin, Tensor g) except -1:
    """memory[a] += g, where the memory is still zero."""
    cdef Tensor y = part(memory, a, begin)
    cdef View[2] v
    if not overlaps(a):
        copy_into(y, g)
        return 0
    g = cast(g, memory.code)
    view_of(&v[0], y)
    view_of(&v[1], g)
    run(ADD, v, 2, 1, NULL, 0, compute_of[memory.code], memory.storage.device)
    wrote(memory)
    return 0


cdef Tensor cast(Tensor x, int code):
    cdef Tensor y
    if x.code == code:
        return x
    y = empty_beside(x, x.rank, x.sizes, code)
    copy_into(y, x)
    return y


cdef int summing_code(int code) noexcept:
    """Sums of halves are kept in float32, those of integers in int64."""
    if compute_of[code] == COMPUTE_I64:
        return I64
    return F32 if code == F16 or code == BF16 else code


cdef Tensor embed(Tensor gy, Layout inner, Layout outer):
    cdef int64_t begin = 0
    cdef int code = summing_code(gy.code) if overlaps(inner) else gy.code
    cdef Tensor memory = memory_for(gy, inner, outer, code, &begin), gx
    cdef Node node = None
    add_at(memory, inner, begin, gy)
    gx = part(cast(memory, gy.code), outer, begin)
    if needs_grad(gy):
        node = new_node(embed_backward, b"AsStridedBackward0_copy")
        link(node, 0, gy)
        node.context = (inner, outer)
        attach(gx, node)
    return gx


cdef int embed_backward(Node node, Tensor gy) except -1:
    """The elements that were placed: dx = take(dy)"""
    send(node, 0,
         take(gy, <Layout>(<tuple>node.context)[0], <Layout>(<tuple>node.context)[1]))
    return 0


cdef bint same_strides(Tensor x, Layout a):
    cdef int i
    for i in range(a.rank):
        if a.strides[i] != x.strides[i] and a.sizes[i] != 1:
            return False
    return True


cdef Tensor take(Tensor g, Layout inner, Layout outer):
    cdef int64_t begin = outer.offset
    cdef Tensor y, memory
    cdef Node node = None
    cdef int code
    if needs_grad(g):
        node = new_node(take_backward, b"AsStridedBackward0")
        link(node, 0, g)
        node.context = (inner, outer)
    if not is_contiguous(g) and not same_strides(g, outer):
        g = contiguous(g)
    if inner.offset >= begin and end_of(inner) <= end_of(outer) and same_strides(g,
                                                                                 outer):
        y = over(g, inner.rank, inner.sizes, inner.strides,
                 g.offset + (inner.offset - begin) * itemsize[g.code])
    else:
        code = summing_code(g.code) if overlaps(outer) else g.code
        memory = memory_for(g, inner, outer, code, &begin)
        add_at(memory, outer, begin, g)
        y = part(cast(memory, g.code), inner, begin)
    if node is not None:
        attach(y, node)
    return y


cdef int take_backward(Node node, Tensor gy) except -1:
    """Gradients go back to the places that were read: dx = embed(dy)"""
    send(node, 0,
         embed(gy, <Layout>(<tuple>node.context)[0], <Layout>(<tuple>node.context)[1]))
    return 0


cdef Tensor cut_out(Tensor g, Layout inner, Layout outer):
    cdef int64_t begin = 0
    cdef Tensor memory = memory_for(g, inner, outer, g.code, &begin)
    cdef Tensor y = part(memory, outer, begin)
    cdef Node node
    copy_into(y, g)
    fill_with(part(memory, inner, begin), 0, 0)
    if needs_grad(g):
        node = new_node(cut_out_backward, b"CopyBackwards")
        link(node, 0, g)
        node.context = (inner, outer)
        attach(y, node)
    return y


cdef int cut_out_backward(Node node, Tensor gy) except -1:
    """A projection is its own adjoint: dx = cut_out(dy)"""
    send(node, 0, cut_out(gy, <Layout>(<tuple>node.context)[0],
                          <Layout>(<tuple>node.context)[1]))
    return 0


# ---- as_strided ----

cdef Tensor c_as_strided(Tensor x, int rank, const int64_t* sizes,
                         const int64_t* strides, int64_t offset):
    cdef Layout inner
    cdef Node node = None
    inner = layout(rank, sizes, strides, offset)
    check_bounds(x, inner)
    if needs_grad(x):
        node = new_node(as_strided_backward, b"AsStridedBackward0")
        link(node, 0, x)
        node.context = (inner, layout_of(x))
    return viewed(x, node, rank, sizes, strides, offset * itemsize[x.code])


cdef Node as_strided_node(object target, int nr, Layout outer, Layout inner):
    """The node of a view whose base has become output nr of `target`."""
    cdef Node node = new_node(as_strided_backward, b"AsStridedBackward0")
    set_edge(node, 0, target, nr)
    node.context = (inner, outer)
    return node


cdef int as_strided_backward(Node node, Tensor gy) except -1:
    """dx = dy added up where it was read, shared evenly among equals of x"""
    cdef Layout inner = <Layout>(<tuple>node.context)[0]
    cdef Layout outer = <Layout>(<tuple>node.context)[1]
    cdef Tensor gx = embed(gy, inner, outer)
    if overlaps(outer):
        gx = c_mul(gx, inverse_counts(gx, outer))
    send(node, 0, gx)
    return 0


cdef Tensor inverse_counts(Tensor like, Layout a):
    """1 / how many indices of the layout show the element, by index."""
    cdef int64_t begin = 0
    cdef int code = summing_code(like.code)
    cdef Tensor memory = memory_for(like, a, a, code, &begin)
    cdef Tensor ones = empty_beside(like, a.rank, a.sizes, code)
    fill_with(ones, 1, 1)
    add_at(memory, a, begin, ones)
    return <Tensor?>(1.0 / cast(part(memory, a, begin), like.code))


cdef int check_bounds(Tensor x, Layout a) except -1:
    cdef int i
    cdef int64_t size = itemsize[x.code]
    sizes = [a.sizes[i] for i in range(a.rank)]
    strides = [a.strides[i] for i in range(a.rank)]
    for i in range(a.rank):
        if a.strides[i] < 0:
            raise RuntimeError("as_strided: Negative strides are not supported at the "
                               f"moment, got strides: {strides}")
        if a.sizes[i] < 0:
            raise RuntimeError("Storage size calculation overflowed with "
                               f"sizes={sizes} and strides={strides}")
        if a.sizes[i] > 1 and a.strides[i] > (<int64_t>1 << 59) // a.sizes[i]:
            raise RuntimeError("Storage size calculation overflowed with "
                               f"sizes={sizes} and strides={strides}")
    if a.offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {a.offset}")
    if end_of(a) > a.offset and end_of(a) * size > x.storage.nbytes:
        raise RuntimeError(
            f"setStorage: sizes {sizes}, strides {strides}, storage offset {a.offset}, "
            f"and itemsize {size} requiring a storage size of {end_of(a) * size} are "
            f"out of bounds for storage of size {x.storage.nbytes}")
    return 0


def as_strided(Tensor input not None, size, stride, storage_offset=None):
    """Return a view of the storage with any sizes and strides."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int rank = read_sizes(size, sizes, "as_strided")
    if read_sizes(stride, strides, "as_strided") != rank:
        raise RuntimeError("mismatch in length of strides and shape")
    return c_as_strided(input, rank, sizes, strides,
                        input.offset // itemsize[input.code] if storage_offset is None
                        else read_int(storage_offset, "as_strided", "storage_offset"))


def as_strided_(Tensor self not None, size, stride, storage_offset=None):
    """Give self any sizes and strides over its storage."""
    cdef Tensor y = as_strided(self, size, stride, storage_offset)
    return reshaped_in_place(self, y)


# ---- diagonal ----

cdef Tensor c_diagonal(Tensor x, int64_t diagonal, int a, int b):
    """The elements [i, i + diagonal] of dimensions a and b, as the last dimension."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t rows = x.sizes[a], columns = x.sizes[b], offset = 0, count
    cdef int d, rank = 0
    cdef Node node = None
    if diagonal >= 0:
        count = max(min(rows, columns - diagonal), 0)
        offset = diagonal * x.strides[b]
    else:
        count = max(min(rows + diagonal, columns), 0)
        offset = -diagonal * x.strides[a]
    if count == 0:
        offset = 0
    for d in range(x.rank):
        if d != a and d != b:
            sizes[rank] = x.sizes[d]
            strides[rank] = x.strides[d]
            rank += 1
    sizes[rank] = count
    strides[rank] = x.strides[a] + x.strides[b]
    node = view_node(x, diagonal_backward, b"DiagonalBackward0")
    if node is not None:
        node.i0 = diagonal
        node.i1 = a
        node.i2 = b
        node.context = (rows, columns)
    return viewed(x, node, rank + 1, sizes, strides,
                  x.offset + offset * itemsize[x.code])


cdef int diagonal_backward(Node node, Tensor gy) except -1:
    """dx = dy on the diagonal, zero elsewhere"""
    send(node, 0, on_diagonal(gy, node.i0, <int>node.i1, <int>node.i2,
                              node.context[0], node.context[1]))
    return 0


cdef Tensor on_diagonal(Tensor gy, int64_t diagonal, int a, int b, int64_t rows,
                        int64_t columns):
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int d, k = 0
    cdef Node node
    cdef Tensor gx
    for d in range(gy.rank + 1):
        if d == a:
            sizes[d] = rows
        elif d == b:
            sizes[d] = columns
        else:
            sizes[d] = gy.sizes[k]
            k += 1
    gx = zeros(gy.rank + 1, sizes, gy, gy.code)
    copy_into(c_diagonal(gx, diagonal, a, b), gy)
    if needs_grad(gy):
        node = new_node(on_diagonal_backward, b"DiagonalBackwardBackward0")
        link(node, 0, gy)
        node.i0 = diagonal
        node.i1 = a
        node.i2 = b
        attach(gx, node)
    return gx


cdef int on_diagonal_backward(Node node, Tensor gy) except -1:
    """dx = the diagonal of dy"""
    send(node, 0, c_diagonal(gy, node.i0, <int>node.i1, <int>node.i2))
    return 0


def diagonal(Tensor input not None, offset=0, dim1=0, dim2=1):
    """Return a view of the diagonals over two dimensions, as the last dimension."""
    cdef int a = read_dim(dim1, input.rank, "diagonal")
    cdef int b = read_dim(dim2, input.rank, "diagonal")
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return c_diagonal(input, read_int(offset, "diagonal", "offset"), a, b)


# ---- unfold: windows along a dimension ----

cdef Tensor c_unfold(Tensor x, int dim, int64_t size, int64_t step):
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int64_t[MAX_DIMS + 1] strides
    cdef Node node
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    memcpy(strides, x.strides, x.rank * sizeof(int64_t))
    sizes[x.rank] = size
    if x.rank:
        strides[x.rank] = x.strides[dim]
        sizes[dim] = (x.sizes[dim] - size) // step + 1
        strides[dim] = step * x.strides[dim]
    else:
        strides[0] = 1
    node = view_node(x, unfold_backward, b"UnfoldBackward0")
    if node is not None:
        node.i0 = dim
        node.i1 = step
        node.i2 = x.sizes[dim] if x.rank else 1
        node.i3 = x.rank
    return viewed(x, node, x.rank + 1, sizes, strides, x.offset)


cdef int unfold_backward(Node node, Tensor gy) except -1:
    """dx = the sum of dy over all windows that show the element"""
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int64_t[MAX_DIMS + 1] strides
    cdef int64_t step = 1
    cdef int d, dim = <int>node.i0, rank = <int>node.i3
    cdef Layout outer
    for d in range(rank):
        sizes[d] = gy.sizes[d]
    sizes[dim] = node.i2
    for d in range(rank - 1, -1, -1):
        strides[d] = step
        step *= max(sizes[d], 1)
    outer = layout(rank, sizes, strides, 0)
    strides[rank] = strides[dim] if rank else 1
    if rank:
        strides[dim] *= node.i1
    send(node, 0, embed(gy, layout(gy.rank, gy.sizes, strides, 0), outer))
    return 0


def unfold(Tensor self not None, dimension, size, step):
    """Return a view of all windows of `size` along a dimension, `step` apart."""
    cdef int dim = read_dim(dimension, self.rank, "unfold")
    cdef int64_t n = read_int(size, "unfold", "size")
    cdef int64_t pace = read_int(step, "unfold", "step")
    cdef int64_t most = self.sizes[dim] if self.rank else 1
    if n < 0:
        raise RuntimeError(f"size is {n} but must be >= 0")
    if n > most:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {most} but size is {n}")
    if pace <= 0:
        raise RuntimeError(f"step is {pace} but must be > 0")
    return c_unfold(self, dim, n, pace)
