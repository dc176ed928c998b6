"""Tensors from Python data: nested lists, NumPy arrays, buffers; and back to NumPy.

The shape of nested lists follows from the first element of every level; then the dtype
is found and the elements are stored, both in one walk over the leaves each.
"""

cimport cython
from cpython.bool cimport PyBool_Check
from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer)
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact
from libc.math cimport isfinite, isnan
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport inference_mode
from tinytorch._core.executor cimport copy_into
from tinytorch._core.ops.convert cimport c_to_device
from tinytorch._core.ops.creation cimport finish, make
from tinytorch._core.ops.shape cimport c_detach, c_to, copy_preserved
from tinytorch._core.storage cimport CPU, Storage, adopt, release
from tinytorch._core.tensor cimport (
    INFERENCE, REQUIRES_GRAD, Tensor, become, data, empty, item, operators, over_storage)
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, MAX_DIMS, U8, dtype, dtype_of,
    get_default_dtype_code, is_float, itemsize, parse_device, parse_dtype, promote)

import warnings
from sys import modules

from tinytorch._core.types import Size

__all__ = ["tensor", "as_tensor", "asarray", "from_numpy", "frombuffer"]
METHODS = ["new_tensor", "new", "numpy", "__array__"]

cdef extern from "half.h" nogil:
    uint16_t f16_of_f32(float x)
    uint16_t bf16_of_f32(float x)

cdef extern from "Python.h":
    object PySequence_Fast(object o, const char* message)
    Py_ssize_t PySequence_Fast_GET_SIZE(object o)
    PyObject* PySequence_Fast_GET_ITEM(object o, Py_ssize_t i)  # borrowed
    bint PySequence_Check(object o)

cdef extern from *:  # on borrowed references: a million leaves are not counted up and down
    """
    #define TT_IS_FLOAT(o) PyFloat_CheckExact(o)
    #define TT_IS_INT(o) PyLong_CheckExact(o)
    #define TT_FLOAT_VALUE(o) PyFloat_AS_DOUBLE(o)
    """
    bint TT_IS_FLOAT(PyObject* o)
    bint TT_IS_INT(PyObject* o)
    double TT_FLOAT_VALUE(PyObject* o)


# ---- nested lists ----

cdef inline bint is_sequence(object value):
    if PyFloat_CheckExact(value) or PyLong_CheckExact(value):
        return False
    return PyList_CheckExact(value) or PyTuple_CheckExact(value) or (
        not isinstance(value, (Tensor, str, bytes)) and PySequence_Check(value)
        and getattr(value, "ndim", 1) != 0)


cdef int find_sizes(object value, int64_t* sizes) except -1:
    """The shape that the first elements suggest; returns the number of dimensions."""
    cdef int rank = 0
    cdef object items
    while is_sequence(value):
        if rank == MAX_DIMS:
            raise ValueError(f"too many dimensions '{type(value).__name__}'")
        items = value if PyList_CheckExact(value) or PyTuple_CheckExact(value) \
            else PySequence_Fast(value, b"not a sequence")
        sizes[rank] = PySequence_Fast_GET_SIZE(items)
        rank += 1
        if sizes[rank - 1] == 0:
            break
        value = <object>PySequence_Fast_GET_ITEM(items, 0)
        if isinstance(value, (str, bytes)):
            raise ValueError(f"too many dimensions '{type(value).__name__}'")
    return rank


cdef int code_of_leaf(object value) except -1:
    cdef str name
    if PyFloat_CheckExact(value):
        return get_default_dtype_code()
    if PyBool_Check(value):
        return BOOL
    if PyLong_CheckExact(value):
        return I64
    if isinstance(value, Tensor):
        return (<Tensor>value).code
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not supported")
    if hasattr(value, "dtype"):
        name = str(value.dtype)
        if name in numpy_codes:
            return numpy_codes[name]
        if "complex" in name:
            raise NotImplementedError("complex numbers are not supported")
    if isinstance(value, float):
        return get_default_dtype_code()
    if isinstance(value, int) or hasattr(value, "__index__"):
        return I64
    if isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    if isinstance(value, (list, tuple)):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an "
                        "integer")
    raise RuntimeError(f"Could not infer dtype of {type(value).__name__}")


cdef dict numpy_codes = {
    "float32": F32, "float64": F64, "float16": F16, "int64": I64, "int32": I32,
    "int16": I16, "int8": I8, "uint8": U8, "bool": BOOL}


