"""Copies in another order: flip, roll, repeat."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, attach, link, needs_grad, new_node, send
from tinytorch._core.executor cimport copy_into, refuse_capture
from tinytorch._core.ops.convert cimport c_to_device
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport (
    c_expand, c_flatten, c_reshape, c_to, c_unsqueeze, contiguous, either, read_dim,
    read_dims, read_int, read_sizes, saved_sizes, save_sizes, unpack)
from tinytorch._core.storage cimport CPU, META
from tinytorch._core.tensor cimport Tensor, data, empty_beside, view
from tinytorch._core.types cimport I32, I64, MAX_DIMS, itemsize

__all__ = ["flip", "fliplr", "flipud", "roll", "rot90", "tile", "repeat_interleave"]
METHODS = ["flip", "fliplr", "flipud", "roll", "rot90", "repeat", "tile",
           "repeat_interleave"]


# ---- flip ----

cdef Tensor c_flip(Tensor x, int n, const int* dims):
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t offset = x.offset
    cdef int i, d
    cdef Tensor y = empty_beside(x, x.rank, x.sizes, x.code)
    cdef Node node
    memcpy(strides, x.strides, x.rank * sizeof(int64_t))
    if x.rank and x.count:
        for i in range(n):
            d = dims[i]
            offset += (x.sizes[d] - 1) * strides[d] * itemsize[x.code]
            strides[d] = -strides[d]
    copy_into(y, view(x, x.rank, x.sizes, strides, offset))  # the one with such strides
    if needs_grad(x):
        node = new_node(flip_backward, b"FlipBackward0")
        link(node, 0, x)
        for i in range(n):
            node.i0 |= <int64_t>1 << dims[i]
        attach(y, node)
    return y


cdef int flip_backward(Node node, Tensor gy) except -1:
    """dx = dy flipped over the same dimensions"""
    cdef int[MAX_DIMS] dims
    cdef int d, n = 0
    for d in range(MAX_DIMS):
        if (node.i0 >> d) & 1:
            dims[n] = d
            n += 1
    send(node, 0, c_flip(gy, n, dims))
    return 0


def flip(Tensor input not None, *over, dims=None):
    """Return a copy in the opposite order along the given dimensions.

    Example:
        >>> flip(arange(3), (0,)).tolist()
        [2, 1, 0]
    """
    cdef int[MAX_DIMS] wrapped
    return c_flip(input, read_dims(either(over, dims, "flip", "dims"), input.rank,
                                   wrapped, "flip"), wrapped)


def fliplr(Tensor input not None):
    """Return a copy with the columns in the opposite order."""
    cdef int dim = 1
    if input.rank < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return c_flip(input, 1, &dim)


def flipud(Tensor input not None):
    """Return a copy with the rows in the opposite order."""
    cdef int dim = 0
    if input.rank < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return c_flip(input, 1, &dim)


def rot90(Tensor input not None, k=1, dims=(0, 1)):
    """Return a copy turned by 90 degrees, k times, in the plane of two dimensions."""
    cdef int a, b
    cdef int[2] both
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = "
                           f"{len(dims)}")
    if input.rank < 2:
        raise RuntimeError("expected total dims >= 2, but got total dims = "
                           f"{input.rank}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == input.rank:
        raise RuntimeError("expected rotation dims to be different, but got dim0 = "
                           f"{dims[0]} and dim1 = {dims[1]}")
    a = read_dim(dims[0], input.rank, "rot90")
    b = read_dim(dims[1], input.rank, "rot90")
    both[0], both[1] = a, b
    turns = (read_int(k, "rot90", "k") % 4 + 4) % 4
    if turns == 1:
        return c_flip(input, 1, &b).transpose(a, b)
    if turns == 2:
        return c_flip(input, 2, both)
    return c_flip(input, 1, &a).transpose(a, b) if turns == 3 else input.clone()


# ---- roll ----

cdef int copy_part(Tensor y, Tensor x, int dim, int64_t to, int64_t start,
                   int64_t n) except -1:
    """y[to : to + n] = x[start : start + n] along dim"""
    cdef int64_t[MAX_DIMS] sizes
    if n == 0:
        return 0
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[dim] = n
    return copy_into(
        view(y, x.rank, sizes, y.strides,
             y.offset + to * y.strides[dim] * itemsize[y.code]),
        view(x, x.rank, sizes, x.strides,
             x.offset + start * x.strides[dim] * itemsize[x.code]))


cdef Tensor rolled(Tensor x, int dim, int64_t shift):
    cdef Tensor y = empty_beside(x, x.rank, x.sizes, x.code)
    cdef int64_t n = x.sizes[dim]
    if x.count == 0:
        return y
    shift = shift % n
    if shift < 0:
        shift += n
    copy_part(y, x, dim, shift, 0, n - shift)
    copy_part(y, x, dim, 0, n - shift, shift)
    return y


cdef Tensor c_roll(Tensor x, int n, const int64_t* shifts, const int* dims):
    cdef Tensor y = x
    cdef Node node
    cdef int i
    for i in range(n):
        y = rolled(y, dims[i], shifts[i])
    if needs_grad(x):
        node = new_node(roll_backward, b"RollBackward0")
        link(node, 0, x)
        node.context = [[shifts[i], dims[i]] for i in range(n)]
        attach(y, node)
    return y


cdef int roll_backward(Node node, Tensor gy) except -1:
    """dx = dy rolled the other way"""
    cdef int64_t[MAX_DIMS] shifts
    cdef int[MAX_DIMS] dims
    cdef int n = 0
    for shift, dim in node.context:
        shifts[n] = -shift
        dims[n] = dim
        n += 1
    send(node, 0, c_roll(gy, n, shifts, dims))
    return 0


def roll(Tensor input not None, shifts, dims=()):
    """Return a copy moved round along the given dimensions,
    or as if flat without any."""
    cdef int64_t[MAX_DIMS] by
    cdef int[MAX_DIMS] along
    cdef int i, n, m = 0
    cdef int64_t flat = input.count
    cdef tuple moves = shifts if isinstance(shifts, tuple) else tuple(shifts) \
        if isinstance(shifts, list) else (shifts,)
    cdef tuple over = dims if isinstance(dims, tuple) else tuple(dims) \
        if isinstance(dims, list) else (dims,)
    n, m = len(moves), len(over)
    if n == 0:
        raise RuntimeError("`shifts` required")
    if n != m and not (m == 0 and n == 1):
        raise RuntimeError("shifts and dimensions must align. shifts: "
                           f"{n}, dims:{m}")
    for i in range(n):
        by[i] = read_int(moves[i], "roll", "shifts")
    if m == 0:
        along[0] = 0
        return c_reshape(c_roll(c_reshape(input, 1, &flat), 1, by, along), input.rank,
                         input.sizes)
    if input.rank == 0:
        raise IndexError(f"Dimension specified as {over[0]} but tensor has no "
                         "dimensions")
    for i in range(m):
        along[i] = read_dim(over[i], input.rank, "roll")
    return c_roll(input, n, by, along)


# ---- repeat ----

cdef Tensor c_repeat(Tensor x, int rank, const int64_t* repeats):
    """x laid out repeats[d] times along dimension d; rank >= x.rank."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] tiles
    cdef int64_t[MAX_DIMS] y_strides
    cdef int64_t[MAX_DIMS] x_strides
    cdef int d, e, n = 0, lead = rank - x.rank
    cdef Tensor y
    cdef Node node
    for d in range(rank):
        sizes[d] = repeats[d] * (x.sizes[d - lead] if d >= lead else 1)
    y = empty_beside(x, rank, sizes, x.code)
    for d in range(rank):  # every dimension is (repeats, size); the ones are left out
        e = d - lead
        if n > MAX_DIMS - 2:
            raise RuntimeError("repeat(): too many dimensions")
        if repeats[d] != 1:
            tiles[n] = repeats[d]
            x_strides[n] = 0
            y_strides[n] = y.strides[d] * (x.sizes[e] if e >= 0 else 1)
            n += 1
        if e >= 0:
            tiles[n] = x.sizes[e]
            x_strides[n] = x.strides[e]
            y_strides[n] = y.strides[d]
            n += 1
    if y.count:
        copy_into(view(y, n, tiles, y_strides, y.offset),
                  view(x, n, tiles, x_strides, x.offset))
    if needs_grad(x):
        node = new_node(repeat_backward, b"RepeatBackward0")
        link(node, 0, x)
        save_sizes(node, x.rank, x.sizes)
        attach(y, node)
    return y


