"""A tensor's elements as Python sees them: numbers, nested lists, a buffer."""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport malloc

from tinytorch._core.modes cimport grad_mode
from tinytorch._core.storage cimport CPU, META
from tinytorch._core.tensor cimport REQUIRES_GRAD, data, is_contiguous, operators
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, dtype_of, itemsize)

cdef extern from "half.h" nogil:
    float f32_of_f16(uint16_t h)
    float f32_of_bf16(uint16_t h)


cdef Tensor to_host(Tensor x):
    if x.storage.device == META:
        raise NotImplementedError(
            "Cannot copy out of meta tensor; no data!")
    return <Tensor>operators.to_host(x)


cdef object element(const char* p, int code):
    if code == F32:
        return (<float*>p)[0]
    if code == F64:
        return (<double*>p)[0]
    if code == I64:
        return (<int64_t*>p)[0]
    if code == BOOL:
        return p[0] != 0
    if code == F16:
        return f32_of_f16((<uint16_t*>p)[0])
    if code == BF16:
        return f32_of_bf16((<uint16_t*>p)[0])
    if code == I32:
        return (<int32_t*>p)[0]
    if code == I16:
        return (<int16_t*>p)[0]
    if code == I8:
        return (<int8_t*>p)[0]
    return (<uint8_t*>p)[0]


cdef object item(Tensor x):
    if x.count != 1:
        raise RuntimeError(
            f"a Tensor with {x.count} elements cannot be converted to Scalar")
    if x.storage.device != CPU:
        if x.storage.device == META:
            raise RuntimeError("Tensor.item() cannot be called on meta tensors")
        x = to_host(x)
    return element(data(x), x.code)


cdef object nested(Tensor x, int dim, const char* p):
    cdef int64_t i, step
    if dim == x.rank:
        return element(p, x.code)
    step = x.strides[dim] * itemsize[x.code]
    if dim == x.rank - 1:
        return [element(p + i * step, x.code) for i in range(x.sizes[dim])]
    return [nested(x, dim + 1, p + i * step) for i in range(x.sizes[dim])]


cdef object tolist(Tensor x):
    if x.storage.device != CPU:
        x = to_host(x)
    return nested(x, 0, data(x))


# ---- PEP 3118 ----

cdef const char** formats = [b"f", b"d", b"e", NULL, b"q", b"i", b"h", b"b", b"B", b"?"]


cdef int fill_buffer(Tensor x, Py_buffer* buffer, int flags) except -1:
    """The tensor's memory with shape and strides, no copy."""
    cdef Py_ssize_t* sizes
    cdef int i
    buffer.internal = NULL
    if x.storage.device != CPU:
        raise BufferError(f"a {x.device} tensor has no host memory")
    if x.flags & REQUIRES_GRAD and grad_mode():
        raise BufferError("a tensor that requires grad gives no buffer; use detach()")
    if formats[x.code] == NULL:
        raise BufferError(f"{dtype_of(x.code)} has no buffer format")
    if not flags & PyBUF_STRIDES == PyBUF_STRIDES and not is_contiguous(x):
        raise BufferError("the tensor is not contiguous")
    sizes = <Py_ssize_t*>malloc((2 * x.rank + 1) * sizeof(Py_ssize_t))
    if sizes == NULL:
        raise MemoryError()
    for i in range(x.rank):
        sizes[i] = x.sizes[i]
        sizes[x.rank + i] = x.strides[i] * itemsize[x.code]
    buffer.internal = sizes
    buffer.buf = data(x)
    buffer.obj = x
    buffer.len = x.count * itemsize[x.code]
    buffer.itemsize = itemsize[x.code]
    buffer.readonly = 0
    buffer.ndim = x.rank
    buffer.format = <char*>formats[x.code] if flags & PyBUF_FORMAT else NULL
    buffer.shape = sizes if flags & PyBUF_ND else NULL
    buffer.strides = sizes + x.rank if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
    buffer.suboffsets = NULL
    return 0


operators.item = item
operators.tolist = tolist
operators.fill_buffer = fill_buffer
