"""Padding: with a number on every side, or with what x holds near its edges."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, send)
from tinytorch._core.executor cimport (
    Kernel, KernelCall, Scalar, View, copy_into, fill_with, register_kernel, run,
    view_of)
from tinytorch._core.ops.elementwise cimport Number, as_number, number_of_float
from tinytorch._core.ops.shape cimport contiguous
from tinytorch._core.ops.window cimport launch, listed, refuse_dtype, sizes_text
from tinytorch._core.tensor cimport Tensor, empty_beside, view
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BOOL, MAX_DIMS, compute_of, is_float, itemsize

__all__ = ["constant_pad_nd"]
METHODS = []
FUNCTIONAL = ["pad"]

cdef extern from "pad.h" nogil:
    void (*tt_parallel_for)(void (*)(void*, int64_t, int64_t) noexcept nogil, void*,
                            int64_t, int64_t) noexcept nogil
    int pad_mirror_driver(const KernelCall* call)
    int pad_gather_driver(const KernelCall* call)
    enum: PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR

tt_parallel_for = parallel_for
cdef Kernel* MIRROR = register_kernel("pad_mirror", pad_mirror_driver, NULL)
cdef Kernel* GATHER = register_kernel("pad_gather", pad_gather_driver, NULL)

cdef enum:
    MOST_PADS = 2 * MAX_DIMS


# ---- a number on every side ----

cdef Tensor c_pad(Tensor x, int n, const int64_t* pads, double value):
    cdef Number number = number_of_float(value)
    return pad_number(x, n, pads, &number)


cdef Tensor pad_number(Tensor x, int n, const int64_t* pads, const Number* value):
    cdef int64_t[MAX_DIMS] sizes
    cdef Node node = None
    cdef Tensor y
    check_pads(x, n, pads, sizes)
    if needs_grad(x):
        node = new_node(pad_number_backward, b"ConstantPadNdBackward0")
        node.context = PyBytes_FromStringAndSize(<const char*>pads, n * sizeof(int64_t))
        node.i0 = n
        link(node, 0, x)
    y = empty_beside(x, x.rank, sizes, x.code)
    if y.count:
        fill_with(y, value.f, value.i)
        copy_middle(y, x, n, pads)
    if node is not None:
        attach(y, node)
    return y


cdef int pad_number_backward(Node node, Tensor gy) except -1:
    """dx = dy, padded by the negative numbers"""
    cdef int64_t[MOST_PADS] back
    cdef const int64_t* pads = <const int64_t*>PyBytes_AS_STRING(node.context)
    cdef int i
    for i in range(node.i0):
        back[i] = -pads[i]
    send(node, 0, c_pad(gy, node.i0, back, 0))
    return 0


cdef int check_pads(Tensor x, int n, const int64_t* pads, int64_t* sizes) except -1:
    cdef int d, k
    if n % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {n}")
    if n > 2 * x.rank:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of "
            f"the input. Pad length is {n} while the input has {x.rank} dimensions.")
    for d in range(x.rank):
        sizes[d] = x.sizes[d]
        k = 2 * (x.rank - 1 - d)
        if k >= n:
            continue
        if -pads[k] > sizes[d] or -pads[k + 1] > sizes[d] + min(pads[k], 0):
            raise RuntimeError("narrow(): length must be non-negative.")
        sizes[d] += pads[k] + pads[k + 1]
    return 0


cdef int copy_middle(Tensor y, Tensor x, int n, const int64_t* pads) except -1:
    """Write the part of x that stays to where it stands in y."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t to = 0, from_ = 0
    cdef int d, k
    for d in range(x.rank):
        sizes[d] = x.sizes[d]
        k = 2 * (x.rank - 1 - d)
        if k >= n:
            continue
        sizes[d] += min(pads[k], 0) + min(pads[k + 1], 0)
        to += max(pads[k], 0) * y.strides[d]
        from_ += max(-pads[k], 0) * x.strides[d]
    copy_into(view(y, y.rank, sizes, y.strides, y.offset + to * itemsize[y.code]),
              view(x, x.rank, sizes, x.strides,
                   x.offset + from_ * itemsize[x.code]))
    return 0


# ---- what x holds ----

cdef struct Mirror:
    int mode, axes
    int64_t[6] pads      # (front, behind) from the first padded axis on


cdef int scalars_of(const Mirror* m, Scalar* to) noexcept:
    cdef int i
    to[0].i = m.mode
    to[1].i = m.axes
    for i in range(2 * m.axes):
        to[2 + i].i = m.pads[i]
    return 2 + 2 * m.axes


