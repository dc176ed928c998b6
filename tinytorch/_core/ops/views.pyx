"""The public names of views: reshape, transpose, expand, squeeze and their kin."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, attach, send
from tinytorch._core.ops.shape cimport (
    c_clone, c_contiguous, c_detach, c_expand, c_flatten, c_permute, c_reshape,
    c_transpose, c_unsqueeze, c_view, copy_preserved, dtype_word,
    either, read_dim, read_dims, read_int,
    read_sizes, reshaped_in_place, swapped, unpack, view_node, viewed, without, wrap)
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, is_contiguous as lies_contiguous)
from tinytorch._core.types cimport MAX_DIMS, itemsize
from tinytorch._core.types cimport dtype as dtype_class

METHODS = [
    "view", "view_as", "reshape", "reshape_as", "transpose", "swapaxes", "swapdims",
    "permute", "movedim", "moveaxis", "t", "T", "mT", "H", "mH", "adjoint", "squeeze",
    "unsqueeze", "flatten", "unflatten", "ravel", "expand", "expand_as", "broadcast_to",
    "contiguous", "clone", "detach", "detach_", "is_contiguous", "transpose_",
    "swapaxes_",
    "swapdims_", "t_", "squeeze_", "unsqueeze_"]
__all__ = [
    "reshape", "transpose", "swapaxes", "swapdims", "permute", "movedim", "moveaxis",
    "t", "adjoint", "squeeze", "unsqueeze", "flatten", "unflatten", "ravel",
    "broadcast_to", "broadcast_tensors", "clone", "detach",
    "detach_"]


# ---- sizes ----

def view(Tensor self not None, *shape, size=None, dtype=None):
    """Return the same memory under another shape, or, given a dtype, as its bytes."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank
    if len(shape) == 1 and type(shape[0]) is dtype_class:
        return view_bytes(self, <dtype_class>shape[0])
    if dtype is not None:
        return view_bytes(self, <dtype_class?>dtype)
    if len(shape) == 0 and size is None:
        raise TypeError("view() received an invalid combination of arguments - got (), "
                        "but expected one of:\n * (torch.dtype dtype)\n"
                        " * (tuple of ints size)\n")
    rank = read_sizes(either(shape, size, "view", "size"), sizes, "view")
    return c_view(self, rank, sizes)


