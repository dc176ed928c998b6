"""The tensor object: strided views of storages.  No arithmetic lives here.

Operators and indexing are slots of the type, so they must stand in this class; they
jump through `operators`, which the op modules fill when they are imported.
"""

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES
from cpython.object cimport PyObject, PyTypeObject, inquiry, traverseproc
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from tinytorch._core.storage cimport (
    CPU, CUDA, META, Storage, adopt, allocate, count_tensor, hold, release)
from tinytorch._core.types cimport (
    BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, INLINE_DIMS, MAX_DIMS, U8, device_of,
    dtype_of, is_float, itemsize)

from tinytorch._core.types import Size

cdef extern from "half.h" nogil:
    float f32_of_f16(uint16_t h)
    float f32_of_bf16(uint16_t h)

cdef extern from "Python.h":
    ctypedef struct PyGetSetDef:
        const char* name
        void* get
        void* set
        const char* doc
        void* closure
    object PyDescr_NewGetSet(PyTypeObject* cls, PyGetSetDef* definition)
    object PyObject_GenericGetDict(object x, void* unused)
    int PyObject_GenericSetDict(object x, object value, void* unused) except -1
    void PyType_Modified(PyTypeObject* cls)
    void Py_CLEAR(PyObject* x)

# What a tensor object shows until it is filled: no elements, but nothing to crash on.
cdef Storage nothing
memset(&nothing, 0, sizeof(nothing))
nothing.references = 1

cdef Operators table
memset(&table, 0, sizeof(table))
operators = &table


@cython.freelist(512)
@cython.trashcan(True)  # a graph of a million nodes is freed without deep recursion
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

    @property
    def is_cuda(self):
        """Whether the tensor is on a GPU."""
        return self.storage.device == CUDA

    @property
    def is_cpu(self):
        """Whether the tensor is in main memory."""
        return self.storage.device == CPU

    @property
    def is_meta(self):
        """Whether the tensor has a shape but no elements."""
        return self.storage.device == META

    @property
    def is_sparse(self):
        """False: there are no sparse tensors."""
        return False

    @property
    def is_quantized(self):
        """False: there are no quantised tensors."""
        return False

    @property
    def itemsize(self):
        """Bytes of one element."""
        return itemsize[self.code]

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.count * itemsize[self.code]

    @property
    def _version(self):
        return self.storage.version

    @property
    def _base(self):
        return self.base

    def _is_view(self):
        return self.base is not None

    def size(self, dim=None):
        """Return the shape, or one of its sizes."""
        if dim is None:
            return size_of(self)
        return self.sizes[wrap_dim(dim, self.rank)]

    def stride(self, dim=None):
        """Return the strides in elements, or one of them."""
        if dim is None:
            return tuple([self.strides[i] for i in range(self.rank)])
        return self.strides[wrap_dim(dim, self.rank)]

    def dim(self):
        """Return the number of dimensions."""
        return self.rank

    ndimension = dim

    def numel(self):
        """Return the number of elements."""
        return self.count

    nelement = numel

    def element_size(self):
        """Return the bytes of one element."""
        return itemsize[self.code]

    def storage_offset(self):
        """Return where in the storage the first element is, in elements."""
        return self.offset // itemsize[self.code]

    def data_ptr(self):
        """Return the address of the first element."""
        return <size_t>data(self) if self.count else 0

    def is_floating_point(self):
        """Return whether the elements are floating-point numbers."""
        return is_float(self.code)

    def is_complex(self):
        """Return False: there are no complex dtypes."""
        return False

    def is_signed(self):
        """Return whether the dtype has values below zero."""
        return self.code != U8 and self.code != BOOL

    def get_device(self):
        """Return the number of the GPU, -1 for the CPU."""
        return self.storage.index if self.storage.device == CUDA else -1

    def _storage_bytes(self):
        return self.storage.nbytes

    def _storage_address(self):
        return <size_t>self.storage.data

    def item(self):
        """Return the only element as a Python number."""
        return item(self)

    def tolist(self):
        """Return the elements as nested lists of Python numbers."""
        cdef Tensor x = self
        if x.storage.device != CPU:
            x = to_host(x)
        return nested(x, 0, data(x))

    # ---- autograd's view of it ----

    @property
    def requires_grad(self):
        """Whether gradients flow to this tensor."""
        return (self.flags & REQUIRES_GRAD) != 0

    @requires_grad.setter
    def requires_grad(self, value):
        if not isinstance(value, bool):
            raise TypeError("requires_grad must be a bool")
        if self.node is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you "
                    "want to use a computed variable in a subgraph that doesn't "
                    "require differentiation use var_no_grad = var.detach().")
            return
        if value and not is_float(self.code):
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients")
        if value:
            self.flags |= REQUIRES_GRAD
        else:
            self.flags &= ~REQUIRES_GRAD

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
        cdef Tensor g
        if value is None:
            self.gradient = None
            return
        if not isinstance(value, Tensor):
            raise TypeError(
                "assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}")
        g = <Tensor>value
        if g is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if g.code != self.code:
            raise RuntimeError(
                f"assigned grad has data of a different type: {dtype_of(g.code)} "
                f"instead of {dtype_of(self.code)}")
        if g.storage.device != self.storage.device:
            raise RuntimeError("assigned grad has data located on a different device")
        if not same_shape(g, self):
            raise RuntimeError(
                "assigned grad has data of a different size: "
                f"{list(size_of(g))} instead of {list(size_of(self))}")
        self.gradient = g

    @grad.deleter
    def grad(self):
        self.gradient = None

    @property
    def retains_grad(self):
        """Whether a non-leaf keeps its gradient."""
        return (self.flags & RETAINS_GRAD) != 0 and self.node is not None

    @property
    def output_nr(self):
        """Which output of grad_fn this tensor is."""
        return self.output

    @property
    def data(self):
        """The same elements without history; writes are not seen by autograd."""
        cdef Storage* storage
        cdef Tensor y
        if self.storage.device != CPU:
            y = alias(self)
            y.base = None
            return y
        # A storage of its own over the same memory: writes count there, not here.
        storage = adopt(self.storage.data, self.storage.nbytes, self)
        y = over_storage(storage, self.rank, self.sizes, self.strides, self.offset,
                         self.code)
        release(storage)
        return y

    @data.setter
    def data(self, Tensor value not None):
        if (is_float(self.code) != is_float(value.code)
                and self.flags & REQUIRES_GRAD):
            raise RuntimeError("data set to a tensor that requires gradients must be "
                               "floating point or complex dtype")
        become(self, value)

    def is_inference(self):
        """Return whether the tensor was made under inference_mode."""
        return (self.flags & INFERENCE) != 0

    @property
    def _extra(self):
        """Rare attributes, as a dict that is made on demand."""
        if self.extra is None:
            self.extra = {}
        return self.extra

    @staticmethod
    def _make_subclass(cls, Tensor data not None, require_grad=False):
        """Return an object of class `cls` over the memory of `data`."""
        cdef Tensor made = Tensor.__new__(<type>cls)
        share(made, data)
        if require_grad:
            made.requires_grad = True
        return made

    def as_subclass(self, cls):
        """Return this tensor, with its history, as an object of class `cls`."""
        if not (isinstance(cls, type) and issubclass(cls, Tensor)):
            raise TypeError("cls must be a subclass of Tensor")
        cdef Tensor made = Tensor.__new__(<type>cls)
        share(made, self)
        made.flags = self.flags
        made.node = self.node
        made.output = self.output
        made.base = self.base
        made.view_version = self.view_version
        return made

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
        return bool(item(self))

    def __int__(self):
        return int(item(self))

    def __float__(self):
        return float(item(self))

    def __complex__(self):
        return complex(item(self))

    def __index__(self):
        if is_float(self.code) or self.count != 1:
            raise TypeError("only integer tensors of a single element can be converted "
                            "to an index")
        return int(item(self))

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
        fill_buffer(self, buffer, flags)

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


