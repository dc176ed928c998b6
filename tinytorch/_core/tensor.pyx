"""The tensor object: strided views of storages.  No arithmetic lives here.

Operators and indexing are slots of the type, so they must stand in this class; they
jump through `operators`, which the op modules fill when they are imported.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject, destructor
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from tinytorch._core.modes cimport inference_mode
from tinytorch._core.storage cimport (
    CPU, Storage, allocate, count_tensor, hold, release)
from tinytorch._core.types cimport (
    INLINE_DIMS, MAX_DIMS, device_of, dtype_of, is_float, itemsize)

from tinytorch._core.types import Size

cdef extern from "Python.h":
    void Py_CLEAR(PyObject* x)

cdef extern from "freeing.h":
    void tt_free_object(PyObject* x, destructor free_now) noexcept

# What a tensor object shows until it is filled: no elements, but nothing to crash on.
cdef Storage nothing
memset(&nothing, 0, sizeof(nothing))
nothing.references = 1

cdef Operators table
memset(&table, 0, sizeof(table))
operators = &table


@cython.freelist(512)
cdef class Tensor:
    """An n-dimensional array of one dtype, with PyTorch's interface."""

    def __cinit__(self):
        self.sizes = self.dims
        self.strides = self.dims + INLINE_DIMS
        self.storage = &nothing

    def __init__(self, *args, **kwargs):
        # Objects made in C never come here; subclasses whose __new__ filled the
        # tensor do, and have nothing left to be done.
        if self.storage == &nothing:
            if table.init == NULL:
                raise TypeError("import tinytorch before making tensors")
            table.init(self, args, kwargs)

    def __dealloc__(self):
        if self.next_view != NULL:
            leave_views(self)
        if self.storage != &nothing:
            release(self.storage)
            count_tensor(-1)
        if self.sizes != self.dims:
            free(self.sizes)
        Py_CLEAR(self.fields)

    # ---- what a tensor says of itself ----

    @property
    def shape(self):
        """Sizes of all dimensions."""
        return size_of(self)

    @property
    def dtype(self):
        """Type of the elements."""
        return dtype_of(self.code)

    @property
    def device(self):
        """Where the elements are."""
        return device_of(self.storage.device, self.storage.index)

    @property
    def ndim(self):
        """Number of dimensions."""
        return self.rank

    def size(self, dim=None):
        """Return the shape, or one of its sizes."""
        if dim is None:
            return size_of(self)
        return self.sizes[wrap_dim(dim, self.rank)]

    def dim(self):
        """Return the number of dimensions."""
        return self.rank

    def numel(self):
        """Return the number of elements."""
        return self.count

    def item(self):
        """Return the only element as a Python number."""
        return table.item(self)

    def tolist(self):
        """Return the elements as nested lists of Python numbers."""
        return table.tolist(self)

    # ---- autograd's view of it ----

    @property
    def requires_grad(self):
        """Whether gradients flow to this tensor."""
        return (self.flags & REQUIRES_GRAD) != 0

    @requires_grad.setter
    def requires_grad(self, value):
        table.set_requires_grad(self, value)

    @property
    def is_leaf(self):
        """Whether no recorded op made this tensor."""
        return (self.node if self.base is None else table.grad_fn(self)) is None

    @property
    def grad_fn(self):
        """The node of the op that made this tensor, or None."""
        if self.base is not None:
            return table.grad_fn(self)
        return self.node

    @property
    def grad(self):
        """The gradient that backward has accumulated here, or None."""
        return self.gradient

    @grad.setter
    def grad(self, value):
        table.set_grad(self, value)

    @grad.deleter
    def grad(self):
        self.gradient = None

    @property
    def data(self):
        """The same elements without history; writes are not seen by autograd."""
        return table.data(self)

    @data.setter
    def data(self, value):
        table.set_data(self, value)

    # ---- Python protocols ----

    def __len__(self):
        if self.rank == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.sizes[0]

    def __bool__(self):
        if self.count != 1:
            if self.count == 0:
                raise RuntimeError("Boolean value of Tensor with no values is "
                                   "ambiguous")
            raise RuntimeError(
                "Boolean value of Tensor with more than one value is ambiguous")
        return bool(table.item(self))

    def __int__(self):
        return int(table.item(self))

    def __float__(self):
        return float(table.item(self))

    def __index__(self):
        if is_float(self.code) or self.count != 1:
            raise TypeError("only integer tensors of a single element can be converted "
                            "to an index")
        return int(table.item(self))

    def __iter__(self):
        if self.rank == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __hash__(self):
        return <Py_hash_t>(<size_t><void*>self >> 4)

    def __repr__(self):
        return self._repr()  # bound by the facade, as is _contains

    def __contains__(self, element):
        return self._contains(element)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        table.fill_buffer(self, buffer, flags)

    def __releasebuffer__(self, Py_buffer* buffer):
        if buffer.internal != NULL:
            free(buffer.internal)

    # ---- operators ----

    def __add__(a, b): return table.add(a, b)
    def __sub__(a, b): return table.sub(a, b)
    def __mul__(a, b): return table.mul(a, b)
    def __truediv__(a, b): return table.truediv(a, b)
    def __floordiv__(a, b): return table.floordiv(a, b)
    def __mod__(a, b): return table.mod(a, b)
    def __pow__(a, b, _modulus): return table.pow(a, b)
    def __matmul__(a, b): return table.matmul(a, b)
    def __and__(a, b): return table.and_(a, b)
    def __or__(a, b): return table.or_(a, b)
    def __xor__(a, b): return table.xor(a, b)
    def __lshift__(a, b): return table.lshift(a, b)
    def __rshift__(a, b): return table.rshift(a, b)
    def __iadd__(self, b): return table.iadd(self, b)
    def __isub__(self, b): return table.isub(self, b)
    def __imul__(self, b): return table.imul(self, b)
    def __itruediv__(self, b): return table.itruediv(self, b)
    def __ifloordiv__(self, b): return table.ifloordiv(self, b)
    def __imod__(self, b): return table.imod(self, b)
    def __ipow__(self, b): return table.ipow(self, b)
    def __iand__(self, b): return table.iand(self, b)
    def __ior__(self, b): return table.ior(self, b)
    def __ixor__(self, b): return table.ixor(self, b)
    def __ilshift__(self, b): return table.ilshift(self, b)
    def __irshift__(self, b): return table.irshift(self, b)
    def __neg__(self): return table.neg(self)
    def __pos__(self): return self
    def __abs__(self): return table.abs(self)
    def __invert__(self): return table.invert(self)
    def __richcmp__(self, other, int op): return table.compare(self, other, op)
    def __getitem__(self, key): return table.getitem(self, key)
    def __setitem__(self, key, value): table.setitem(self, key, value)