cdef int find_code(object value, int depth, int code) except? -2:
    """The promoted dtype of all leaves; code is what was found before, -1 nothing."""
    cdef Py_ssize_t i, n
    cdef PyObject* item
    cdef int found, real = get_default_dtype_code()
    if depth == 0:
        found = code_of_leaf(value)
        return found if code < 0 else promote(code, found)
    if not PyList_CheckExact(value) and not PyTuple_CheckExact(value):
        if isinstance(value, Tensor) or not PySequence_Check(value):
            return find_code(value, 0, code)  # storing it will raise
        if hasattr(value, "dtype") and str(value.dtype) in numpy_codes:
            found = numpy_codes[str(value.dtype)]
            return found if code < 0 else promote(code, found)
        value = PySequence_Fast(value, b"not a sequence")
    n = PySequence_Fast_GET_SIZE(value)
    if depth > 1:
        for i in range(n):
            code = find_code(<object>PySequence_Fast_GET_ITEM(value, i), depth - 1, code)
        return code
    for i in range(n):
        item = PySequence_Fast_GET_ITEM(value, i)
        if TT_IS_FLOAT(item):
            found = real
        elif TT_IS_INT(item):
            found = I64
        else:
            found = code_of_leaf(<object>item)
        if found != code:
            code = found if code < 0 else promote(code, found)
    return code


cdef char* store_all(object value, int depth, const int64_t* sizes, char* p, int code,
                     int at) except NULL:
    """Store the leaves in order; returns the place behind them."""
    cdef Py_ssize_t i, n
    cdef int size = itemsize[code]
    cdef object items
    cdef PyObject* leaf
    if depth == 0:
        store(value, p, code)
        return p + size
    if PyList_CheckExact(value) or PyTuple_CheckExact(value):
        items = value
    elif isinstance(value, Tensor) or not PySequence_Check(value):
        raise TypeError("not a sequence")
    else:
        items = PySequence_Fast(value, b"not a sequence")
    n = PySequence_Fast_GET_SIZE(items)
    if n != sizes[0]:
        raise ValueError(
            f"expected sequence of length {sizes[0]} at dim {at} (got {n})")
    if depth > 1:
        for i in range(n):
            p = store_all(<object>PySequence_Fast_GET_ITEM(items, i), depth - 1, sizes + 1, p,
                          code, at + 1)
        return p
    for i in range(n):
        leaf = PySequence_Fast_GET_ITEM(items, i)
        if code == F32 and TT_IS_FLOAT(leaf):
            (<float*>p)[0] = <float>TT_FLOAT_VALUE(leaf)
        else:
            store(<object>leaf, p, code)
        p += size
    return p


cdef int64_t as_integer(object value, int code) except? -1:
    """A leaf as an element of an integer dtype; what it cannot hold is refused."""
    cdef int overflow = 0
    cdef double f
    cdef int64_t i = 0
    cdef bint fits = True
    if PyLong_CheckExact(value) or PyBool_Check(value):
        i = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            raise ValueError("Overflow when unpacking long long")
    elif isinstance(value, float):
        f = value
        fits = isfinite(f) and -9.3e18 < f < 9.3e18
        i = <int64_t>f if fits else 0
    elif isinstance(value, Tensor):
        return as_integer(leaf_of(<Tensor>value), code)
    elif hasattr(value, "item") and hasattr(value, "dtype"):
        return as_integer(value.item(), code)
    elif isinstance(value, (list, tuple)) or not hasattr(value, "__index__"):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an "
                        "integer")
    else:
        return as_integer(value.__index__(), code)
    if fits and code != I64:
        if code == U8:
            fits = -255 <= i <= 255
        else:
            fits = -(<int64_t>1 << (8 * itemsize[code] - 1)) <= i < (
                <int64_t>1 << (8 * itemsize[code] - 1))
    if not fits:
        raise RuntimeError("value cannot be converted to type "
                           f"{dtype_of(code).name} without overflow")
    return i


cdef object leaf_of(Tensor x):
    if x.count != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return item(x)


cdef double as_real(object value) except? -1:
    if PyFloat_CheckExact(value):
        return PyFloat_AS_DOUBLE(value)
    if isinstance(value, Tensor):
        return float(leaf_of(<Tensor>value))
    if isinstance(value, (list, tuple)):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not supported")
    if isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    return float(value)


