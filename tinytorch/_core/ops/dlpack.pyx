"""DLPack: tensors to and from other libraries, sharing the memory."""

cimport cython
from cpython.pycapsule cimport (
    PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New, PyCapsule_SetName)
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from tinytorch._core.storage cimport CPU, CUDA, Storage, adopt, release
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, data, over_storage
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, MAX_DIMS, U8, is_float,
    itemsize)

__all__ = ["from_dlpack"]
METHODS = ["__dlpack__", "__dlpack_device__"]

cdef extern from "dlpack.h" nogil:
    int TT_DL_INT, TT_DL_UINT, TT_DL_FLOAT, TT_DL_BFLOAT, TT_DL_BOOL
    int TT_DL_CPU, TT_DL_CUDA
    ctypedef struct DLDevice:
        int32_t device_type, device_id
    ctypedef struct DLDataType:
        uint8_t code, bits
        uint16_t lanes
    ctypedef struct DLTensor:
        void* data
        DLDevice device
        int32_t ndim
        DLDataType dtype
        int64_t* shape
        int64_t* strides
        uint64_t byte_offset
    ctypedef struct DLManagedTensor:
        DLTensor dl_tensor
        void* manager_ctx
        void (*deleter)(DLManagedTensor* self) noexcept nogil
    ctypedef struct DLManagedTensorVersioned:
        void* manager_ctx
        void (*deleter)(DLManagedTensorVersioned* self) noexcept nogil
        uint64_t flags
        DLTensor dl_tensor
    void tt_dl_set_version(DLManagedTensorVersioned* managed)


# ---- giving ----

cdef void let_go(DLManagedTensor* managed) noexcept with gil:
    """What the receiver calls when it is done."""
    Py_DECREF(<object>managed.manager_ctx)
    free(managed)


cdef void let_go_versioned(DLManagedTensorVersioned* managed) noexcept with gil:
    Py_DECREF(<object>managed.manager_ctx)
    free(managed)


cdef void drop_capsule(object capsule) noexcept:
    """A capsule that nobody took still owns its tensor."""
    if PyCapsule_IsValid(capsule, b"dltensor"):
        let_go(<DLManagedTensor*>PyCapsule_GetPointer(capsule, b"dltensor"))
    elif PyCapsule_IsValid(capsule, b"dltensor_versioned"):
        let_go_versioned(<DLManagedTensorVersioned*>PyCapsule_GetPointer(
            capsule, b"dltensor_versioned"))


cdef int kind_of(int code) noexcept:
    if code == BF16:
        return TT_DL_BFLOAT
    if code == BOOL:
        return TT_DL_BOOL
    if is_float(code):
        return TT_DL_FLOAT
    return TT_DL_UINT if code == U8 else TT_DL_INT


def __dlpack__(Tensor self not None, *, stream=None, max_version=None, dl_device=None,
               copy=None):
    """Return a DLPack capsule over self's memory."""
    cdef DLManagedTensor* managed
    if self.flags & REQUIRES_GRAD:
        raise BufferError("Can't export tensors that require gradient, use "
                          "tensor.detach()")
    if self.storage.device != CPU and self.storage.device != CUDA:
        raise BufferError(f"Can't export tensors on {self.device}")
    if dl_device is not None and tuple(dl_device) != __dlpack_device__(self):
        raise BufferError(f"cannot export a tensor on {self.device} to another device")
    if copy:
        return __dlpack__(self.clone(), stream=stream, max_version=max_version)
    if max_version is not None and max_version[0] >= 1:
        return versioned_capsule(self)
    managed = <DLManagedTensor*>malloc(
        sizeof(DLManagedTensor) + 2 * self.rank * sizeof(int64_t))
    if managed == NULL:
        raise MemoryError()
    describe(self, &managed.dl_tensor, <int64_t*>(managed + 1))
    managed.manager_ctx = <void*>self
    managed.deleter = let_go
    Py_INCREF(self)
    return PyCapsule_New(managed, b"dltensor", drop_capsule)


cdef object versioned_capsule(Tensor x):
    cdef DLManagedTensorVersioned* managed = <DLManagedTensorVersioned*>malloc(
        sizeof(DLManagedTensorVersioned) + 2 * x.rank * sizeof(int64_t))
    if managed == NULL:
        raise MemoryError()
    describe(x, &managed.dl_tensor, <int64_t*>(managed + 1))
    tt_dl_set_version(managed)
    managed.manager_ctx = <void*>x
    managed.deleter = let_go_versioned
    managed.flags = 0  # may be written
    Py_INCREF(x)
    return PyCapsule_New(managed, b"dltensor_versioned", drop_capsule)


