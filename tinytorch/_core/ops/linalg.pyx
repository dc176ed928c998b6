"""Inverses, systems of equations and determinants, by LU decomposition."""

from libc.math cimport fabs, isnan, log
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from tinytorch._core.ops.fold import any, prod

from tinytorch._core.autograd cimport (
    Node, attach, grad_mode, link, link_fitted, needs_grad, needs_grad2, new_node,
    output_gradient, save, save_output, saved, send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, View, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_mul, c_neg
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_mT
from tinytorch._core.ops.compare cimport c_eq_number
from tinytorch._core.ops.copies cimport zeros_like
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.lu cimport factored, solved
from tinytorch._core.ops.matrices cimport (
    batch_element, check_floats, check_matrix, check_same_dtype, check_square, columns,
    each_matrix, first_failure, identity, part, per_matrix, raise_failure,
    refuse_kernel, results, rows_of, with_batch)
from tinytorch._core.ops.select cimport c_where
from tinytorch._core.ops.shape cimport c_expand, c_squeeze, c_unsqueeze
from tinytorch._core.ops.spectral cimport c_svd
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport F32, MAX_DIMS, compute_of

__all__ = ["det", "inverse"]
METHODS = ["det", "inverse"]
LINALG = ["det", "inv", "inv_ex", "slogdet", "solve", "solve_ex"]


# ---- solve ----

cdef Tensor spread_pivots(Tensor pivots, int batch, const int64_t* shape):
    cdef int64_t[MAX_DIMS] sizes
    memcpy(sizes, shape, batch * sizeof(int64_t))
    sizes[batch] = pivots.sizes[pivots.rank - 1]
    return c_expand(pivots, batch + 1, sizes)


cdef Tensor solved_over(Tensor lu, Tensor pivots, Tensor b, bint transposed):
    """`solved` for a decomposition that serves several of b's matrices."""
    cdef int r = b.rank - 2
    if lu.rank == b.rank and lu.count == 0:
        return solved(lu, pivots, b, transposed)
    return solved(with_batch(lu, r, b.sizes), spread_pivots(pivots, r, b.sizes), b,
                  transposed)


cdef tuple c_solve(Tensor a, Tensor b):
    """(X, info) of A X = B; b has all batch dimensions of a."""
    cdef Node node = None
    cdef Tensor x, lu, pivots, info
    lu, pivots, info = factored(a)
    if needs_grad2(a, b):
        node = new_node(solve_backward, b"LinalgSolveExBackward0")
        save(node, 0, a)
        save(node, 2, lu)
        save(node, 3, pivots)
    x = solved_over(lu, pivots, b, False)
    if node is not None:
        save_output(node, 1, x)
        link_fitted(node, 0, a, x)
        link(node, 1, b)
        attach(x, node)
    return x, info


cdef int solve_backward(Node node, Tensor gx) except -1:
    """A X = B:  dB = A^-T gX,  dA = -dB X'"""
    cdef Tensor gb
    if grad_mode():
        gb = c_solve(c_mT(saved(node, 0)), gx)[0]
    else:
        gb = solved_over(saved(node, 2), saved(node, 3), gx, True)
    send(node, 1, gb)
    if wants(node, 0):
        send(node, 0, c_neg(c_bmm(gb, False, saved(node, 1), True)))
    return 0


cdef bint is_vector(Tensor a, Tensor b) noexcept:
    """Whether b is a vector, or a batch of vectors just as large as a's."""
    cdef int d
    if b.rank == 1:
        return True
    if b.rank != a.rank - 1:
        return False
    for d in range(b.rank):
        if a.sizes[d] != b.sizes[d]:
            return False
    return True


cdef tuple solve_checked(Tensor a, Tensor b, bint left, bint vector):
    cdef int64_t[MAX_DIMS] batch
    cdef int r
    cdef int64_t n = a.sizes[a.rank - 1] if a.rank else 0
    cdef Tensor x, info
    check_floats(a, "linalg.solve")
    check_square(a, "linalg.solve")
    check_same_dtype(a, b, "linalg.solve", "A", "B")
    if vector:
        b = c_unsqueeze(b, b.rank)
    check_matrix(b, "linalg.solve", "B")
    if n != b.sizes[b.rank - (2 if left else 1)]:
        raise RuntimeError(
            "linalg.solve: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({a.sizes[a.rank - 2]}x{n} and "
            f"{b.sizes[b.rank - 2]}x{b.sizes[b.rank - 1]})")
    r = batch_shape(a, b, batch)
    b = with_batch(b, r, batch)
    if left:
        x, info = c_solve(a, b)
    else:
        x, info = c_solve(c_mT(a), c_mT(b))
        x = c_mT(x)
    return c_squeeze(x, x.rank - 1) if vector else x, info


cdef int check_solved(Tensor info, str op) except -1:
    cdef int64_t failure = first_failure(info)
    if failure:
        raise_failure(f"{op}: {batch_element(info, failure)}The solver failed because "
                      "the input matrix is singular.")
    return 0


SolveEx = named_result("linalg_solve_ex", "result info")


def solve(Tensor A not None, Tensor B not None, *, left=True, out=None):
    """Return the X of A X = B, or of X A = B if not left.

    Example:
        >>> solve(tensor([[2., 0.], [0., 4.]]), tensor([2., 2.])).tolist()
        [1.0, 0.5]
    """
    cdef tuple y = solve_checked(A, B, left, is_vector(A, B))
    check_solved(y[1], "torch.linalg.solve")
    return deliver(y[0], out)


def solve_ex(Tensor A not None, Tensor B not None, *, left=True, check_errors=False,
             out=None):
    """Return (X, info): as `solve`, but singular matrices are reported, not raised."""
    cdef tuple y = solve_checked(A, B, left, is_vector(A, B))
    if check_errors:
        check_solved(y[1], "torch.linalg.solve_ex")
    return results(SolveEx, y, out)


# ---- the inverse ----

cdef tuple c_inverse(Tensor a):
    """(A^-1, info)"""
    cdef Node node = None
    cdef Tensor y, lu, pivots, info, one
    lu, pivots, info = factored(a)
    one = identity(a, a.sizes[a.rank - 1])
    y = solved(lu, pivots, with_batch(one, a.rank - 2, a.sizes), False)
    if needs_grad(a):
        node = new_node(inverse_backward, b"LinalgInvExBackward0")
        save_output(node, 0, y)
        link(node, 0, a)
        attach(y, node)
    return y, info


cdef int inverse_backward(Node node, Tensor gy) except -1:
    """Y = A^-1:  dA = -Y' gY Y'"""
    cdef Tensor y = saved(node, 0)
    send(node, 0, c_neg(c_bmm(c_bmm(y, True, gy, False), False, y, True)))
    return 0


cdef tuple inverse_checked(Tensor a):
    check_floats(a, "linalg.inv")
    check_square(a, "linalg.inv")
    return c_inverse(a)


cdef int check_inverse(Tensor info, str op) except -1:
    cdef int64_t failure = first_failure(info)
    if failure:
        raise_failure(
            f"{op}: {batch_element(info, failure)}The diagonal element "
            f"{failure & 0xffffffff} is zero, the inversion could not be completed "
            "because the input matrix is singular.")
    return 0


InvEx = named_result("linalg_inv_ex", "inverse info")


def inv(Tensor A not None, *, out=None):
    """Return the inverse of a matrix, or of each of a batch."""
    cdef tuple y = inverse_checked(A)
    check_inverse(y[1], "linalg.inv")
    return deliver(y[0], out)


def inverse(Tensor input not None, *, out=None):
    """Return the inverse of a matrix, or of each of a batch: `linalg.inv`."""
    return inv(input, out=out)


def inv_ex(Tensor A not None, *, check_errors=False, out=None):
    """Return (inverse, info): like `inv`, but singular matrices are reported."""
    cdef tuple y = inverse_checked(A)
    if check_errors:
        check_inverse(y[1], "linalg.inv_ex")
    return results(InvEx, y, out)


# ---- determinants ----

cdef inline double entry(const View* v, const char* at, int64_t i) noexcept nogil:
    return (<const float*>at)[i] if v.dtype == F32 else (<const double*>at)[i]


cdef inline void put(const View* v, char* at, int64_t i, double value) noexcept nogil:
    if v.dtype == F32:
        (<float*>at)[i] = <float>value
    else:
        (<double*>at)[i] = value


cdef inline double parity(const View* pivots, int64_t i, int64_t n) noexcept nogil:
    cdef const int* pivot = <const int*>part(pivots, i, 1)
    cdef int64_t j
    cdef double sign = 1
    for j in range(n):
        if pivot[j] != j + 1:
            sign = -sign
    return sign


cdef void det_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* y = (<const KernelCall*>context).operand
    cdef const View* lu = y + 1
    cdef int64_t i, j, n = rows_of(lu)
    cdef double product
    for i in range(begin, end):
        product = parity(y + 2, i, n)
        for j in range(n):
            product *= entry(lu, part(lu, i, 2), j * (n + 1))
        put(y, y.data, i, product)


cdef int det_driver(const KernelCall* call) noexcept nogil:
    """det from LU and pivots."""
    return each_matrix(call, det_some, 1, -1)


cdef void slogdet_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* y = (<const KernelCall*>context).operand
    cdef const View* lu = y + 2
    cdef int64_t i, j, n = rows_of(lu)
    cdef double sign, total, x
    for i in range(begin, end):
        sign = parity(y + 3, i, n)
        total = 0
        for j in range(n):
            x = entry(lu, part(lu, i, 2), j * (n + 1))
            sign *= x if isnan(x) or x == 0 else 1 if x > 0 else -1
            total += log(fabs(x))
        put(y, y.data, i, sign)
        put(y + 1, y[1].data, i, total)


cdef int slogdet_driver(const KernelCall* call) noexcept nogil:
    """sign and log |det| from LU and pivots."""
    return each_matrix(call, slogdet_some, 2, -1)


cdef void regular_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* lu = (<const KernelCall*>context).operand
    cdef const View* y = lu + 1
    cdef int64_t i, j, n = rows_of(lu)
    cdef double product, largest, least = 1.1920929e-07 if lu.dtype == F32 else 2.22e-16
    cdef char* at
    for i in range(begin, end):
        at = part(lu, i, 2)
        product = parity(y + 1, i, n)
        largest = 0
        for j in range(n):
            largest = max(largest, fabs(entry(lu, at, j * (n + 1))))
        for j in range(n):
            if entry(lu, at, j * (n + 1)) == 0:
                put(lu, at, j * (n + 1), least * (largest if largest > 0 else 1))
            product *= entry(lu, at, j * (n + 1))
        put(y, y.data, i, product)


cdef int regular_det_driver(const KernelCall* call) noexcept nogil:
    """Replace zero pivots of LU by the least that counts; det of that."""
    return each_matrix(call, regular_some, 0, -1)


cdef Kernel* REGULAR_DET = register_kernel(
    "regular_det", <Driver>regular_det_driver, NULL)
cdef Kernel* DET = register_kernel("det", <Driver>det_driver, NULL)
cdef Kernel* SLOGDET = register_kernel("slogdet", <Driver>slogdet_driver, NULL)


cdef Tensor c_det(Tensor a):
    cdef View[3] v
    cdef Node node = None
    cdef Tensor y = per_matrix(a, a.code), lu, pivots
    lu, pivots, _ = factored(a)
    view_of(&v[0], y)
    view_of(&v[1], lu)
    view_of(&v[2], pivots)
    run(DET, v, 3, 1, NULL, 0, compute_of[a.code], a.storage.device)
    if needs_grad(a):
        node = new_node(det_backward, b"LinalgDetBackward0")
        save(node, 0, a)
        save_output(node, 1, y)
        save(node, 2, lu)
        save(node, 3, pivots)
        link(node, 0, a)
        attach(y, node)
    return y


cdef Tensor scaled_identity(Tensor g, Tensor like):
    """g I for each matrix of a batch like `like`."""
    g = c_unsqueeze(c_unsqueeze(g, g.rank), g.rank + 1)
    return c_mul(g, identity(like, like.sizes[like.rank - 1]))


cdef int det_backward(Node node, Tensor gy) except -1:
    """dA = gy det(A) A^-T, and for singular matrices gy times the cofactors"""
    cdef Tensor a = saved(node, 0), det, safe, singular, one
    if not grad_mode():
        send(node, 0, cofactors(saved(node, 2), saved(node, 3), gy))
        return 0
    det = saved(node, 1)
    singular = c_eq_number(det, 0)
    if a.storage.device == META or not any(singular).item():
        send(node, 0, c_solve(c_mT(a), scaled_identity(c_mul(gy, det), a))[0])
        return 0
    singular = c_unsqueeze(c_unsqueeze(singular, singular.rank), singular.rank + 1)
    one = identity(a, a.sizes[a.rank - 1])
    safe = c_where(singular, one, a)
    safe = c_solve(c_mT(safe), scaled_identity(c_mul(gy, det), a))[0]
    send(node, 0, c_where(singular, singular_cofactors(a, gy), safe))
    return 0


cdef Tensor cofactors(Tensor lu, Tensor pivots, Tensor gy):
    """gy det(A) A^-T near A, where no pivot is zero: the cofactors are continuous."""
    cdef View[3] v
    cdef Tensor y = per_matrix(lu, lu.code)
    lu = columns(lu)
    view_of(&v[0], lu)
    view_of(&v[1], y)
    view_of(&v[2], pivots)
    run(REGULAR_DET, v, 3, 2, NULL, 0, compute_of[lu.code], lu.storage.device)
    return solved(lu, pivots, scaled_identity(c_mul(gy, y), lu), True)


cdef Tensor singular_cofactors(Tensor a, Tensor gy):
    """gy det(U) det(V) U diag(products of the other singular values) V', recorded."""
    cdef Tensor u, s, vh, one, others
    cdef int r = a.rank
    u, s, vh = c_svd(a, True)
    one = identity(a, a.sizes[r - 1])
    others = c_where(c_eq_number(one, 1), one, c_unsqueeze(s, r - 2))
    others = prod(others, -1)
    gy = c_mul(gy, c_mul(c_det(u), c_det(vh)))
    others = c_mul(others, c_unsqueeze(gy, gy.rank))
    return c_bmm(c_mul(u, c_unsqueeze(others, r - 2)), False, vh, False)


cdef tuple c_slogdet(Tensor a):
    """(sign, log |det|)"""
    cdef View[4] v
    cdef Node node = None
    cdef Tensor sign = per_matrix(a, a.code), y = per_matrix(a, a.code), lu, pivots
    lu, pivots, _ = factored(a)
    view_of(&v[0], sign)
    view_of(&v[1], y)
    view_of(&v[2], lu)
    view_of(&v[3], pivots)
    run(SLOGDET, v, 4, 2, NULL, 0, compute_of[a.code], a.storage.device)
    if needs_grad(a):
        node = new_node(slogdet_backward, b"LinalgSlogdetBackward0")
        save(node, 0, a)
        save(node, 2, lu)
        save(node, 3, pivots)
        link(node, 0, a)
        attach(sign, node)
        attach(y, node, 1)
    return sign, y


cdef int slogdet_backward(Node node, Tensor gsign) except -1:
    """d log |det A| = gy A^-T; the sign is constant almost everywhere"""
    cdef Tensor a = saved(node, 0), gy = output_gradient(node, 1)
    if gy is None:
        send(node, 0, zeros_like(a))
    elif grad_mode():
        send(node, 0, c_solve(c_mT(a), scaled_identity(gy, a))[0])
    else:
        send(node, 0, solved(saved(node, 2), saved(node, 3), scaled_identity(gy, a),
                             True))
    return 0


Slogdet = named_result("linalg_slogdet", "sign logabsdet")


def det(Tensor input not None, *, out=None):
    """Return the determinant of a matrix, or of each of a batch.

    Example:
        >>> det(tensor([[2., 1.], [0., 3.]])).item()
        6.0
    """
    check_floats(input, "linalg.det", True)
    check_square(input, "linalg.det")
    refuse_kernel("lu_cpu", input)
    return deliver(c_det(input), out)


def slogdet(Tensor A not None, *, out=None):
    """Return (sign, logarithm of the magnitude) of the determinant."""
    check_floats(A, "linalg.slogdet", True)
    check_square(A, "linalg.slogdet")
    refuse_kernel("lu_cpu", A)
    return results(Slogdet, c_slogdet(A), out)