cdef destructor free_now = (<PyTypeObject*>Tensor).tp_dealloc

cdef void free_tensor(PyObject* x) noexcept:
    tt_free_object(x, free_now)

(<PyTypeObject*>Tensor).tp_dealloc = free_tensor  # long graphs: include/freeing.h


# ---- making tensors ----

cdef inline Tensor blank():
    """A tensor object with room for sizes and no storage yet."""
    return Tensor.__new__(Tensor)


cdef int make_room(Tensor x, int ndim) except -1:
    """Point shape and strides at memory for ndim sizes."""
    cdef int64_t* room
    if ndim > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions, got {ndim}")
    if ndim <= INLINE_DIMS:
        if x.sizes != x.dims:
            free(x.sizes)
            x.sizes = x.dims
            x.strides = x.dims + INLINE_DIMS
        return 0
    room = <int64_t*>malloc(2 * ndim * sizeof(int64_t))
    if room == NULL:
        raise MemoryError()
    if x.sizes != x.dims:
        free(x.sizes)
    x.sizes = room
    x.strides = room + ndim
    return 0


cdef void note_contiguity(Tensor x) noexcept:
    cdef int i
    cdef int64_t expected = 1
    x.flags |= CONTIGUOUS
    if x.count == 0:
        return
    for i in range(x.rank - 1, -1, -1):
        if x.sizes[i] != 1:
            if x.strides[i] != expected:
                x.flags &= ~CONTIGUOUS
                return
            expected *= x.sizes[i]


cdef int set_sizes(Tensor x, int ndim, const int64_t* shape,
                   const int64_t* strides) except -1:
    """Give x a shape; without strides it is contiguous."""
    cdef int i
    cdef int64_t n = 1
    if ndim > INLINE_DIMS or x.sizes != x.dims:
        make_room(x, ndim)
    x.rank = ndim
    if strides == NULL:
        for i in range(ndim - 1, -1, -1):
            x.sizes[i] = shape[i]
            x.strides[i] = n
            n *= shape[i] if shape[i] > 1 else 1
        for i in range(ndim):
            if shape[i] == 0:
                n = 0
        x.count = n
        x.flags |= CONTIGUOUS
        return 0
    for i in range(ndim):
        x.sizes[i] = shape[i]
        x.strides[i] = strides[i]
        n *= shape[i]
    x.count = n
    note_contiguity(x)
    return 0


cdef int check_extent(int ndim, const int64_t* shape) except -1:
    """Refuse negative sizes and products beyond 63 bits before anything is made."""
    cdef int i
    cdef int64_t n = 1
    for i in range(ndim):
        if shape[i] < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {shape[i]}: "
                f"{[shape[k] for k in range(ndim)]}")
    for i in range(ndim):
        if shape[i] and n > (<int64_t>1 << 59) // shape[i]:
            raise RuntimeError("Storage size calculation overflowed with sizes="
                               f"{[shape[k] for k in range(ndim)]}")
        n *= shape[i]
    return 0


cdef Tensor empty(int ndim, const int64_t* shape, int code, int device=CPU,
                  int index=0):
    """A new contiguous tensor whose elements are not set."""
    cdef Tensor x = blank()
    cdef int i
    cdef int64_t product = 1
    for i in range(ndim):  # cheap test that sends odd shapes to the careful one
        if shape[i] < 0 or shape[i] > (1 << 24):
            check_extent(ndim, shape)
        product *= shape[i] if shape[i] < 65536 else 65536
        if product > (<int64_t>1 << 40):
            check_extent(ndim, shape)
            product = 1
    set_sizes(x, ndim, shape, NULL)
    x.code = code
    x.storage = allocate(x.count * itemsize[code], device, index)
    count_tensor(1)
    if inference_mode():
        x.flags |= INFERENCE
    return x


