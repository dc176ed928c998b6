"""Tensors from sizes and numbers: zeros, full, arange, linspace, eye and the *_like."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t

from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport copy_new, fill_new
from tinytorch._core.ops.elementwise cimport Number, as_number, deliver
from tinytorch._core.ops.shape cimport empty_preserved, read_int, read_sizes, unpack
from tinytorch._core.storage cimport resize
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty, over, set_sizes, view
from tinytorch._core.types cimport (
    BOOL, BOOLS, F16, F32, F64, FLOATS, I64, MAX_DIMS, U8, dtype_of,
    get_default_dtype_code, is_float, itemsize, parse_device, parse_dtype)

__all__ = [
    "empty", "empty_like", "empty_strided", "zeros", "zeros_like", "ones", "ones_like",
    "full", "full_like", "eye", "tril_indices", "triu_indices", "scalar_tensor",
    "empty_permuted"]
METHODS = ["new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided"]


# ---- what factories have in common ----

cdef int check_layout(object layout, object pin_memory) except -1:
    if layout is not None and not str(layout).endswith("strided"):
        raise NotImplementedError(f"layout {layout} is not supported")
    if pin_memory:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    return 0


cdef Tensor make(int rank, const int64_t* sizes, object dtype, object device,
                 object layout, object pin_memory, int code):
    cdef int index = 0
    cdef int place = parse_device(device, &index)
    if layout is not None or pin_memory:
        check_layout(layout, pin_memory)
    if dtype is not None:
        code = parse_dtype(dtype, code)
    return empty(rank, sizes, code, place, index)


cdef Tensor make_like(Tensor x, object dtype, object device, object layout,
                      object pin_memory, object memory_format):
    """A tensor of x's shape, and as far as possible of its order in memory."""
    cdef int code = parse_dtype(dtype, x.code)
    check_format(memory_format)
    if layout is not None or pin_memory:
        check_layout(layout, pin_memory)
    if device is None and memory_format is None:
        return empty_preserved(x, code)
    return make(x.rank, x.sizes, None, x.device if device is None else device, None,
                False, code)


cdef int check_format(object memory_format) except -1:
    if memory_format is not None and "channels_last" in str(memory_format):
        raise NotImplementedError(f"memory format {memory_format} is not supported")
    return 0


cdef Tensor finish(Tensor y, object requires_grad):
    if requires_grad:
        if not is_float(y.code):
            raise RuntimeError("Only Tensors of floating point and complex dtype can "
                               "require gradients")
        y.flags |= REQUIRES_GRAD
    return y


cdef int factory_sizes(str name, tuple args, object size, int64_t* sizes) except -1:
    """Sizes from f(2, 3), f((2, 3)) or f(size=(2, 3)); returns how many."""
    cdef int i, rank
    if size is not None:
        if args:
            raise TypeError(f"{name}() got multiple values for argument 'size'")
        args = (size,)
    elif not args:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    given = unpack(args)
    for n in given:
        if type(n) is not int and (isinstance(n, (bool, float))
                                   or not hasattr(n, "__index__")):
            raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of "
                            f"ints, not {type(n).__name__}")
    rank = read_sizes(given, sizes, name)
    for i in range(rank):
        if sizes[i] < 0:
            if name == "zeros":
                raise RuntimeError("zeros: Dimension size must be non-negative.")
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {sizes[i]}: "
                f"{[sizes[k] for k in range(rank)]}")
    return rank


cdef object filled(str name, tuple args, object size, double value, object out,
                   object dtype, object layout, object device, object pin_memory,
                   object requires_grad):
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = factory_sizes(name, args, size, sizes)
    cdef Tensor y = make(rank, sizes, (<Tensor?>out).dtype if out is not None and
                         dtype is None else dtype, device, layout, pin_memory,
                         get_default_dtype_code())
    fill_new(y, value, <int64_t>value)
    return finish(<Tensor>deliver(y, out), requires_grad)


