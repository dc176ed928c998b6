"""The three ops that convolutions are made of.

    y[n, o, p] = b[o] + sum over i and k of
        w[o, i, k] x[n, i, stride p + dilation k - padding]

Channels are cut into groups that do not mix.  The three kernels are products of the
same triples (x, w, y), so the derivatives of each are the two others.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.executor cimport Kernel, KernelCall, Scalar, register_kernel
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.window cimport launch
from tinytorch._core.tensor cimport Tensor, empty_beside
from tinytorch._core.threads cimport parallel_for

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


# ---- y from x and w ----

cdef Tensor c_conv(Tensor x, Tensor w, Tensor b, const int64_t* y_sizes,
                   const Steps* s):
    cdef Scalar[MOST_SCALARS] scalar
    cdef int64_t[5] sizes
    cdef int64_t room
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
            room = x.sizes[2 + a] + 2 * s.padding[a]
            room -= kernel_reach(w.sizes[2 + a], s.dilation[a])
            sizes[2 + a] = room // s.stride[a] + 1
    y = empty_beside(x, x.rank, sizes, x.code)
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
    x = empty_beside(y, y.rank, sizes, y.code)
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
    w = empty_beside(y, y.rank, sizes, y.code)
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