cdef int repeat_backward(Node node, Tensor gy) except -1:
    """dx = the sum of dy over all repeats"""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] tiles
    cdef int d, n = 0, rank = saved_sizes(node, sizes), lead = gy.rank - rank
    cdef unsigned long long summed = 0
    cdef int64_t times
    if gy.count == 0:
        send(node, 0, c_sum(c_expand_empty(gy, rank, sizes), 0))
        return 0
    for d in range(gy.rank):
        times = gy.sizes[d] // (sizes[d - lead] if d >= lead else 1)
        if times != 1 or d < lead:
            summed |= <unsigned long long>1 << n
            tiles[n] = times
            n += 1
        if d >= lead:
            tiles[n] = sizes[d - lead]
            n += 1
    gy = c_reshape(gy, n, tiles)
    send(node, 0, c_sum(gy, summed) if summed else gy)
    return 0


cdef Tensor c_expand_empty(Tensor gy, int rank, const int64_t* sizes):
    """Zeros of x's shape that depend on an empty gy: what nothing sums to."""
    cdef Tensor total = c_sum(gy)
    return c_expand(total, rank, sizes)


def repeat(Tensor self not None, *counts, repeats=None):
    """Return a copy that contains self repeats[d] times along each dimension."""
    cdef int64_t[MAX_DIMS] times
    cdef int64_t[MAX_DIMS] sizes
    cdef int d, rank
    cdef bint negative = False
    rank = read_sizes(either(counts, repeats, "repeat", "repeats"), times, "repeat")
    if rank < self.rank:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller "
                           "than number of dimensions of tensor")
    for d in range(rank):
        sizes[d] = times[d] * (self.sizes[d - rank + self.rank]
                               if d >= rank - self.rank else 1)
        if times[d] < 0:
            negative = True
    if negative:
        raise RuntimeError(f"Trying to create tensor with negative dimension "
                           f"{min([sizes[d] for d in range(rank)])}: "
                           f"{[sizes[d] for d in range(rank)]}")
    return c_repeat(self, rank, times)