cdef int store(object value, char* p, int code) except -1:
    cdef int64_t i
    cdef int overflow = 0
    if code == I64 and PyLong_CheckExact(value):
        (<int64_t*>p)[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            raise ValueError("Overflow when unpacking long long")
        return 0
    if code == F32:
        (<float*>p)[0] = <float>as_real(value)
    elif code == F64:
        (<double*>p)[0] = as_real(value)
    elif code == F16:
        (<uint16_t*>p)[0] = f16_of_f32(<float>as_real(value))
    elif code == BF16:
        (<uint16_t*>p)[0] = bf16_of_f32(<float>as_real(value))
    elif code == BOOL:
        if isinstance(value, Tensor):
            value = leaf_of(<Tensor>value)
        p[0] = bool(value)
    else:
        i = as_integer(value, code)
        if code == I64:
            (<int64_t*>p)[0] = i
        elif code == I32:
            (<int32_t*>p)[0] = <int32_t>i
        elif code == I16:
            (<int16_t*>p)[0] = <int16_t>i
        else:
            p[0] = <char>i
    return 0


cdef Tensor from_sequence(object value, int code):
    """A host tensor with the elements of nested sequences, or of a number."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank
    cdef Tensor y
    if isinstance(value, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(value).__name__}'")
    rank = find_sizes(value, sizes)
    if code < 0:
        code = find_code(value, rank, -1)
        if code < 0:
            code = get_default_dtype_code()
    y = empty(rank, sizes, code)
    if y.count:
        store_all(value, rank, sizes, data(y), code, 0)
    return y


# ---- buffers ----

cdef int code_of_format(const char* format, Py_ssize_t size) except -2:
    """Dtype of a buffer's format; -1: none of ours."""
    cdef char c
    if format == NULL:
        return U8
    if format[0] == b"@" or format[0] == b"=" or format[0] == b"<":
        format += 1
    elif format[0] == b">" or format[0] == b"!":
        raise ValueError("given numpy array has byte order different from the native "
                         "byte order. Conversion between byte orders is currently not "
                         "supported.")
    c = format[0]
    if c == 0 or format[1] != 0:
        return -1
    if c == b"f":
        return F32
    if c == b"d":
        return F64
    if c == b"e":
        return F16
    if c == b"?":
        return BOOL
    if c in b"bhilq":
        return {1: I8, 2: I16, 4: I32, 8: I64}[size]
    return U8 if c == b"B" else -1


cdef Tensor over_array(object array):
    """A tensor that shares the memory of an ndarray."""
    cdef Py_buffer buffer
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t extent = 0
    cdef int d, code, rank
    cdef Storage* storage
    cdef Tensor y
    try:
        PyObject_GetBuffer(array, &buffer, PyBUF_STRIDES | PyBUF_FORMAT)
    except (ValueError, BufferError, TypeError):
        raise unsupported_array(array) from None
    try:
        code = code_of_format(buffer.format, buffer.itemsize)
        rank = buffer.ndim
        if code < 0:
            raise unsupported_array(array)
        if rank > MAX_DIMS:
            raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions")
        extent = buffer.itemsize if buffer.len else 0
        for d in range(rank):
            sizes[d] = buffer.shape[d]
            strides[d] = buffer.strides[d] // buffer.itemsize
            if buffer.strides[d] < 0 and buffer.shape[d] > 1:
                raise ValueError(
                    "At least one stride in the given numpy array is negative, and "
                    "tensors with negative strides are not currently supported. (You "
                    "can probably work around this by making a copy of your array  with "
                    "array.copy().) ")
            if strides[d] * buffer.itemsize != buffer.strides[d]:
                raise ValueError(
                    "given numpy array strides not a multiple of the element byte size. "
                    "Copy the numpy array to reallocate the memory.")
            if sizes[d] == 1 or strides[d] < 0:  # NumPy leaves these to chance
                strides[d] = max(strides[d], 1)
            if buffer.len:
                extent += (sizes[d] - 1) * buffer.strides[d]
        storage = adopt(buffer.buf, extent, array)
        y = over_storage(storage, rank, sizes, strides, 0, code)
        release(storage)
        return y
    finally:
        PyBuffer_Release(&buffer)


cdef object unsupported_array(object array):
    kind = getattr(array, "dtype", None)
    if kind is not None and kind.kind == "c":
        return NotImplementedError("complex numbers are not supported")
    name = "numpy.object_" if kind is None else f"numpy.{kind.type.__name__}"
    return TypeError(
        f"can't convert np.ndarray of type {name}. The only supported types are: "
        "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
        "uint64, uint32, uint16, uint8, and bool.")


cdef object ndarray_type = None


cdef bint is_array(object value):
    """Whether value is an ndarray; without NumPy in the process there is none."""
    global ndarray_type
    cdef object kind = type(value)
    if ndarray_type is None:
        numpy = modules.get("numpy")
        if numpy is None or not hasattr(numpy, "ndarray"):
            return False
        ndarray_type = numpy.ndarray
    return kind is ndarray_type or isinstance(value, ndarray_type)


def from_numpy(array):
    """Return a tensor that shares the memory of an ndarray.

    Example:
        >>> import numpy
        >>> from_numpy(numpy.zeros(2)).dtype
        torch.float64
    """
    if not is_array(array):
        kind = type(array)
        name = kind.__name__
        raise TypeError("expected np.ndarray (got "
                        f"{'numpy.' + name if kind.__module__ == 'numpy' else name})")
    if not array.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support "
            "non-writable tensors. This means writing to this tensor will result in "
            "undefined behavior. You may want to copy the array to protect its data or "
            "make it writable before converting it to a tensor. This type of warning "
            "will be suppressed for the rest of this program.", UserWarning,
            stacklevel=2)
    return over_array(array)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """Return a 1-d tensor over the memory of an object with the buffer protocol."""
    cdef Py_buffer b
    cdef int code = parse_dtype(dtype, F32)
    cdef int64_t size = itemsize[code], n = count, start = offset, length
    cdef int64_t stride = 1
    cdef Storage* storage
    cdef Tensor y
    owner = memoryview(buffer)  # keeps a bytearray from moving its bytes
    PyObject_GetBuffer(owner, &b, 0)
    try:
        length = b.len
        if length == 0 or n == 0:
            raise ValueError(f"both buffer length ({length}) and count ({n}) must not "
                             "be 0")
        if start < 0 or start >= length:
            raise ValueError(f"offset ({start} bytes) must be non-negative and no "
                             f"greater than buffer length ({length} bytes) minus 1")
        if n > 0 and start + n * size > length:
            raise ValueError(
                f"requested buffer length ({n} * {size} bytes) after offset ({start} "
                f"bytes) must not be greater than actual buffer length ({length} bytes)")
        if n < 0:
            if (length - start) % size:
                raise ValueError(
                    f"buffer length ({length - start} bytes) after offset ({start} "
                    f"bytes) must be a multiple of element size ({size})")
            n = (length - start) // size
        if b.readonly:
            warnings.warn(
                "The given buffer is not writable, and PyTorch does not support "
                "non-writable tensors. This means you can write to the underlying "
                "(supposedly non-writable) buffer using the tensor. You may want to copy "
                "the buffer to protect its data or make it writable before converting it "
                "to a tensor. This type of warning will be suppressed for the rest of "
                "this program.", UserWarning, stacklevel=2)
        storage = adopt(<char*>b.buf + start, n * size, owner)
        y = over_storage(storage, 1, &n, &stride, 0, code)
        release(storage)
    finally:
        PyBuffer_Release(&b)
    return finish(y, requires_grad)


