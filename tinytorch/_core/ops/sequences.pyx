"""Index tensors from what users write in brackets: lists, ranges, NumPy arrays."""

from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_CheckExact
from libc.stdint cimport int64_t

from tinytorch._core.executor cimport copy_into
from tinytorch._core.storage cimport Storage, adopt, release
from tinytorch._core.tensor cimport Tensor, data, empty, over_storage
from tinytorch._core.types cimport (
    BOOL, F16, F32, F64, I8, I16, I32, I64, MAX_DIMS, U8)

cdef dict codes = {"?": BOOL, "B": U8, "b": I8, "h": I16, "i": I32, "q": I64, "l": I64,
                   "e": F16, "f": F32, "d": F64}


cdef Tensor index_from(object value):
    cdef Tensor x
    if PyList_CheckExact(value):
        x = flat_list(<list>value)
        if x is not None:
            return x
    if hasattr(value, "__array__") and not isinstance(value, (list, tuple)):
        x = from_buffer(value.__array__())
    else:
        x = nested(value)
    if x.code == BOOL or x.code == U8:
        return x
    return as_long(x)


cdef Tensor as_long(Tensor x):
    cdef Tensor y
    if x.code == I64:
        return x
    y = empty(x.rank, x.sizes, I64)
    copy_into(y, x)
    return y


cdef Tensor flat_list(list values):
    """The commonest case: a list of plain ints; None if it is anything else."""
    cdef int64_t n = len(values), i = 0
    cdef Tensor x
    cdef int64_t* at
    for value in values:
        if not PyLong_CheckExact(value):
            return None
    x = empty(1, &n, I64)
    at = <int64_t*>data(x)
    for value in values:
        at[i] = value
        i += 1
    return x


cdef Tensor from_buffer(object array):
    """A copy of an array of numbers."""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor x, y
    cdef Storage* storage
    cdef const unsigned char[::1] octets
    cdef int d
    cdef char none = 0
    memory = memoryview(array)
    if memory.format not in codes:
        return nested(memory.tolist())
    for d in range(memory.ndim):
        sizes[d] = memory.shape[d]
    raw = memory.tobytes()
    octets = raw
    storage = adopt(<void*>&octets[0] if len(raw) else <void*>&none, len(raw), raw)
    try:
        x = over_storage(storage, memory.ndim, sizes, NULL, 0, codes[memory.format])
    finally:
        release(storage)
    y = empty(x.rank, x.sizes, x.code)
    copy_into(y, x)
    return y


cdef Tensor nested(object value):
    """Lists in lists; an element decides by itself whether it is a truth value."""
    cdef list sizes = [], leaves = []
    cdef int64_t[MAX_DIMS] shape
    cdef int code, d
    cdef int64_t i = 0
    cdef Tensor x
    cdef bint truths
    walk(value, 0, sizes, leaves)
    truths = len(leaves) > 0 and all([is_truth(leaf) for leaf in leaves])
    code = BOOL if truths else I64
    for d in range(len(sizes)):
        shape[d] = sizes[d]
    x = empty(len(sizes), shape, code)
    for leaf in leaves:
        if truths:
            (<char*>data(x))[i] = bool(leaf)
        else:
            (<int64_t*>data(x))[i] = int(leaf)
        i += 1
    return x


cdef bint is_truth(object leaf):
    if isinstance(leaf, Tensor):
        return (<Tensor>leaf).code == BOOL
    if isinstance(leaf, bool):
        return True
    return getattr(getattr(leaf, "dtype", None), "kind", "") == "b"  # NumPy's


cdef int walk(object value, int depth, list sizes, list leaves) except -1:
    if isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    if hasattr(value, "__len__") and hasattr(value, "__getitem__") and \
            getattr(value, "ndim", 1) != 0:
        if depth == len(sizes):
            if leaves or depth == MAX_DIMS:
                raise ValueError("too many dimensions")
            sizes.append(len(value))
        if len(value) != sizes[depth]:
            raise ValueError(f"expected sequence of length {sizes[depth]} at dim "
                             f"{depth} (got {len(value)})")
        for element in value:
            walk(element, depth + 1, sizes, leaves)
        return 0
    if depth != len(sizes):
        raise TypeError("expected a sequence at every place of a nested index")
    if not hasattr(value, "__index__") and not hasattr(value, "__float__"):
        raise RuntimeError(f"Could not infer dtype of {type(value).__name__}")
    leaves.append(value)
    return 0
