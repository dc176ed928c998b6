"""Convolution over 1 to 3 axes, and the transposed one.

    y[n, o, p] = b[o] + sum over i and k of w[o, i, k] x[n, i, stride p + dilation k - padding]

Channels are cut into groups that do not mix.  The three kernels are products of the same
triples (x, w, y), so the derivatives of each are the two others.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, needs_grad2, new_node, save, saved, send,
    wants)
from tinytorch._core.executor cimport Kernel, KernelCall, Scalar, register_kernel
from tinytorch._core.ops.elementwise cimport same_device
from tinytorch._core.ops.pad cimport c_pad
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_squeeze, c_unsqueeze, dtype_word, read_int
from tinytorch._core.ops.window cimport (
    fresh, launch, listed, read_each, refuse_dtype, sizes_text)
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, I64, is_float

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
           "conv_transpose3d"]
METHODS = []
FUNCTIONAL = __all__

cdef extern from "conv.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int conv_forward_driver(const KernelCall* call)
    int conv_input_driver(const KernelCall* call)
    int conv_weight_driver(const KernelCall* call)
    double conv_forward_flops(const KernelCall* call)
    double conv_input_flops(const KernelCall* call)
    double conv_weight_flops(const KernelCall* call)

tt_parallel_for = parallel_for
cdef Kernel* FORWARD = register_kernel("conv_forward", conv_forward_driver, NULL)
cdef Kernel* INPUT = register_kernel("conv_input", conv_input_driver, NULL)
cdef Kernel* WEIGHT = register_kernel("conv_weight", conv_weight_driver, NULL)
FORWARD.count_flops = conv_forward_flops
INPUT.count_flops = conv_input_flops
WEIGHT.count_flops = conv_weight_flops

cdef enum:
    MOST_SCALARS = 10


cdef int scalars_of(const Steps* s, Scalar* to) noexcept:
    cdef int a
    to[0].i = s.groups
    for a in range(s.dims):
        to[1 + a].i = s.stride[a]
        to[1 + s.dims + a].i = s.padding[a]
        to[1 + 2 * s.dims + a].i = s.dilation[a]
    return 1 + 3 * s.dims


cdef int keep_steps(Node node, const Steps* s) except -1:
    node.context = PyBytes_FromStringAndSize(<const char*>s, sizeof(Steps))
    return 0


cdef inline const Steps* kept_steps(Node node):
    return <const Steps*>PyBytes_AS_STRING(node.context)


cdef inline int64_t reach(int64_t kernel, int64_t dilation) noexcept:
    return dilation * (kernel - 1) + 1


# ---- y from x and w ----

cdef Tensor c_conv(Tensor x, Tensor w, Tensor b, const int64_t* y_sizes, const Steps* s):
    cdef Scalar[MOST_SCALARS] scalar
    cdef int64_t[5] sizes
    cdef int a
    cdef Node node = None
    cdef Tensor y
    if needs_grad2(x, w) or b is not None and needs_grad(b):
        node = new_node(conv_backward, b"ConvolutionBackward0")
        link_three(node, x, w, b, s)
        save(node, 0, x)
        save(node, 1, w)
    sizes[0] = x.sizes[0]
    sizes[1] = w.sizes[0]
    for a in range(s.dims):
        if y_sizes != NULL:
            sizes[2 + a] = y_sizes[2 + a]
        else:
            sizes[2 + a] = (x.sizes[2 + a] + 2 * s.padding[a] -
                            reach(w.sizes[2 + a], s.dilation[a])) // s.stride[a] + 1
    y = fresh(x, x.rank, sizes, x.code)
    launch(FORWARD, y, x, w, b, scalar, scalars_of(s, scalar))
    if node is not None:
        attach(y, node)
    return y


cdef int link_three(Node node, Tensor a, Tensor w, Tensor b, const Steps* s) except -1:
    keep_steps(node, s)
    link(node, 0, a)
    link(node, 1, w)
    if b is not None:
        link(node, 2, b)
    return 0


cdef int conv_backward(Node node, Tensor gy) except -1:
    """dx = conv_input(dy, w),  dw = conv_weight(dy, x),  db = sum of dy by channel"""
    cdef const Steps* s = kept_steps(node)
    cdef Tensor x = saved(node, 0)
    cdef Tensor w = saved(node, 1)
    if wants(node, 0):
        send(node, 0, c_conv_input(gy, w, None, x.sizes, s))
    if wants(node, 1):
        send(node, 1, c_conv_weight(gy, x, w.sizes, s))
    if wants(node, 2):
        send(node, 2, c_sum(gy, all_but_channels(gy)))
    return 0


cdef inline unsigned long long all_but_channels(Tensor y) noexcept:
    return ((1 << y.rank) - 1) & ~2


# ---- x from y and w ----

cdef Tensor c_conv_input(Tensor y, Tensor w, Tensor b, const int64_t* sizes,
                         const Steps* s):
    cdef Scalar[MOST_SCALARS] scalar
    cdef Node node = None
    cdef Tensor x
    if needs_grad2(y, w) or b is not None and needs_grad(b):
        node = new_node(conv_input_backward, b"ConvolutionBackward0")
        link_three(node, y, w, b, s)
        save(node, 0, y)
        save(node, 1, w)
    x = fresh(y, y.rank, sizes, y.code)
    launch(INPUT, x, y, w, b, scalar, scalars_of(s, scalar))
    if node is not None:
        attach(x, node)
    return x


cdef int conv_input_backward(Node node, Tensor gx) except -1:
    """dy = conv(dx, w),  dw = conv_weight(y, dx),  db = sum of dx by channel"""
    cdef const Steps* s = kept_steps(node)
    cdef Tensor y = saved(node, 0)
    cdef Tensor w = saved(node, 1)
    if wants(node, 0):
        send(node, 0, c_conv(gx, w, None, y.sizes, s))
    if wants(node, 1):
        send(node, 1, c_conv_weight(y, gx, w.sizes, s))
    if wants(node, 2):
        send(node, 2, c_sum(gx, all_but_channels(gx)))
    return 0


# ---- w from y and x ----

cdef Tensor c_conv_weight(Tensor y, Tensor x, const int64_t* sizes, const Steps* s):
    cdef Scalar[MOST_SCALARS] scalar
    cdef Node node = None
    cdef Tensor w
    if needs_grad2(y, x):
        node = new_node(conv_weight_backward, b"ConvolutionBackwardBackward0")
        link_three(node, y, x, None, s)
        save(node, 0, y)
        save(node, 1, x)
    w = fresh(y, y.rank, sizes, y.code)
    launch(WEIGHT, w, y, x, None, scalar, scalars_of(s, scalar))
    if node is not None:
        attach(w, node)
    return w


cdef int conv_weight_backward(Node node, Tensor gw) except -1:
    """dy = conv(x, dw),  dx = conv_input(y, dw)"""
    cdef const Steps* s = kept_steps(node)
    cdef Tensor y = saved(node, 0)
    cdef Tensor x = saved(node, 1)
    if wants(node, 0):
        send(node, 0, c_conv(x, gw, None, y.sizes, s))
    if wants(node, 1):
        send(node, 1, c_conv_input(y, gw, None, x.sizes, s))
    return 0


# ---- arguments ----

cdef tuple type_words = ("float", "double", "c10::Half", "c10::BFloat16", "long int",
                         "int", "short int", "signed char", "unsigned char", "bool")


cdef int check_types(Tensor x, Tensor w, Tensor b, bint transposed, bint dilated,
                     int dims) except -1:
    cdef str kernel
    if b is not None and b.code != x.code:
        raise RuntimeError(f"Input type ({type_words[x.code]}) and bias type "
                           f"({type_words[b.code]}) should be the same")
    if w.code != x.code:
        raise RuntimeError(f"expected scalar type {dtype_word(x.code)} but found "
                           f"{dtype_word(w.code)}")
    if is_float(x.code) or x.code == I64:
        return 0
    if transposed:
        kernel = f"slow_conv_transpose{max(dims, 2)}d_out_cpu"
    elif dilated:
        kernel = "slow_conv_dilated<>"
    else:
        kernel = "compute_columns3d" if dims == 3 else "slow_conv2d_cpu"
    if x.code == BOOL or transposed or dilated:
        refuse_dtype(kernel, x.code)
    return 0


cdef int read_steps(object value, int64_t* to, int dims, str op, str name) except -1:
    cdef int64_t[8] numbers
    cdef int a
    cdef int n = read_each(value, numbers, op, name)
    if n > 1 and n != dims or n == 0 and isinstance(value, (tuple, list)):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to "
            f"match the convolution dimensions, but got {name}={listed(n, numbers)}")
    for a in range(dims):
        to[a] = numbers[a if n > 1 else 0]
    return 0


cdef Tensor batched(Tensor x, int dims, str op):
    """x with its batch dimension."""
    if x.rank == dims + 1:
        return c_unsqueeze(x, 0)
    if x.rank != dims + 2:
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {op}, "
            f"but got input of size: {sizes_text(x)}")
    return x


cdef int check_steps(const Steps* s, const int64_t* output_padding) except -1:
    """What PyTorch demands of the numbers alone."""
    cdef int a
    cdef bint positive = True
    for a in range(s.dims):
        if s.padding[a] < 0:
            raise RuntimeError("negative padding is not supported")
    for a in range(s.dims):
        if output_padding != NULL and output_padding[a] < 0:
            raise RuntimeError("negative output_padding is not supported")
    for a in range(s.dims):
        if s.stride[a] <= 0:
            raise RuntimeError("non-positive stride is not supported")
    for a in range(s.dims):
        positive = positive and s.dilation[a] > 0
    if not positive:
        raise RuntimeError("dilation should be greater than zero, but got "
                           f"{listed(s.dims, s.dilation)}")
    if s.groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    return 0


cdef int check_shapes(Tensor x, Tensor w, Tensor b, const Steps* s,
                      bint transposed) except -1:
    """Whether channels and groups of x, w and b go together."""
    cdef int64_t channels = w.sizes[0] if transposed else w.sizes[1] * s.groups
    cdef int64_t outputs = w.sizes[1] * s.groups if transposed else w.sizes[0]
    cdef str given = f"transposed={int(transposed)}" if transposed else \
        f"groups={s.groups}"
    cdef int a
    if w.sizes[0] < s.groups:
        raise RuntimeError(
            f"Given groups={s.groups}, expected weight to be at least {s.groups} at "
            f"dimension 0, but got weight of size {sizes_text(w)} instead")
    if w.sizes[0] % s.groups:
        raise RuntimeError(
            f"Given groups={s.groups}, expected weight to be divisible by {s.groups} at "
            f"dimension 0, but got weight of size [{sizes_text(w)}] instead")
    if x.sizes[1] != channels:
        raise RuntimeError(
            f"Given {given}, weight of size {sizes_text(w)}, expected input"
            f"{sizes_text(x)} to have {channels} channels, but got {x.sizes[1]} channels "
            "instead")
    if b is not None and (b.rank != 1 or b.sizes[0] != outputs):
        given = "transposed=1, " if transposed else ""
        raise RuntimeError(
            f"Given {given}weight of size {sizes_text(w)}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size "
            f"{sizes_text(b)} instead")
    for a in range(s.dims):
        if w.sizes[2 + a] <= 0:
            raise RuntimeError("kernel size should be greater than zero, but got "
                               f"{listed(s.dims, w.sizes + 2)}")
    return 0


cdef str by(int n, const int64_t* sizes):
    """"(2 x 8)", as messages write sizes."""
    cdef int a
    return "(" + " x ".join([str(sizes[a]) for a in range(n)]) + ")"


cdef int check_window(Tensor x, Tensor w, const Steps* s) except -1:
    cdef int64_t[3] inside
    cdef int64_t[3] window
    cdef int a
    cdef bint fits = True
    for a in range(s.dims):
        inside[a] = x.sizes[2 + a] + 2 * s.padding[a]
        window[a] = reach(w.sizes[2 + a], s.dilation[a])
        fits = fits and window[a] <= inside[a]
    if not fits:
        raise RuntimeError(
            f"Calculated padded input size per channel: {by(s.dims, inside)}. Kernel "
            f"size: {by(s.dims, window)}. Kernel size can't be greater than actual input "
            "size")
    return 0


cdef int refuse_weight(Tensor x, Tensor w, object stride, object padding, int dims,
                       str op) except -1:
    """Complain of a weight of another number of dimensions, in PyTorch's words."""
    cdef int64_t[8] numbers
    if w.rank < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if not isinstance(padding, str):
        if not isinstance(stride, (tuple, list)):
            stride = [stride] * dims
        read_steps(stride, numbers, w.rank - 2, op, "stride")
    raise RuntimeError(
        f"Expected {w.rank}-dimensional input for {w.rank}-dimensional weight"
        f"{sizes_text(w)}, but got {x.rank}-dimensional input of size {sizes_text(x)} "
        "instead")