# ---- from anything ----

cdef Tensor taken(object value, int code):
    """The data as a tensor: its own memory if it has any.  code -1: the data's dtype."""
    if PyList_CheckExact(value) or PyFloat_CheckExact(value) or PyLong_CheckExact(value):
        return from_sequence(value, code)
    if isinstance(value, Tensor):
        return <Tensor>value
    if is_array(value):
        return over_array(value)
    return from_sequence(value, code)


cdef Tensor moved(Tensor y, int code, object device):
    cdef int index = 0, place
    if code >= 0:
        y = c_to(y, code)
    if device is None:
        return y
    place = parse_device(device, &index)
    return c_to_device(y, place, index)


cdef Tensor copied(object value, object dtype, object device, int code):
    """A new tensor with the data, without history."""
    cdef Tensor x, y
    cdef int index = 0, place
    if dtype is not None:
        code = parse_dtype(dtype, F32)
    x = taken(value, code)
    if isinstance(value, Tensor):
        x = c_detach(x)
        if device is None:
            device = (<Tensor>value).device
    y = x if code < 0 or x.code == code else copy_preserved(x, code)
    place = parse_device(device, &index)
    if place != y.storage.device:
        y = c_to_device(y, place, index)
    if y is x and (isinstance(value, Tensor) or y.storage.shared):
        y = copy_preserved(x, x.code)
    if inference_mode():
        y.flags |= INFERENCE
    return y


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """Return a new tensor with the data: numbers, nested sequences, arrays, tensors.

    Example:
        >>> tensor([[1, 2.5], [3, 4]]).dtype
        torch.float32
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).", UserWarning, stacklevel=2)
    if pin_memory:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    return finish(copied(data, dtype, device, -1), requires_grad)


def as_tensor(data, dtype=None, device=None):
    """Return the data as a tensor that shares its memory where that is possible."""
    cdef int code = -1 if dtype is None else parse_dtype(dtype, F32)
    cdef Tensor y = taken(data, code)
    if device is None and not isinstance(data, Tensor):
        device = default_device()
    return moved(y, code, device)


cdef object default_device():
    from tinytorch._core.types import get_default_device
    return get_default_device()


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """Return obj as a tensor; `copy` says whether memory must or must not be copied."""
    cdef Tensor y, x
    if copy:
        return finish(copied(obj, dtype, device, -1), requires_grad)
    x = taken(obj, -1)
    y = as_tensor(obj, dtype, device)
    if copy is False and not (isinstance(obj, Tensor) or x.storage.shared):
        raise ValueError("can't alias arbitrary sequence into a tensor.")
    if copy is False and y.storage != x.storage:
        raise ValueError("can't alias tensor with dtype or device other than its own")
    if isinstance(obj, Tensor) and not requires_grad and (<Tensor>obj).flags & \
            REQUIRES_GRAD:
        return c_detach(y)
    if requires_grad and y is obj:
        y = c_detach(y)
    return finish(y, requires_grad) if requires_grad else y


def new_tensor(Tensor self not None, data, *, dtype=None, device=None,
               requires_grad=False, pin_memory=False):
    """Return a new tensor with the data, with self's dtype and device."""
    return finish(copied(data, dtype, self.device if device is None else device,
                         self.code), requires_grad)