cdef void describe(Tensor x, DLTensor* t, int64_t* sizes) noexcept:
    cdef int d
    t.data = data(x)
    t.device.device_type = TT_DL_CUDA if x.storage.device == CUDA else TT_DL_CPU
    t.device.device_id = x.storage.index if x.storage.device == CUDA else 0
    t.ndim = x.rank
    t.dtype.code = kind_of(x.code)
    t.dtype.bits = 8 * itemsize[x.code]
    t.dtype.lanes = 1
    t.shape = sizes
    t.strides = sizes + x.rank
    t.byte_offset = 0
    for d in range(x.rank):
        t.shape[d] = x.sizes[d]
        t.strides[d] = x.strides[d]


def __dlpack_device__(Tensor self not None):
    """Return DLPack's (type, number) of self's device."""
    if self.storage.device == CUDA:
        return TT_DL_CUDA, self.storage.index
    if self.storage.device != CPU:
        raise ValueError(f"Unknown device type {self.device.type} for Dlpack")
    return TT_DL_CPU, 0


# ---- taking ----

@cython.final
@cython.no_gc  # holds a C pointer only
cdef class Foreign:
    """Keeps another library's tensor for as long as a storage shows its memory."""

    cdef DLManagedTensor* managed

    def __dealloc__(self):
        if self.managed != NULL and self.managed.deleter != NULL:
            self.managed.deleter(self.managed)


cdef int code_of(DLDataType kind) except -1:
    cdef int bits = kind.bits
    if kind.lanes != 1:
        raise RuntimeError("ATen does not support lanes != 1")
    if kind.code == TT_DL_FLOAT and bits in (16, 32, 64):
        return F16 if bits == 16 else F32 if bits == 32 else F64
    if kind.code == TT_DL_BFLOAT and bits == 16:
        return BF16
    if kind.code == TT_DL_BOOL and bits == 8:
        return BOOL
    if kind.code == TT_DL_INT and bits in (8, 16, 32, 64):
        return I8 if bits == 8 else I16 if bits == 16 else I32 if bits == 32 else I64
    if kind.code == TT_DL_UINT and bits == 8:
        return U8
    raise BufferError(f"unsupported DLPack dtype: code {kind.code}, {bits} bits")


cdef Tensor over_managed(DLManagedTensor* managed, Foreign owner):
    cdef int64_t[MAX_DIMS] strides
    cdef DLTensor* t = &managed.dl_tensor
    cdef int code = code_of(t.dtype), d
    cdef int64_t step = 1, extent = itemsize[code]
    cdef Storage* storage
    cdef Tensor y
    if t.device.device_type != TT_DL_CPU:
        raise BufferError(f"DLPack device type {t.device.device_type} is not supported")
    if t.ndim > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions")
    for d in range(t.ndim - 1, -1, -1):
        strides[d] = step if t.strides == NULL else t.strides[d]
        if strides[d] < 0:
            raise BufferError("negative strides are not supported")
        step *= max(t.shape[d], 1)
        extent += (t.shape[d] - 1) * strides[d] * itemsize[code]
        if t.shape[d] == 0:
            extent = 0
            break
    if t.strides != NULL:
        memcpy(strides, t.strides, t.ndim * sizeof(int64_t))
    storage = adopt(<char*>t.data + t.byte_offset, max(extent, 0), owner)
    y = over_storage(storage, t.ndim, t.shape, strides, 0, code)
    release(storage)
    return y


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """Return a tensor over the memory of another library's, or of a DLPack capsule."""
    cdef DLManagedTensor* managed
    cdef Foreign owner
    cdef Tensor y
    capsule = ext_tensor
    if hasattr(ext_tensor, "__dlpack__"):
        kind = ext_tensor.__dlpack_device__()
        if kind[0] != TT_DL_CPU:
            raise BufferError(f"DLPack device type {kind[0]} is not supported")
        capsule = ext_tensor.__dlpack__()
    if not PyCapsule_IsValid(capsule, b"dltensor"):
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can "
            "be consumed only once, so you might have already constructed a tensor "
            "from it once.")
    managed = <DLManagedTensor*>PyCapsule_GetPointer(capsule, b"dltensor")
    owner = Foreign.__new__(Foreign)
    owner.managed = managed
    PyCapsule_SetName(capsule, b"used_dltensor")
    y = over_managed(managed, owner)
    if device is not None:
        y = <Tensor>y.to(device)
    return y.clone() if copy else y