# ---- attributes that users hang on a tensor ----

# They live in a dict that is made when the first one is set.  Cython's `__dict__` would
# be made with every tensor, and a `__getattr__` would slow down every method call.

ctypedef int (*Visit)(PyObject* x, void* argument) noexcept
ctypedef int (*Traverse)(PyObject* x, Visit visit, void* argument) noexcept
ctypedef int (*Clear)(PyObject* x) noexcept

cdef Traverse traverse_rest = <Traverse>(<PyTypeObject*>Tensor).tp_traverse
cdef Clear clear_rest = <Clear>(<PyTypeObject*>Tensor).tp_clear


cdef int traverse(PyObject* x, Visit visit, void* argument) noexcept:
    cdef PyObject* fields = (<Tensor>x).fields
    cdef int stop = 0 if fields == NULL else visit(fields, argument)
    return stop if stop else traverse_rest(x, visit, argument)


cdef int clear(PyObject* x) noexcept:
    Py_CLEAR((<Tensor>x).fields)
    return clear_rest(x)


cdef PyGetSetDef dict_of_fields
memset(&dict_of_fields, 0, sizeof(dict_of_fields))
dict_of_fields.name = b"__dict__"
dict_of_fields.get = <void*>PyObject_GenericGetDict
dict_of_fields.set = <void*>PyObject_GenericSetDict


cdef int give_fields(PyTypeObject* cls) except -1:
    """Do to the type what the `__dict__` of a class in Python does."""
    cdef Tensor x = Tensor.__new__(Tensor)
    cls.tp_dictoffset = <char*>&x.fields - <char*><PyObject*>x
    cls.tp_traverse = <traverseproc>traverse
    cls.tp_clear = <inquiry>clear
    (<dict>cls.tp_dict)["__dict__"] = PyDescr_NewGetSet(cls, &dict_of_fields)
    PyType_Modified(cls)
    return 0


give_fields(<PyTypeObject*>Tensor)


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


cdef Tensor view(Tensor x, int ndim, const int64_t* shape, const int64_t* strides,
                 int64_t offset):
    """Another view of x's memory; offset in bytes from the start of the storage."""
    cdef Tensor y = over_storage(x.storage, ndim, shape, strides, offset, x.code)
    y.base = x if x.base is None else x.base
    y.flags |= x.flags & INFERENCE
    y.view_version = x.storage.version
    return y


cdef Tensor alias(Tensor x):
    """A view of all of x."""
    return view(x, x.rank, x.sizes, x.strides, x.offset)


cdef int share(Tensor x, Tensor y) except -1:
    """Make the blank x a tensor over y's memory, without history."""
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


cdef int become(Tensor x, Tensor y) except -1:
    """Let x show y's memory from now on; x's place in the graph stays."""
    return share(x, y)


# ---- reading elements ----

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


cdef Tensor to_host(Tensor x):
    if x.storage.device == META:
        raise NotImplementedError(
            "Cannot copy out of meta tensor; no data!")
    return <Tensor>table.to_host(x)


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


cdef const char** formats = [b"f", b"d", b"e", NULL, b"q", b"i", b"h", b"b", b"B", b"?"]


cdef int fill_buffer(Tensor x, Py_buffer* buffer, int flags) except -1:
    """PEP 3118: the tensor's memory with shape and strides, no copy."""
    cdef Py_ssize_t* sizes
    cdef int i
    buffer.internal = NULL
    if x.storage.device != CPU:
        raise BufferError(f"a {x.device} tensor has no host memory")
    if x.flags & REQUIRES_GRAD:
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
