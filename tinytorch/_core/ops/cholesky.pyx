"""Cholesky decompositions  A = L L'  (or U' U), and systems solved with them."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, needs_grad2, new_node, save, save_output, saved,
    send, wants)
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.lapack cimport ensure_lapack, potrf, potri, potrs
from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_add, c_mul_number, c_neg
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_mT
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.matrices cimport (
    batch_element, check_floats, check_square, columns, columnwise, cols_of,
    each_matrix, first_failure, lead, part, per_matrix, raise_failure, refuse_kernel,
    results, rows_of, with_batch)
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.triangular cimport c_solve_triangular
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport I32, MAX_DIMS, compute_of, itemsize

__all__ = ["cholesky_inverse", "cholesky_solve"]
METHODS = __all__
LINALG = ["cholesky", "cholesky_ex"]


# ---- kernels ----

cdef void factor_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* a = call.operand
    cdef const View* info = a + 1
    cdef bint upper = call.scalar[0].i
    cdef int64_t i, j, n = rows_of(a), size = itemsize[a.dtype]
    cdef char* at
    for i in range(begin, end):
        at = part(a, i, 2)
        (<int32_t*>part(info, i, 0))[0] = potrf(
            a.dtype, b"U" if upper else b"L", <int>n, at, lead(a))
        for j in range(n):  # the triangle that potrf leaves alone
            if upper:
                memset(at + (j * n + j + 1) * size, 0, (n - j - 1) * size)
            else:
                memset(at + j * n * size, 0, j * size)


cdef int cholesky_driver(const KernelCall* call) noexcept nogil:
    """The factor in place of A, info; scalar: upper."""
    return each_matrix(call, factor_some, 0, 1)


cdef void solve_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* x = call.operand
    cdef const View* a = x + 1
    cdef char uplo = b"U" if call.scalar[0].i else b"L"
    cdef int64_t i
    for i in range(begin, end):
        potrs(x.dtype, uplo, <int>rows_of(x), <int>cols_of(x), part(a, i, 2), lead(a),
              part(x, i, 2), lead(x))


cdef int cholesky_solve_driver(const KernelCall* call) noexcept nogil:
    """X in place of B, the factor; scalar: upper."""
    return each_matrix(call, solve_some, 0, -1)


cdef void mirror(char* at, int64_t n, int64_t size, bint upper) noexcept nogil:
    """Copy one triangle of a symmetric matrix into the other."""
    cdef int64_t i, j, k
    cdef char* to
    cdef char* source
    for j in range(n):
        for i in range(j):
            to = at + (i * n + j if upper else j * n + i) * size
            source = at + (j * n + i if upper else i * n + j) * size
            for k in range(size):
                to[k] = source[k]


cdef void invert_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* a = call.operand
    cdef const View* info = a + 1
    cdef bint upper = call.scalar[0].i
    cdef int64_t i
    for i in range(begin, end):
        (<int32_t*>part(info, i, 0))[0] = potri(
            a.dtype, b"U" if upper else b"L", <int>rows_of(a), part(a, i, 2), lead(a))
        mirror(part(a, i, 2), rows_of(a), itemsize[a.dtype], upper)


cdef int cholesky_inverse_driver(const KernelCall* call) noexcept nogil:
    """A^-1 in place of A's factor, info; scalar: upper."""
    return each_matrix(call, invert_some, 0, 1)


cdef Kernel* CHOLESKY = register_kernel("cholesky", <Driver>cholesky_driver, NULL)
cdef Kernel* CHOLESKY_SOLVE = register_kernel(
    "cholesky_solve", <Driver>cholesky_solve_driver, NULL)
cdef Kernel* CHOLESKY_INVERSE = register_kernel(
    "cholesky_inverse", <Driver>cholesky_inverse_driver, NULL)


cdef tuple launched(const Kernel* kernel, Tensor a, bint upper):
    """(a copy of a that the kernel has worked on, info)"""
    cdef View[2] v
    cdef Scalar s
    cdef Tensor y = columns(a), info = per_matrix(a, I32)
    if a.storage.device != META:
        ensure_lapack()
    s.i = upper
    view_of(&v[0], y)
    view_of(&v[1], info)
    run(kernel, v, 2, 2, &s, 1, compute_of[a.code], a.storage.device)
    return y, info


# ---- the decomposition ----

cdef tuple c_cholesky(Tensor a, bint upper):
    """(L or U, info)"""
    cdef Node node = None
    cdef Tensor y, info
    y, info = launched(CHOLESKY, a, upper)
    if needs_grad(a):
        node = new_node(cholesky_backward, b"LinalgCholeskyExBackward0")
        node.i0 = upper
        save_output(node, 0, y)
        link(node, 0, a)
        attach(y, node)
    return y, info


cdef int cholesky_backward(Node node, Tensor gy) except -1:
    """dA = sym(L^-T F L^-1), where F = tril(L' gL) with half its diagonal, mirrored"""
    cdef Tensor y = saved(node, 0), x
    if node.i0:
        y, gy = c_mT(y), c_mT(gy)
    x = c_bmm(y, True, gy, False)
    x = c_add(c_triangle(x, 0, False), c_mT(c_triangle(x, -1, False)))
    x = c_solve_triangular(c_mT(y), x, True, True, False)
    x = c_mul_number(c_solve_triangular(y, x, False, False, False), 0.5)
    send(node, 0, c_mul_number(c_add(x, c_mT(x)), 0.5))
    return 0


cdef int check_positive(Tensor info, str op) except -1:
    cdef int64_t failure = first_failure(info)
    if failure:
        raise_failure(
            f"{op}: {batch_element(info, failure)}The factorization could not be "
            "completed because the input is not positive-definite (the leading minor "
            f"of order {failure & 0xffffffff} is not positive-definite).")
    return 0


