"""Least squares, pseudo-inverses and ranks: what to do where there is no inverse."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, needs_grad2, new_node, output_gradient, save,
    save_output, saved, send)
from tinytorch._core.elements cimport item
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, copy_into, fill_with, register_kernel,
    run, view_of)
from tinytorch._core.lapack cimport ensure_lapack, gels, gelsd, gelss, gelsy
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport (
    c_add, c_mul, c_mul_number, c_neg, c_rdiv_number, c_sub)
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_mT
from tinytorch._core.ops.compare cimport c_gt
from tinytorch._core.ops.copies cimport c_detach, c_to, zeros_like
from tinytorch._core.ops.elementwise cimport as_tensor, deliver, same_device
from tinytorch._core.ops.join cimport c_narrow
from tinytorch._core.ops.matrices cimport (
    batch_element, check_square, cols_of, columns, each_matrix, empty_columns,
    first_failure, lead, part, per_matrix, per_vector, raise_failure,
    results, rows_of, with_batch)
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.rounding cimport c_abs
from tinytorch._core.ops.select cimport c_where, c_where_number
from tinytorch._core.ops.shape cimport c_squeeze, c_unsqueeze
from tinytorch._core.ops.spectral cimport c_eigh, c_svd, c_svdvals
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, size_of
from tinytorch._core.types cimport F32, F64, I32, I64, MAX_DIMS, compute_of

__all__ = []
LINALG = ["lstsq", "matrix_rank", "pinv"]


# ---- what counts as zero ----

cdef double epsilon(int code) noexcept:
    return 1.1920928955078125e-07 if code == F32 else 2.220446049250313e-16


cdef Tensor tolerance_of(object value, Tensor s):
    """A number or a tensor of the batch's shape, ready to broadcast over s."""
    cdef Tensor y
    if isinstance(value, Tensor):
        y = c_detach(<Tensor>value)
        return c_to(c_unsqueeze(y, y.rank) if y.rank else y, s.code)
    return as_tensor(float(value), s)


cdef Tensor threshold(Tensor s, object atol, object rtol, int64_t size):
    """max(atol, rtol * the largest of s): singular values up to here count as zero."""
    cdef Tensor x, y
    cdef int d = s.rank - 1
    if rtol is None:
        # an absolute tolerance switches the default of the other one off
        if atol is None:
            rtol = epsilon(s.code) * size
        elif isinstance(atol, Tensor):
            rtol = c_where_number(c_gt(tolerance_of(atol, s), as_tensor(0.0, s)),
                                  as_tensor(0.0, s), epsilon(s.code) * size)
            if (<Tensor>rtol).rank:
                rtol = c_squeeze(<Tensor>rtol, (<Tensor>rtol).rank - 1)
        else:
            rtol = 0.0 if atol > 0 else epsilon(s.code) * size
    if s.sizes[d] == 0:
        return as_tensor(0.0, s)
    x = c_mul(largest(s), tolerance_of(rtol, s))
    if atol is None:
        return x
    y = tolerance_of(atol, s)
    return c_where(c_gt(x, y), x, y)


cdef Tensor largest(Tensor s):
    """The largest of each batch: the first, or, of |eigenvalues|, the first or last."""
    cdef int d = s.rank - 1
    cdef Tensor first = c_narrow(s, d, 0, 1), last = c_narrow(s, d, s.sizes[d] - 1, 1)
    return c_where(c_gt(last, first), last, first)


# ---- pseudo-inverses ----

cdef Tensor pseudo_inverse(Tensor a, object atol, object rtol, bint hermitian):
    """V f(S) U' without a graph, where f(s) = 1 / s, or 0 if s counts as zero."""
    cdef Tensor u, s, vh, kept, magnitude
    cdef int r = a.rank
    cdef int64_t size = max(a.sizes[r - 1], a.sizes[r - 2])
    a = c_detach(a)
    if hermitian:
        s, u = c_eigh(a, False)
        vh, magnitude = c_mT(u), c_abs(s)
    else:
        u, s, vh = c_svd(a, False)
        magnitude = s
    kept = c_gt(magnitude, threshold(magnitude, atol, rtol, size))
    s = c_where(kept, c_rdiv_number(s, 1), as_tensor(0.0, s))
    return c_bmm(vh, True, c_mul(c_unsqueeze(s, r - 1), c_mT(u)), False)


