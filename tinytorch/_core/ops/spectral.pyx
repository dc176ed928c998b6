"""Singular value and symmetric eigenvalue decompositions, and their derivatives."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, new_node, output_gradient, save_output, saved, send)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, register_kernel, run, view_of)
from tinytorch._core.lapack cimport ensure_lapack, gesdd, syevd
from tinytorch._core.ops.arithmetic cimport c_add, c_div, c_mul, c_mul_number, c_sub
from tinytorch._core.ops.bmm cimport c_bmm, c_mT
from tinytorch._core.ops.compare cimport c_eq_number
from tinytorch._core.ops.copies cimport zeros_like
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.join cimport c_narrow
from tinytorch._core.ops.matrices cimport (
    batch_element, check_floats, check_matrix, check_square, cols_of, columns,
    each_matrix, empty_columns, first_failure, identity, lead, part, per_matrix,
    per_vector, raise_failure, refuse_kernel, results, rows_of,
    saved_result)
from tinytorch._core.ops.select cimport c_where
from tinytorch._core.ops.shape cimport c_unsqueeze
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport I32, MAX_DIMS, compute_of

__all__ = []
LINALG = ["eigh", "eigvalsh", "svd", "svdvals"]

cdef enum:             # which singular vectors
    NONE = 0
    REDUCED = 1
    FULL = 2


# ---- kernels ----

cdef void svd_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* u = call.operand
    cdef const View* s = u + 1
    cdef const View* vh = u + 2
    cdef const View* info = u + 3
    cdef const View* a = u + 4
    cdef int64_t i, job = call.scalar[0].i
    cdef char letter = b"A" if job == FULL else b"S" if job == REDUCED else b"N"
    for i in range(begin, end):
        (<int32_t*>part(info, i, 0))[0] = gesdd(
            a.dtype, letter, <int>rows_of(a), <int>cols_of(a), part(a, i, 2), lead(a),
            part(s, i, 1), part(u, i, 2), lead(u), part(vh, i, 2), lead(vh))


cdef int svd_driver(const KernelCall* call) noexcept nogil:
    """U, S, Vh, info, and A, which is destroyed; scalar: which vectors."""
    return each_matrix(call, svd_some, 4, 3)


cdef void eigh_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* v = call.operand
    cdef const View* w = v + 1
    cdef const View* info = v + 2
    cdef char job = b"V" if call.scalar[0].i else b"N"
    cdef char uplo = b"U" if call.scalar[1].i else b"L"
    cdef int64_t i
    for i in range(begin, end):
        (<int32_t*>part(info, i, 0))[0] = syevd(
            v.dtype, job, uplo, <int>rows_of(v), part(v, i, 2), lead(v), part(w, i, 1))


cdef int eigh_driver(const KernelCall* call) noexcept nogil:
    """V in place of A, eigenvalues, info; scalars: vectors wanted, upper."""
    return each_matrix(call, eigh_some, 0, 2)


cdef Kernel* SVD = register_kernel("svd", <Driver>svd_driver, NULL)
cdef Kernel* EIGH = register_kernel("eigh", <Driver>eigh_driver, NULL)


# ---- singular values ----

cdef Tensor rectangle(Tensor a, int64_t rows, int64_t cols):
    cdef int64_t[MAX_DIMS] shape
    memcpy(shape, a.sizes, (a.rank - 2) * sizeof(int64_t))
    shape[a.rank - 2] = rows
    shape[a.rank - 1] = cols
    return empty_columns(a, a.rank, shape)


cdef tuple decomposed(Tensor a, int64_t job):
    cdef View[5] v
    cdef Scalar which
    cdef int64_t m = a.sizes[a.rank - 2], n = a.sizes[a.rank - 1], k = min(m, n)
    cdef int64_t wide = 0 if job == NONE else k
    cdef Tensor u = rectangle(a, 0 if job == NONE else m, m if job == FULL else wide)
    cdef Tensor vh = rectangle(a, n if job == FULL else wide, 0 if job == NONE else n)
    cdef Tensor s = per_vector(a, k, a.code), info = per_matrix(a, I32)
    cdef Tensor work = columns(a)
    if a.storage.device != META:
        ensure_lapack()
    which.i = job
    view_of(&v[0], u)
    view_of(&v[1], s)
    view_of(&v[2], vh)
    view_of(&v[3], info)
    view_of(&v[4], work)
    if k == 0 and job == FULL:  # LAPACK leaves the bases unset
        copy_into(u, identity(u, m))
        copy_into(vh, identity(vh, n))
    elif a.count:
        run(SVD, v, 5, 5, &which, 1, compute_of[a.code], a.storage.device)
        check_converged(info, "linalg.svd", "singular values")
    return u, s, vh


cdef int check_converged(Tensor info, str op, str what) except -1:
    cdef int64_t failure = first_failure(info)
    cdef str where
    if failure:
        where = batch_element(info, failure)
        if <int32_t>failure < 0:  # gesdd says so of a NaN
            raise_failure(f"{op}: {where}The algorithm failed to converge because the "
                          "input matrix contained non-finite values.")
        raise_failure(
            f"{op}: {where}The algorithm failed to converge because the input matrix "
            f"is ill-conditioned or has too many repeated {what} (error code: "
            f"{<int32_t>failure}).")
    return 0


cdef tuple c_svd(Tensor a, bint full):
    cdef Node node = None
    cdef Tensor u, s, vh
    u, s, vh = decomposed(a, FULL if full else REDUCED)
    if needs_grad(a):
        node = new_node(svd_backward, b"LinalgSvdBackward0")
        save_output(node, 0, u)
        save_output(node, 1, s)
        save_output(node, 2, vh)
        link(node, 0, a)
        attach(u, node)
        attach(s, node, 1)
        attach(vh, node, 2)
    return u, s, vh


cdef Tensor c_svdvals(Tensor a):
    if needs_grad(a):
        return c_svd(a, False)[1]
    return decomposed(a, NONE)[1]


cdef inline Tensor skew(Tensor x):
    return c_sub(x, c_mT(x))


cdef Tensor differences(Tensor s):
    """x[j, k] = s[k] - s[j]"""
    return c_sub(c_unsqueeze(s, s.rank - 1), c_unsqueeze(s, s.rank))


cdef int svd_backward(Node node, Tensor gu) except -1:
    """With E[j, k] = s[k]^2 - s[j]^2 off the diagonal, skew(X) = X - X':

    dA = U (skew(U' gU) / E S + S skew(V' gV) / E + gS) V'
         + (I - U U') gU S^-1 V' + U S^-1 gV' (I - V V')"""
    cdef Tensor u = saved(node, 0), s = saved_result(node, 1, 1)
    cdef Tensor vh = saved_result(node, 2, 2)
    cdef Tensor gs = output_gradient(node, 1), gvh = output_gradient(node, 2)
    cdef Tensor e, row, column, inner = None, x, rest
    cdef int r = u.rank
    cdef int64_t m = u.sizes[r - 2], n = vh.sizes[r - 1], k = min(m, n)
    if u.sizes[r - 1] > k:  # of square bases, vectors beyond k are arbitrary
        u = c_narrow(u, r - 1, 0, k)
        gu = None if gu is None else c_narrow(gu, r - 1, 0, k)
    if vh.sizes[r - 2] > k:
        vh = c_narrow(vh, r - 2, 0, k)
        gvh = None if gvh is None else c_narrow(gvh, r - 2, 0, k)
    row, column = c_unsqueeze(s, r - 2), c_unsqueeze(s, r - 1)
    if gu is None and gvh is None:
        if gs is not None:
            send(node, 0, c_bmm(c_mul(u, c_unsqueeze(gs, r - 2)), False, vh, False))
        return 0
    e = c_add(c_mul(differences(s), c_add(row, column)), identity(u, k))
    if gu is not None:
        x = c_bmm(u, True, gu, False)
        inner = c_mul(c_div(skew(x), e), row)
    if gvh is not None:
        x = c_mul(column, c_div(skew(c_bmm(vh, False, gvh, True)), e))
        inner = x if inner is None else c_add(inner, x)
    if gs is not None:
        inner = c_add(inner, c_mul(c_unsqueeze(gs, r - 2), identity(inner, k)))
    x = c_bmm(c_bmm(u, False, inner, False), False, vh, False)
    if gu is not None and m > k:
        rest = c_div(gu, row)
        rest = c_sub(rest, c_bmm(u, False, c_bmm(u, True, rest, False), False))
        x = c_add(x, c_bmm(rest, False, vh, False))
    if gvh is not None and n > k:
        rest = c_div(gvh, column)
        rest = c_sub(rest, c_bmm(c_bmm(rest, False, vh, True), False, vh, False))
        x = c_add(x, c_bmm(u, False, rest, False))
    send(node, 0, x)
    return 0


# ---- eigenvalues of symmetric matrices ----

cdef tuple symmetric(Tensor a, bint upper, bint vectors):
    cdef View[3] v
    cdef Scalar[2] s
    cdef Tensor basis = columns(a), info = per_matrix(a, I32)
    cdef Tensor w = per_vector(a, a.sizes[a.rank - 1], a.code)
    if a.storage.device != META:
        ensure_lapack()
    s[0].i = vectors
    s[1].i = upper
    view_of(&v[0], basis)
    view_of(&v[1], w)
    view_of(&v[2], info)
    if a.count:
        run(EIGH, v, 3, 3, s, 2, compute_of[a.code], a.storage.device)
        check_converged(info, "linalg.eigh", "eigenvalues")
    return w, basis


cdef tuple c_eigh(Tensor a, bint upper):
    cdef Node node = None
    cdef Tensor w, v
    w, v = symmetric(a, upper, True)
    if needs_grad(a):
        node = new_node(eigh_backward, b"LinalgEighBackward0")
        save_output(node, 0, w)
        save_output(node, 1, v)
        link(node, 0, a)
        attach(w, node)
        attach(v, node, 1)
    return w, v


cdef int eigh_backward(Node node, Tensor gw) except -1:
    """dA = sym(V (gW + V' gV / E) V'),  E[j, k] = w[k] - w[j] off the diagonal"""
    cdef Tensor w = saved(node, 0), v = saved_result(node, 1, 1)
    cdef Tensor gv = output_gradient(node, 1)
    cdef Tensor x, one
    cdef int r = v.rank
    if gv is None:
        if gw is not None:
            send(node, 0, c_bmm(c_mul(v, c_unsqueeze(gw, r - 2)), False, v, True))
        return 0
    one = identity(v, v.sizes[r - 1])
    x = c_div(c_bmm(v, True, gv, False), c_add(differences(w), one))
    one = c_eq_number(one, 1)
    if gw is None:
        gw = zeros_like(w)
    x = c_where(one, c_unsqueeze(gw, r - 2), x)
    x = c_bmm(c_bmm(v, False, x, False), False, v, True)
    send(node, 0, c_mul_number(c_add(x, c_mT(x)), 0.5))
    return 0


# ---- for Python ----

Svd = named_result("linalg_svd", "U S Vh")
Eigh = named_result("linalg_eigh", "eigenvalues eigenvectors")


cdef int check_svd(Tensor a, object driver) except -1:
    check_floats(a, "linalg.svd", True)
    check_matrix(a, "linalg.svd")
    refuse_kernel("linalg_svd_cpu", a)
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only "
                           "supported on CUDA inputs with cuSOLVER backend.")
    return 0


def svd(Tensor A not None, full_matrices=True, *, driver=None, out=None):
    """Return (U, S, Vh) with A = U diag(S) Vh; square U and Vh if full_matrices."""
    check_svd(A, driver)
    return results(Svd, c_svd(A, full_matrices), out)


def svdvals(Tensor A not None, *, driver=None, out=None):
    """Return the singular values, the largest first."""
    check_svd(A, driver)
    return deliver(c_svdvals(A), out)


cdef bint read_uplo(Tensor a, object uplo) except -1:
    check_square(a, "linalg.eigh")
    if not isinstance(uplo, str) or uplo.upper() not in ("L", "U"):
        raise RuntimeError(
            f"Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    refuse_kernel("linalg_eigh_cpu", a)
    return uplo in "uU"


def eigh(Tensor A not None, UPLO="L", *, out=None):
    """Return (eigenvalues, eigenvectors) of a symmetric matrix; UPLO is read of it."""
    return results(Eigh, c_eigh(A, read_uplo(A, UPLO)), out)


def eigvalsh(Tensor A not None, UPLO="L", *, out=None):
    """Return the eigenvalues of a symmetric matrix, the smallest first."""
    cdef bint upper = read_uplo(A, UPLO)
    if needs_grad(A):
        return deliver(c_eigh(A, upper)[0], out)
    return deliver(symmetric(A, upper, False)[0], out)