cdef Tensor view_bytes(Tensor x, dtype_class to):
    """x's bytes read as another dtype; the last dimension grows or shrinks."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int i, last = x.rank - 1, old = itemsize[x.code], new = itemsize[to.code]
    cdef Tensor y
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    memcpy(strides, x.strides, x.rank * sizeof(int64_t))
    if old != new:
        names = (f"to view {dtype_word(x.code)} as {dtype_word(to.code)} "
                 "(different element sizes)")
        if x.rank == 0:
            raise RuntimeError(f"self.dim() cannot be 0 {names}")
        if strides[last] != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 {names}, but got {strides[last]}")
        if old > new:
            sizes[last] *= old // new
            for i in range(last):
                strides[i] *= old // new
        else:
            check_wider(x, new // old, names)
            sizes[last] //= new // old
            for i in range(last):
                strides[i] //= new // old
    y = viewed(x, None, x.rank, sizes, strides, x.offset)
    y.code = to.code
    y.flags &= ~REQUIRES_GRAD
    return y


cdef int check_wider(Tensor x, int ratio, str names) except -1:
    cdef int i, last = x.rank - 1
    cdef int64_t offset = x.offset // itemsize[x.code]
    if x.sizes[last] % ratio:
        raise RuntimeError(f"self.size(-1) must be divisible by {ratio} {names}, but "
                           f"got {x.sizes[last]}")
    if offset % ratio:
        raise RuntimeError(f"self.storage_offset() must be divisible by {ratio} "
                           f"{names}, but got {offset}")
    for i in range(last):
        if x.strides[i] % ratio:
            raise RuntimeError(f"self.stride({i}) must be divisible by {ratio} "
                               f"{names}, but got {x.strides[i]}")
    return 0


def view_as(Tensor self not None, Tensor other not None):
    """Return self.view(other.size())."""
    return c_view(self, other.rank, other.sizes)


def reshape(Tensor input not None, *sizes, shape=None):
    """Return the elements under another shape: a view if that is possible, else a copy.

    Example:
        >>> reshape(arange(6), (2, -1)).shape
        torch.Size([2, 3])
    """
    cdef int64_t[MAX_DIMS] asked
    cdef int rank = read_sizes(either(sizes, shape, "reshape", "shape"), asked,
                               "reshape")
    return c_reshape(input, rank, asked)


def reshape_as(Tensor self not None, Tensor other not None):
    """Return self.reshape(other.shape)."""
    return c_reshape(self, other.rank, other.sizes)


def flatten(Tensor input not None, start_dim=0, end_dim=-1):
    """Return the input with dimensions start_dim to end_dim merged into one."""
    return c_flatten(input, read_dim(start_dim, input.rank, "flatten"),
                     read_dim(end_dim, input.rank, "flatten"))


def ravel(Tensor input not None):
    """Return the input as one contiguous dimension."""
    cdef int64_t n = input.count
    return c_reshape(c_contiguous(input), 1, &n)


def unflatten(Tensor input not None, dim, *inner_sizes, sizes=None):
    """Return the input with one dimension split into `sizes`,
    one of which may be -1."""
    cdef int64_t[MAX_DIMS] inner
    cdef int64_t[2 * MAX_DIMS] whole
    cdef int d = read_dim(dim, input.rank, "unflatten"), i, n, unknown = -1
    cdef int64_t product = 1, size = input.sizes[d] if input.rank else 1
    n = read_sizes(either(inner_sizes, sizes, "unflatten", "sizes"), inner, "unflatten")
    if n == 0:
        raise RuntimeError("unflatten: sizes must be non-empty")
    for i in range(n):
        if inner[i] == -1:
            if unknown >= 0:
                raise RuntimeError("only one dimension can be inferred")
            unknown = i
        else:
            product *= inner[i]
    if unknown >= 0 and product and size % product == 0:
        inner[unknown] = size // product
        product = size
    if product != size or (unknown >= 0 and inner[unknown] < 0):
        raise RuntimeError(
            f"unflatten: Provided sizes {[inner[i] for i in range(n)]} don't multiply "
            f"up to the size of dim {d} ({size}) in the input tensor")
    if input.rank - 1 + n > MAX_DIMS:
        raise RuntimeError(f"tensors have at most {MAX_DIMS} dimensions")
    memcpy(whole, input.sizes, d * sizeof(int64_t))
    memcpy(whole + d, inner, n * sizeof(int64_t))
    if input.rank:
        memcpy(whole + d + n, input.sizes + d + 1,
               (input.rank - d - 1) * sizeof(int64_t))
        return c_view(input, input.rank - 1 + n, whole)
    return c_view(input, n, whole)


# ---- the order of dimensions ----

def transpose(Tensor input not None, dim0, dim1):
    """Return a view in which two dimensions are exchanged."""
    return c_transpose(input, read_transposed(dim0, input.rank, "dim0", 1),
                       read_transposed(dim1, input.rank, "dim1", 2))


cdef int read_transposed(object dim, int rank, str name, int position) except -1:
    if type(dim) is int:
        return wrap(dim, rank)
    if isinstance(dim, (bool, float)) or not hasattr(dim, "__index__"):
        raise TypeError(f"transpose(): argument '{name}' (position {position}) must be "
                        f"int, not {type(dim).__name__}")
    return wrap(dim.__index__(), rank)


def swapaxes(Tensor input not None, axis0, axis1):
    """Alias of transpose."""
    return transpose(input, axis0, axis1)


def swapdims(Tensor input not None, dim0, dim1):
    """Alias of transpose."""
    return transpose(input, dim0, dim1)


def permute(Tensor input not None, *order_of_dims, dims=None):
    """Return a view whose dimension i is the input's dims[i]."""
    cdef int[MAX_DIMS] order
    cdef int n = 0
    asked = either(order_of_dims, dims, "permute", "dims") if input.rank or \
        dims is not None else unpack(order_of_dims)
    if len(asked) != input.rank:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not "
            "match the length of the desired ordering of dimensions i.e. input.dim() = "
            f"{input.rank} is not equal to len(dims) = {len(asked)}")
    for dim in asked:
        order[n] = read_dim(dim, input.rank, "permute")
        if order[n] in [order[k] for k in range(n)]:
            raise RuntimeError("permute(): duplicate dims are not allowed.")
        n += 1
    return c_permute(input, order)