cdef Tensor c_pinv(Tensor a, object atol, object rtol, bint hermitian):
    cdef Node node = None
    cdef Tensor y = pseudo_inverse(a, atol, rtol, hermitian)
    if needs_grad(a):
        node = new_node(pinv_backward, b"LinalgPinvBackward0")
        save(node, 0, a)
        save_output(node, 1, y)
        link(node, 0, a)
        attach(y, node)
    return y


cdef int pinv_backward(Node node, Tensor gy) except -1:
    send(node, 0, pinv_gradient(gy, saved(node, 0), saved(node, 1)))
    return 0


cdef Tensor pinv_gradient(Tensor gy, Tensor a, Tensor y):
    """dA = -Y' gY Y' + (I - A Y) gY' Y Y' + Y' Y gY' (I - Y A)"""
    cdef Tensor left, right, x
    left = c_bmm(c_bmm(gy, True, y, False), False, y, True)
    left = c_sub(left, c_bmm(a, False, c_bmm(y, False, left, False), False))
    right = c_bmm(y, True, c_bmm(y, False, gy, True), False)
    right = c_sub(right, c_bmm(c_bmm(right, False, y, False), False, a, False))
    x = c_bmm(c_bmm(y, True, gy, False), False, y, True)
    return c_sub(c_add(left, right), x)


def pinv(Tensor A not None, rcond=None, hermitian=False, *, atol=None, rtol=None,
         out=None):
    """Return the Moore-Penrose pseudo-inverse.

    Args:
        hermitian: A is symmetric: eigenvalues serve.
        atol, rtol: singular values up to max(atol, rtol * the largest) count as zero;
            numbers or tensors of the batch's shape.
    """
    if A.rank < 2 or A.code != F32 and A.code != F64:
        raise RuntimeError(
            f"linalg.pinv({dtype_word(A.code)}{{{list(size_of(A))}}}): expected a "
            "tensor with 2 or more dimensions of float, double, cfloat or cdouble "
            "types")
    if isinstance(rcond, bool):  # pinv(A, hermitian) has no other place
        rcond, hermitian = None, rcond
    if hermitian:
        check_square(A, "linalg.eigh")
    if rcond is not None:
        rtol = rcond
    return deliver(c_pinv(A, atol, rtol, hermitian), out)


def matrix_rank(Tensor input not None, tol=None, hermitian=False, *, atol=None,
                rtol=None, out=None):
    """Return how many singular values count as more than 0; tolerances as in `pinv`."""
    cdef Tensor s, a = c_detach(input)
    cdef int r = input.rank
    cdef bint absolute = tol is not None
    if r < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have "
                           "at least 2 dimensions.")
    if a.code != F32 and a.code != F64:
        raise RuntimeError("This function doesn't handle types other than float and "
                           "double")
    if absolute:
        atol, rtol = tol, 0.0
    if hermitian:
        check_square(a, "linalg.eigh")
        s = c_abs(c_eigh(a, False)[0])
    else:
        s = c_svdvals(a)
    s = c_gt(s, threshold(s, atol, rtol, max(a.sizes[r - 1], a.sizes[r - 2])))
    return deliver(c_sum(c_to(s, I64), <int64_t>1 << (r - 2)), out)


# ---- least squares ----

cdef enum:
    GELS = 0
    GELSY = 1
    GELSD = 2
    GELSS = 3

DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