def tile(Tensor input not None, *counts, dims=None):
    """Return repeat(dims), where missing dimensions in front are 1."""
    cdef int64_t[MAX_DIMS] times
    cdef int i, rank, shift
    rank = read_sizes(unpack(counts) if dims is None else dims, times, "tile")
    if rank < input.rank:
        shift = input.rank - rank
        for i in range(rank - 1, -1, -1):
            times[i + shift] = times[i]
        for i in range(shift):
            times[i] = 1
        rank = input.rank
    return c_repeat(input, rank, times)


def repeat_interleave(Tensor input not None, repeats=None, dim=None, *,
                      output_size=None):
    """Return a copy with every entry of a dimension repeated.

    `repeats` is one number, or a tensor of one number per entry.  Without `dim` the
    input is taken as flat.  With one tensor only, it returns the positions i, each
    input[i] times.
    """
    cdef int d
    if repeats is None:
        return positions(input, output_size)
    if dim is None:
        input = c_flatten(input, 0, max(input.rank - 1, 0))
        dim = 0
    d = read_dim(dim, input.rank, "repeat_interleave")
    if isinstance(repeats, Tensor):
        return by_counts(input, <Tensor>repeats, d, output_size)
    if isinstance(repeats, (float, list, tuple)) or not hasattr(repeats, "__index__"):
        raise TypeError(
            "repeat_interleave() received an invalid combination of arguments - got "
            f"({type(repeats).__name__}, int), but expected one of:\n * (Tensor "
            "repeats, int dim = None, *, int output_size = None)\n * (int repeats, int "
            "dim = None, *, int output_size = None)\n")
    return evenly(input, repeats.__index__(), d)


