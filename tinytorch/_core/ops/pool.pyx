"""Pooling: the maximum or mean of windows over the last 1 to 3 axes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytorch._core.autograd cimport (
    Backward, Node, attach, link, needs_grad, new_node, save, saved, send)
from tinytorch._core.executor cimport (
    Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.shape cimport read_int
from tinytorch._core.ops.window cimport (
    compute_code, launch, operand, packed, read_axes, refuse_dtype, sizes_text)
from tinytorch._core.tensor cimport Tensor, empty_as, empty_beside
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, I64, compute_of, is_float

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices",
           "avg_pool1d"]
METHODS = []
FUNCTIONAL = ["max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices",
              "max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool1d",
              "avg_pool2d", "avg_pool3d"]

cdef extern from "pooling.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int max_pool_driver(const KernelCall* call)
    int mean_pool_driver(const KernelCall* call)
    int mean_pool_backward_driver(const KernelCall* call)
    int pool_scatter_driver(const KernelCall* call)
    int pool_gather_driver(const KernelCall* call)

tt_parallel_for = parallel_for
cdef Kernel* MAX = register_kernel("max_pool", max_pool_driver, NULL)
cdef Kernel* MEAN = register_kernel("mean_pool", mean_pool_driver, NULL)
cdef Kernel* SPREAD = register_kernel("mean_pool_backward", mean_pool_backward_driver,
                                      NULL)
cdef Kernel* SCATTER = register_kernel("pool_scatter", pool_scatter_driver, NULL)
cdef Kernel* GATHER = register_kernel("pool_gather", pool_gather_driver, NULL)

cdef enum:
    MOST_SCALARS = 16


cdef int scalars_of(const Windows* w, Scalar* to) noexcept:
    cdef int a
    to[0].i = w.dims
    to[1].i = w.adaptive
    to[2].i = w.with_padding
    to[3].i = w.divisor
    for a in range(w.dims):
        to[4 + a].i = w.kernel[a]
        to[4 + w.dims + a].i = w.stride[a]
        to[4 + 2 * w.dims + a].i = w.padding[a]
        to[4 + 3 * w.dims + a].i = w.dilation[a]
    return 4 + 4 * w.dims


# ---- maximum ----

cdef const char* title_of(const Windows* w, bint mean) noexcept:
    """PyTorch has one axis done by the kernels for two."""
    if mean and w.adaptive:
        return (b"AdaptiveAvgPool3DBackward0" if w.dims == 3 else
                b"AdaptiveAvgPool2DBackward0")
    if mean:
        return b"AvgPool3DBackward0" if w.dims == 3 else b"AvgPool2DBackward0"
    if w.adaptive:
        return (b"AdaptiveMaxPool3DBackward0" if w.dims == 3 else
                b"AdaptiveMaxPool2DBackward0")
    return (b"MaxPool3DWithIndicesBackward0" if w.dims == 3 else
            b"MaxPool2DWithIndicesBackward0")


cdef object c_max_pool(Tensor x, const int64_t* sizes, const Windows* w,
                       bint with_places):
    cdef Scalar[MOST_SCALARS] s
    cdef View[3] v
    cdef int n = 0
    cdef int code = compute_code(x.code)
    cdef Node node = None
    cdef Tensor places = None
    cdef Tensor y = empty_beside(x, x.rank, sizes, x.code)
    cdef Tensor target = y if y.code == code else empty_as(y, code)
    cdef Tensor from_ = operand(x, code)
    if needs_grad(x):
        node = new_node(max_backward, title_of(w, False))
        node.context = packed(x.rank, x.sizes)
        node.i0 = w.dims
        link(node, 0, x)
    view_of(&v[n], target)
    n += 1
    if with_places or node is not None:
        places = empty_beside(x, x.rank, sizes, I64)
        view_of(&v[n], places)
        n += 1
    view_of(&v[n], from_)
    run(MAX, v, n + 1, n, s, scalars_of(w, s), compute_of[code], x.storage.device)
    if target is not y:
        copy_into(y, target)
    if node is not None:
        save(node, 0, places)
        attach(y, node)
    return (y, places) if with_places else y


cdef int max_backward(Node node, Tensor gy) except -1:
    """dx[at] += dy"""
    send(node, 0, scattered(gy, saved(node, 0), node.i0,
                            <const int64_t*>PyBytes_AS_STRING(node.context)))
    return 0


cdef Tensor scattered(Tensor g, Tensor at, int dims, const int64_t* sizes):
    """x[at] += g, plane by plane, in an x of zeros."""
    cdef Scalar s
    cdef Node node = None
    cdef Tensor x
    if needs_grad(g):
        node = new_node(scattered_backward, b"MaxPoolBackwardBackward0")
        node.i0 = dims
        link(node, 0, g)
        save(node, 0, at)
    x = empty_beside(g, g.rank, sizes, g.code)
    s.i = dims
    launch(SCATTER, x, g, at, None, &s, 1, 1)
    if node is not None:
        attach(x, node)
    return x


cdef int scattered_backward(Node node, Tensor gx) except -1:
    """dg = dx[at]"""
    send(node, 0, c_pool_gather(gx, saved(node, 0), node.i0))
    return 0


cdef Tensor c_pool_gather(Tensor x, Tensor at, int dims):
    """x[at], plane by plane."""
    cdef Scalar s
    cdef Node node = None
    cdef Tensor y
    if needs_grad(x):
        node = new_node(gathered_backward, b"MaxUnpoolBackwardBackward0")
        node.context = packed(x.rank, x.sizes)
        node.i0 = dims
        link(node, 0, x)
        save(node, 0, at)
    y = empty_beside(x, at.rank, at.sizes, x.code)
    s.i = dims
    launch(GATHER, y, x, at, None, &s, 1, 1)
    if node is not None:
        attach(y, node)
    return y


cdef int gathered_backward(Node node, Tensor gy) except -1:
    """dx[at] += dy"""
    return max_backward(node, gy)


# ---- mean ----

cdef Node mean_node(Tensor x, const Windows* w, Backward backward):
    cdef Node node
    if not needs_grad(x):
        return None
    node = new_node(backward, title_of(w, True))
    node.context = (PyBytes_FromStringAndSize(<const char*>w, sizeof(Windows)),
                    packed(x.rank, x.sizes))
    link(node, 0, x)
    return node


cdef Tensor c_mean_pool(Tensor x, const int64_t* sizes, const Windows* w):
    cdef Scalar[MOST_SCALARS] s
    cdef Node node = mean_node(x, w, mean_backward)
    cdef Tensor y = empty_beside(x, x.rank, sizes, x.code)
    launch(MEAN, y, x, None, None, s, scalars_of(w, s))
    if node is not None:
        attach(y, node)
    return y


cdef int mean_backward(Node node, Tensor gy) except -1:
    """dx = sum of dy / divisor over the windows that hold x"""
    cdef const Windows* w = <const Windows*>PyBytes_AS_STRING(node.context[0])
    send(node, 0,
         mean_spread(gy, <const int64_t*>PyBytes_AS_STRING(node.context[1]), w))
    return 0


cdef Tensor mean_spread(Tensor gy, const int64_t* sizes, const Windows* w):
    cdef Scalar[MOST_SCALARS] s
    cdef Node node = mean_node(gy, w, mean_spread_backward)
    cdef Tensor gx = empty_beside(gy, gy.rank, sizes, gy.code)
    launch(SPREAD, gx, gy, None, None, s, scalars_of(w, s))
    if node is not None:
        attach(gx, node)
    return gx


cdef int mean_spread_backward(Node node, Tensor g) except -1:
    """The mean of the windows of g"""
    cdef const Windows* w = <const Windows*>PyBytes_AS_STRING(node.context[0])
    send(node, 0, c_mean_pool(g, <const int64_t*>PyBytes_AS_STRING(node.context[1]), w))
    return 0


# ---- arguments ----

cdef inline int64_t divided_down(int64_t a, int64_t b) noexcept:
    """The quotient, rounded down also below 0."""
    return a // b - (a % b < 0)


cdef int read_windows(Windows* w, int dims, str op, object kernel, object stride,
                      object padding, object dilation, bint ceil_mode) except -1:
    """Read what a public function was given; an empty or no stride is the kernel."""
    memset(w, 0, sizeof(Windows))
    w.dims = dims
    w.ceil_mode = ceil_mode
    if read_axes(kernel, w.kernel, dims, op, "kernel_size"):
        refuse_length(dims, op, "kernel_size", "must either be", kernel)
    if stride is None or isinstance(stride, (tuple, list)) and not len(stride):
        w.stride = w.kernel
    elif read_axes(stride, w.stride, dims, op, "stride"):
        refuse_length(dims, op, "stride", "must either be omitted,", stride)
    if read_axes(padding, w.padding, dims, op, "padding"):
        refuse_length(dims, op, "padding", "must either be", padding)
    if read_axes(dilation, w.dilation, dims, op, "dilation"):
        refuse_length(dims, op, "dilation", "must be either", dilation)
    return 0


cdef int refuse_length(int dims, str op, str name, str must, object value) except -1:
    if dims > 1:
        raise RuntimeError(f"{op}: {name} {must} a single int, or a tuple of "
                           f"{'two' if dims == 2 else 'three'} ints")
    if op.startswith("max"):
        raise RuntimeError(f"{op}() {name} must be an int, list of ints or tuple of "
                           f"ints of size 1 but got size {len(value)}")
    raise RuntimeError(
        f"{op}() argument '{name}' should contain one int (got {len(value)})")


cdef int check_one_axis(const Windows* w) except -1:
    """What PyTorch says of max_pool1d alone."""
    for name, value in (("kernel_size", w.kernel[0]), ("stride", w.stride[0])):
        if value <= 0:
            raise RuntimeError(
                f"max_pool1d() {name} must be greater than zero, but got {value}")
    if w.padding[0] < 0:
        raise RuntimeError(
            f"max_pool1d() padding must be non-negative, but got {w.padding[0]}")
    if w.padding[0] > w.kernel[0] // 2:
        raise RuntimeError(
            "max_pool1d() padding should be at most half of kernel size, but got "
            f"padding={w.padding[0]} and kernel_size={w.kernel[0]}")
    if w.dilation[0] <= 0:
        raise RuntimeError("max_pool1d() dilation must be greater than zero, but got "
                           f"{w.dilation[0]}")
    return 0


cdef int output_sizes(Tensor x, const Windows* w, int64_t* sizes) except -1:
    """The shape of the result; numbers that PyTorch refuses here are refused."""
    cdef int a, d
    cdef int64_t span, n
    for d in range(x.rank):
        sizes[d] = x.sizes[d]
    for a in range(w.dims):
        d = x.rank - w.dims + a
        span = w.dilation[a] * (w.kernel[a] - 1) + 1
        if w.stride[a] == 0:
            raise RuntimeError("stride should not be zero")
        if w.padding[a] < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {w.padding[a]}")
        if w.padding[a] > span // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={w.padding[a]}, kernel_size={w.kernel[a]} and "
                f"dilation={w.dilation[a]}")
        n = x.sizes[d] + 2 * w.padding[a] - span
        sizes[d] = divided_down(n + (w.stride[a] - 1 if w.ceil_mode else 0),
                                w.stride[a]) + 1
        if w.ceil_mode and (sizes[d] - 1) * w.stride[a] >= x.sizes[d] + w.padding[a]:
            sizes[d] -= 1  # the last window would start in the padding
    return 0


cdef str cross(int n, const int64_t* sizes):
    cdef int a
    return "x".join([str(sizes[a]) for a in range(n)])


cdef int check_positive(int dims, const int64_t* values, str name,
                        str letter) except -1:
    cdef int a, shown = max(dims, 2)
    for a in range(dims):
        if values[a] > 0:
            continue
        axes = ("T", "H", "W")[3 - shown:]
        given = [1] * (shown - dims) + [values[i] for i in range(dims)]
        text = " ".join([f"{letter}{axis}: {v}" for axis, v in zip(axes, given)])
        raise RuntimeError(f"{name} should be greater than zero, but got {text}")
    return 0


cdef int check_windows(Tensor x, const Windows* w, const int64_t* sizes,
                       str speaker) except -1:
    """`speaker` complains in the case of three axes."""
    cdef int a, first = x.rank - w.dims - 1
    check_positive(w.dims, w.kernel, "kernel size", "k")
    check_positive(w.dims, w.stride, "stride", "d")
    check_positive(w.dims, w.dilation, "dilation", "dilation")
    for a in range(first, x.rank):
        if x.sizes[a] == 0 and w.dims == 3:
            raise RuntimeError(
                f"{speaker}(): Expected input's non-batch dimensions to have positive "
                f"length, but input has a shape of {sizes_text(x)} and non-batch "
                f"dimension {a - first} has length zero!")
        if x.sizes[a] == 0:
            raise RuntimeError(
                f"Expected {w.dims + 1}D or {w.dims + 2}D (batch mode) tensor with "
                f"optional 0 dim batch size for input, but got:{sizes_text(x)}")
    for a in range(first + 1, x.rank):
        if sizes[a] < 1:
            one = "1x" if w.dims == 1 else ""
            raise RuntimeError(
                f"Given input size: ({x.sizes[first]}x{one}"
                f"{cross(w.dims, x.sizes + first + 1)}). Calculated output size: "
                f"({x.sizes[first]}x{one}{cross(w.dims, sizes + first + 1)}). Output "
                "size is too small")
    return 0


# ---- maximum pooling ----

cdef object pooled_max(Tensor x, int dims, str op, object kernel, object stride,
                       object padding, object dilation, bint ceil_mode,
                       bint return_indices):
    cdef Windows w
    cdef int64_t[5] sizes
    cdef bint bare = dims == 1 and not return_indices  # PyTorch has other checks for it
    if bare and (x.rank not in (2, 3) or
                 x.sizes[x.rank - 1] == 0 or x.sizes[x.rank - 2] == 0):
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim "
            f"batch size for input, but got:{sizes_text(x)}")
    read_windows(&w, dims, op, kernel, stride, padding, dilation, ceil_mode)
    if dims == 1:
        check_pool_rank(x, 1, "max_pool1d_with_indices")
    if x.rank not in (dims + 1, dims + 2):
        raise RuntimeError(f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor "
                           "expected for input")
    if bare:
        check_one_axis(&w)
    output_sizes(x, &w, sizes)
    if bare and sizes[x.rank - 1] <= 0:
        raise RuntimeError(
            f"max_pool1d() Invalid computed output size: {sizes[x.rank - 1]}")
    check_windows(x, &w, sizes, "max_pool3d_with_indices_out_cpu_template")
    if x.code == BOOL or bare and not needs_grad(x) and not is_float(x.code):
        refuse_dtype("max_pool1d_impl" if dims == 1 else f"max_pool{dims}d", x.code)
    return c_max_pool(x, sizes, &w, return_indices)


def max_pool1d(Tensor input not None, kernel_size, stride=None, padding=0, dilation=1,
               ceil_mode=False, return_indices=False):
    """Return the maximum of each window along the last axis: see max_pool2d.

    Example:
        >>> max_pool1d(tensor([[1.0, 3.0, 2.0, 5.0]]), 2).tolist()
        [[3.0, 5.0]]
    """
    return pooled_max(input, 1, "max_pool1d", kernel_size, stride, padding, dilation,
                      ceil_mode, return_indices)


def max_pool2d(Tensor input not None, kernel_size, stride=None, padding=0, dilation=1,
               ceil_mode=False, return_indices=False):
    """Return the maximum of each window over the last two axes.

    Args:
        stride: how far apart windows lie; the size of the kernel unless given.
        padding: how far windows reach over the edge, where there is -inf.
        dilation: how far apart the elements of a window lie.
        ceil_mode: whether a last window may reach over the edge.
        return_indices: whether to return places within planes as well.

    Example:
        >>> x = tensor([[[1.0, 2.0], [4.0, 3.0]]])
        >>> max_pool2d(x, 2, return_indices=True)
        (tensor([[[4.]]]), tensor([[[2]]]))
    """
    return pooled_max(input, 2, "max_pool2d", kernel_size, stride, padding, dilation,
                      ceil_mode, return_indices)


def max_pool3d(Tensor input not None, kernel_size, stride=None, padding=0, dilation=1,
               ceil_mode=False, return_indices=False):
    """Return the maximum of each window over the last three axes: see max_pool2d."""
    return pooled_max(input, 3, "max_pool3d", kernel_size, stride, padding, dilation,
                      ceil_mode, return_indices)


def max_pool1d_with_indices(Tensor input not None, kernel_size, stride=None, padding=0,
                            dilation=1, ceil_mode=False, return_indices=False):
    """Return maxima and their places: see max_pool1d."""
    return pooled_max(input, 1, "max_pool1d", kernel_size, stride, padding, dilation,
                      ceil_mode, True)


def max_pool2d_with_indices(Tensor input not None, kernel_size, stride=None, padding=0,
                            dilation=1, ceil_mode=False, return_indices=False):
    """Return maxima and their places: see max_pool2d."""
    return pooled_max(input, 2, "max_pool2d", kernel_size, stride, padding, dilation,
                      ceil_mode, True)


def max_pool3d_with_indices(Tensor input not None, kernel_size, stride=None, padding=0,
                            dilation=1, ceil_mode=False, return_indices=False):
    """Return maxima and their places: see max_pool3d."""
    return pooled_max(input, 3, "max_pool3d", kernel_size, stride, padding, dilation,
                      ceil_mode, True)


# ---- mean pooling ----

cdef int check_pool_rank(Tensor x, int dims, str op) except -1:
    if x.rank in (dims + 1, dims + 2):
        return 0
    if dims == 1:
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {x.rank}-dimensional tensor for "
            f"argument #1 'self' (while checking arguments for {op})")
    if dims == 2 and x.rank < 3:
        raise IndexError(f"Dimension out of range (expected to be in range of "
                         f"[{-max(x.rank, 1)}, {max(x.rank, 1) - 1}], but got -3)")
    raise RuntimeError(f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor "
                       "expected for input")


cdef Tensor pooled_mean(Tensor x, int dims, str op, object kernel, object stride,
                        object padding, bint ceil_mode, bint with_padding,
                        object divisor):
    cdef Windows w
    cdef int64_t[5] sizes
    read_windows(&w, dims, op, kernel, stride, padding, 1, ceil_mode)
    w.with_padding = with_padding
    if divisor is not None:
        w.divisor = read_int(divisor, op, "divisor_override")
        if w.divisor == 0:
            raise RuntimeError("divisor must be not zero")
    check_pool_rank(x, dims, op)
    output_sizes(x, &w, sizes)
    check_windows(x, &w, sizes, op)
    if not is_float(x.code) and x.code != I64:
        refuse_dtype("avg_pool3d_out_frame" if dims == 3 else "avg_pool2d", x.code)
    return c_mean_pool(x, sizes, &w)


def avg_pool1d(Tensor input not None, kernel_size, stride=None, padding=0,
               ceil_mode=False, count_include_pad=True):
    """Return the mean of each window along the last axis: see avg_pool2d.

    Example:
        >>> avg_pool1d(tensor([[1.0, 3.0, 2.0, 4.0]]), 2).tolist()
        [[2.0, 3.0]]
    """
    return pooled_mean(input, 1, "avg_pool1d", kernel_size, stride, padding, ceil_mode,
                       count_include_pad, None)


def avg_pool2d(Tensor input not None, kernel_size, stride=None, padding=0,
               ceil_mode=False, count_include_pad=True, divisor_override=None, *,
               out=None):
    """Return the mean of each window over the last two axes.

    Args:
        stride: how far apart windows lie; the size of the kernel unless given.
        padding: how far windows reach over the edge, where there are zeros.
        ceil_mode: whether a last window may reach over the edge.
        count_include_pad: whether the zeros of the padding count.
        divisor_override: what to divide sums by instead of the number of elements.
    """
    return deliver(pooled_mean(input, 2, "avg_pool2d", kernel_size, stride, padding,
                               ceil_mode, count_include_pad, divisor_override), out)


def avg_pool3d(Tensor input not None, kernel_size, stride=None, padding=0,
               ceil_mode=False, count_include_pad=True, divisor_override=None, *,
               out=None):
    """Return the mean of each window over the last three axes: see avg_pool2d."""
    return deliver(pooled_mean(input, 3, "avg_pool3d", kernel_size, stride, padding,
                               ceil_mode, count_include_pad, divisor_override), out)