cdef void solve_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* b = call.operand
    cdef const View* rank = b + 1
    cdef const View* s = b + 2
    cdef const View* info = b + 3
    cdef const View* a = b + 4
    cdef int64_t i, which = call.scalar[0].i
    cdef double rcond = call.scalar[1].f
    cdef int m = <int>rows_of(a), n = <int>cols_of(a), nrhs = <int>cols_of(b), status
    cdef int found
    for i in range(begin, end):
        found = 0
        if which == GELS:
            status = gels(a.dtype, b"N", m, n, nrhs, part(a, i, 2), lead(a),
                          part(b, i, 2), lead(b))
        elif which == GELSY:
            status = gelsy(a.dtype, m, n, nrhs, part(a, i, 2), lead(a), part(b, i, 2),
                           lead(b), rcond, &found)
        elif which == GELSD:
            status = gelsd(a.dtype, m, n, nrhs, part(a, i, 2), lead(a), part(b, i, 2),
                           lead(b), part(s, i, 1), rcond, &found)
        else:
            status = gelss(a.dtype, m, n, nrhs, part(a, i, 2), lead(a), part(b, i, 2),
                           lead(b), part(s, i, 1), rcond, &found)
        (<int64_t*>part(rank, i, 0))[0] = found
        (<int32_t*>part(info, i, 0))[0] = status


cdef int lstsq_driver(const KernelCall* call) noexcept nogil:
    """X in place of B, rank, singular values, info, A (destroyed); driver, rcond."""
    return each_matrix(call, solve_some, 4, 3)


cdef Kernel* LSTSQ = register_kernel("lstsq", <Driver>lstsq_driver, NULL)


cdef Tensor padded(Tensor b, int64_t rows):
    """b column by column with room for all rows of X; zeros follow b's own."""
    cdef int64_t[MAX_DIMS] sizes
    cdef Tensor y
    memcpy(sizes, b.sizes, b.rank * sizeof(int64_t))
    sizes[b.rank - 2] = rows
    y = empty_columns(b, b.rank, sizes)
    fill_with(y, 0, 0)
    copy_into(c_narrow(y, b.rank - 2, 0, b.sizes[b.rank - 2]), b)
    return y


cdef tuple fitted(Tensor a, Tensor b, int which, double rcond):
    """(X above the residuals, rank, singular values), without a graph."""
    cdef View[5] v
    cdef Scalar[2] scalars
    cdef int r = a.rank
    cdef int64_t m = a.sizes[r - 2], n = a.sizes[r - 1]
    cdef Tensor x = padded(b, max(m, n)), rank = per_matrix(a, I64)
    cdef Tensor s = per_vector(a, min(m, n), a.code), info = per_matrix(a, I32)
    cdef Tensor work = columns(a)
    cdef int64_t failure
    if min(m, n) == 0 or a.count == 0:
        fill_with(x, 0, 0)
        fill_with(rank, 0, 0)
        return x, rank, s
    if a.storage.device != META:
        ensure_lapack()
    scalars[0].i = which
    scalars[1].f = rcond
    view_of(&v[0], x)
    view_of(&v[1], rank)
    view_of(&v[2], s)
    view_of(&v[3], info)
    view_of(&v[4], work)
    run(LSTSQ, v, 5, 5, scalars, 2, compute_of[a.code], a.storage.device)
    if which >= GELSD:
        failure = first_failure(info)
        if failure:
            raise_failure(
                f"torch.linalg.lstsq: {batch_element(info, failure)}The least squares "
                "solution could not be computed because the algorithm failed to "
                "converge.")
    return x, rank, s


cdef int lstsq_backward(Node node, Tensor gx) except -1:
    """X = Y B with Y the pseudo-inverse of A:  dB = Y' gX,  gY = gX B';
    of the residuals |R|^2, R = A X - B, where X is the best:  dA = 2 R gL X',
    dB = -2 R gL"""
    cdef Tensor a = saved(node, 0), b = saved(node, 1), x = saved(node, 2), y
    cdef Tensor gl = output_gradient(node, 1), ga = None, gb = None
    if gx is not None:
        y = c_pinv(a, None, None, False)
        ga = pinv_gradient(c_bmm(gx, False, b, True), a, y)
        gb = c_bmm(y, True, gx, False)
    if gl is not None and gl.count:
        y = c_sub(c_bmm(a, False, x, False), b)
        y = c_mul_number(c_mul(y, c_unsqueeze(gl, gl.rank - 1)), 2)
        gb = c_neg(y) if gb is None else c_sub(gb, y)
        y = c_bmm(y, False, x, True)
        ga = y if ga is None else c_add(ga, y)
    send(node, 0, zeros_like(a) if ga is None else ga)
    send(node, 1, zeros_like(b) if gb is None else gb)
    return 0


