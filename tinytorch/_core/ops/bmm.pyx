"""Products of vectors, matrices and batches of matrices, where they lie in memory.

One kernel serves all that `gemm` does not: it reads strides, so that transposed,
broadcast and permuted batches are multiplied without a copy.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, link, link_fitted, needs_grad2, new_node, save, saved, send, wants)
from tinytorch._core.blas cimport ensure_blas, gemm_batched, wants_blas
from tinytorch._core.executor cimport (
    TT_OK, Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.copies cimport c_to, contiguous
from tinytorch._core.ops.gemm cimport c_mm
from tinytorch._core.ops.shape cimport (
    c_permute, c_reshape, c_transpose, c_unsqueeze)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_beside, wrote
from tinytorch._core.types cimport (
    BF16, COMPUTE_I64, F16, F32, I64, MAX_DIMS, compute_of, is_float, itemsize)

__all__ = []


# ---- the kernel ----

cdef struct Batch:         # the batch dimensions of a call, neighbours merged
    int dims
    int64_t[MAX_DIMS] size
    int64_t[MAX_DIMS] step_a
    int64_t[MAX_DIMS] step_b


cdef inline int64_t batch_step(const View* v, int behind) noexcept nogil:
    """The stride of the batch dimension that has `behind` others after it."""
    cdef int d = v.ndim - 3 - behind
    return 0 if d < 0 or v.shape[d] == 1 else v.strides[d]


cdef void read_batch(Batch* batch, const View* c, const View* a,
                     const View* b) noexcept nogil:
    """From the innermost dimension outwards; size 1 needs no stride."""
    cdef int i, k = 0
    cdef int64_t step_a, step_b
    batch.size[0] = 1
    batch.step_a[0] = batch.step_b[0] = 0
    for i in range(c.ndim - 2):
        if c.shape[c.ndim - 3 - i] == 1:
            continue
        step_a = batch_step(a, i)
        step_b = batch_step(b, i)
        if batch.size[k] == 1:
            batch.step_a[k] = step_a
            batch.step_b[k] = step_b
        elif (step_a != batch.step_a[k] * batch.size[k]
                or step_b != batch.step_b[k] * batch.size[k]):
            k += 1
            batch.size[k] = 1
            batch.step_a[k] = step_a
            batch.step_b[k] = step_b
        batch.size[k] *= c.shape[c.ndim - 3 - i]
    batch.dims = k + 1


cdef inline void read_rows(const View* v, bint* transposed, int64_t* ld) noexcept nogil:
    """How BLAS is to read a matrix that `readable` found good."""
    cdef int64_t rows = v.shape[v.ndim - 2], cols = v.shape[v.ndim - 1]
    cdef int64_t down = v.strides[v.ndim - 2], right = v.strides[v.ndim - 1]
    transposed[0] = not rows_apart(rows, cols, down, right)
    if transposed[0]:
        ld[0] = max(right if cols > 1 else 0, rows, 1)
    else:
        ld[0] = max(down if rows > 1 else 0, cols, 1)


cdef inline bint rows_apart(int64_t rows, int64_t cols, int64_t down,
                            int64_t right) noexcept nogil:
    return (right == 1 or cols <= 1) and (down >= cols or rows <= 1)


cdef int bmm_driver(const KernelCall* call) noexcept nogil:
    """c = alpha a b + beta c; scalars: alpha, beta."""
    cdef const View* c = &call.operand[0]
    cdef const View* a = &call.operand[1]
    cdef const View* b = &call.operand[2]
    cdef int64_t m = c.shape[c.ndim - 2], n = c.shape[c.ndim - 1]
    cdef int64_t k = a.shape[a.ndim - 1], lda, ldb, rest, done, at_a, at_b, i, outer = 1
    cdef int dtype = I64 if call.compute == COMPUTE_I64 else call.compute, d
    cdef int width = itemsize[dtype]
    cdef bint ta, tb
    cdef Batch batch
    if c.numel == 0:
        return TT_OK
    read_rows(a, &ta, &lda)
    read_rows(b, &tb, &ldb)
    read_batch(&batch, c, a, b)
    for d in range(1, batch.dims):
        outer *= batch.size[d]
    for done in range(outer):
        rest = done
        at_a = at_b = 0
        for d in range(1, batch.dims):
            i = rest % batch.size[d]
            rest //= batch.size[d]
            at_a += i * batch.step_a[d]
            at_b += i * batch.step_b[d]
        gemm_batched(
            dtype, ta, tb, batch.size[0], m, n, k, call.scalar[0].f,
            a.data + at_a * width, lda, batch.step_a[0], b.data + at_b * width, ldb,
            batch.step_b[0], call.scalar[1].f,
            c.data + done * batch.size[0] * m * n * width, n, m * n)
    return TT_OK


cdef double bmm_flops(const KernelCall* call) noexcept nogil:
    cdef const View* a = &call.operand[1]
    return 2.0 * call.operand[0].numel * a.shape[a.ndim - 1]


cdef Kernel* BMM = register_kernel("bmm", <Driver>bmm_driver, NULL)
BMM.count_flops = bmm_flops


# ---- making a call ----

cdef struct Operand:       # sizes of a view whose matrices may be turned over
    int64_t[MAX_DIMS] sizes
    int64_t[MAX_DIMS] strides


cdef inline bint readable(Tensor x) noexcept:
    """Whether BLAS can read the matrices of x, rows or columns first."""
    cdef int r = x.rank
    cdef int64_t rows = x.sizes[r - 2], cols = x.sizes[r - 1]
    cdef int64_t down = x.strides[r - 2], right = x.strides[r - 1]
    return (rows_apart(rows, cols, down, right)
            or rows_apart(cols, rows, right, down))


cdef inline void turned(View* v, Operand* o, Tensor x, bint transposed) noexcept:
    cdef int r = x.rank
    view_of(v, x)
    if transposed:
        memcpy(o.sizes, x.sizes, r * sizeof(int64_t))
        memcpy(o.strides, x.strides, r * sizeof(int64_t))
        o.sizes[r - 2], o.sizes[r - 1] = x.sizes[r - 1], x.sizes[r - 2]
        o.strides[r - 2], o.strides[r - 1] = x.strides[r - 1], x.strides[r - 2]
        v.shape = o.sizes
        v.strides = o.strides
        v.contiguous = False


cdef int product_into(Tensor c, Tensor a, bint ta, Tensor b, bint tb, double alpha,
                      double beta) except -1:
    cdef View[3] v
    cdef Operand turned_a, turned_b
    if not readable(a):
        a = contiguous(a)
    if not readable(b):
        b = contiguous(b)
    view_of(&v[0], c)
    turned(&v[1], &turned_a, a, ta)
    turned(&v[2], &turned_b, b, tb)
    multiply_views(v, alpha, beta, c.storage.device)
    wrote(c)
    return 0


cdef int multiply_views(View* v, double alpha, double beta, int device) except -1:
    cdef Scalar[2] s
    cdef int r = v[0].ndim
    s[0].f = alpha
    s[1].f = beta
    if wants_blas(v[0].dtype, v[0].shape[r - 2], v[0].shape[r - 1],
                  v[1].shape[v[1].ndim - 1]):
        ensure_blas()
    return run(BMM, v, 3, 1, s, 2, compute_of[v[0].dtype], device)


cdef int product_code(int code) noexcept nogil:
    return F32 if code == F16 or code == BF16 else code if is_float(code) else I64


# ---- batches of matrices ----

cdef Tensor c_bmm(Tensor a, bint ta, Tensor b, bint tb):
    cdef Node node = None
    cdef Tensor y
    cdef int64_t[MAX_DIMS] shape
    cdef int code = product_code(a.code), r = max(a.rank, b.rank)
    if a.code != code:  # one rounding, at the end
        return c_to(c_bmm(c_to(a, code), ta, c_to(b, code), tb), a.code)
    if needs_grad2(a, b):
        node = new_node(bmm_backward, b"BmmBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, a)
        if a.flags & REQUIRES_GRAD:
            save(node, 1, b)
        node.i0 = ta
        node.i1 = tb
    batch_shape(a, b, shape)
    shape[r - 2] = a.sizes[a.rank - (1 if ta else 2)]
    shape[r - 1] = b.sizes[b.rank - (2 if tb else 1)]
    y = empty_beside(a, r, shape, code)
    product_into(y, a, ta, b, tb, 1, 0)
    if node is not None:
        link_fitted(node, 0, a, y)
        link_fitted(node, 1, b, y)
        attach(y, node)
    return y


cdef int batch_shape(Tensor a, Tensor b, int64_t* shape) except -1:
    cdef int d, i, k, r = max(a.rank, b.rank) - 2
    cdef int64_t n, m
    for d in range(r):
        i, k = d + a.rank - 2 - r, d + b.rank - 2 - r
        n = a.sizes[i] if i >= 0 else 1
        m = b.sizes[k] if k >= 0 else 1
        if n != m and n != 1 and m != 1:
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                f"non-singleton dimension {d}")
        shape[d] = m if n == 1 else n
    return max(r, 0)


cdef int bmm_backward(Node node, Tensor gy) except -1:
    """d(A B) = gy B' dA + A' gy dB, summed over what was broadcast"""
    cdef bint ta = node.i0, tb = node.i1
    cdef Tensor a, b
    if wants(node, 0):
        b = saved(node, 1)
        if node.fits is not None and node.fits[0] is not None and \
                len(node.fits[0][1]) == 2 and gy.count:
            a = shared_gradient(gy, b, tb)
            send(node, 0, c_transpose(a, 0, 1) if ta else a)
        else:
            send(node, 0, c_bmm(b, tb, gy, True) if ta else c_bmm(gy, False, b, not tb))
    if wants(node, 1):
        a = saved(node, 0)
        send(node, 1, c_bmm(gy, True, a, ta) if tb else c_bmm(a, not ta, gy, False))
    return 0


cdef Tensor shared_gradient(Tensor gy, Tensor b, bint tb):
    """The sum over all batches of gy op(b)', as one product of matrices."""
    cdef int[MAX_DIMS] order
    cdef int64_t[2] shape
    cdef int d, r = gy.rank
    order[0] = r - 2            # gy: (rows, batches x columns)
    order[r - 1] = r - 1
    for d in range(r - 2):
        order[d + 1] = d
    shape[0] = gy.sizes[r - 2]
    shape[1] = gy.count // shape[0]
    gy = c_reshape(c_permute(gy, order), 2, shape)
    if not tb:                  # op(b)': (batches x columns, inner)
        b = c_transpose(b, r - 2, r - 1)
    shape[0] = shape[1]
    shape[1] = b.sizes[r - 1]
    return c_mm(gy, False, c_reshape(b, 2, shape), False)