cdef int check_devices(Tensor x, Tensor w, Tensor b) except -1:
    same_device(x, w)
    if b is not None:
        same_device(x, b)
    return 0


# ---- convolution ----

cdef Tensor pad_same(Tensor x, Tensor w, Steps* s, str op):
    """Padding such that y is as large as x; the odd zero goes behind."""
    cdef int64_t[6] extra
    cdef int64_t total
    cdef int a
    cdef bint uneven = False
    for a in range(s.dims):
        if s.stride[a] != 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
    for a in range(s.dims):
        total = s.dilation[a] * (w.sizes[2 + a] - 1)
        s.padding[a] = total // 2
        extra[2 * (s.dims - 1 - a)] = 0
        extra[2 * (s.dims - 1 - a) + 1] = total % 2
        uneven = uneven or total % 2
    return c_pad(x, 2 * s.dims, extra, 0) if uneven else x


cdef Tensor convolve(Tensor x, Tensor w, Tensor b, object stride, object padding,
                     object dilation, object groups, int dims, str op):
    cdef Steps s
    cdef Tensor whole = batched(x, dims, op)
    cdef Tensor y
    cdef int a
    s.dims = dims
    s.groups = read_int(groups, op, "groups")
    if b is not None and b.code != x.code:
        check_types(x, w, b, False, False, dims)
    if w.rank != dims + 2:
        refuse_weight(whole, w, stride, padding, dims, op)
    read_steps(stride, s.stride, dims, op, "stride")
    read_steps(dilation, s.dilation, dims, op, "dilation")
    if isinstance(padding, str):
        if padding == "same":
            whole = pad_same(whole, w, &s, op)
        elif padding == "valid":
            for a in range(dims):
                s.padding[a] = 0
        else:
            raise RuntimeError(f"Invalid padding string: '{padding}'")
    else:
        read_steps(padding, s.padding, dims, op, "padding")
    check_devices(x, w, b)
    check_steps(&s, NULL)
    check_shapes(whole, w, b, &s, False)
    check_window(whole, w, &s)
    check_types(x, w, b, False, dilated(&s), dims)
    y = c_conv(whole, w, b, NULL, &s)
    return y if x.rank == dims + 2 else c_squeeze(y, 0)


