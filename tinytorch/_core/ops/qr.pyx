"""QR decompositions  A = Q R, and the reflectors  I - tau v v'  that Q is made of."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, needs_grad2, new_node, output_gradient,
    save_output, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.lapack cimport ensure_lapack
from tinytorch._core.lapack cimport geqrf as geqrf_call
from tinytorch._core.lapack cimport orgqr as orgqr_call
from tinytorch._core.lapack cimport ormqr as ormqr_call
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_add, c_mul, c_sub
from tinytorch._core.ops.bmm cimport c_bmm, c_mT
from tinytorch._core.ops.copies cimport contiguous, zeros_like
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.join cimport c_cat, c_narrow
from tinytorch._core.ops.matrices cimport (
    check_floats, check_matrix, cols_of, columns, columnwise, each_matrix,
    empty_columns, identity, lead, part, per_vector, refuse_kernel, results, rows_of,
    saved_result, with_batch)
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.shape cimport c_unsqueeze
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.triangular cimport c_solve_triangular
from tinytorch._core.ops.window cimport listed
from tinytorch._core.ops.window cimport listed
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, view
from tinytorch._core.types cimport MAX_DIMS, compute_of

__all__ = ["geqrf", "orgqr", "ormqr"]
METHODS = __all__
LINALG = ["householder_product", "qr"]


# ---- kernels ----

cdef void factor_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* a = (<const KernelCall*>context).operand
    cdef int64_t i
    for i in range(begin, end):
        geqrf_call(a.dtype, <int>rows_of(a), <int>cols_of(a), part(a, i, 2), lead(a),
                   part(a + 1, i, 1))


cdef int geqrf_driver(const KernelCall* call) noexcept nogil:
    """R and the reflectors in place of A, tau."""
    return each_matrix(call, factor_some, 0, -1)


cdef void form_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* q = (<const KernelCall*>context).operand
    cdef int64_t i
    for i in range(begin, end):
        orgqr_call(q.dtype, <int>rows_of(q), <int>cols_of(q), <int>cols_of(q + 1),
                   part(q, i, 2), lead(q), part(q + 1, i, 1))


cdef int orgqr_driver(const KernelCall* call) noexcept nogil:
    """Q's first columns in place of the reflectors, tau."""
    return each_matrix(call, form_some, 0, -1)


cdef void multiply_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* c = call.operand
    cdef const View* a = c + 1
    cdef char side = b"L" if call.scalar[0].i else b"R"
    cdef char trans = b"T" if call.scalar[1].i else b"N"
    cdef int64_t i
    for i in range(begin, end):
        ormqr_call(c.dtype, side, trans, <int>rows_of(c), <int>cols_of(c),
                   <int>cols_of(c + 2), part(a, i, 2), lead(a), part(c + 2, i, 1),
                   part(c, i, 2), lead(c))


cdef int ormqr_driver(const KernelCall* call) noexcept nogil:
    """Q C or C Q in place of C, reflectors, tau; scalars: left, transposed."""
    return each_matrix(call, multiply_some, 0, -1)


cdef Kernel* GEQRF = register_kernel("geqrf", <Driver>geqrf_driver, NULL)
cdef Kernel* ORGQR = register_kernel("orgqr", <Driver>orgqr_driver, NULL)
cdef Kernel* ORMQR = register_kernel("ormqr", <Driver>ormqr_driver, NULL)


# ---- without a graph ----

cdef tuple reflected(Tensor a):
    """(R and the reflectors, tau)"""
    cdef View[2] v
    cdef Tensor y = columns(a)
    cdef Tensor tau = per_vector(
        a, min(a.sizes[a.rank - 1], a.sizes[a.rank - 2]), a.code)
    if a.storage.device != META:
        ensure_lapack()
    view_of(&v[0], y)
    view_of(&v[1], tau)
    if tau.count:
        run(GEQRF, v, 2, 2, NULL, 0, compute_of[a.code], a.storage.device)
    return y, tau


