"""Tensors from Python data: numbers, lists, NumPy arrays, buffers;
and back to NumPy."""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer)
from cpython.float cimport PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.long cimport PyLong_CheckExact
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport needs_grad
from tinytorch._core.ops.convert cimport c_to_device
from tinytorch._core.ops.creation cimport finish, make
from tinytorch._core.ops.nested cimport from_sequence, is_sequence
from tinytorch._core.ops.shape cimport c_detach, c_to, copy_preserved
from tinytorch._core.storage cimport CPU, Storage, adopt, release
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, operators, over_storage, share)
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, MAX_DIMS, U8,
    get_default_dtype_code, itemsize, parse_device, parse_dtype)
from tinytorch._core.types cimport dtype as dtype_class

import warnings
from sys import modules

from tinytorch._core.types import Size, get_default_device

__all__ = ["tensor", "as_tensor", "asarray", "from_numpy", "frombuffer"]
METHODS = ["new_tensor", "new", "numpy", "__array__"]


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
                    "can probably work around this by making a copy of your array  "
                    "with array.copy().) ")
            if strides[d] * buffer.itemsize != buffer.strides[d]:
                raise ValueError(
                    "given numpy array strides not a multiple of the element byte "
                    "size. Copy the numpy array to reallocate the memory.")
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
                f"bytes) must not be greater than actual buffer length ({length} "
                "bytes)")
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
                "(supposedly non-writable) buffer using the tensor. You may want to "
                "copy the buffer to protect its data or make it writable before "
                "converting it to a tensor. This type of warning will be suppressed "
                "for the rest of this program.", UserWarning, stacklevel=2)
        storage = adopt(<char*>b.buf + start, n * size, owner)
        y = over_storage(storage, 1, &n, &stride, 0, code)
        release(storage)
    finally:
        PyBuffer_Release(&b)
    return finish(y, requires_grad)


# ---- from anything ----

cdef Tensor taken(object value, int code):
    """The data as a tensor, over its own memory if it has any; code as elsewhere."""
    if (PyList_CheckExact(value) or PyFloat_CheckExact(value)
            or PyLong_CheckExact(value)):
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
    return y


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False,
           label=None):
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
    y = finish(copied(data, dtype, device, -1), requires_grad)
    if label is not None:
        y.label = label  # its name in pictures of the graph
    return y


def as_tensor(data, dtype=None, device=None):
    """Return the data as a tensor that shares its memory where that is possible."""
    cdef int code = -1 if dtype is None else parse_dtype(dtype, F32)
    cdef Tensor y = taken(data, code)
    if device is None and not isinstance(data, Tensor):
        device = get_default_device()
    return moved(y, code, device)


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
    share(self, legacy(args, -1, device))
    return None


def new(Tensor self not None, *args, device=None):
    """Return a tensor of self's dtype from sizes, a sequence, or nothing."""
    return legacy(args, self.code, self.device if device is None else device)


def of_dtype(dtype_class kind not None, tuple args not None, device=None):
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
    elif needs_grad(x):
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