cdef bint dilated(const Steps* s) noexcept:
    cdef int a
    for a in range(s.dims):
        if s.dilation[a] != 1:
            return True
    return False


def conv1d(Tensor input not None, Tensor weight not None, Tensor bias=None, stride=1,
           padding=0, dilation=1, groups=1):
    """Convolve a signal of several channels with a set of kernels.

    Args:
        input: of shape (N, channels, length), or without N.
        weight: of shape (outputs, channels / groups, length of the kernel).
        padding: zeros added on both sides; "same" and "valid" are understood.

    Example:
        >>> x = tensor([[[1.0, 2.0, 3.0, 4.0]]])
        >>> conv1d(x, tensor([[[1.0, -1.0]]])).tolist()
        [[[-1.0, -1.0, -1.0]]]
    """
    return convolve(input, weight, bias, stride, padding, dilation, groups, 1, "conv1d")


def conv2d(Tensor input not None, Tensor weight not None, Tensor bias=None, stride=1,
           padding=0, dilation=1, groups=1):
    """Convolve images of several channels with a set of kernels.

    Args:
        input: of shape (N, channels, height, width), or without N.
        weight: of shape (outputs, channels / groups, kernel height, kernel width).
        padding: zeros added on both sides; "same" and "valid" are understood.

    Example:
        >>> x = ones(1, 1, 3, 3)
        >>> conv2d(x, ones(1, 1, 3, 3), padding=1).tolist()
        [[[[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]]]
    """
    return convolve(input, weight, bias, stride, padding, dilation, groups, 2, "conv2d")


