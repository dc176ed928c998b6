"""The product of two matrices."""

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.blas cimport ensure_blas, gemm, wants_blas
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.shape cimport c_to, contiguous
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_beside
from tinytorch._core.types cimport (
    BF16, COMPUTE_I64, F16, F32, I64, compute_of, is_float)


# ---- CPU kernels ----

cdef int gemm_driver(const KernelCall* call) noexcept nogil:
    """c = op(a) op(b); scalars: ta, tb, lda, ldb."""
    cdef const View* c = &call.operand[0]
    cdef bint ta = call.scalar[0].i
    cdef const View* a = &call.operand[1]
    cdef int64_t k = a.shape[0] if ta else a.shape[1]
    cdef int dtype = I64 if call.compute == COMPUTE_I64 else call.compute
    return gemm(dtype, ta, call.scalar[1].i, c.shape[0], c.shape[1], k,
                1, a.data, call.scalar[2].i, call.operand[2].data, call.scalar[3].i,
                0, c.data, c.shape[1])


cdef double gemm_flops(const KernelCall* call) noexcept nogil:
    cdef const View* a = &call.operand[1]
    return 2.0 * call.operand[0].numel * (a.shape[0] if call.scalar[0].i
                                          else a.shape[1])


cdef Kernel* GEMM = register_kernel("gemm", <Driver>gemm_driver, NULL)
GEMM.count_flops = gemm_flops


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