# ---- vectors ----

cdef inline void as_matrix(View* v, int64_t* sizes, int64_t* strides, Tensor x,
                           bint row) noexcept:
    """A view of a vector, or of a number, as one row or column."""
    cdef int64_t step = x.strides[0] if x.rank else 1
    view_of(v, x)
    v.shape = sizes
    v.strides = strides
    v.ndim = 2
    sizes[0] = 1 if row else x.count
    sizes[1] = x.count if row else 1
    strides[0] = x.count * step if row else step
    strides[1] = step if row else 1


cdef inline Tensor steady(Tensor x):
    """A vector whose elements are apart."""
    return contiguous(x) if x.count > 1 and x.strides[0] < 1 else x


cdef Tensor multiply_vectors(Tensor y, Tensor a, bint ta, Tensor x):
    """y = op(a) x where a is a matrix, or, if it is a vector, y = a . x."""
    cdef View[3] v
    cdef Scalar[2] s
    cdef Operand turned_a
    cdef int64_t[3][2] sizes
    cdef int64_t[3][2] strides
    x = steady(x)
    as_matrix(&v[0], sizes[0], strides[0], y, False)
    as_matrix(&v[2], sizes[2], strides[2], x, False)
    if a.rank == 1:
        a = steady(a)
        as_matrix(&v[1], sizes[1], strides[1], a, True)
    else:
        if not readable(a):
            a = contiguous(a)
        turned(&v[1], &turned_a, a, ta)
    s[0].f = 1
    s[1].f = 0
    run(BMM, v, 3, 1, s, 2, compute_of[y.code], y.storage.device)
    return y