def empty_factory(*args, size=None, out=None, dtype=None, layout=None, device=None,
                  pin_memory=False, memory_format=None, requires_grad=False):
    """Return a tensor whose elements are not set."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = factory_sizes("empty", args, size, sizes)
    check_format(memory_format)
    if out is not None:
        resize_to(<Tensor?>out, rank, sizes)
        return out
    return finish(make(rank, sizes, dtype, device, layout, pin_memory,
                       get_default_dtype_code()), requires_grad)


cdef int resize_to(Tensor x, int rank, const int64_t* sizes) except -1:
    cdef int i
    cdef int64_t n = 1
    for i in range(rank):
        n *= sizes[i]
    if x.offset + n * itemsize[x.code] > x.storage.nbytes:
        resize(x.storage, x.offset + n * itemsize[x.code])
    return set_sizes(x, rank, sizes, NULL)


def zeros(*args, size=None, out=None, dtype=None, layout=None, device=None,
          pin_memory=False, requires_grad=False):
    """Return a tensor of zeros.

    Example:
        >>> zeros(2, 3).shape
        torch.Size([2, 3])
    """
    return filled("zeros", args, size, 0, out, dtype, layout, device, pin_memory,
                  requires_grad)


def ones(*args, size=None, out=None, dtype=None, layout=None, device=None,
         pin_memory=False, requires_grad=False):
    """Return a tensor of ones."""
    return filled("ones", args, size, 1, out, dtype, layout, device, pin_memory,
                  requires_grad)


cdef object dtype_of_number(const Number* n):
    if n.category == FLOATS:
        return dtype_of(get_default_dtype_code())
    return dtype_of(BOOL if n.category == BOOLS else I64)


cdef int read_number(object value, Number* n, str name) except -1:
    if isinstance(value, Tensor):
        if (<Tensor>value).rank:
            raise TypeError(f"{name} must be Number, not Tensor")
        value = item(<Tensor>value)
    if not as_number(value, n):
        raise TypeError(f"{name} must be Number, not {type(value).__name__}")
    return 0


cdef int fill_checked(Tensor y, const Number* n) except -1:
    """Fill y; a number that its dtype cannot hold is refused."""
    cdef double f = n.f
    cdef bint fits = True
    cdef int code = y.code
    if is_float(code):
        if isfinite(f):
            fits = (code == F64 or (code == F16 and -65504 <= f <= 65504)
                    or (code != F16 and -3.4028235677973366e38 < f
                        < 3.4028235677973366e38))
    elif code != BOOL and n.category == FLOATS:
        fits = -9.3e18 < f < 9.3e18 and in_range(code, n.i)
    elif code != BOOL:
        fits = in_range(code, n.i)
    if not fits:
        raise RuntimeError(
            f"value cannot be converted to type {c_names[code]} without overflow")
    fill_new(y, f,
             n.i if code != BOOL else f != 0 if n.category == FLOATS else n.i != 0)
    return 0


cdef tuple c_names = ("float", "double", "c10::Half", "c10::BFloat16", "int64_t", "int",
                      "int16_t", "int8_t", "uint8_t", "bool")


cdef bint in_range(int code, int64_t value) noexcept:
    """Whether an integer dtype holds the value;
    uint8 lets negative ones wrap around."""
    cdef int64_t top
    if code == I64:
        return True
    if code == U8:
        return -255 <= value <= 255
    top = <int64_t>1 << (8 * itemsize[code] - 1)
    return -top <= value < top


def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None,
         pin_memory=False, requires_grad=False):
    """Return a tensor filled with a number; its dtype follows from the number.

    Example:
        >>> full((2,), 7).tolist()
        [7, 7]
    """
    cdef int64_t[MAX_DIMS] sizes
    cdef Number n
    cdef Tensor y
    cdef int rank
    if not isinstance(size, (tuple, list)):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, "
                        f"not {type(size).__name__}")
    rank = factory_sizes("full", (size,), None, sizes)
    if (isinstance(fill_value, Tensor) and dtype is None
            and not (<Tensor>fill_value).rank):
        dtype = fill_value.dtype
    read_number(fill_value, &n, "full(): argument 'fill_value' (position 2)")
    if dtype is None:
        dtype = dtype_of_number(&n) if out is None else (<Tensor?>out).dtype
    y = make(rank, sizes, dtype, device, layout, pin_memory, F32)
    fill_checked(y, &n)
    return finish(<Tensor>deliver(y, out), requires_grad)


# ---- like another tensor ----

def empty_like(Tensor input not None, *, dtype=None, layout=None, device=None,
               pin_memory=False, requires_grad=False, memory_format=None):
    """Return an unset tensor of the input's shape, dtype and device."""
    return finish(make_like(input, dtype, device, layout, pin_memory, memory_format),
                  requires_grad)


