"""The product of two matrices, and the linear layer:  y = x w' + b."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, inference_mode, link, needs_grad, needs_grad2, new_node,
    save, saved, send, wants)
from tinytorch._core.blas cimport ensure_blas, gemm, gemm_and_row, wants_blas
from tinytorch._core.executor cimport (
    TT_OK, Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_add
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_reshape, c_to, contiguous
from tinytorch._core.tensor cimport (
    INFERENCE, REQUIRES_GRAD, Tensor, empty_beside, is_contiguous, size_of)
from tinytorch._core.types cimport (
    BF16, COMPUTE_I64, F16, F32, I64, MAX_DIMS, compute_of, is_float)

__all__ = []
FUNCTIONAL = ["linear"]


# ---- CPU kernels ----

cdef extern from "linear.h" nogil:
    void sum_rows_f32(float* y, const float* g, int64_t rows, int64_t cols)
    void sum_rows_f64(double* y, const double* g, int64_t rows, int64_t cols)


cdef inline int compute_dtype(const KernelCall* call) noexcept nogil:
    return I64 if call.compute == COMPUTE_I64 else call.compute


cdef int gemm_driver(const KernelCall* call) noexcept nogil:
    """c = op(a) op(b); scalars: ta, tb, lda, ldb."""
    cdef const View* c = &call.operand[0]
    cdef bint ta = call.scalar[0].i
    cdef const View* a = &call.operand[1]
    cdef int64_t k = a.shape[0] if ta else a.shape[1]
    return gemm(compute_dtype(call), ta, call.scalar[1].i, c.shape[0], c.shape[1], k,
                1, a.data, call.scalar[2].i, call.operand[2].data, call.scalar[3].i,
                0, c.data, c.shape[1])


cdef double gemm_flops(const KernelCall* call) noexcept nogil:
    cdef const View* a = &call.operand[1]
    return 2.0 * call.operand[0].numel * (a.shape[0] if call.scalar[0].i
                                          else a.shape[1])


cdef int linear_driver(const KernelCall* call) noexcept nogil:
    """y = x w' + b; scalar: elements from one row of x to the next."""
    cdef const View* y = &call.operand[0]
    cdef const char* x = call.operand[1].data
    cdef const View* w = &call.operand[2]
    cdef int64_t m = w.shape[0], k = w.shape[1], rows = y.numel // m
    cdef int dtype = compute_dtype(call)
    if call.operands > 3:
        return gemm_and_row(dtype, False, True, rows, m, k, x, call.scalar[0].i, w.data,
                            k, call.operand[3].data, y.data, m)
    return gemm(dtype, False, True, rows, m, k, 1, x, call.scalar[0].i, w.data, k, 0,
                y.data, m)


cdef double linear_flops(const KernelCall* call) noexcept nogil:
    return 2.0 * call.operand[0].numel * call.operand[2].shape[1]


cdef int linear_backward_driver(const KernelCall* call) noexcept nogil:
    """gx = gy w, gw = gy' x, gb = sum of gy; scalar: bits of those that are wanted.

    Operands: the wanted ones of gx, gw, gb; then gy, x, w.
    """
    cdef int64_t wanted = call.scalar[0].i
    cdef const View* out = call.operand
    cdef const View* gy = &call.operand[call.outputs]
    cdef const View* x = gy + 1
    cdef const View* w = gy + 2
    cdef int64_t m = w.shape[0], k = w.shape[1], rows = gy.numel // m
    cdef int dtype = compute_dtype(call)
    if wanted & 1:
        gemm(dtype, False, False, rows, k, m, 1, gy.data, m, w.data, k, 0, out.data, k)
        out += 1
    if wanted & 2:
        gemm(dtype, True, False, m, k, rows, 1, gy.data, m, x.data, k, 0, out.data, k)
        out += 1
    if wanted & 4:
        if dtype == F32:
            sum_rows_f32(<float*>out.data, <const float*>gy.data, rows, m)
        else:
            sum_rows_f64(<double*>out.data, <const double*>gy.data, rows, m)
    return TT_OK