CholeskyEx = named_result("linalg_cholesky_ex", "L info")


def cholesky(Tensor A not None, *, upper=False, out=None):
    """Return L of A = L L', or, if upper, U of A = U' U; A is positive definite."""
    cdef tuple y = cholesky_checked(A, upper)
    check_positive(y[1], "linalg.cholesky")
    return deliver(y[0], out)


def cholesky_ex(Tensor A not None, *, upper=False, check_errors=False, out=None):
    """Return (L, info): as `cholesky`, but failures are reported, not raised."""
    cdef tuple y = cholesky_checked(A, upper)
    if check_errors:
        check_positive(y[1], "linalg.cholesky_ex")
    return results(CholeskyEx, y, out)


cdef tuple cholesky_checked(Tensor a, bint upper):
    check_floats(a, "linalg.cholesky", True)
    check_square(a, "linalg.cholesky")
    refuse_kernel("cholesky_cpu", a)
    return c_cholesky(a, upper)


# ---- systems ----

cdef Tensor c_cholesky_solve(Tensor b, Tensor factor, bint upper):
    cdef View[2] v
    cdef Scalar s
    cdef Node node = None
    cdef Tensor x
    if needs_grad2(b, factor):
        node = new_node(solve_backward, b"CholeskySolveBackward0")
        save(node, 0, factor)
        node.i0 = upper
    x = columns(b)
    if x.storage.device != META:
        ensure_lapack()
    if x.count:
        s.i = upper
        view_of(&v[0], x)
        stored = columnwise(factor)
        view_of(&v[1], stored)
        run(CHOLESKY_SOLVE, v, 2, 1, &s, 1, compute_of[x.code], x.storage.device)
    if node is not None:
        save_output(node, 1, x)
        link(node, 0, b)
        link(node, 1, factor)
        attach(x, node)
    return x


cdef int solve_backward(Node node, Tensor gx) except -1:
    """L L' X = B:  dB = (L L')^-1 gX,  dL = -(dB X' + X dB') L"""
    cdef Tensor factor = saved(node, 0), gb, ga
    cdef bint upper = node.i0
    gb = c_cholesky_solve(gx, factor, upper)
    send(node, 0, gb)
    if wants(node, 1):
        ga = c_bmm(gb, False, saved(node, 1), True)
        ga = c_neg(c_add(ga, c_mT(ga)))
        send(node, 1, c_bmm(factor, False, ga, False) if upper
             else c_bmm(ga, False, factor, False))
    return 0


def cholesky_solve(Tensor input not None, Tensor L not None, upper=False, *, out=None):
    """Return the X of A X = input, given A's Cholesky factor."""
    cdef int64_t[MAX_DIMS] batch
    cdef int r
    if input.rank < 2:
        raise RuntimeError(f"b should have at least 2 dimensions, but has {input.rank} "
                           "dimensions instead")
    if L.rank < 2:
        raise RuntimeError(f"u should have at least 2 dimensions, but has {L.rank} "
                           "dimensions instead")
    if L.sizes[L.rank - 1] != L.sizes[L.rank - 2]:
        raise RuntimeError(
            "A must be batches of square matrices, but they are "
            f"{L.sizes[L.rank - 2]} by {L.sizes[L.rank - 1]} matrices")
    if L.sizes[L.rank - 1] != input.sizes[input.rank - 2]:
        raise RuntimeError(
            "Incompatible matrix sizes for cholesky_solve: each A matrix is "
            f"{L.sizes[L.rank - 1]} by {L.sizes[L.rank - 1]} but each b matrix is "
            f"{input.sizes[input.rank - 2]} by {input.sizes[input.rank - 1]}")
    if L.code != input.code:
        raise RuntimeError(
            "Expected b and A to have the same dtype, but found b of type "
            f"{dtype_word(input.code)} and A of type {dtype_word(L.code)} instead.")
    refuse_kernel("cholesky_solve_cpu", L)
    r = batch_shape(input, L, batch)
    return deliver(c_cholesky_solve(with_batch(input, r, batch),
                                    with_batch(L, r, batch), upper), out)


# ---- the inverse ----

cdef tuple c_cholesky_inverse(Tensor factor, bint upper):
    """(A^-1, info)"""
    cdef Node node = None
    cdef Tensor y, info
    y, info = launched(CHOLESKY_INVERSE, factor, upper)
    if needs_grad(factor):
        node = new_node(inverse_backward, b"CholeskyInverseBackward0")
        node.i0 = upper
        save(node, 0, factor)
        save_output(node, 1, y)
        link(node, 0, factor)
        attach(y, node)
    return y, info


cdef int inverse_backward(Node node, Tensor gy) except -1:
    """Y = (L L')^-1:  dL = -Y (gY + gY') Y L"""
    cdef Tensor factor = saved(node, 0), y = saved(node, 1), ga
    ga = c_bmm(c_bmm(y, False, c_add(gy, c_mT(gy)), False), False, y, False)
    ga = c_neg(ga)
    send(node, 0, c_bmm(factor, False, ga, False) if node.i0
         else c_bmm(ga, False, factor, False))
    return 0


def cholesky_inverse(Tensor input not None, upper=False, *, out=None):
    """Return the inverse of the matrix whose Cholesky factor is given."""
    cdef Tensor y, info
    cdef int64_t failure
    check_square(input, "cholesky_inverse")
    refuse_kernel("cholesky_inverse_out_cpu", input)
    y, info = c_cholesky_inverse(input, upper)
    failure = first_failure(info)
    if failure:
        raise_failure(
            f"cholesky_inverse: {batch_element(info, failure)}The diagonal element "
            f"{failure & 0xffffffff} is zero, the inversion could not be completed "
            "because the input matrix is singular.")
    return deliver(y, out)
