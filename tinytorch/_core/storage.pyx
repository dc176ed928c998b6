"""Storage and its caching allocator.

A block is a Storage struct followed by its bytes, both on 64-byte boundaries.  Freed
blocks wait on a list per size class, so that a training step asks the system for
nothing after its first round.  All of it runs under the GIL.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdlib.h>
    static void *aligned_block(size_t bytes) {
        void *block = NULL;
        return posix_memalign(&block, 64, bytes) ? NULL : block;
    }
    static int high_bit(uint64_t n) { return 63 - __builtin_clzll(n); }

    /* The address sanitizer sees what lies beyond a block, and what was freed: there
       blocks have no spare room and are not used again (tests/sanitize.sh). */
    #ifdef __SANITIZE_ADDRESS__
    enum { TT_EXACT_BLOCKS = 1 };
    #else
    enum { TT_EXACT_BLOCKS = 0 };
    #endif
    """
    void* aligned_block(size_t bytes) nogil
    int high_bit(uint64_t n) nogil
    enum: EXACT_BLOCKS "TT_EXACT_BLOCKS"

cdef enum:
    HEADER = 64          # room for the struct, and the alignment of the data
    FINE_CLASSES = 16    # multiples of 64 bytes up to 1024
    CLASSES = 176        # then four steps for every power of two
    LARGEST_CACHED = 1 << 28

cdef Storage* cached[CLASSES]   # linked through `owner`
cdef int64_t live_now = 0, live_peak = 0, cached_now = 0
cdef int64_t cache_limit = 1 << 29
cdef int64_t until_failure = -1
cdef int64_t tensors_now = 0
cdef DeviceAllocate device_allocate = NULL
cdef DeviceRelease device_release = NULL

assert sizeof(Storage) <= HEADER


cdef inline int class_of(int64_t nbytes, int64_t* capacity) noexcept nogil:
    """Size class that holds nbytes, and how many bytes it has."""
    cdef int bit
    cdef int64_t step
    if nbytes <= 1024:
        nbytes = (nbytes + 63) & ~63
        capacity[0] = nbytes
        return <int>(nbytes >> 6)
    bit = high_bit(nbytes - 1)
    step = (<int64_t>1) << (bit - 2)
    nbytes = (nbytes + step - 1) & ~(step - 1)
    capacity[0] = nbytes
    return FINE_CLASSES + 1 + 4 * (bit - 10) + <int>((nbytes - 1 - (<int64_t>1 << bit))
                                                     >> (bit - 2))


cdef int out_of_memory(int64_t nbytes) except -1:
    raise MemoryError(
        f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {nbytes} "
        "bytes")


cdef int check_failure_hook(int64_t nbytes) except -1:
    global until_failure
    if until_failure == 0:
        until_failure = -1
        return out_of_memory(nbytes)
    until_failure -= 1
    return 0


cdef Storage* allocate(int64_t nbytes, int device=CPU, int index=0) except NULL:
    """Memory for nbytes, held once; its contents are whatever was there."""
    global live_now, live_peak, cached_now
    cdef int64_t capacity = 0, wanted = nbytes if device == CPU else 0, room
    cdef Storage* storage
    cdef int size_class
    if until_failure >= 0:
        check_failure_hook(nbytes)
    if wanted < 0 or wanted > (<int64_t>1 << 46):
        out_of_memory(nbytes)
    size_class = class_of(wanted, &capacity)
    storage = cached[size_class]
    if storage != NULL:
        cached[size_class] = <Storage*>storage.owner
        cached_now -= capacity
    else:
        room = HEADER + (wanted if EXACT_BLOCKS else capacity)
        storage = <Storage*>aligned_block(room)
        if storage == NULL:
            drop_cache()
            storage = <Storage*>aligned_block(room)
            if storage == NULL:
                out_of_memory(nbytes)
    storage.data = <char*>storage + HEADER if device == CPU else NULL
    storage.nbytes = nbytes
    storage.capacity = capacity
    storage.references = 1
    storage.version = 0
    storage.device = device
    storage.index = index
    storage.size_class = size_class
    storage.resized = 0
    storage.shared = 0
    storage.owner = NULL
    live_now += capacity
    if live_now > live_peak:
        live_peak = live_now
    if device == CUDA:
        if device_allocate == NULL:
            release(storage)
            raise RuntimeError("no CUDA device is registered")
        try:
            device_allocate(storage)
        except BaseException:
            storage.device = META  # there is no device memory to give back
            release(storage)
            raise
    return storage