cdef Tensor empty_like(Tensor x):
    """A new contiguous tensor of x's shape, dtype and device."""
    return empty(x.rank, x.sizes, x.code, x.storage.device, x.storage.index)


cdef Tensor empty_as(Tensor x, int code):
    """A new contiguous tensor of x's shape and device, and the given dtype."""
    return empty(x.rank, x.sizes, code, x.storage.device, x.storage.index)


cdef Tensor empty_beside(Tensor x, int ndim, const int64_t* shape, int code):
    """A new contiguous tensor on x's device."""
    return empty(ndim, shape, code, x.storage.device, x.storage.index)


cdef Tensor over_storage(Storage* storage, int ndim, const int64_t* shape,
                         const int64_t* strides, int64_t offset, int code):
    """A new tensor over a storage, which it holds from now on."""
    cdef Tensor y = blank()
    set_sizes(y, ndim, shape, strides)
    y.code = code
    y.offset = offset
    y.storage = storage
    hold(storage)
    count_tensor(1)
    return y


cdef Tensor over(Tensor x, int ndim, const int64_t* shape, const int64_t* strides,
                 int64_t offset):
    """A tensor over x's memory; offset in bytes from the start of the storage."""
    cdef Tensor y = over_storage(x.storage, ndim, shape, strides, offset, x.code)
    y.flags |= x.flags & INFERENCE
    return y


cdef Tensor twin(Tensor x):
    """Another tensor over all of x."""
    return over(x, x.rank, x.sizes, x.strides, x.offset)


cdef Tensor view(Tensor x, int ndim, const int64_t* shape, const int64_t* strides,
                 int64_t offset):
    """A view of x's memory; offset in bytes from the start of the storage."""
    cdef Tensor y = over_storage(x.storage, ndim, shape, strides, offset, x.code)
    y.flags |= x.flags & INFERENCE
    y.view_version = x.storage.version
    join_ring(y, x if x.base is None else x.base)
    return y


cdef Tensor alias(Tensor x):
    """A view of all of x."""
    return view(x, x.rank, x.sizes, x.strides, x.offset)


cdef int share(Tensor x, Tensor y) except -1:
    """Let x show y's memory from now on; x's place in the graph stays."""
    set_sizes(x, y.rank, y.sizes, y.strides)
    x.code = y.code
    x.offset = y.offset
    hold(y.storage)
    if x.storage == &nothing:
        count_tensor(1)
    else:
        release(x.storage)
    x.storage = y.storage
    return 0


# ---- the views of a tensor ----

cdef inline void join_ring(Tensor x, Tensor base) noexcept:
    cdef void* second = base.next_view
    if second == NULL:
        second = <void*>base
    x.base = base
    x.previous_view = <void*>base
    x.next_view = second
    (<Tensor>second).previous_view = <void*>x
    base.next_view = <void*>x


cdef int enter_views(Tensor x, Tensor base) except -1:
    """Make x a view of base, which is not a view itself."""
    join_ring(x, base)
    return 0


cdef inline void leave_views(Tensor x) noexcept:
    """Take x, which is perhaps being freed, out of its ring."""
    (<Tensor>x.previous_view).next_view = x.next_view
    (<Tensor>x.next_view).previous_view = x.previous_view
    x.next_view = NULL


cdef int forget_base(Tensor x) except -1:
    """Make a view a tensor of its own."""
    if x.base is not None:
        leave_views(x)
        x.base = None
    return 0


cdef void tell_views(Tensor base) noexcept:
    """Let base's views know whether it requires grad.  No `|=` on their flags: it would
    hold a view meanwhile, which may be waiting to be freed."""
    cdef void* at = base.next_view
    cdef uint8_t flags
    while at != NULL and at != <void*>base:
        flags = (<Tensor>at).flags
        if base.flags & REQUIRES_GRAD:
            if (<Tensor>at).code == base.code and not flags & REQUIRES_GRAD:
                (<Tensor>at).flags = flags | REQUIRES_GRAD | INHERITS_GRAD
        elif flags & INHERITS_GRAD and (<Tensor>at).node is None:
            (<Tensor>at).flags = flags & ~(REQUIRES_GRAD | INHERITS_GRAD)
        at = (<Tensor>at).next_view


# ---- reading sizes ----

cdef object size_of(Tensor x):
    cdef int i
    return Size([x.sizes[i] for i in range(x.rank)])


cdef int wrap_dim(object dim, int ndim) except -1:
    cdef int d
    if not hasattr(dim, "__index__") or isinstance(dim, bool):
        raise TypeError(f"dim must be int, not {type(dim).__name__}")
    d = dim
    if d < -ndim or d >= ndim:
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[{-ndim}, {ndim - 1}], but got {d})")
    return d + ndim if d < 0 else d