def movedim(Tensor input not None, source, destination):
    """Return a view with the dimensions `source` at the places `destination`."""
    cdef int[MAX_DIMS] source_dims
    cdef int[MAX_DIMS] target_dims
    cdef int[MAX_DIMS] order
    cdef int n = read_moved(source, input.rank, source_dims, "source")
    cdef int m = read_moved(destination, input.rank, target_dims, "destination")
    cdef int i, d
    if n != m:
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(source)} dims) should contain the same number of dims as "
            f"destination ({list(destination)} dims)")
    if input.rank == 0:
        return c_permute(input, order)
    for i in range(input.rank):
        order[i] = -1
    for i in range(n):
        order[target_dims[i]] = source_dims[i]
    rest = [d for d in range(input.rank)
            if d not in [source_dims[i] for i in range(n)]]
    for i in range(input.rank):
        if order[i] < 0:
            order[i] = rest.pop(0)
    return c_permute(input, order)


cdef int read_moved(object dims, int rank, int* wrapped, str name) except -1:
    cdef int n = 0
    if not isinstance(dims, (tuple, list)):
        dims = (dims,)
    for dim in dims:
        wrapped[n] = read_dim(dim, rank, "movedim")
        if wrapped[n] in [wrapped[k] for k in range(n)]:
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(dims)})")
        n += 1
    return n


def moveaxis(Tensor input not None, source, destination):
    """Alias of movedim."""
    return movedim(input, source, destination)


def t(Tensor input not None):
    """Return the transpose of a matrix; vectors stay as they are."""
    if input.rank > 2:
        raise RuntimeError("t() expects a tensor with <= 2 dimensions, but self is "
                           f"{input.rank}D")
    return swapped(input, 0, 1 if input.rank == 2 else 0, b"TBackward0")


def adjoint(Tensor input not None):
    """Return the last two dimensions exchanged."""
    if input.rank < 2:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches "
                           f"of matrices. Got {input.rank}-D tensor.")
    return c_transpose(input, input.rank - 2, input.rank - 1)


@property
def T(self):
    """The view with all dimensions in the opposite order."""
    cdef int[MAX_DIMS] order
    cdef Tensor x = <Tensor?>self
    cdef int i
    for i in range(x.rank):
        order[i] = x.rank - 1 - i
    return c_permute(x, order)


@property
def mT(self):
    """The view with the last two dimensions exchanged."""
    cdef Tensor x = <Tensor?>self
    if x.rank < 2:
        raise RuntimeError("tensor.mT is only supported on matrices or batches of "
                           f"matrices. Got {x.rank}-D tensor.")
    return c_transpose(x, x.rank - 2, x.rank - 1)


@property
def H(self):
    """The transpose of a matrix."""
    cdef Tensor x = <Tensor?>self
    if x.rank != 2 and x.rank != 0:
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {x.rank}-D "
            "tensor." + (" For batches of matrices, consider using tensor.mH"
                         if x.rank > 2 else ""))
    return c_transpose(x, 0, 1) if x.rank else x


@property
def mH(self):
    """The view with the last two dimensions exchanged."""
    return adjoint(self)


# ---- expand ----

def expand(Tensor self not None, *shape, size=None, bint implicit=False):
    """Return a view in which dimensions of size 1 are repeated; -1 keeps a size."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = read_sizes(either(shape, size, "expand", "size"), sizes, "expand")
    return c_expand(self, rank, sizes)


def expand_as(Tensor self not None, Tensor other not None):
    """Return self.expand(other.size())."""
    return c_expand(self, other.rank, other.sizes)


def broadcast_to(Tensor input not None, *shape, size=None):
    """Return the input expanded to a shape."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank = read_sizes(either(shape, size, "broadcast_to", "size"), sizes,
                               "broadcast_to")
    return c_expand(input, rank, sizes)