cdef Storage* adopt(void* data, int64_t nbytes, object owner) except NULL:
    """A storage over foreign memory that `owner` keeps alive."""
    cdef Storage* storage = allocate(0)
    storage.data = <char*>data
    storage.nbytes = nbytes
    storage.shared = 1
    storage.owner = <void*>owner
    Py_INCREF(owner)
    return storage


cdef int resize(Storage* storage, int64_t nbytes) except -1:
    """Change the number of bytes; what fits is kept.  Tensors find the data anew."""
    global live_now, live_peak
    cdef char* data
    if storage.shared:
        raise RuntimeError("Trying to resize storage that is not resizable")
    if storage.device != CPU or nbytes <= storage.capacity:
        storage.nbytes = nbytes
        return 0
    if until_failure >= 0:
        check_failure_hook(nbytes)
    data = <char*>aligned_block(nbytes)
    if data == NULL:
        out_of_memory(nbytes)
    memcpy(data, storage.data, storage.nbytes)
    if storage.resized:
        free(storage.data)
        live_now -= storage.capacity
    else:
        live_now -= storage.capacity
    live_now += nbytes
    live_peak = max(live_peak, live_now)
    storage.data = data
    storage.nbytes = storage.capacity = nbytes
    storage.resized = 1
    return 0


cdef void release(Storage* storage) noexcept:
    """Let go of a storage; the last one to do so gives the block back."""
    global live_now, cached_now
    cdef PyObject* owner
    storage.references -= 1
    if storage.references > 0:
        return
    live_now -= storage.capacity
    if storage.device == CUDA and device_release != NULL:
        device_release(storage)
    if storage.resized:
        free(storage.data)
        free(storage)
        return
    owner = <PyObject*>storage.owner
    storage.owner = NULL
    if (EXACT_BLOCKS or storage.capacity > LARGEST_CACHED
            or cached_now + storage.capacity > cache_limit):
        free(storage)
    else:
        storage.owner = cached[storage.size_class]
        cached[storage.size_class] = storage
        cached_now += storage.capacity
    if owner != NULL:
        Py_DECREF(<object>owner)


cdef void register_device_memory(DeviceAllocate allocate,
                                 DeviceRelease release) noexcept:
    global device_allocate, device_release
    device_allocate = allocate
    device_release = release


cdef void count_tensor(int change) noexcept nogil:
    global tensors_now
    tensors_now += change


cdef void drop_cache() noexcept:
    global cached_now
    cdef int k
    cdef Storage* storage
    for k in range(CLASSES):
        while cached[k] != NULL:
            storage = cached[k]
            cached[k] = <Storage*>storage.owner
            free(storage)
    cached_now = 0


memset(cached, 0, sizeof(cached))


# ---- for users and tests ----

def empty_cache():
    """Give all cached blocks back to the system."""
    drop_cache()


def live_bytes() -> int:
    """Bytes that tensors hold now."""
    return live_now


def peak_bytes() -> int:
    """The largest value that `live_bytes` has had since the last reset."""
    return live_peak


def reset_peak_bytes():
    """Let `peak_bytes` start again from the present value."""
    global live_peak
    live_peak = live_now


def cached_bytes() -> int:
    """Bytes that wait for reuse."""
    return cached_now


def live_tensors() -> int:
    """Number of tensor objects that exist now."""
    return tensors_now


def fail_allocation(int64_t after):
    """Make the allocation after the next `after` ones fail; -1 turns this off.

    A hook for tests: whatever runs out of memory must leave everything usable.
    """
    global until_failure
    until_failure = after
