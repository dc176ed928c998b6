"""Reference-counted memory: one C struct, no Python object,
so that it costs nanoseconds."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t

cdef enum:
    CPU = 0
    CUDA = 1
    META = 2

cdef struct Storage:
    char* data          # 64-byte aligned; NULL when empty or on the meta device
    int64_t nbytes      # bytes asked for
    int64_t capacity    # bytes at data that belong to this storage's own block
    int64_t references  # tensors and programs that hold it; under the GIL
    uint32_t version    # writes so far; autograd compares it with what it saved
    int16_t device      # CPU, CUDA, META
    int16_t index       # number of the device
    uint8_t size_class  # of the block that starts with this struct
    uint8_t resized     # data is a block of its own, from the C allocator
    uint8_t shared      # memory that others see as well (NumPy, DLPack, mmap)
    void* owner         # PyObject* that keeps foreign memory alive, or NULL

cdef Storage* allocate(int64_t nbytes, int device=*, int index=*) except NULL
cdef Storage* adopt(void* data, int64_t nbytes, object owner) except NULL
cdef int resize(Storage* storage, int64_t nbytes) except -1
cdef void release(Storage* storage) noexcept

cdef inline void hold(Storage* storage) noexcept nogil:
    storage.references += 1

# What a device other than the CPU supplies; the GPU package fills it.
ctypedef int (*DeviceAllocate)(Storage* storage) except -1
ctypedef void (*DeviceRelease)(Storage* storage) noexcept
cdef void register_device_memory(DeviceAllocate allocate,
                                 DeviceRelease release) noexcept
cdef void count_tensor(int change) noexcept nogil