cdef Tensor leading(Tensor x, int64_t rows, int64_t cols):
    """A view of the upper left part of each matrix."""
    cdef int64_t[MAX_DIMS] sizes
    memcpy(sizes, x.sizes, x.rank * sizeof(int64_t))
    sizes[x.rank - 2] = rows
    sizes[x.rank - 1] = cols
    return view(x, x.rank, sizes, x.strides, x.offset)


cdef Tensor formed(Tensor a, Tensor tau, int64_t cols):
    """Q's first columns."""
    cdef View[2] v
    cdef int64_t[MAX_DIMS] sizes
    cdef int r = a.rank
    cdef int64_t m = a.sizes[r - 2], k = min(cols, a.sizes[r - 1])
    cdef Tensor q
    memcpy(sizes, a.sizes, r * sizeof(int64_t))
    sizes[r - 1] = cols
    q = empty_columns(a, r, sizes)
    if q.count == 0:
        return q
    if tau.count == 0:
        copy_into(q, leading(identity(a, m), m, cols))
        return q
    copy_into(leading(q, m, k), leading(a, m, k))
    tau = contiguous(tau)
    view_of(&v[0], q)
    view_of(&v[1], tau)
    if a.storage.device != META:
        ensure_lapack()
    run(ORGQR, v, 2, 1, NULL, 0, compute_of[a.code], a.storage.device)
    return q


# ---- the decomposition ----

cdef enum:
    REDUCED = 0
    COMPLETE = 1
    ONLY_R = 2


cdef tuple c_qr(Tensor a, int mode):
    """(Q, R)"""
    cdef Node node = None
    cdef int64_t zero = 0, m = a.sizes[a.rank - 2], n = a.sizes[a.rank - 1]
    cdef int64_t k = m if mode == COMPLETE else min(m, n)
    cdef Tensor y, tau, q, r
    y, tau = reflected(a)
    r = c_triangle(leading(y, k, n), 0, True)
    if mode == ONLY_R:
        q = empty_beside(a, 1, &zero, a.code)
    else:
        q = formed(y, tau, k)
    if needs_grad(a):
        node = new_node(qr_backward, b"LinalgQrBackward0")
        node.i0 = mode
        node.i1 = m > n
        save_output(node, 0, q)
        save_output(node, 1, r)
        link(node, 0, a)
        attach(q, node)
        attach(r, node, 1)
    return q, r


cdef int qr_backward(Node node, Tensor gq) except -1:
    """A = Q R, R square: dA = (gQ + Q M) R^-T, M = triu(gR R' - Q' gQ), mirrored.

    Of a wide A = Q (R1 R2) the part A2 = Q R2 gets Q gR2 and adds A2 gR2' to gQ."""
    cdef Tensor q, r, gr = output_gradient(node, 1), x, more = None, gr2, r2
    cdef int rank
    cdef int64_t m, n
    if node.i0 == ONLY_R:
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when "
            "mode='r'. Please use linalg.qr(A, mode='reduced') if you are going to "
            "differentiate through linalg.qr.")
    if node.i0 == COMPLETE and node.i1:
        raise RuntimeError("The QR decomposition is not differentiable when "
                           "mode='complete' and nrows > ncols.")
    q, r = saved(node, 0), saved_result(node, 1, 1)
    rank = r.rank
    m, n = r.sizes[rank - 2], r.sizes[rank - 1]
    if n > m:
        r2, r = c_narrow(r, rank - 1, m, n - m), c_narrow(r, rank - 1, 0, m)
        if gr is not None:
            gr2, gr = c_narrow(gr, rank - 1, m, n - m), c_narrow(gr, rank - 1, 0, m)
            more = c_bmm(q, False, gr2, False)
            x = c_bmm(c_bmm(q, False, r2, False), False, gr2, True)
            gq = x if gq is None else c_add(gq, x)
        else:
            more = c_bmm(q, False, zeros_like(r2), False)
    x = None if gr is None else c_bmm(gr, False, r, True)
    if gq is not None:
        more_x = c_bmm(q, True, gq, False)
        x = c_sub(zeros_like(more_x) if x is None else x, more_x)
    x = c_add(c_triangle(x, 0, True), c_mT(c_triangle(x, 1, True)))
    x = c_bmm(q, False, x, False)
    if gq is not None:
        x = c_add(gq, x)
    x = c_solve_triangular(c_mT(r), x, False, False, False)
    send(node, 0, x if more is None else c_cat([x, more], rank - 1))
    return 0