def broadcast_tensors(*tensors):
    """Return the tensors, each expanded to the shape that they have in common."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int rank
    given = unpack(tensors)
    shape = []
    for x in given:
        shape = common_shape(shape, <Tensor?>x)
    rank = read_sizes(shape, sizes)
    return tuple([c_expand(<Tensor>x, rank, sizes) for x in given])


cdef list common_shape(list shape, Tensor x):
    cdef int i, at
    cdef list wider = [1] * (x.rank - len(shape)) + shape
    for i in range(x.rank):
        at = len(wider) - x.rank + i
        if wider[at] == x.sizes[i] or x.sizes[i] == 1:
            continue
        if wider[at] != 1:
            raise RuntimeError(
                f"The size of tensor a ({wider[at]}) must match the size of tensor b "
                f"({x.sizes[i]}) at non-singleton dimension {at}")
        wider[at] = x.sizes[i]
    return wider


# ---- dimensions of size 1 ----

def squeeze(Tensor input not None, dim=None):
    """Return a view without dimensions of size 1: all, or those of `dim` (int,
    tuple)."""
    cdef int[MAX_DIMS] dims
    cdef int i, n
    if dim is None:
        for i in range(input.rank):
            dims[i] = i
        return without(input, dims, input.rank, b"SqueezeBackward0")
    n = read_dims(dim, input.rank, dims, "squeeze")
    return without(input, dims, n, b"SqueezeBackward1" if not isinstance(
        dim, (tuple, list)) else b"SqueezeBackward2")


def unsqueeze(Tensor input not None, dim):
    """Return a view with a new dimension of size 1 at `dim`."""
    return c_unsqueeze(input, wrap(read_int(dim, "unsqueeze", "dim"), input.rank + 1))


# ---- copies ----

cdef int check_format(object memory_format, bint preserve) except -1:
    """Only the ordinary order of elements exists."""
    name = str(memory_format)
    if memory_format is None or name.endswith("contiguous_format"):
        return 0
    if name.endswith("preserve_format") and preserve:
        return 0
    if "channels_last" in name:
        raise NotImplementedError(f"memory format {name} is not supported")
    if "preserve" in name:
        raise RuntimeError("preserve memory format is unsupported by the contiguous "
                           "operator")
    raise RuntimeError(f"unknown memory format {name}")


def contiguous(Tensor self not None, memory_format=None):
    """Return self if its elements lie in order, else a copy whose elements do."""
    check_format(memory_format, False)
    return c_contiguous(self)


def is_contiguous(Tensor self not None, memory_format=None):
    """Return whether the elements lie in order without gaps."""
    check_format(memory_format, False)
    return lies_contiguous(self)


def clone(Tensor input not None, *, memory_format=None):
    """Return a copy through which gradients flow back to the input."""
    cdef Tensor y
    cdef Node node
    check_format(memory_format, True)
    if lies_contiguous(input) or memory_format is not None and not str(
            memory_format).endswith("preserve_format"):
        return c_clone(input)
    y = copy_preserved(input, input.code)
    node = view_node(input, clone_backward, b"CloneBackward0")
    if node is not None:
        attach(y, node)
    return y


cdef int clone_backward(Node node, Tensor gy) except -1:
    """dx = dy"""
    send(node, 0, gy)
    return 0


def detach(Tensor input not None):
    """Return the same memory without history."""
    return c_detach(input)


def detach_(Tensor self not None):
    """Forget self's history."""
    if self.base is not None and self.flags & REQUIRES_GRAD:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view "
            "is set as True, gradients are views of DDP buckets, and hence detach_() "
            "cannot be called on these gradients. To fix this error, please refer to "
            "the Optimizer.zero_grad() function in torch/optim/optimizer.py as the "
            "solution.")
    self.node = None
    self.output = 0
    self.flags &= ~REQUIRES_GRAD
    return self


# ---- the same in place: they change what self says of its memory, nothing else ----

def transpose_(Tensor self not None, dim0, dim1):
    """Exchange two dimensions of self."""
    return reshaped_in_place(self, transpose(self, dim0, dim1))


def swapaxes_(Tensor self not None, axis0, axis1):
    """Exchange two dimensions of self."""
    return reshaped_in_place(self, transpose(self, axis0, axis1))


def swapdims_(Tensor self not None, dim0, dim1):
    """Exchange two dimensions of self."""
    return reshaped_in_place(self, transpose(self, dim0, dim1))


def t_(Tensor self not None):
    """Transpose self."""
    return reshaped_in_place(self, t(self))


def squeeze_(Tensor self not None, dim=None):
    """Remove dimensions of size 1 from self."""
    return reshaped_in_place(self, squeeze(self, dim))


def unsqueeze_(Tensor self not None, dim):
    """Insert a dimension of size 1 into self."""
    return reshaped_in_place(self, unsqueeze(self, dim))