cdef const char* title_of(const Mirror* m) noexcept:
    if m.mode == PAD_REFLECT:
        return (b"ReflectionPad1DBackward0" if m.axes == 1 else
                b"ReflectionPad2DBackward0" if m.axes == 2 else
                b"ReflectionPad3DBackward0")
    if m.mode == PAD_REPLICATE:
        return (b"ReplicationPad1DBackward0" if m.axes == 1 else
                b"ReplicationPad2DBackward0" if m.axes == 2 else
                b"ReplicationPad3DBackward0")
    return b"PadCircularBackward0"


cdef Node mirror_node(Tensor x, const Mirror* m, bint adjoint):
    cdef Node node
    if not needs_grad(x):
        return None
    node = new_node(mirror_gather_backward if adjoint else mirror_backward, title_of(m))
    node.context = (PyBytes_FromStringAndSize(<const char*>m, sizeof(Mirror)),
                    PyBytes_FromStringAndSize(<const char*>x.sizes,
                                              x.rank * sizeof(int64_t)))
    link(node, 0, x)
    return node


cdef Tensor mirrored(Tensor x, const int64_t* sizes, const Mirror* m):
    """y[p] = x[from(p)]"""
    cdef Scalar[8] s
    cdef View[2] v
    cdef Node node = mirror_node(x, m, False)
    cdef Tensor y = empty_beside(x, x.rank, sizes, x.code)
    x = contiguous(x)
    view_of(&v[0], y)
    view_of(&v[1], x)
    run(MIRROR, v, 2, 1, s, scalars_of(m, s), compute_of[x.code], x.storage.device)
    if node is not None:
        attach(y, node)
    return y


cdef int mirror_backward(Node node, Tensor gy) except -1:
    """dx[q] = sum of dy[p] over all p that come from q"""
    cdef const Mirror* m = <const Mirror*>PyBytes_AS_STRING(node.context[0])
    send(node, 0, gathered(gy, <const int64_t*>PyBytes_AS_STRING(node.context[1]), m))
    return 0


cdef Tensor gathered(Tensor y, const int64_t* sizes, const Mirror* m):
    """The adjoint: x[q] = sum of y[p] over all p that come from q."""
    cdef Scalar[8] s
    cdef Node node = mirror_node(y, m, True)
    cdef Tensor x = empty_beside(y, y.rank, sizes, y.code)
    launch(GATHER, x, y, None, None, s, scalars_of(m, s))
    if node is not None:
        attach(x, node)
    return x


cdef int mirror_gather_backward(Node node, Tensor gx) except -1:
    """dy[p] = dx[from(p)]"""
    cdef const Mirror* m = <const Mirror*>PyBytes_AS_STRING(node.context[0])
    send(node, 0, mirrored(gx, <const int64_t*>PyBytes_AS_STRING(node.context[1]), m))
    return 0


# ---- arguments ----

cdef dict modes = {"reflect": PAD_REFLECT, "replicate": PAD_REPLICATE,
                   "circular": PAD_CIRCULAR}


cdef int read_pads(object pad, int64_t* pads) except -1:
    cdef int n = 0
    if not isinstance(pad, (tuple, list)):
        raise TypeError("pad(): argument 'pad' (position 2) must be tuple of ints, not "
                        f"{type(pad).__name__}")
    if len(pad) > MOST_PADS:
        raise RuntimeError(f"pad(): got {len(pad)} numbers, more than any tensor has")
    for number in pad:
        if isinstance(number, (float, bool)) or not hasattr(number, "__index__"):
            raise TypeError(
                f"pad(): argument 'pad' failed to unpack the object at pos {n + 1} "
                "with "
                f'error "type must be tuple of ints,but got {type(number).__name__}"')
        pads[n] = number.__index__()
        n += 1
    return n


cdef int check_reflection(Tensor x, const Mirror* m) except -1:
    cdef int a, d
    for a in range(m.axes - 1, -1, -1):
        d = x.rank - m.axes + a
        if m.pads[2 * a] >= x.sizes[d] or m.pads[2 * a + 1] >= x.sizes[d]:
            raise RuntimeError(
                f"Argument #{2 * (m.axes - a) + 2}: Padding size should be less than "
                f"the corresponding input dimension, but got: padding "
                f"({m.pads[2 * a]}, {m.pads[2 * a + 1]}) at dimension {d} of input "
                f"{sizes_text(x)}")
    return 0


cdef int check_circle(Tensor x, const Mirror* m) except -1:
    cdef int a
    cdef int64_t size
    for a in range(m.axes):
        size = x.sizes[x.rank - m.axes + a]
        if m.pads[2 * a] > size or m.pads[2 * a + 1] > size:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if size + m.pads[2 * a] + m.pads[2 * a + 1] < 0 or \
                size + min(m.pads[2 * a], 0) + min(m.pads[2 * a + 1], 0) <= 0:
            raise RuntimeError("Negative padding value is resulting in an empty "
                               "dimension")
    return 0


