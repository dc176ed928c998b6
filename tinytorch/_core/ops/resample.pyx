"""Changing the resolution: interpolate, axis by axis."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport floor
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport Node, attach, link, needs_grad, new_node, send
from tinytorch._core.executor cimport (
    Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.ops.window cimport (
    compute_code, operand, packed, refuse_dtype, sizes_text)
from tinytorch._core.tensor cimport Tensor, empty_beside
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport F32, U8, compute_of, is_float

from tinytorch._core.ops.adaptive import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)

__all__ = []
METHODS = []
FUNCTIONAL = ["interpolate", "upsample", "upsample_nearest", "upsample_bilinear"]

cdef extern from "resample.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int resample_driver(const KernelCall* call)
    int resample_backward_driver(const KernelCall* call)
    enum: NEAREST, NEAREST_EXACT, LINEAR, CUBIC, LANCZOS

tt_parallel_for = parallel_for
cdef Kernel* FORWARD = register_kernel("resample", resample_driver, NULL)
cdef Kernel* BACKWARD = register_kernel("resample_backward", resample_backward_driver,
                                        NULL)

cdef struct Sampling:
    int axes, mode, align, antialias
    double[3] scale          # 0: that of the sizes


cdef const char* title_of(const Sampling* m) noexcept:
    if m.mode == NEAREST:
        return (b"UpsampleNearest1DBackward0" if m.axes == 1 else
                b"UpsampleNearest2DBackward0" if m.axes == 2 else
                b"UpsampleNearest3DBackward0")
    if m.mode == NEAREST_EXACT:
        return (b"UpsampleNearestExact1DBackward0" if m.axes == 1 else
                b"UpsampleNearestExact2DBackward0" if m.axes == 2 else
                b"UpsampleNearestExact3DBackward0")
    if m.mode == CUBIC:
        return (b"UpsampleBicubic2DAaBackward0" if m.antialias else
                b"UpsampleBicubic2DBackward0")
    if m.mode == LANCZOS:
        return b"UpsampleLanczos2DAaBackward0"
    if m.antialias:
        return b"UpsampleBilinear2DAaBackward0"
    return (b"UpsampleLinear1DBackward0" if m.axes == 1 else
            b"UpsampleBilinear2DBackward0" if m.axes == 2 else
            b"UpsampleTrilinear3DBackward0")


cdef Node node_of(Tensor x, const Sampling* m, bint adjoint):
    cdef Node node
    if not needs_grad(x):
        return None
    node = new_node(spread_backward if adjoint else resample_backward, title_of(m))
    node.context = (PyBytes_FromStringAndSize(<const char*>m, sizeof(Sampling)),
                    packed(x.rank, x.sizes))
    link(node, 0, x)
    return node


cdef inline bint unchanged(const Sampling* m, int a, int64_t before, int64_t after):
    return before == after and (m.mode == LINEAR or m.scale[a] in (0, 1))


cdef Tensor along(const Kernel* kernel, Tensor x, int axis, int64_t size, int a,
                  const Sampling* m, bint last):
    """One axis done; x is contiguous and of a compute type."""
    cdef Scalar[6] s
    cdef View[2] v
    cdef int64_t[5] sizes
    cdef Tensor y
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[axis] = size
    y = empty_beside(x, x.rank, sizes, x.code)
    s[0].i = axis
    s[1].i = m.mode
    s[2].i = m.align
    s[3].i = m.antialias
    s[4].f = m.scale[a]
    s[5].i = last
    view_of(&v[0], y)
    view_of(&v[1], x)
    run(kernel, v, 2, 1, s, 6, compute_of[x.code], x.storage.device)
    return y


cdef Tensor finished(Tensor x, Tensor part, const int64_t* sizes, Node node):
    cdef Tensor y = empty_beside(x, x.rank, sizes, x.code)
    copy_into(y, part)
    if node is not None:
        attach(y, node)
    return y


cdef Tensor c_resample(Tensor x, const int64_t* sizes, const Sampling* m):
    """x with the sizes given."""
    cdef int a, axis
    cdef bint bytes_ = x.code == U8 and m.mode >= LINEAR
    cdef Node node = node_of(x, m, False)
    cdef Tensor part = operand(x, F32 if bytes_ else compute_code(x.code))
    for a in range(m.axes - 1, -1, -1):  # rows first: they are the slow ones
        axis = x.rank - m.axes + a
        if not unchanged(m, a, x.sizes[axis], sizes[axis]):
            part = along(FORWARD, part, axis, sizes[axis], a, m, bytes_)
    if part is x or part.code != x.code:
        return finished(x, part, sizes, node)
    if node is not None:
        attach(part, node)
    return part


cdef int resample_backward(Node node, Tensor gy) except -1:
    """dx[index[i, t]] += weight[i, t] dy[i], axis by axis"""
    cdef const Sampling* m = <const Sampling*>PyBytes_AS_STRING(node.context[0])
    send(node, 0, c_spread(gy, <const int64_t*>PyBytes_AS_STRING(node.context[1]), m))
    return 0


cdef Tensor c_spread(Tensor gy, const int64_t* sizes, const Sampling* m):
    """The adjoint of c_resample."""
    cdef int a, axis
    cdef Node node = node_of(gy, m, True)
    cdef Tensor part = operand(gy, compute_code(gy.code))
    for a in range(m.axes):
        axis = gy.rank - m.axes + a
        if not unchanged(m, a, sizes[axis], gy.sizes[axis]):
            part = along(BACKWARD, part, axis, sizes[axis], a, m, False)
    if part is gy or part.code != gy.code:
        return finished(gy, part, sizes, node)
    if node is not None:
        attach(part, node)
    return part


cdef int spread_backward(Node node, Tensor g) except -1:
    """The adjoint's adjoint: c_resample"""
    cdef const Sampling* m = <const Sampling*>PyBytes_AS_STRING(node.context[0])
    send(node, 0, c_resample(g, <const int64_t*>PyBytes_AS_STRING(node.context[1]), m))
    return 0