cdef double linear_backward_flops(const KernelCall* call) noexcept nogil:
    cdef int64_t wanted = call.scalar[0].i
    cdef double product = 2.0 * call.operand[call.outputs].numel \
        * call.operand[call.outputs + 2].shape[1]
    return product * ((wanted & 1) + (wanted >> 1 & 1))


cdef Kernel* GEMM = register_kernel("gemm", <Driver>gemm_driver, NULL)
GEMM.count_flops = gemm_flops
cdef Kernel* LINEAR = register_kernel("linear", <Driver>linear_driver, NULL)
LINEAR.count_flops = linear_flops
cdef Kernel* LINEAR_BACKWARD = register_kernel(
    "linear_backward", <Driver>linear_backward_driver, NULL)
LINEAR_BACKWARD.count_flops = linear_backward_flops


# ---- the product of two matrices ----

cdef Tensor matrix(Tensor x, bint* transposed, int64_t* ld):
    """x as BLAS can read it: rows apart by ld, perhaps the other way round."""
    cdef int64_t rows = x.sizes[0], cols = x.sizes[1]
    if (x.strides[1] == 1 or cols == 1) and (x.strides[0] >= cols or rows == 1):
        ld[0] = max(x.strides[0], cols, 1) if rows > 1 else max(cols, 1)
        return x
    if (x.strides[0] == 1 or rows == 1) and (x.strides[1] >= rows or cols == 1):
        transposed[0] = not transposed[0]
        ld[0] = max(x.strides[1], rows, 1) if cols > 1 else max(rows, 1)
        return x
    ld[0] = max(cols, 1)
    return contiguous(x)


