"""The linear layer:  y = x w' + b,  and with relu in the same step."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, needs_grad, needs_grad2, new_node, save, save_output,
    saved, send, wants)
from tinytorch._core.blas cimport ensure_blas, gemm, gemm_layer, wants_blas
from tinytorch._core.executor cimport (
    TT_OK, Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.activation cimport c_relu, d_relu
from tinytorch._core.ops.arithmetic cimport c_add
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.gemm cimport c_mm
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_reshape, c_to, contiguous
from tinytorch._core.tensor cimport (
    REQUIRES_GRAD, Tensor, empty_beside, is_contiguous, size_of)
from tinytorch._core.threads cimport parallel_for
from tinytorch._core.types cimport BF16, F16, F32, F64, MAX_DIMS, compute_of, is_float

__all__ = []
FUNCTIONAL = ["linear"]


# ---- CPU kernels ----

cdef extern from "linear.h" nogil:
    enum: RECTIFIED_GRAIN "TT_RECTIFIED_GRAIN"
    void sum_rows_f32(float* y, const float* g, int64_t rows, int64_t cols)
    void sum_rows_f64(double* y, const double* g, int64_t rows, int64_t cols)
    void rectified_gradient_f32(
        float* to, const float* gy, const float* y, int64_t n)
    void rectified_gradient_f64(
        double* to, const double* gy, const double* y, int64_t n)

cdef enum:  # bits of the kernels' scalars
    INPUT = 1        # the gradients that are wanted
    WEIGHT = 2
    BIAS = 4
    RECTIFIED = 8    # relu follows

cdef struct Passed:  # what is left of a gradient in front of relu
    int dtype
    char* to
    const char* gy
    const char* y


cdef int linear_driver(const KernelCall* call) noexcept nogil:
    """y = x w' + b; scalars: elements from one row of x to the next, RECTIFIED or 0."""
    cdef const View* y = &call.operand[0]
    cdef const char* x = call.operand[1].data
    cdef const View* w = &call.operand[2]
    cdef int64_t m = w.shape[0], k = w.shape[1], rows = y.numel // m
    return gemm_layer(
        call.compute, False, True, rows, m, k, x, call.scalar[0].i, w.data, k,
        call.operand[3].data if call.operands > 3 else NULL,
        call.scalar[1].i == RECTIFIED, y.data, m)


cdef double linear_flops(const KernelCall* call) noexcept nogil:
    return 2.0 * call.operand[0].numel * call.operand[2].shape[1]


cdef int linear_backward_driver(const KernelCall* call) noexcept nogil:
    """gx = g w, gw = g' x, gb = sum of g, where g is gy, or 0 where y was rectified.

    Operands: the wanted ones of gx, gw, gb, and g if rectified; then gy, x, w, and y if
    rectified.  Scalar: bits of what is wanted, and RECTIFIED.
    """
    cdef int64_t wanted = call.scalar[0].i
    cdef const View* out = call.operand
    cdef const View* gy = &call.operand[call.outputs]
    cdef const View* x = gy + 1
    cdef const View* w = gy + 2
    cdef const char* g = gy.data
    cdef int64_t m = w.shape[0], k = w.shape[1], rows = gy.numel // m
    cdef int dtype = call.compute
    cdef Passed passed
    if wanted & RECTIFIED:
        g = call.operand[call.outputs - 1].data
        passed.dtype, passed.to = dtype, <char*>g
        passed.gy, passed.y = gy.data, gy[3].data
        parallel_for(pass_on, &passed, gy.numel, RECTIFIED_GRAIN)
    if wanted & INPUT:
        gemm(dtype, False, False, rows, k, m, 1, g, m, w.data, k, 0, out.data, k)
        out += 1
    if wanted & WEIGHT:
        gemm(dtype, True, False, m, k, rows, 1, g, m, x.data, k, 0, out.data, k)
        out += 1
    if wanted & BIAS:
        if dtype == F32:
            sum_rows_f32(<float*>out.data, <const float*>g, rows, m)
        else:
            sum_rows_f64(<double*>out.data, <const double*>g, rows, m)
    return TT_OK