cdef Tensor c_mv(Tensor a, bint ta, Tensor x):
    cdef Node node = None
    cdef Tensor y
    cdef int code = product_code(a.code)
    if a.code != code:
        return c_to(c_mv(c_to(a, code), ta, c_to(x, code)), a.code)
    if needs_grad2(a, x):
        node = new_node(mv_backward, b"MvBackward0")
        if x.flags & REQUIRES_GRAD:
            save(node, 0, a)
        if a.flags & REQUIRES_GRAD:
            save(node, 1, x)
        node.i0 = ta
    y = multiply_vectors(empty_beside(a, 1, &a.sizes[1 if ta else 0], code), a, ta, x)
    if node is not None:
        link(node, 0, a)
        link(node, 1, x)
        attach(y, node)
    return y


cdef int mv_backward(Node node, Tensor gy) except -1:
    """d(A x) = gy x' dA + A' gy dx"""
    cdef bint ta = node.i0
    if wants(node, 0):
        send(node, 0, c_outer(saved(node, 1), gy) if ta
             else c_outer(gy, saved(node, 1)))
    if wants(node, 1):
        send(node, 1, c_mv(saved(node, 0), not ta, gy))
    return 0


cdef Tensor c_dot(Tensor a, Tensor b):
    cdef Node node = None
    cdef Tensor y
    cdef int code = product_code(a.code)
    if a.code != code:
        return c_to(c_dot(c_to(a, code), c_to(b, code)), a.code)
    if needs_grad2(a, b):
        node = new_node(dot_backward, b"DotBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, a)
        if a.flags & REQUIRES_GRAD:
            save(node, 1, b)
    y = multiply_vectors(empty_beside(a, 0, NULL, code), a, False, b)
    if node is not None:
        link(node, 0, a)
        link(node, 1, b)
        attach(y, node)
    return y


cdef int dot_backward(Node node, Tensor gy) except -1:
    """d(a . b) = gy b da + gy a db"""
    if wants(node, 0):
        send(node, 0, c_mul(gy, saved(node, 1)))
    if wants(node, 1):
        send(node, 1, c_mul(gy, saved(node, 0)))
    return 0


cdef Tensor c_outer(Tensor a, Tensor b):
    return c_mul(c_unsqueeze(a, 1), b)


cdef Tensor c_mT(Tensor x):
    return c_transpose(x, x.rank - 2, x.rank - 1)
