"""The inverse of maximum pooling: values go back to the places they came from."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport Kernel, KernelCall, Scalar, register_kernel
from tinytorch._core.ops.elementwise cimport same_device
from tinytorch._core.ops.pool cimport c_pool_gather
from tinytorch._core.ops.shape cimport c_squeeze, c_unsqueeze, dtype_word
from tinytorch._core.ops.window cimport launch, read_axes, refuse_dtype, sizes_text
from tinytorch._core.tensor cimport Tensor, empty_beside, same_shape
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport I64, is_float

__all__ = []
METHODS = []
FUNCTIONAL = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]

cdef extern from "pooling.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int pool_unpool_driver(const KernelCall* call)

tt_parallel_for = parallel_for
cdef Kernel* UNPOOL = register_kernel("pool_unpool", pool_unpool_driver, NULL)


cdef Tensor unpooled(Tensor x, Tensor at, const int64_t* sizes, int dims):
    """y[at] = x, plane by plane, in a y of zeros."""
    cdef Scalar s
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x):
        node = new_node(unpooled_backward, b"MaxUnpool3DBackward0" if dims == 3 else
                        b"MaxUnpool2DBackward0")
        node.i0 = dims
        link(node, 0, x)
        save(node, 0, at)
    y = empty_beside(x, x.rank, sizes, x.code)
    s.i = dims
    try:
        launch(UNPOOL, y, x, at, None, &s, 1, 1)
    except IndexError:
        refuse_index(at, y, dims)
    if node is not None:
        attach(y, node)
    return y


cdef int unpooled_backward(Node node, Tensor gy) except -1:
    """dx = dy[at]"""
    send(node, 0, c_pool_gather(gy, saved(node, 0), node.i0))
    return 0


cdef int refuse_index(Tensor at, Tensor y, int dims) except -1:
    cdef int64_t size = 1
    cdef int d
    for d in range(y.rank - dims, y.rank):
        size *= y.sizes[d]
    volume = "x".join([str(y.sizes[d]) for d in range(y.rank - dims, y.rank)])
    for place in at.reshape(-1).tolist():
        if not 0 <= place < size:
            raise RuntimeError(f"Found an invalid max index: {place} (output volumes "
                               f"are of size {volume})")
    return 0


# ---- arguments ----

cdef int check_operands(Tensor x, Tensor at, int dims) except -1:
    cdef int d
    cdef str op = f"max_unpooling{dims}d"
    if at.code != I64:
        found = "" if dims == 3 else f" but got: {dtype_word(at.code)}"
        raise RuntimeError(f"elements in indices should be type int64{found}")
    if x.rank not in (dims + 1, dims + 2):
        raise RuntimeError(f"Input to {op} should be a {dims + 1}d or {dims + 2}d "
                           f"Tensor, but got a tensor with {x.rank} dimensions.")
    if not same_shape(x, at):
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({sizes_text(x)}) but got indices tensor with shape: {sizes_text(at)}")
    for d in range(1, x.rank):
        if x.sizes[d] == 0:
            raise RuntimeError(
                f"{op}(): Expected input to have non-zero size for non-batch "
                f"dimensions, but got {sizes_text(x)} with dimension {d} being empty.")
    same_device(x, at)
    if not is_float(x.code):
        refuse_dtype(f"max_unpool{dims}d", x.code)
    return 0


cdef list output_sizes(Tensor x, int dims, int64_t* kernel, int64_t* stride,
                       int64_t* padding, object output_size):
    """The sizes of the result's planes: those asked for,
    if pooling maps them to x's."""
    cdef int a
    usual = [(x.sizes[x.rank - dims + a] - 1) * stride[a] + kernel[a] - 2 * padding[a]
             for a in range(dims)]
    if output_size is None:
        return usual
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} "
            f"elements, but it has a length of '{len(output_size)}'")
    for a in range(dims):
        least, most = usual[a] - stride[a], usual[a] + stride[a]
        if not least < output_size[a] < most:
            raise ValueError(f'invalid output_size "{output_size}" (dim {a} must be '
                             f"between {least} and {most})")
    return list(output_size)


cdef Tensor unpool(Tensor x, Tensor at, object kernel_size, object stride,
                   object padding, object output_size, int dims):
    cdef int64_t[3] kernel
    cdef int64_t[3] step
    cdef int64_t[3] pad
    cdef int64_t[5] sizes
    cdef int a, shown = max(dims, 2)
    cdef str op = f"max_unpool{dims}d"
    if stride is None or isinstance(stride, (tuple, list)) and not len(stride):
        stride = kernel_size
    for name, wrong in (
            ("kernel_size", read_axes(kernel_size, kernel, dims, op, "kernel_size")),
            ("stride", read_axes(stride, step, dims, op, "stride")),
            ("padding", read_axes(padding, pad, dims, op, "padding"))):
        if wrong:
            raise RuntimeError(f"{op}: {name} must be an int or {dims} of them")
    if x.rank < dims:
        check_operands(x, at, shown)
    planes = output_sizes(x, dims, kernel, step, pad, output_size)
    if dims == 1:  # as PyTorch does it: with a last axis of one element
        x = c_unsqueeze(x, x.rank)
        at = c_unsqueeze(at, at.rank)
        planes.append(1)
    check_operands(x, at, shown)
    for a in range(x.rank - shown):
        sizes[a] = x.sizes[a]
    for a in range(shown):
        sizes[x.rank - shown + a] = planes[a]
    x = unpooled(x, at, sizes, shown)
    return c_squeeze(x, x.rank - 1) if dims == 1 else x


def max_unpool1d(Tensor input not None, Tensor indices not None, kernel_size,
                 stride=None, padding=0, output_size=None):
    """Undo max_pool1d as far as it can be: see max_unpool2d.

    Example:
        >>> max_unpool1d(tensor([[3.0, 5.0]]), tensor([[1, 3]]), 2).tolist()
        [[0.0, 3.0, 0.0, 5.0]]
    """
    return unpool(input, indices, kernel_size, stride, padding, output_size, 1)


def max_unpool2d(Tensor input not None, Tensor indices not None, kernel_size,
                 stride=None, padding=0, output_size=None):
    """Undo max_pool2d as far as it can be: all but the maxima are 0.

    Args:
        indices: the places of the maxima, as max_pool2d returns them.
        output_size: of the result, where pooling maps several sizes to the input's.
    """
    return unpool(input, indices, kernel_size, stride, padding, output_size, 2)


def max_unpool3d(Tensor input not None, Tensor indices not None, kernel_size,
                 stride=None, padding=0, output_size=None):
    """Undo max_pool3d as far as it can be: see max_unpool2d."""
    return unpool(input, indices, kernel_size, stride, padding, output_size, 3)
