"""Tensor: storage, offset, shape, strides, dtype, and what autograd hangs on it."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tinytorch._core.storage cimport Storage

cdef enum:                     # Tensor.flags
    REQUIRES_GRAD = 1
    CONTIGUOUS = 2
    INFERENCE = 4              # made under inference_mode
    RETAINS_GRAD = 8
    NO_REBASE = 16             # a view that no op with a history may write
    NO_GRAD_VIEW = 32          # why not: made under no_grad, or a view of such a view
    INHERITS_GRAD = 64         # requires grad as its base does, is itself no leaf

# Names of fields differ from those of Python's properties (shape, ndim, numel(),
# grad_fn): Cython would take the slow property for the field.
cdef class Tensor:
    cdef Storage* storage      # held
    cdef int64_t offset        # bytes from storage.data to the first element
    cdef int64_t* sizes        # dims, or the heap beyond INLINE_DIMS
    cdef int64_t* strides      # in elements
    cdef int64_t count         # number of elements
    cdef int64_t[12] dims      # 2 * INLINE_DIMS
    cdef uint8_t rank          # number of dimensions
    cdef uint8_t code          # dtype
    cdef uint8_t flags
    cdef uint32_t output       # which output of its node this is
    cdef uint32_t view_version  # version of the storage when its node was derived
    cdef object node           # the op that made it: Node, or None for leaves
    cdef Tensor gradient       # .grad
    cdef Tensor base           # the tensor this one is a view of
    # A base and its views are a ring, NULL while there is no view.  Nothing is held: a
    # view holds its base, and a tensor leaves the ring when it is freed.
    cdef void* next_view
    cdef void* previous_view
    cdef dict extra            # rare things: hooks, grad accumulator
    cdef PyObject* fields      # __dict__: what users hang on it; held, mostly NULL
    cdef object __weakref__

cdef Tensor empty(int ndim, const int64_t* shape, int code, int device=*, int index=*)
cdef Tensor empty_like(Tensor x)
cdef Tensor empty_as(Tensor x, int code)
cdef Tensor empty_beside(Tensor x, int ndim, const int64_t* shape, int code)
cdef Tensor view(Tensor x, int ndim, const int64_t* shape, const int64_t* strides,
                 int64_t offset)
cdef Tensor alias(Tensor x)
# The same without a base: to autograd, tensors of their own.
cdef Tensor over(Tensor x, int ndim, const int64_t* shape, const int64_t* strides,
                 int64_t offset)
cdef Tensor twin(Tensor x)
cdef int enter_views(Tensor x, Tensor base) except -1
cdef int forget_base(Tensor x) except -1
cdef void tell_views(Tensor base) noexcept  # whether it requires grad
cdef Tensor over_storage(Storage* storage, int ndim, const int64_t* shape,
                         const int64_t* strides, int64_t offset, int code)
cdef int share(Tensor x, Tensor y) except -1
cdef int set_sizes(Tensor x, int ndim, const int64_t* shape,
                   const int64_t* strides) except -1
cdef void note_contiguity(Tensor x) noexcept
cdef object size_of(Tensor x)
cdef int wrap_dim(object dim, int ndim) except -1

cdef inline char* data(Tensor x) noexcept nogil:
    return x.storage.data + x.offset

cdef inline bint same_shape(Tensor a, Tensor b) noexcept nogil:
    cdef int i
    if a.rank != b.rank:
        return False
    for i in range(a.rank):
        if a.sizes[i] != b.sizes[i]:
            return False
    return True

cdef inline bint is_contiguous(Tensor x) noexcept nogil:
    return (x.flags & CONTIGUOUS) != 0

cdef inline void wrote(Tensor x) noexcept nogil:
    """Note that x's memory has changed."""
    # Not `+=`: where None is checked for, that needs the GIL.
    x.storage.version = x.storage.version + 1

# ---- what the layers above supply ----

ctypedef object (*BinaryHook)(object a, object b)
ctypedef object (*UnaryHook)(Tensor x)
ctypedef object (*CompareHook)(object a, object b, int op)
ctypedef object (*IndexHook)(Tensor x, object key)
ctypedef int (*AssignHook)(Tensor x, object key, object value) except -1
ctypedef int (*SetHook)(Tensor x, object value) except -1
ctypedef int (*BufferHook)(Tensor x, Py_buffer* buffer, int flags) except -1
ctypedef object (*InitHook)(Tensor x, tuple args, dict kwargs)

cdef struct Operators:
    BinaryHook add, sub, mul, truediv, floordiv, mod, pow, matmul
    BinaryHook and_, or_, xor, lshift, rshift
    BinaryHook iadd, isub, imul, itruediv, ifloordiv, imod, ipow
    BinaryHook iand, ior, ixor, ilshift, irshift
    UnaryHook neg, abs, invert, item, tolist, to_host, grad_fn, data
    SetHook set_requires_grad, set_grad, set_data
    BufferHook fill_buffer
    CompareHook compare
    IndexHook getitem
    AssignHook setitem
    InitHook init

cdef Operators* operators