Qr = named_result("linalg_qr", "Q R")


def qr(Tensor A not None, mode="reduced", *, out=None):
    """Return (Q, R) with A = Q R, Q'Q = I and an upper triangular R.

    Args:
        mode: "reduced", "complete" for a square Q, "r" for R alone.
    """
    check_matrix(A, "linalg.qr")
    check_floats(A, "linalg.qr", True)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one "
                           "of 'reduced' (default), 'r', or 'complete'")
    refuse_kernel("geqrf_cpu", A)
    return results(Qr, c_qr(A, ONLY_R if mode == "r" else mode == "complete"), out)


# ---- reflectors ----

cdef int no_derivative(Node node, Tensor g) except -1:
    """not implemented, as in PyTorch"""
    raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


Geqrf = named_result("geqrf", "a tau")


def geqrf(Tensor input not None, *, out=None):
    """Return (a, tau): R, the reflectors' vectors below it, and their factors."""
    cdef Node node
    cdef Tensor a, tau
    if input.rank < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    refuse_kernel("geqrf_cpu", input)
    a, tau = reflected(input)
    if needs_grad(input):
        node = new_node(no_derivative, b"NotImplemented")
        link(node, 0, input)
        attach(a, node)
        attach(tau, node, 1)
    return results(Geqrf, (a, tau), out)


cdef Tensor apply_reflectors(Tensor a, Tensor tau, Tensor c, bint transposed):
    """Q c or Q' c by recorded ops, one reflector after the other."""
    cdef int r = a.rank
    cdef int64_t k = tau.sizes[r - 2], m = a.sizes[r - 2], i
    cdef Tensor vectors, v, factor
    if k == 0:  # as a zero, a stays part of the graph
        return c_add(c, c_bmm(c_triangle(a, a.sizes[r - 1], True), False,
                              zeros_like(c_narrow(c, r - 2, 0, a.sizes[r - 1])), False))
    if a.sizes[r - 1] > k:
        a = c_narrow(a, r - 1, 0, k)
    vectors = c_add(c_triangle(a, -1, False), c_narrow(identity(a, m), 1, 0, k))
    for i in range(k) if transposed else range(k - 1, -1, -1):
        v = c_narrow(vectors, r - 1, i, 1)
        factor = c_unsqueeze(c_narrow(tau, r - 2, i, 1), r - 1)
        c = c_sub(c, c_bmm(c_mul(v, factor), False, c_bmm(v, True, c, False), False))
    return c


cdef int check_reflectors(Tensor a, Tensor tau, str op) except -1:
    cdef int d
    if tau.rank != a.rank - 1:
        raise RuntimeError(
            f"{op}: Expected tau to have one dimension less than input, but got "
            f"tau.ndim equal to {tau.rank} and input.ndim is equal to {a.rank}")
    for d in range(a.rank - 2):
        if a.sizes[d] != tau.sizes[d]:
            raise RuntimeError(
                f"{op}: Expected batch dimensions of tau to be equal to "
                f"input.shape[:-2], but got {listed(tau.rank - 1, tau.sizes)}")
    return 0