cdef void pass_on(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const Passed* p = <Passed*>context
    if p.dtype == F32:
        rectified_gradient_f32(
            <float*>p.to + begin, <const float*>p.gy + begin, <const float*>p.y + begin,
            end - begin)
    else:
        rectified_gradient_f64(
            <double*>p.to + begin, <const double*>p.gy + begin,
            <const double*>p.y + begin, end - begin)


cdef double linear_backward_flops(const KernelCall* call) noexcept nogil:
    cdef int64_t wanted = call.scalar[0].i
    cdef double product = 2.0 * call.operand[call.outputs].numel \
        * call.operand[call.outputs + 2].shape[1]
    return product * (((wanted & INPUT) != 0) + ((wanted & WEIGHT) != 0))


cdef Kernel* LINEAR = register_kernel("linear", <Driver>linear_driver, NULL)
LINEAR.count_flops = linear_flops
cdef Kernel* LINEAR_BACKWARD = register_kernel(
    "linear_backward", <Driver>linear_backward_driver, NULL)
LINEAR_BACKWARD.count_flops = linear_backward_flops


# ---- the layer ----

cdef int check_linear(Tensor x, Tensor w, Tensor b) except -1:
    cdef int64_t rows = 1
    cdef int i
    if x.rank == 0 or w.rank == 0:
        raise RuntimeError(
            "both arguments to linear need to be at least 1D, but they are "
            f"{x.rank}D and {w.rank}D")
    if w.rank > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is "
                           f"{w.rank}D")
    if x.code != w.code:
        raise RuntimeError(
            "mat1 and mat2 must have the same dtype, but got "
            f"{dtype_words[x.code]} and {dtype_words[w.code]}")
    if x.sizes[x.rank - 1] != w.sizes[w.rank - 1]:
        for i in range(x.rank - 1):
            rows *= x.sizes[i]
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.sizes[x.rank - 1]} "
            f"and {w.sizes[w.rank - 1]}x{w.sizes[0] if w.rank > 1 else 1})")
    if b is not None:
        if b.code != x.code:
            raise RuntimeError("self and mat2 must have the same dtype, but got "
                               f"{dtype_words[b.code]} and {dtype_words[x.code]}")
        if w.rank == 2 and b.rank == 1 and b.count != 1 and b.count != w.sizes[0]:
            raise RuntimeError(
                f"The expanded size of the tensor ({w.sizes[0]}) must match the "
                f"existing size ({b.count}) at "
                f"non-singleton dimension {x.rank - 1}.  Target sizes: "
                f"{[x.sizes[i] for i in range(x.rank - 1)] + [w.sizes[0]]}.  Tensor "
                f"sizes: {list(size_of(b))}")
    if x.storage.device != w.storage.device:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {x.device} and {w.device}!")
    return 0


cdef tuple dtype_words = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short",
                          "Char", "Byte", "Bool")


cdef bint is_row(Tensor b, Tensor w) noexcept:
    """Whether the bias has one number for each row of a matrix of weights."""
    return b is None or b.rank == 1 and b.count == w.sizes[0]


cdef Tensor c_linear(Tensor x, Tensor w, Tensor b):
    cdef Tensor y
    check_linear(x, w, b)
    if w.rank == 1 or not is_float(x.code) or not is_row(b, w):
        return linear_by_parts(x, w, b)
    if x.code == F16 or x.code == BF16:
        y = c_linear(c_to(x, F32), c_to(w, F32), None if b is None else c_to(b, F32))
        return c_to(y, x.code)
    return layer(x, w, b, False)


cdef Tensor c_linear_relu(Tensor x, Tensor w, Tensor b):
    check_linear(x, w, b)
    if w.rank == 1 or x.code != F32 and x.code != F64 or not is_row(b, w):
        return c_relu(c_linear(x, w, b))
    return layer(x, w, b, True)


cdef Tensor layer(Tensor x, Tensor w, Tensor b, bint rectified):
    cdef Node node = None
    cdef Tensor y
    if needs_grad2(x, w) or b is not None and needs_grad(b):
        node = new_node(linear_backward, b"ReluBackward0" if rectified
                        else b"AddmmBackward0" if b is not None else b"MmBackward0")
        if w.flags & REQUIRES_GRAD:
            save(node, 0, x)
        if x.flags & REQUIRES_GRAD:
            save(node, 1, w)
        node.i0 = rectified
    y = linear_forward(x, w, b, rectified)
    if node is not None:
        link(node, 0, x)
        link(node, 1, w)
        if b is not None:
            link(node, 2, b)
        if rectified:
            save_output(node, 2, y)
        attach(y, node)
    return y