def conv3d(Tensor input not None, Tensor weight not None, Tensor bias=None, stride=1,
           padding=0, dilation=1, groups=1):
    """Convolve volumes of several channels with a set of kernels: see conv2d."""
    return convolve(input, weight, bias, stride, padding, dilation, groups, 3, "conv3d")


# ---- the transposed convolution ----

cdef int check_output_padding(const Steps* s, const int64_t* extra) except -1:
    """PyTorch speaks of at least two axes here."""
    cdef int64_t[3] e
    cdef int64_t[3] stride
    cdef int64_t[3] dilation
    cdef int a, shift = 1 if s.dims == 1 else 0
    cdef int n = s.dims + shift
    cdef bint fits = True
    e[0], stride[0], dilation[0] = 0, 1, 1
    for a in range(s.dims):
        e[a + shift] = extra[a]
        stride[a + shift] = s.stride[a]
        dilation[a + shift] = s.dilation[a]
        fits = fits and (extra[a] < s.stride[a] or extra[a] < s.dilation[a])
    if fits:
        return 0
    axes = ("depth", "height", "width")[3 - n:]
    words = [f"output_padding_{axis}: {e[i]}" for i, axis in enumerate(axes)]
    words += [f"stride_{axis}: {stride[i]}" for i, axis in enumerate(axes)]
    words += [f"dilation_{axis}: {dilation[i]}" for i, axis in enumerate(axes)]
    raise RuntimeError("output padding must be smaller than either stride or dilation, "
                       f"but got {' '.join(words)}")


