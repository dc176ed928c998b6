"""Convolutions over 1 to 3 axes, and the transposed ones: arguments and checks."""

from libc.stdint cimport int64_t

from tinytorch._core.ops.conv cimport Steps, c_conv, c_conv_input, kernel_reach
from tinytorch._core.ops.elementwise cimport same_device
from tinytorch._core.ops.pad cimport c_pad
from tinytorch._core.ops.shape cimport c_squeeze, c_unsqueeze, dtype_word, read_int
from tinytorch._core.ops.window cimport listed, read_each, refuse_dtype, sizes_text
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport BOOL, I64, is_float

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
           "conv_transpose3d"]
METHODS = []
FUNCTIONAL = __all__


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
            f"expected {name} to be a single integer value or a list of {dims} values "
            f"to match the convolution dimensions, but got {name}={listed(n, numbers)}")
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
    cdef str form = "transposed=1" if transposed else f"groups={s.groups}"
    cdef int a, d
    if w.sizes[0] < s.groups:
        raise RuntimeError(
            f"Given groups={s.groups}, expected weight to be at least {s.groups} at "
            f"dimension 0, but got weight of size {sizes_text(w)} instead")
    if w.sizes[0] % s.groups:
        raise RuntimeError(
            f"Given groups={s.groups}, expected weight to be divisible by {s.groups} "
            f"at dimension 0, but got weight of size [{sizes_text(w)}] instead")
    if x.sizes[1] != channels:
        raise RuntimeError(
            f"Given {form}, weight of size {sizes_text(w)}, expected input"
            f"{sizes_text(x)} to have {channels} channels, but got {x.sizes[1]} "
            "channels instead")
    if b is not None and (b.rank != 1 or b.sizes[0] != outputs):
        form = "transposed=1, " if transposed else ""
        raise RuntimeError(
            f"Given {form}weight of size {sizes_text(w)}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size "
            f"{sizes_text(b)} instead")
    for a in range(s.dims):
        if w.sizes[2 + a] <= 0:
            names = ("depth", "height", "width")[3 - max(s.dims, 2):]
            given = [1] * (s.dims == 1) + [w.sizes[2 + d] for d in range(s.dims)]
            text = " ".join([f"kernel_{name}: {n}" for name, n in zip(names, given)])
            raise RuntimeError(
                f"kernel size should be greater than zero, but got {text}")
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
        window[a] = kernel_reach(w.sizes[2 + a], s.dilation[a])
        fits = fits and window[a] <= inside[a]
    if not fits:
        raise RuntimeError(
            f"Calculated padded input size per channel: {by(s.dims, inside)}. Kernel "
            f"size: {by(s.dims, window)}. Kernel size can't be greater than actual "
            "input size")
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
        f"Expected {w.rank}-dimensional input for {w.rank}-dimensional weight "
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
            raise RuntimeError("padding='same' is not supported for strided "
                               "convolutions")
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
                        kernel_reach(w.sizes[2 + a], s.dilation[a]) + extra[a])
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