cdef Tensor c_mm(Tensor a, bint ta, Tensor b, bint tb):
    cdef Node node = None
    cdef Tensor y
    if a.code == F16 or a.code == BF16:  # one rounding, at the end
        return c_to(c_mm(c_to(a, F32), ta, c_to(b, F32), tb), a.code)
    if not is_float(a.code) and a.code != I64:
        return c_to(c_mm(c_to(a, I64), ta, c_to(b, I64), tb), a.code)
    if needs_grad2(a, b):
        node = new_node(mm_backward, b"MmBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, a)
        if a.flags & REQUIRES_GRAD:
            save(node, 1, b)
        node.i0 = ta
        node.i1 = tb
    y = product(a, ta, b, tb)
    if node is not None:
        link(node, 0, a)
        link(node, 1, b)
        attach(y, node)
    return y


cdef Tensor product(Tensor a, bint ta, Tensor b, bint tb):
    cdef View[3] v
    cdef Scalar[4] s
    cdef int64_t[2] shape
    cdef bint flip_a = False, flip_b = False
    cdef int64_t k = a.sizes[0 if ta else 1]
    cdef Tensor c, x, z
    shape[0] = a.sizes[1 if ta else 0]
    shape[1] = b.sizes[0 if tb else 1]
    if wants_blas(a.code, shape[0], shape[1], k):
        ensure_blas()
    c = empty_beside(a, 2, shape, a.code)
    if inference_mode():
        c.flags |= INFERENCE
    x = matrix(a, &flip_a, &s[2].i)
    z = matrix(b, &flip_b, &s[3].i)
    s[0].i = ta
    s[1].i = tb
    view_of(&v[0], c)
    view_of(&v[1], x)
    view_of(&v[2], z)
    return multiply(v, s, flip_a, flip_b, a.code, c)


cdef Tensor multiply(View* v, Scalar* s, bint flip_a, bint flip_b, int code, Tensor c):
    """Run a product whose operands may be stored the other way round."""
    cdef int64_t[2] shape_a
    cdef int64_t[2] shape_b
    if flip_a:  # the kernel reads k from the stored shape
        shape_a[0], shape_a[1] = v[1].shape[1], v[1].shape[0]
        v[1].shape = shape_a
        s[0].i = not s[0].i
    if flip_b:
        shape_b[0], shape_b[1] = v[2].shape[1], v[2].shape[0]
        v[2].shape = shape_b
        s[1].i = not s[1].i
    run(GEMM, v, 3, 1, s, 4, compute_of[code], c.storage.device)
    return c


cdef int mm_backward(Node node, Tensor gy) except -1:
    """d(A B) = gy B' dA + A' gy dB, where A and B may be transposes"""
    cdef bint ta = node.i0, tb = node.i1
    cdef Tensor a, b
    if wants(node, 0):
        b = saved(node, 1)
        send(node, 0, c_mm(b, tb, gy, True) if ta else c_mm(gy, False, b, not tb))
    if wants(node, 1):
        a = saved(node, 0)
        send(node, 1, c_mm(gy, True, a, ta) if tb else c_mm(a, not ta, gy, False))
    return 0


# ---- the linear layer ----

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
        if w.rank == 2 and (b.rank > 1 or b.count != w.sizes[0]):
            raise RuntimeError(
                f"The expanded size of the tensor ({w.sizes[0]}) must match the "
                f"existing size ({b.sizes[b.rank - 1] if b.rank else 1}) at "
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


cdef Tensor c_linear(Tensor x, Tensor w, Tensor b):
    cdef Node node = None
    cdef Tensor y
    check_linear(x, w, b)
    if w.rank == 1 or not is_float(x.code):
        return linear_by_parts(x, w, b)
    if x.code == F16 or x.code == BF16:
        y = c_linear(c_to(x, F32), c_to(w, F32), None if b is None else c_to(b, F32))
        return c_to(y, x.code)
    if needs_grad2(x, w) or b is not None and needs_grad(b):
        node = new_node(linear_backward, b"AddmmBackward0" if b is not None
                        else b"MmBackward0")
        if w.flags & REQUIRES_GRAD:
            save(node, 0, x)
        if x.flags & REQUIRES_GRAD:
            save(node, 1, w)
    y = linear_forward(x, w, b)
    if node is not None:
        link(node, 0, x)
        link(node, 1, w)
        if b is not None:
            link(node, 2, b)
        attach(y, node)
    return y


cdef Tensor linear_forward(Tensor x, Tensor w, Tensor b):
    cdef View[4] v
    cdef Scalar row
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
    row.i = max(k, 1)
    if not is_contiguous(x):
        if x.rank == 2 and x.strides[1] == 1 and x.strides[0] >= k:
            row.i = x.strides[0]
        else:
            x = contiguous(x)
    view_of(&v[0], y)
    view_of(&v[1], x)
    w = contiguous(w)
    view_of(&v[2], w)
    if b is not None:
        b = contiguous(b)
        if b.count != w.sizes[0]:  # a 0-d bias serves every column
            return linear_by_parts(x, w, b)
        view_of(&v[3], b)
    run(LINEAR, v, 3 if b is None else 4, 1, &row, 1, compute_of[x.code],
        y.storage.device)
    return y


cdef Tensor linear_by_parts(Tensor x, Tensor w, Tensor b):
    """Weights of one dimension, integers: rare, so made of other ops."""
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
    return y if b is None else c_add(y, b)


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
    if not grad_mode() and gy.count:
        return linear_backward_fused(node, contiguous(gy))
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
    """All three gradients in one call."""
    cdef View[6] v
    cdef Scalar wanted
    cdef Tensor x = None, w = None, gx = None, gw = None, gb = None
    cdef int64_t[MAX_DIMS] shape
    cdef int64_t m = gy.sizes[gy.rank - 1], k
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
        wanted.i |= 1
    if x is None and w is None:  # only the bias is trained
        send(node, 2, c_sum(gy, (<uint64_t>1 << (gy.rank - 1)) - 1))
        return 0
    if wants(node, 1):
        shape[0], shape[1] = m, k
        gw = empty_beside(gy, 2, shape, gy.code)
        view_of(&v[n], gw)
        n += 1
        wanted.i |= 2
    if wants(node, 2):
        gb = empty_beside(gy, 1, &m, gy.code)
        view_of(&v[n], gb)
        n += 1
        wanted.i |= 4
    view_of(&v[n], gy)
    # The kernel reads sizes from w and data from what it needs: gw has w's shape, and
    # an operand that is not read may be any.
    view_of(&v[n + 1], gy if x is None else x)
    view_of(&v[n + 2], gw if w is None else w)
    if wants_blas(gy.code, gy.count // m, m, k):
        ensure_blas()
    run(LINEAR_BACKWARD, v, n + 3, n, &wanted, 1, compute_of[gy.code],
        gy.storage.device)
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