# ---- arguments ----

cdef dict modes = {
    ("nearest", 3): NEAREST, ("nearest", 4): NEAREST, ("nearest", 5): NEAREST,
    ("nearest-exact", 3): NEAREST_EXACT, ("nearest-exact", 4): NEAREST_EXACT,
    ("nearest-exact", 5): NEAREST_EXACT, ("linear", 3): LINEAR, ("bilinear", 4): LINEAR,
    ("trilinear", 5): LINEAR, ("bicubic", 4): CUBIC, ("lanczos", 4): LANCZOS}
cdef dict ranks = {"linear": 3, "bilinear": 4, "trilinear": 5}
cdef tuple smooth = ("linear", "bilinear", "bicubic", "trilinear")


cdef list read_size(Tensor x, object size):
    cdef int dims = x.rank - 2
    cdef object number
    if isinstance(size, (list, tuple)):
        if len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but "
                f"got input with spatial dimensions of {list(x.shape[2:])} and output "
                f"size of {size}. Please provide input tensor in (N, C, d1, d2, "
                "...,dK) format and output size in (o1, o2, ...,oK) format.")
        if not all([hasattr(number, "__index__") for number in size]):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                "Tuple[int, int, int], but got size with types "
                f"{[type(number) for number in size]}")
        return [number.__index__() for number in size]
    if not hasattr(size, "__index__"):
        raise TypeError(f"interpolate(): argument 'size' must be int, not "
                        f"{type(size).__name__}")
    return [size.__index__()] * dims


cdef list read_scale(Tensor x, object scale_factor):
    cdef int dims = x.rank - 2
    if not isinstance(scale_factor, (list, tuple)):
        return [float(scale_factor)] * dims
    if len(scale_factor) != dims:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, "
            f"but got input with spatial dimensions of {list(x.shape[2:])} and "
            f"scale_factor of shape {scale_factor}. Please provide input tensor in (N, "
            "C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.")
    return [float(scale) for scale in scale_factor]


cdef int refuse_mode(Tensor x, object mode) except -1:
    if mode in ranks and x.rank in (3, 4, 5):
        raise NotImplementedError(
            f"Got {x.rank}D input, but {mode} mode needs {ranks[mode]}D input")
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
        f"{x.rank}D) for the modes: nearest | linear | bilinear | bicubic | trilinear "
        f"| lanczos | area | nearest-exact (got {mode})")


cdef int check_sizes(Tensor x, const int64_t* sizes) except -1:
    cdef int a
    cdef bint good = True
    cdef tuple names = ("D", "H", "W")[5 - x.rank:]
    for a in range(2, x.rank):
        good = good and x.sizes[a] > 0 and sizes[a] > 0
    if not good:
        before = ", ".join([f"{name}: {x.sizes[a + 2]}" for a,
                            name in enumerate(names)])
        after = ", ".join([f"{name}: {sizes[a + 2]}" for a, name in enumerate(names)])
        raise RuntimeError("Input and output sizes should be greater than 0, but got "
                           f"input ({before}) output ({after})")
    if x.sizes[1] == 0:
        raise RuntimeError(f"Non-empty {x.rank}D data tensor expected but got a tensor "
                           f"with sizes {sizes_text(x)}")
    return 0