cdef Tensor linear_forward(Tensor x, Tensor w, Tensor b, bint rectified):
    cdef View[4] v
    cdef Scalar[2] s
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t k = w.sizes[1]
    cdef Tensor y
    memcpy(shape, x.sizes, x.rank * sizeof(int64_t))
    shape[x.rank - 1] = w.sizes[0]
    y = empty_beside(x, x.rank, shape, x.code)
    if y.count == 0:
        return y
    if wants_blas(x.code, y.count // w.sizes[0], w.sizes[0], k):
        ensure_blas()
    s[0].i = max(k, 1)
    s[1].i = RECTIFIED if rectified else 0
    if not is_contiguous(x):
        if x.rank == 2 and x.strides[1] == 1 and x.strides[0] >= k:
            s[0].i = x.strides[0]
        else:
            x = contiguous(x)
    view_of(&v[0], y)
    view_of(&v[1], x)
    w = contiguous(w)
    view_of(&v[2], w)
    if b is not None:
        b = contiguous(b)
        view_of(&v[3], b)
    run(LINEAR, v, 3 if b is None else 4, 1, s, 2, compute_of[x.code],
        y.storage.device)
    return y


cdef Tensor linear_by_parts(Tensor x, Tensor w, Tensor b):
    """Weights of one dimension, integers, a bias that is broadcast: made of other ops,
    as they are rare."""
    cdef Tensor flat = as_rows(x)
    cdef int64_t[2] shape
    cdef int64_t[MAX_DIMS] out
    cdef Tensor y
    shape[0] = w.sizes[0] if w.rank == 2 else 1
    shape[1] = w.sizes[w.rank - 1]
    y = c_mm(flat, False, c_reshape(w, 2, shape), True)
    memcpy(out, x.sizes, x.rank * sizeof(int64_t))
    out[x.rank - 1] = shape[0]
    y = c_reshape(y, x.rank if w.rank == 2 else x.rank - 1, out)
    if b is None:
        return y
    x = c_add(y, b)
    if x.rank != y.rank or x.count != y.count:
        raise RuntimeError(f"output with shape {list(size_of(y))} doesn't match the "
                           f"broadcast shape {list(size_of(x))}")
    return x


cdef Tensor as_rows(Tensor x):
    """x as a matrix of its last dimension."""
    cdef int64_t[2] shape
    if x.rank == 2:
        return x
    shape[1] = x.sizes[x.rank - 1]
    shape[0] = x.count // shape[1] if shape[1] else 1
    if shape[1] == 0:
        for i in range(x.rank - 1):
            shape[0] *= x.sizes[i]
    return c_reshape(x, 2, shape)


cdef int linear_backward(Node node, Tensor gy) except -1:
    """d(x w' + b) = dx w' + x dw' + db"""
    cdef Tensor g, x, w
    cdef int64_t[MAX_DIMS] shape
    if not grad_mode() and gy.count and (wants(node, 0) or wants(node, 1)):
        return linear_backward_fused(node, contiguous(gy))
    if node.i0:
        gy = d_relu(node, gy, saved(node, 2))
    g = as_rows(gy)
    if wants(node, 0):
        w = saved(node, 1)
        x = c_mm(g, False, w, False)
        if gy.rank != 2:
            memcpy(shape, gy.sizes, gy.rank * sizeof(int64_t))
            shape[gy.rank - 1] = w.sizes[1]
            x = c_reshape(x, gy.rank, shape)
        send(node, 0, x)
    if wants(node, 1):
        send(node, 1, c_mm(g, True, as_rows(saved(node, 0)), False))
    if wants(node, 2):
        send(node, 2, c_sum(g, (<uint64_t>1 << (g.rank - 1)) - 1))
    return 0


cdef int linear_backward_fused(Node node, Tensor gy) except -1:
    """All gradients in one call."""
    cdef View[8] v
    cdef Scalar wanted
    cdef Tensor x = None, w = None, y, gx = None, gw = None, gb = None, g
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t m = gy.sizes[gy.rank - 1], k = 0
    cdef int n = 0
    wanted.i = 0
    if wants(node, 1):
        x = contiguous(saved(node, 0))
        k = x.sizes[x.rank - 1]
    if wants(node, 0):
        w = contiguous(saved(node, 1))
        k = w.sizes[1]
        memcpy(shape, gy.sizes, gy.rank * sizeof(int64_t))
        shape[gy.rank - 1] = k
        gx = empty_beside(gy, gy.rank, shape, gy.code)
        view_of(&v[n], gx)
        n += 1
        wanted.i |= INPUT
    if wants(node, 1):
        shape[0], shape[1] = m, k
        gw = empty_beside(gy, 2, shape, gy.code)
        view_of(&v[n], gw)
        n += 1
        wanted.i |= WEIGHT
    if wants(node, 2):
        gb = empty_beside(gy, 1, &m, gy.code)
        view_of(&v[n], gb)
        n += 1
        wanted.i |= BIAS
    if node.i0:
        g = empty_beside(gy, gy.rank, gy.sizes, gy.code)
        view_of(&v[n], g)
        n += 1
        wanted.i |= RECTIFIED
    view_of(&v[n], gy)
    # The kernel reads sizes from w and data from what it needs: gw has w's shape, and
    # an operand that is not read may be any.
    view_of(&v[n + 1], gy if x is None else x)
    view_of(&v[n + 2], gw if w is None else w)
    if node.i0:
        y = saved(node, 2)
        view_of(&v[n + 3], y)
    if wants_blas(gy.code, gy.count // m, m, k):
        ensure_blas()
    run(LINEAR_BACKWARD, v, n + 4 if node.i0 else n + 3, n, &wanted, 1,
        compute_of[gy.code], gy.storage.device)
    if gx is not None:
        send(node, 0, gx)
    if gw is not None:
        send(node, 1, gw)
    if gb is not None:
        send(node, 2, gb)
    return 0


def linear(Tensor input not None, Tensor weight not None, Tensor bias=None, *,
           out=None):
    """Return ``input @ weight.T + bias``.

    Args:
        input: (..., in_features)
        weight: (out_features, in_features)
        bias: (out_features) or None
    """
    return deliver(c_linear(input, weight, bias), out)


def linear_relu(Tensor input not None, Tensor weight not None, Tensor bias=None):
    """Return ``relu(linear(input, weight, bias))``, made in one step."""
    return c_linear_relu(input, weight, bias)