def householder_product(Tensor input not None, Tensor tau not None, *, out=None):
    """Return the first columns of the product of the reflectors of `geqrf`."""
    cdef str op = "torch.linalg.householder_product"
    cdef int64_t m, n
    cdef Tensor y
    if input.rank < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    m, n = input.sizes[input.rank - 2], input.sizes[input.rank - 1]
    if m < n:
        raise RuntimeError(f"{op}: input.shape[-2] must be greater than or equal to "
                           "input.shape[-1]")
    if tau.rank and tau.sizes[tau.rank - 1] > n:
        raise RuntimeError(f"{op}: input.shape[-1] must be greater than or equal to "
                           "tau.shape[-1]")
    check_reflectors(input, tau, op)
    if tau.code != input.code:
        raise RuntimeError(f"{op}: tau dtype {dtype_word(tau.code)} does not match "
                           f"input dtype {dtype_word(input.code)}")
    refuse_kernel("orgqr_cpu", input)
    if needs_grad2(input, tau):
        y = with_batch(c_narrow(identity(input, m), 1, 0, n), input.rank - 2,
                       input.sizes)
        y = apply_reflectors(input, tau, y, False)
    else:
        y = formed(input, tau, n)
    return deliver(y, out)


def orgqr(Tensor input not None, input2, *, out=None):
    """Return `linalg.householder_product`."""
    return householder_product(input, input2, out=out)


def ormqr(Tensor input not None, Tensor input2 not None, Tensor input3 not None,
          left=True, transpose=False, *, out=None):
    """Return Q times a matrix, or the reverse, given Q by the reflectors of `geqrf`."""
    cdef View[3] v
    cdef Scalar[2] s
    cdef Tensor y, stored, tau
    check_ormqr(input, input2, input3, left)
    if needs_grad2(input, input2) or needs_grad(input3):
        y = apply_reflectors(input, input2, input3 if left else c_mT(input3),
                             transpose if left else not transpose)
        return deliver(y if left else c_mT(y), out)
    y, stored, tau = columns(input3), columnwise(input), contiguous(input2)
    if y.storage.device != META:
        ensure_lapack()
    s[0].i = 1 if left else 0
    s[1].i = 1 if transpose else 0
    view_of(&v[0], y)
    view_of(&v[1], stored)
    view_of(&v[2], tau)
    if y.count and tau.count:
        run(ORMQR, v, 3, 1, s, 2, compute_of[y.code], y.storage.device)
    return deliver(y, out)


cdef int check_ormqr(Tensor a, Tensor tau, Tensor c, bint left) except -1:
    cdef str op = "torch.ormqr", side = "-2" if left else "-1"
    cdef int64_t n
    cdef int d
    if a.rank < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if c.rank < 2:
        raise RuntimeError(f"{op}: other must have at least 2 dimensions.")
    n = c.sizes[c.rank - (2 if left else 1)]
    if tau.rank == 0 or tau.sizes[tau.rank - 1] > n:
        raise RuntimeError(f"{op}: other.shape[{side}] must be greater than or equal "
                           "to tau.shape[-1]")
    if n != a.sizes[a.rank - 2]:
        raise RuntimeError(
            f"{op}: other.shape[{side}] must be equal to input.shape[-2]")
    if tau.sizes[tau.rank - 1] > a.sizes[a.rank - 1] or \
            tau.sizes[tau.rank - 1] != min(n, a.sizes[a.rank - 1]):
        raise RuntimeError(f"{op}: tau.shape[-1] must be equal to min(other.shape"
                           f"[{side}], input.shape[-1])")
    check_reflectors(a, tau, op)
    if c.rank != a.rank:
        raise RuntimeError(
            f"{op}: Expected other to have the same number of dimensions as input, but "
            f"got other.ndim equal to {c.rank} and input.ndim is equal to {a.rank}")
    for d in range(a.rank - 2):
        if a.sizes[d] != c.sizes[d]:
            raise RuntimeError(
                f"{op}: Expected batch dimensions of other to be equal to "
                f"input.shape[:-2], but got {listed(c.rank - 2, c.sizes)}")
    for x, name in ((tau, "tau"), (c, "other")):
        if (<Tensor>x).code != a.code:
            raise RuntimeError(
                f"{op}: Expected input and {name} to have the same dtype, but input "
                f"has dtype{dtype_word(a.code)} and {name} has dtype "
                f"{dtype_word((<Tensor>x).code)}")
    return refuse_kernel("ormqr_cpu", a)