cdef int check_dtype(Tensor x, int mode, int axes) except -1:
    cdef str kernel
    if is_float(x.code) or x.code == U8 and (mode <= NEAREST_EXACT or axes == 2):
        return 0
    if mode <= NEAREST_EXACT:
        kernel = f"upsample_nearest{axes}d_channels_last"
    elif mode == LINEAR:
        kernel = ("compute_indices_weights_linear" if axes == 1 else
                  "upsample_bilinear2d_channels_last" if axes == 2 else
                  "upsample_trilinear3d_channels_last")
    else:
        kernel = "compute_indices_weights_cubic"
    refuse_dtype(kernel, x.code)
    return 0


cdef Tensor interpolated(Tensor x, object size, object scale_factor, object mode,
                         object align_corners, object recompute, bint antialias):
    cdef Sampling m
    cdef int64_t[5] sizes
    cdef int a
    cdef list wanted, scales = None
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: "
                "linear | bilinear | bicubic | trilinear")
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        wanted = read_size(x, size)
    elif scale_factor is not None:
        scales = read_scale(x, scale_factor)
        wanted = [<int64_t>floor(x.sizes[2 + a] * <double>scales[a]) if scales[a]
                  >= 0 else
                  <int64_t>(x.sizes[2 + a] * <double>scales[a])
                  for a in range(x.rank - 2)]
    else:
        raise ValueError("either size or scale_factor should be defined")
    if recompute is not None and recompute and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit "
                         "size.")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and x.rank == 4):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and "
                         "lanczos modes and requires a 4-D tensor as input")
    if mode == "lanczos" and not antialias and x.rank == 4:
        raise ValueError("lanczos interpolation requires antialias=True")
    if mode == "area" and x.rank in (3, 4, 5):
        pool = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[x.rank
                                                                               - 3]
        return pool(x, wanted)
    if (mode, x.rank) not in modes:
        refuse_mode(x, mode)
    m.axes = x.rank - 2
    m.mode = modes[mode, x.rank]
    m.align = bool(align_corners)
    m.antialias = antialias
    sizes[0] = x.sizes[0]
    sizes[1] = x.sizes[1]
    for a in range(m.axes):
        sizes[2 + a] = wanted[a]
        m.scale[a] = 0 if scales is None or recompute else <double>scales[a]
    check_sizes(x, sizes)
    check_dtype(x, m.mode, m.axes)
    return c_resample(x, sizes, &m)


def interpolate(Tensor input not None, size=None, scale_factor=None, mode="nearest",
                align_corners=None, recompute_scale_factor=None, antialias=False):
    """Change the resolution of signals, images or volumes.

    Args:
        input: of shape (N, channels, ...) with 1 to 3 further axes.
        size: of the result, per axis or for all of them.
        scale_factor: instead of the size, how many times larger the result is.
        mode: "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear",
            "area" (the mean of what an element covers) or "lanczos".
        align_corners: whether the corner elements keep their places, or the corners of
            the corner elements.
        antialias: whether to average over what an element covers when the result is
            smaller.

    Example:
        >>> interpolate(tensor([[[1.0, 3.0]]]), scale_factor=2).tolist()
        [[[1.0, 1.0, 3.0, 3.0]]]
    """
    return interpolated(input, size, scale_factor, mode, align_corners,
                        recompute_scale_factor, antialias)


def upsample(Tensor input not None, size=None, scale_factor=None, mode="nearest",
             align_corners=None):
    """Change the resolution: the older name of interpolate."""
    return interpolated(input, size, scale_factor, mode, align_corners, None, False)


def upsample_nearest(Tensor input not None, size=None, scale_factor=None):
    """Change the resolution: interpolate with mode "nearest"."""
    return interpolated(input, size, scale_factor, "nearest", None, None, False)


def upsample_bilinear(Tensor input not None, size=None, scale_factor=None):
    """Change the resolution: interpolate with mode "bilinear" and aligned corners."""
    return interpolated(input, size, scale_factor, "bilinear", True, None, False)