# ---- the constructors of old ----

cdef Tensor legacy(tuple args, int code, object device):
    """What Tensor(...) makes: of sizes, of a sequence, or an alias of a tensor."""
    cdef Tensor x
    if len(args) == 0:
        return make_unset((0,), code, device)
    if len(args) == 1:
        value = args[0]
        if isinstance(value, Size):
            return make_unset(value, code, device)
        if isinstance(value, Tensor):
            x = <Tensor>value
            return c_detach(x if code < 0 else c_to(x, code))
        if isinstance(value, str):
            raise TypeError("new(): invalid data type 'str'")
        if not isinstance(value, int):
            if not is_sequence(value) and not is_array(value):
                raise TypeError("new(): data must be a sequence (got "
                                f"{type(value).__name__})")
            return copied(value, None, device,
                          get_default_dtype_code() if code < 0 else code)
    return make_unset(args, code, device)


cdef Tensor make_unset(object args, int code, object device):
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = 0
    for size in args:
        if isinstance(size, float) or not hasattr(size, "__index__"):
            raise TypeError("new() received an invalid combination of arguments - got "
                            f"({', '.join([type(a).__name__ for a in args])})")
        sizes[rank] = size.__index__()
        rank += 1
    return make(rank, sizes, None, device, None, False,
                get_default_dtype_code() if code < 0 else code)


cdef object initialise(Tensor self, tuple args, dict kwargs):
    """Tensor(...) and subclasses of it that do not say what they are made of."""
    device = kwargs.pop("device", None)
    if kwargs:
        raise TypeError("new() got an unexpected keyword argument "
                        f"'{next(iter(kwargs))}'")
    become(self, legacy(args, -1, device))
    return None


def new(Tensor self not None, *args, device=None):
    """Return a tensor of self's dtype from sizes, a sequence, or nothing."""
    return legacy(args, self.code, self.device if device is None else device)


def of_dtype(dtype kind not None, tuple args not None, device=None):
    """Return what FloatTensor(...) and its kin make, given their dtype."""
    return legacy(args, kind.code, device)


operators.init = initialise


# ---- to NumPy ----

cdef object numpy_module = None  # imported when first used


def to_numpy(Tensor self not None, *, force=False):
    """Return an ndarray that shares self's memory.

    With `force` the tensor is detached and copied to the host first if need be.
    """
    global numpy_module
    cdef Tensor x = self
    if numpy_module is None:
        import numpy
        numpy_module = numpy
    if force:
        x = c_to_device(c_detach(x), CPU, 0)
    elif x.flags & REQUIRES_GRAD:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use "
                           "tensor.detach().numpy() instead.")
    if x.storage.device != CPU:
        raise TypeError(f"can't convert {x.device} device type tensor to numpy. Use "
                        "Tensor.cpu() to copy the tensor to host memory first.")
    if x.code == BF16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    return numpy_module.asarray(x)


def __array__(Tensor self not None, dtype=None, copy=None):
    """Let numpy.asarray take a tensor."""
    array = to_numpy(self)
    if dtype is not None:
        array = array.astype(dtype, copy=bool(copy))
    elif copy:
        array = array.copy()
    return array


globals()["numpy"] = to_numpy  # here the name means the module until the end
to_numpy.__name__ = "numpy"