cdef int check_lstsq(Tensor a, Tensor b) except -1:
    cdef str op = "torch.linalg.lstsq"
    if a.rank < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if b.rank < 1:
        raise RuntimeError(f"{op}: other must have at least 1 dimension.")
    if a.code != b.code:
        raise RuntimeError(
            f"{op}: Expected input and other to have the same dtype, but got input's "
            f"dtype {dtype_word(a.code)} and other's dtype {dtype_word(b.code)}")
    if a.rank < b.rank or a.rank - b.rank > 1:
        raise RuntimeError(f"{op}: input.dim() must be greater or equal to other.dim() "
                           "and (input.dim() - other.dim()) <= 1")
    same_device(a, b)
    if a.rank == b.rank:
        if a.sizes[a.rank - 2] != b.sizes[b.rank - 2]:
            raise RuntimeError(f"{op}: input.size(-2) should match other.size(-2)")
    elif a.sizes[a.rank - 2] != b.sizes[b.rank - 1]:
        raise RuntimeError(f"{op}: input.size(-2) should match other.size(-1)")
    if a.code != F32 and a.code != F64:
        raise RuntimeError("This function doesn't handle types other than float and "
                           "double")
    return 0


Lstsq = named_result("linalg_lstsq", "solution residuals rank singular_values")


def lstsq(Tensor input not None, Tensor b not None, rcond=None, *, driver=None,
          out=None):
    """Return the X with the least ||input X - b||, and what is known about it.

    Args:
        driver: LAPACK's "gelsy" (the default), "gels", "gelsd" or "gelss".

    Returns:
        (solution, residuals, rank, singular_values); what the driver does not know is
        empty.
    """
    cdef int64_t[MAX_DIMS] batch
    cdef int64_t zero = 0, m, n
    cdef int r, which
    cdef bint vector
    cdef Tensor a = input, x, rank, s, nothing, residuals, solution
    cdef Node node = None
    check_lstsq(a, b)
    if driver is not None and driver not in DRIVERS:
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of "
                           "(gels, gelsy, gelsd, gelss)")
    which = GELSY if driver is None else DRIVERS.index(driver)
    vector = b.rank < a.rank
    if vector:
        b = c_unsqueeze(b, b.rank)
    r = batch_shape(a, b, batch)
    a, b = with_batch(a, r, batch), with_batch(b, r, batch)
    m, n = a.sizes[r], a.sizes[r + 1]
    x, rank, s = fitted(a, b, which, epsilon(a.code) * max(m, n) if rcond is None
                        else rcond)
    nothing = empty_beside(a, 1, &zero, a.code)
    if m > n and which != GELSY and (which == GELS or full_rank(rank, n)):
        residuals = c_narrow(x, r, n, m - n)
        residuals = c_sum(c_mul(residuals, residuals), <int64_t>1 << r)
    else:
        residuals = empty_beside(a, 1, &zero, a.code)
    solution = c_narrow(x, r, 0, n)
    if needs_grad2(a, b):
        solution = columns(solution)
        node = new_node(lstsq_backward, b"LinalgLstsqBackward0")
        save(node, 0, a)
        save(node, 1, b)
        save_output(node, 2, solution)
        link(node, 0, a)
        link(node, 1, b)
        attach(solution, node)
        attach(residuals, node, 1)
    return results(Lstsq, (
        c_squeeze(solution, r + 1) if vector else solution, residuals,
        c_to(nothing, I64) if which == GELS else rank,
        s if which >= GELSD else nothing), out)


cdef bint full_rank(Tensor rank, int64_t n) except -1:
    """Residuals are only known where no singular value counted as zero."""
    if rank.storage.device == META:
        return True
    return rank.count == 0 or item(c_sum(c_sub(rank, as_tensor(n, rank)))) == 0