def zeros_like(Tensor input not None, *, dtype=None, layout=None, device=None,
               pin_memory=False, requires_grad=False, memory_format=None):
    """Return zeros of the input's shape, dtype and device."""
    cdef Tensor y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    fill_new(y, 0, 0)
    return finish(y, requires_grad)


def ones_like(Tensor input not None, *, dtype=None, layout=None, device=None,
              pin_memory=False, requires_grad=False, memory_format=None):
    """Return ones of the input's shape, dtype and device."""
    cdef Tensor y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    fill_new(y, 1, 1)
    return finish(y, requires_grad)


def full_like(Tensor input not None, fill_value, *, dtype=None, layout=None,
              device=None, pin_memory=False, requires_grad=False, memory_format=None):
    """Return a tensor of the input's shape, dtype and device filled with a number."""
    cdef Number n
    cdef Tensor y = make_like(input, dtype, device, layout, pin_memory, memory_format)
    read_number(fill_value, &n, "full_like(): argument 'fill_value' (position 2)")
    fill_checked(y, &n)
    return finish(y, requires_grad)


cdef Tensor new_from(str name, Tensor self, tuple args, object size, object dtype,
                     object device, object layout, object pin_memory):
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = factory_sizes(name, args, size, sizes)
    return make(rank, sizes, dtype, self.device if device is None else device, layout,
                pin_memory, self.code)


def new_empty(Tensor self not None, *args, size=None, dtype=None, device=None,
              layout=None, pin_memory=False, requires_grad=False):
    """Return an unset tensor of the given size, with self's dtype and device."""
    return finish(new_from("new_empty", self, args, size, dtype, device, layout,
                           pin_memory), requires_grad)


def new_zeros(Tensor self not None, *args, size=None, dtype=None, device=None,
              layout=None, pin_memory=False, requires_grad=False):
    """Return zeros of the given size, with self's dtype and device."""
    cdef Tensor y = new_from("new_zeros", self, args, size, dtype, device, layout,
                             pin_memory)
    fill_new(y, 0, 0)
    return finish(y, requires_grad)


def new_ones(Tensor self not None, *args, size=None, dtype=None, device=None,
             layout=None, pin_memory=False, requires_grad=False):
    """Return ones of the given size, with self's dtype and device."""
    cdef Tensor y = new_from("new_ones", self, args, size, dtype, device, layout,
                             pin_memory)
    fill_new(y, 1, 1)
    return finish(y, requires_grad)


def new_full(Tensor self not None, size, fill_value, *, dtype=None, device=None,
             layout=None, pin_memory=False, requires_grad=False):
    """Return a filled tensor of the given size, with self's dtype and device."""
    cdef Number n
    cdef Tensor y = new_from("new_full", self, (size,), None, dtype, device, layout,
                             pin_memory)
    read_number(fill_value, &n, "new_full(): argument 'fill_value' (position 2)")
    fill_checked(y, &n)
    return finish(y, requires_grad)


# ---- chosen strides ----

cdef Tensor strided(object size, object stride, object dtype, object device,
                    object layout, object pin_memory, int code):
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t extent = 1
    cdef int i, rank = read_sizes(size, sizes, "empty_strided")
    cdef Tensor memory
    if len(stride) != rank:
        raise RuntimeError(
            f"dimensionality of sizes ({rank}) must match dimensionality of strides "
            f"({len(stride)})")
    for i in range(rank):
        strides[i] = read_int(stride[i], "empty_strided", "stride")
        if strides[i] < 0:
            raise RuntimeError(
                "Storage size calculation overflowed with sizes="
                f"{list(size)} and strides={list(stride)}")
        if sizes[i] < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {sizes[i]}: "
                f"{list(size)}")
        if sizes[i] == 0:
            extent = 0
    if extent:
        for i in range(rank):
            extent += (sizes[i] - 1) * strides[i]
    memory = make(1, &extent, dtype, device, layout, pin_memory, code)
    return over(memory, rank, sizes, strides, 0)


def empty_strided(size, stride, *, dtype=None, layout=None, device=None,
                  requires_grad=False, pin_memory=False):
    """Return an unset tensor with the given strides."""
    return finish(strided(size, stride, dtype, device, layout, pin_memory,
                          get_default_dtype_code()), requires_grad)


