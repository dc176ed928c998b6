"""What users may do with a tensor's memory: set_, resize_,
and the bytes of a storage."""

from libc.stdint cimport int64_t, intptr_t

from tinytorch._core.autograd cimport grad_mode
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.shape cimport either, read_int, read_sizes
from tinytorch._core.storage cimport resize
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty, over_storage, set_sizes, size_of)
from tinytorch._core.types cimport MAX_DIMS, U8, itemsize

__all__ = ["resize_as_"]
METHODS = ["set_", "resize_", "resize_as_", "is_set_to"]


# ---- storages ----

def bytes_of(Tensor x not None):
    """Return all bytes of x's storage as a uint8 tensor over the same memory."""
    cdef int64_t n = x.storage.nbytes, step = 1
    return over_storage(x.storage, 1, &n, &step, 0, U8)


def over_bytes(content not None):
    """Return a uint8 tensor with a copy of the bytes, in memory of its own."""
    cdef const unsigned char[:] source = content
    cdef int64_t n = source.shape[0], i
    cdef Tensor y = empty(1, &n, U8)
    for i in range(n):
        y.storage.data[i] = <char>source[i]
    return y


def identity(Tensor x not None) -> int:
    """Return a number that only tensors of the same storage have."""
    return <intptr_t>x.storage


def put_into(Tensor y not None, out):
    """Return y, or `out` filled with it: the end of functions with out= in Python."""
    return deliver(y, out)


# ---- in place ----

cdef int64_t extent(int rank, const int64_t* sizes, const int64_t* strides) noexcept:
    cdef int64_t last = 1
    cdef int d
    for d in range(rank):
        if sizes[d] == 0:
            return 0
        last += (sizes[d] - 1) * strides[d]
    return last


cdef int reserve(Tensor x, int64_t elements) except -1:
    """Let the storage reach that far behind x's first element."""
    cdef int64_t wanted = x.offset + elements * itemsize[x.code]
    if elements and wanted > x.storage.nbytes:
        resize(x.storage, wanted)
    return 0


def set_(Tensor self not None, source=None, storage_offset=0, size=None, stride=None):
    """Let self show other memory: a tensor's, a storage's, or none."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int64_t n = 0, step = 1, at
    cdef int rank = 1, d
    cdef Tensor x, shown
    if self.flags & REQUIRES_GRAD and grad_mode():
        raise RuntimeError("derivative for set_ is not implemented")
    if source is None:
        self.data = empty(1, &n, self.code)
        return self
    x = <Tensor?>(source if isinstance(source, Tensor) else
                  getattr(source, "_bytes", None) if hasattr(source, "_bytes")
                  else source.untyped()._bytes)
    if isinstance(source, Tensor) and x.code != self.code:
        raise RuntimeError("Could not set tensor of type "
                           f"{x.dtype} to a tensor of type {self.dtype}")
    if isinstance(source, Tensor) and size is None:
        self.data = x
        return self
    at = read_int(storage_offset, "set_", "storage_offset")
    if at < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {at}")
    if size is None:
        n = x.storage.nbytes // itemsize[self.code]
        shown = over_storage(x.storage, 1, &n, &step, 0, self.code)
        self.data = shown
        return self
    rank = read_sizes(size, sizes, "set_")
    if stride is None or len(stride) == 0 and rank:
        for d in range(rank - 1, -1, -1):
            strides[d] = step
            step *= max(sizes[d], 1)
    elif read_sizes(stride, strides, "set_") != rank:
        raise RuntimeError("mismatch in length of strides and shape")
    for d in range(rank):
        if strides[d] < 0 or sizes[d] < 0:
            raise RuntimeError("set_(): sizes and strides must not be negative")
    n = extent(rank, sizes, strides)
    if n and (at + n) * itemsize[self.code] > x.storage.nbytes:
        resize(x.storage, (at + n) * itemsize[self.code])
    self.data = over_storage(x.storage, rank, sizes, strides, at * itemsize[self.code],
                             self.code)
    return self


def resize_(Tensor self not None, *sizes, size=None, memory_format=None):
    """Give self another size; memory grows if need be, new elements are not set."""
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t n = 1
    cdef int d, rank = read_sizes(either(sizes, size, "resize_", "size"), shape,
                                  "resize_")
    if self.flags & REQUIRES_GRAD:
        raise RuntimeError("cannot resize variables that require grad")
    for d in range(rank):
        if shape[d] < 0 or (shape[d] and n > (<int64_t>1 << 59) // shape[d]):
            raise RuntimeError("numel: integer multiplication overflow")
        n *= shape[d]
    reserve(self, n)
    set_sizes(self, rank, shape, NULL)
    return self


def resize_as_(Tensor self not None, Tensor the_template not None, *,
               memory_format=None):
    """Give self the size of another tensor."""
    return resize_(self, size=size_of(the_template))


def is_set_to(Tensor self not None, Tensor tensor not None):
    """Return whether both show the same memory in the same way."""
    return (self.storage == tensor.storage and self.offset == tensor.offset
            and size_of(self) == size_of(tensor) and self.stride() == tensor.stride()
            and self.code == tensor.code)