cdef Tensor convolve_transposed(Tensor x, Tensor w, Tensor b, object stride,
                                object padding, object output_padding, object groups,
                                object dilation, int dims, str op):
    cdef Steps s
    cdef int64_t[3] extra
    cdef int64_t[5] sizes
    cdef int a
    cdef bint fits = True
    cdef Tensor y
    cdef Tensor whole = batched(x, dims, op)
    s.dims = dims
    s.groups = read_int(groups, op, "groups")
    if isinstance(padding, str):
        raise TypeError(f"{op}(): argument 'padding' must be tuple of ints, not str")
    if w.rank != dims + 2:
        refuse_weight(whole, w, stride, padding, dims, op)
    if b is not None and b.code != x.code:
        check_types(x, w, b, True, False, dims)
    read_steps(stride, s.stride, dims, op, "stride")
    read_steps(padding, s.padding, dims, op, "padding")
    read_steps(dilation, s.dilation, dims, op, "dilation")
    read_steps(output_padding, extra, dims, op, "output_padding")
    check_devices(x, w, b)
    check_steps(&s, extra)
    check_shapes(whole, w, b, &s, True)
    check_output_padding(&s, extra)
    sizes[0] = whole.sizes[0]
    sizes[1] = w.sizes[1] * s.groups
    for a in range(dims):
        sizes[2 + a] = ((whole.sizes[2 + a] - 1) * s.stride[a] - 2 * s.padding[a] +
                        reach(w.sizes[2 + a], s.dilation[a]) + extra[a])
        fits = fits and sizes[2 + a] > 0
    if not fits:
        raise RuntimeError(
            f"Given input size per channel: {by(dims, whole.sizes + 2)}. Calculated "
            f"output size per channel: {by(dims, sizes + 2)}. Output size is too small")
    check_types(x, w, b, True, False, dims)
    y = c_conv_input(whole, w, b, sizes, &s)
    return y if x.rank == dims + 2 else c_squeeze(y, 0)


def conv_transpose1d(Tensor input not None, Tensor weight not None, Tensor bias=None,
                     stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Apply the adjoint of conv1d: see conv_transpose2d.

    Example:
        >>> x = tensor([[[1.0, 2.0]]])
        >>> conv_transpose1d(x, tensor([[[1.0, 10.0]]]), stride=2).tolist()
        [[[1.0, 10.0, 2.0, 20.0]]]
    """
    return convolve_transposed(input, weight, bias, stride, padding, output_padding,
                               groups, dilation, 1, "conv_transpose1d")


def conv_transpose2d(Tensor input not None, Tensor weight not None, Tensor bias=None,
                     stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Apply the adjoint of conv2d: every input value adds a kernel to the output.

    Args:
        input: of shape (N, channels, height, width), or without N.
        weight: of shape (channels, outputs / groups, kernel height, kernel width).
        output_padding: rows and columns added behind, to choose among the sizes that
            conv2d would map to the input's.
    """
    return convolve_transposed(input, weight, bias, stride, padding, output_padding,
                               groups, dilation, 2, "conv_transpose2d")


def conv_transpose3d(Tensor input not None, Tensor weight not None, Tensor bias=None,
                     stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Apply the adjoint of conv3d: see conv_transpose2d."""
    return convolve_transposed(input, weight, bias, stride, padding, output_padding,
                               groups, dilation, 3, "conv_transpose3d")