cdef Tensor evenly(Tensor x, int64_t times, int dim):
    """x with every entry of dim `times` times: (.., n, ..) -> (.., n, times, ..),
    flat."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t inner
    cdef Tensor y
    cdef Node node
    if times < 0:
        raise RuntimeError("Repeats must be non-negative")
    if x.rank == 0:
        x = c_unsqueeze(x, 0)
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[dim] *= times
    y = empty_beside(x, x.rank, sizes, x.code)
    memcpy(strides, y.strides, x.rank * sizeof(int64_t))
    inner = strides[dim]
    strides[dim] *= times
    # every pass writes one entry of each group
    for i in range(times if y.count else 0):
        copy_into(view(y, x.rank, x.sizes, strides, i * inner * itemsize[y.code]), x)
    if needs_grad(x):
        node = new_node(evenly_backward, b"RepeatInterleaveBackward0")
        link(node, 0, x)
        node.i0 = dim
        node.i1 = times
        node.i2 = x.sizes[dim]
        attach(y, node)
    return y


cdef int evenly_backward(Node node, Tensor gy) except -1:
    """dx = the sum of dy over each group of equal entries"""
    cdef int64_t[MAX_DIMS + 1] sizes
    cdef int d, dim = <int>node.i0
    for d in range(gy.rank):
        sizes[d if d <= dim else d + 1] = gy.sizes[d]
    sizes[dim] = gy.sizes[dim] // node.i1 if node.i1 else node.i2
    sizes[dim + 1] = node.i1
    gy = c_reshape(gy, gy.rank + 1, sizes)
    send(node, 0, c_sum(gy, <unsigned long long>1 << (dim + 1)))
    return 0


cdef object by_counts(Tensor x, Tensor repeats, int dim, object output_size):
    if x.rank == 0:
        x = c_unsqueeze(x, 0)
    if repeats.count == 1 and repeats.rank <= 1 and x.sizes[dim] != 1:
        return evenly(x, repeats.item(), dim)
    if repeats.rank > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats.count != x.sizes[dim]:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got "
            f"repeats.size(0) = {repeats.count} and input.size({dim}) = {x.sizes[dim]}")
    return x.index_select(dim, positions(c_flatten(repeats, 0, 0), output_size))


cdef Tensor positions(Tensor repeats, object output_size):
    """0 repeats[0] times, 1 repeats[1] times, and so on."""
    cdef int64_t total = 0, i, _k, at = 0
    cdef Tensor counts, y
    cdef int64_t* n
    cdef int64_t* p
    if repeats.rank > 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.code != I64 and repeats.code != I32:
        raise NotImplementedError(
            '"repeat_interleave_cpu" not implemented for '
            f"'{dtype_names[repeats.code]}'")
    refuse_capture("repeat_interleave")
    if repeats.storage.device == META:
        raise NotImplementedError("repeat_interleave of a meta tensor depends on "
                                  "values")
    counts = contiguous(c_to(c_to_device(repeats, CPU, 0), I64))
    n = <int64_t*>data(counts)
    for i in range(counts.count):
        if n[i] < 0:
            raise RuntimeError("repeats can not be negative")
        total += n[i]
    if output_size is not None and output_size != total:
        raise RuntimeError("allocated size does not match required size")
    y = empty_beside(counts, 1, &total, I64)
    p = <int64_t*>data(y)
    for i in range(counts.count):
        for _k in range(n[i]):
            p[at] = i
            at += 1
    return c_to_device(c_to(y, repeats.code), repeats.storage.device,
                       repeats.storage.index)


cdef tuple dtype_names = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short",
                          "Char", "Byte", "Bool")