cdef int check_filled(Tensor x, const Mirror* m) except -1:
    cdef int d
    for d in range(1 if x.rank == m.axes + 2 else 0, x.rank):
        if x.sizes[d] == 0:
            raise RuntimeError(
                f"Expected {m.axes + 1}D or {m.axes + 2}D (batch mode) tensor with "
                "possibly 0 batch size and other non-zero dimensions for input, but "
                f"got: {sizes_text(x)}")
    return 0


cdef int check_result(Tensor x, const Mirror* m, const int64_t* sizes) except -1:
    cdef int a, d
    cdef bint some = False
    cdef tuple names = ("D", "H", "W")[3 - m.axes:]
    for a in range(m.axes):
        some = some or sizes[x.rank - m.axes + a] >= 1
    if not some:
        d = x.rank - m.axes
        given = ", ".join([f"{name}: {x.sizes[d + a]}" for a, name in enumerate(names)])
        got = " ".join([f"{name}: {sizes[d + a]}" for a, name in enumerate(names)])
        raise RuntimeError(f"input ({given}) is too small. Calculated output {got}")
    for d in range(x.rank):
        if sizes[d] < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension "
                               f"{sizes[d]}: {listed(x.rank, sizes)}")
    return 0


cdef Tensor pad_mirror(Tensor x, int mode, int n, const int64_t* pads):
    cdef Mirror m
    cdef int64_t[5] sizes
    cdef int a, d
    m.mode = mode
    m.axes = n // 2
    if not 0 < m.axes <= 3 or not m.axes + 1 <= x.rank <= m.axes + 2:
        raise NotImplementedError(
            f"Padding size {n} is not supported for {x.rank}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)")
    for a in range(m.axes):
        m.pads[2 * a] = pads[2 * (m.axes - 1 - a)]
        m.pads[2 * a + 1] = pads[2 * (m.axes - 1 - a) + 1]
    if mode == PAD_CIRCULAR:
        check_circle(x, &m)
    else:
        check_filled(x, &m)
    if mode == PAD_REFLECT:
        check_reflection(x, &m)
    for d in range(x.rank):
        sizes[d] = x.sizes[d]
    for a in range(m.axes):
        sizes[x.rank - m.axes + a] += m.pads[2 * a] + m.pads[2 * a + 1]
    if mode != PAD_CIRCULAR:
        check_result(x, &m, sizes)
        if x.code == BOOL:
            word = "reflection" if mode == PAD_REFLECT else "replication"
            refuse_dtype(f"{word}_pad{m.axes}d", BOOL)
    return mirrored(x, sizes, &m)


cdef int read_value(Tensor x, object value, Number* number) except -1:
    if value is None:
        number[0] = number_of_float(0)
        return 0
    if not as_number(value, number):
        raise TypeError("pad(): argument 'value' (position 4) must be float, not "
                        f"{type(value).__name__}")
    if not is_float(x.code) and x.code != BOOL and not -9.3e18 < number.f < 9.3e18:
        raise RuntimeError(
            "value cannot be converted to type int64_t without overflow")
    return 0


def pad(Tensor input not None, pad, mode="constant", value=None):
    """Extend a tensor at the ends of its last dimensions.

    Args:
        pad: (front, behind) of the last dimension, then of the one before, and so on.
            Negative numbers take away.
        mode: "constant" adds `value`; "reflect" mirrors about the edge, "replicate"
            repeats it, and "circular" continues at the other end (up to 3 dimensions).

    Example:
        >>> pad(tensor([[1, 2, 3]]), (2, 0), mode="reflect").tolist()
        [[3, 2, 1, 2, 3]]
    """
    cdef int64_t[MOST_PADS] pads
    cdef Number number
    cdef int n = read_pads(pad, pads)
    if n % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if n > 2 * input.rank:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input "
            f"dimension but got padding length {n} and input of dimension {input.rank}")
    if mode == "constant":
        read_value(input, value, &number)
        return pad_number(input, n, pads, &number)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in modes:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    return pad_mirror(input, modes[mode], n, pads)


def constant_pad_nd(Tensor input not None, pad, value=0):
    """Extend a tensor with a number: see tinytorch.nn.functional.pad.

    Example:
        >>> constant_pad_nd(tensor([1, 2]), (1, 0), 7).tolist()
        [7, 1, 2]
    """
    cdef int64_t[MOST_PADS] pads
    cdef Number number
    cdef int n = read_pads(pad, pads)
    read_value(input, value, &number)
    return pad_number(input, n, pads, &number)