def new_empty_strided(Tensor self not None, size, stride, *, dtype=None, layout=None,
                      device=None, pin_memory=False, requires_grad=False):
    """Return an unset tensor with the given strides and self's dtype and device."""
    return finish(strided(size, stride, dtype,
                          self.device if device is None else device,
                          layout, pin_memory, self.code), requires_grad)


def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None,
                   requires_grad=False, pin_memory=False):
    """Return an unset tensor whose dimensions lie in memory in the given order."""
    cdef list strides = [0] * len(size)
    cdef int i, n = len(size)
    step = 1
    if len(physical_layout) != n:
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the "
            f"physical_layout; i.e. len(size) = {n} is not equal to "
            f"len(physical_layout) = {len(physical_layout)}")
    for i in range(n):
        if not 0 <= physical_layout[i] < n:
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {n - 1}, but "
                f"got {physical_layout[i]} at index {i}).  NB: negative dims not "
                "currently supported; file an issue if you want it.")
    if len(set(physical_layout)) != n:
        raise RuntimeError("Duplicate dim not allowed")
    for d in reversed(physical_layout):
        strides[d] = step
        step *= size[d]
    return empty_strided(size, strides, dtype=dtype, layout=layout, device=device,
                         requires_grad=requires_grad, pin_memory=pin_memory)


# ---- patterns ----

def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, pin_memory=False,
        requires_grad=False):
    """Return a matrix with ones on the diagonal and zeros elsewhere."""
    cdef int64_t[2] sizes
    cdef int64_t count, step
    cdef Tensor y
    sizes[0] = read_int(n, "eye", "n")
    sizes[1] = sizes[0] if m is None else read_int(m, "eye", "m")
    if sizes[0] < 0:
        raise RuntimeError(f"n must be greater or equal to 0, got {sizes[0]}")
    if sizes[1] < 0:
        raise RuntimeError(f"m must be greater or equal to 0, got {sizes[1]}")
    y = make(2, sizes, (<Tensor?>out).dtype if out is not None and dtype is None
             else dtype, device, layout, pin_memory, get_default_dtype_code())
    fill_new(y, 0, 0)
    count = min(sizes[0], sizes[1])
    step = sizes[1] + 1
    fill_new(view(y, 1, &count, &step, 0), 1, 1)
    return finish(<Tensor>deliver(y, out), requires_grad)


cdef Tensor pairs(list rows, list columns, object dtype, object device, object layout,
                  object pin_memory):
    from_data = Tensor([rows, columns]) if rows else None
    cdef int64_t[2] sizes
    cdef Tensor y
    sizes[0] = 2
    sizes[1] = len(rows)
    y = make(2, sizes, dtype, device, layout, pin_memory, I64)
    if from_data is not None:
        copy_new(y, <Tensor>from_data)
    return y


def tril_indices(row, col, offset=0, *, dtype=None, layout=None, device=None,
                 pin_memory=False):
    """Return the places (2, N) on and below a diagonal of a (row, col) matrix."""
    check_matrix(row, col)
    rows, columns = [], []
    for i in range(row):
        n = min(max(i + offset + 1, 0), col)
        rows += [i] * n
        columns += range(n)
    return pairs(rows, columns, dtype, device, layout, pin_memory)


def triu_indices(row, col, offset=0, *, dtype=None, layout=None, device=None,
                 pin_memory=False):
    """Return the places (2, N) on and above a diagonal of a (row, col) matrix."""
    check_matrix(row, col)
    rows, columns = [], []
    for i in range(row):
        first = min(max(i + offset, 0), col)
        rows += [i] * (col - first)
        columns += range(first, col)
    return pairs(rows, columns, dtype, device, layout, pin_memory)


cdef int check_matrix(object row, object col) except -1:
    if row < 0:
        raise RuntimeError(f"row must be non-negative, got{row}")
    if col < 0:
        raise RuntimeError(f"col must be non-negative, got{col}")
    return 0


def scalar_tensor(s, *, dtype=None, layout=None, device=None, pin_memory=False,
                  requires_grad=False):
    """Return a 0-d tensor of the default dtype."""
    cdef Number n
    cdef Tensor y = make(0, NULL, dtype, device, layout, pin_memory,
                         get_default_dtype_code())
    read_number(s, &n, "scalar_tensor(): argument 's' (position 1)")
    fill_checked(y, &n)
    return finish(y, requires_grad)


globals()["empty"] = empty_factory  # here the name means the C function
empty_factory.__name__ = "empty"
