"""Reading sizes and dimensions from what Python callers give."""

from cpython.long cimport PyLong_Check
from libc.stdint cimport int64_t

from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport MAX_DIMS


cdef tuple dtype_words = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short",
                          "Char", "Byte", "Bool")


cdef str dtype_word(int code):
    return <str>dtype_words[code]


cdef int wrap(int64_t dim, int rank) except -1:
    cdef int n = rank if rank else 1
    if dim < -n or dim >= n:
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[{-n}, {n - 1}], but got {dim})")
    return <int>(dim + n if dim < 0 else dim)


cdef int64_t read_int(object value, str op, str name) except? -1:
    """An integer argument; bools and floats are none."""
    if PyLong_Check(value) and not isinstance(value, bool):
        return value
    if isinstance(value, (float, bool)) or not hasattr(value, "__index__"):
        raise TypeError(f"{op}(): argument '{name}' must be int, not "
                        f"{type(value).__name__}")
    return value.__index__()


cdef int read_dim(object dim, int rank, str op="dim") except -1:
    return wrap(read_int(dim, op, "dim"), rank)


cdef int read_dims(object dims, int rank, int* wrapped, str op="dims") except -1:
    """An int or a sequence of them, each at most once."""
    cdef int i, k, n = 0
    if not isinstance(dims, (tuple, list)):
        wrapped[0] = read_dim(dims, rank, op)
        return 1
    for dim in dims:
        if n == MAX_DIMS:
            raise RuntimeError(f"{op}(): too many dims")
        wrapped[n] = read_dim(dim, rank, op)
        n += 1
    for i in range(n):
        for k in range(i):
            if wrapped[i] == wrapped[k]:
                raise RuntimeError(
                    f"dim {wrapped[i]} appears multiple times in the list of dims")
    return n


cdef object unpack(tuple args):
    if len(args) == 1:
        first = args[0]
        if isinstance(first, (tuple, list)):
            return first
    return args


cdef object either(tuple args, object named, str op, str name):
    if named is None:
        if not args:
            raise TypeError(f'{op}() missing 1 required positional arguments: "{name}"')
        return unpack(args)
    if args:
        raise TypeError(f"{op}() got multiple values for argument '{name}'")
    return named


cdef int read_sizes(object sizes, int64_t* shape, str op="size") except -1:
    cdef int n = 0
    if isinstance(sizes, Tensor) and (<Tensor>sizes).rank == 1:
        sizes = sizes.tolist()
    elif not isinstance(sizes, (tuple, list)):
        sizes = (sizes,)
    if len(sizes) > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions, "
                           f"got {len(sizes)}")
    for size in sizes:
        if type(size) is int:
            shape[n] = size
        else:
            shape[n] = read_size(size, sizes, op, n)
        n += 1
    return n


cdef int64_t read_size(object size, object sizes, str op, int position) except? -1:
    if isinstance(size, (float, bool)) or not hasattr(size, "__index__"):
        names = ", ".join([type(s).__name__ for s in sizes])
        raise TypeError(
            f"{op}() received an invalid combination of arguments - got ({names}), "
            f"but expected sizes as ints: element {position} is a "
            f"{type(size).__name__}")
    return size.__index__()


cdef list listed(int n, const int64_t* numbers):
    cdef int i
    return [numbers[i] for i in range(n)]
