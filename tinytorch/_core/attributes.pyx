"""What a tensor says of itself, apart from the little that its type holds.

Importing this module makes members of Tensor of what stands here.
"""

from tinytorch._core.storage cimport CPU, CUDA, META, Storage, adopt, release
from tinytorch._core.tensor cimport (
    INHERITS_GRAD, REQUIRES_GRAD, RETAINS_GRAD, Tensor, data as address_of, enter_views,
    operators, over_storage, same_shape, share, size_of, tell_views, twin,
    wrap_dim)
from tinytorch._core.types cimport dtype_of, is_float, itemsize as bytes_of

from tinytorch._core.binding import bind


def attribute(function):
    """Make a function a read-only property of tensors."""
    bind(function.__name__, property(function))


def method(function):
    """Make a function a method of tensors."""
    bind(function.__name__, function)


# ---- memory ----

@method
def stride(Tensor self not None, dim=None):
    """Return the strides in elements, or one of them."""
    if dim is None:
        return tuple([self.strides[i] for i in range(self.rank)])
    return self.strides[wrap_dim(dim, self.rank)]


bind("ndimension", Tensor.dim)
bind("nelement", Tensor.numel)


@attribute
def _version(Tensor self not None):
    return self.storage.version


@attribute
def _base(Tensor self not None):
    return self.base


@method
def _is_view(Tensor self not None):
    return self.base is not None


@attribute
def is_cuda(Tensor self not None):
    """Whether the tensor is on a GPU."""
    return self.storage.device == CUDA


@attribute
def is_cpu(Tensor self not None):
    """Whether the tensor is in main memory."""
    return self.storage.device == CPU


@attribute
def is_meta(Tensor self not None):
    """Whether the tensor has a shape but no elements."""
    return self.storage.device == META


@attribute
def itemsize(Tensor self not None):
    """Bytes of one element."""
    return bytes_of[self.code]


@attribute
def nbytes(Tensor self not None):
    """Bytes of all elements."""
    return self.count * bytes_of[self.code]


@method
def element_size(Tensor self not None):
    """Return the bytes of one element."""
    return bytes_of[self.code]


@method
def storage_offset(Tensor self not None):
    """Return where in the storage the first element is, in elements."""
    return self.offset // bytes_of[self.code]


@method
def data_ptr(Tensor self not None):
    """Return the address of the first element."""
    return <size_t>address_of(self) if self.count else 0


@method
def _storage_bytes(Tensor self not None):
    return self.storage.nbytes


@method
def _storage_address(Tensor self not None):
    return <size_t>self.storage.data


@attribute
def is_sparse(Tensor self not None):
    """False: there are no sparse tensors."""
    return False


@attribute
def is_quantized(Tensor self not None):
    """False: there are no quantised tensors."""
    return False


# ---- autograd ----

cdef int set_requires_grad(Tensor x, object value) except -1:
    if not isinstance(value, bool):
        raise TypeError("requires_grad must be a bool")
    if x.node is not None:
        if not value:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you "
                "want to use a computed variable in a subgraph that doesn't "
                "require differentiation use var_no_grad = var.detach().")
        return 0
    if value and not is_float(x.code):
        raise RuntimeError(
            "only Tensors of floating point dtype can require gradients")
    if value:
        x.flags |= REQUIRES_GRAD
        x.flags &= ~INHERITS_GRAD
    elif not x.flags & INHERITS_GRAD:
        x.flags &= ~REQUIRES_GRAD
    if x.base is None:
        tell_views(x)
    return 0


cdef int set_grad(Tensor x, object value) except -1:
    cdef Tensor g
    if value is None:
        x.gradient = None
        return 0
    if not isinstance(value, Tensor):
        raise TypeError("assigned grad expected to be a Tensor or None but got grad of "
                        f"type {type(value).__name__}")
    g = <Tensor>value
    if g is x:
        raise RuntimeError("can't assign Variable as its own grad")
    if g.code != x.code:
        raise RuntimeError(
            f"assigned grad has data of a different type: {dtype_of(g.code)} "
            f"instead of {dtype_of(x.code)}")
    if g.storage.device != x.storage.device:
        raise RuntimeError("assigned grad has data located on a different device")
    if not same_shape(g, x):
        raise RuntimeError(
            "assigned grad has data of a different size: "
            f"{list(size_of(g))} instead of {list(size_of(x))}")
    x.gradient = g
    return 0


cdef object detached(Tensor x):
    """x.data: writes to it are not seen by autograd."""
    cdef Storage* storage
    cdef Tensor y
    if x.storage.device != CPU:
        return twin(x)
    # A storage of its own over the same memory: writes count there, not here.
    storage = adopt(x.storage.data, x.storage.nbytes, x)
    y = over_storage(storage, x.rank, x.sizes, x.strides, x.offset, x.code)
    release(storage)
    return y


cdef int set_data(Tensor x, object value) except -1:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"Variable data has to be a tensor, but got {type(value).__name__}")
    if (is_float(x.code) != is_float((<Tensor>value).code)
            and x.flags & REQUIRES_GRAD):
        raise RuntimeError("data set to a tensor that requires gradients must be "
                           "floating point or complex dtype")
    return share(x, <Tensor>value)


operators.set_requires_grad = set_requires_grad
operators.set_grad = set_grad
operators.set_data = set_data
operators.data = detached


@attribute
def retains_grad(Tensor self not None):
    """Whether a non-leaf keeps its gradient."""
    return (self.flags & RETAINS_GRAD) != 0 and self.node is not None


@attribute
def output_nr(Tensor self not None):
    """Which output of grad_fn this tensor is."""
    return self.output


# ---- the rest ----

@method
def __complex__(Tensor self not None):
    return complex(self.item())


@attribute
def _extra(Tensor self not None):
    """Rare attributes, as a dict that is made on demand."""
    if self.extra is None:
        self.extra = {}
    return self.extra


# ---- subclasses ----

def made_as(cls, Tensor data not None, require_grad=False):
    """Return an object of class `cls` over the memory of `data`."""
    cdef Tensor made = Tensor.__new__(<type>cls)
    share(made, data)
    if require_grad:
        made.requires_grad = True
    return made


bind("_make_subclass", staticmethod(made_as))


@method
def as_subclass(Tensor self not None, cls):
    """Return this tensor, with its history, as an object of class `cls`."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError("cls must be a subclass of Tensor")
    cdef Tensor made = Tensor.__new__(<type>cls)
    share(made, self)
    made.flags = self.flags
    made.node = self.node
    made.output = self.output
    if self.base is not None:
        enter_views(made, self.base)
    made.view_version = self.view_version
    return made
