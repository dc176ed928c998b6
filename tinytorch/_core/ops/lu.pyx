"""LU decompositions  A = P L U  with row pivots, and systems solved with them."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad, needs_grad2, new_node, save, save_output, saved,
    send, wants)
from tinytorch._core.executor cimport (
    TT_BAD_INDEX, Driver, Kernel, KernelCall, Scalar, View, register_kernel, run,
    view_of)
from tinytorch._core.lapack cimport ensure_lapack, getrf, getrs
from tinytorch._core.ops.arithmetic cimport c_add, c_neg, c_sub
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_mT
from tinytorch._core.ops.copies cimport contiguous
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.join cimport c_cat, c_narrow
from tinytorch._core.ops.matrices cimport (
    batch_element, check_matrix, check_same_dtype, check_square, cols_of, columns,
    columnwise, each_matrix, empty_columns, first_failure, identity, lead,
    part, per_matrix, per_vector, refuse_kernel, results, rows_of, with_batch)
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.shape cimport c_expand
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.triangular cimport c_solve_triangular
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, empty_beside, size_of
from tinytorch._core.types cimport I32, MAX_DIMS, compute_of, itemsize

__all__ = ["lu_unpack"]
METHODS = []
LINALG = ["lu", "lu_factor", "lu_factor_ex", "lu_solve"]


# ---- kernels ----

cdef void factor_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const View* a = (<const KernelCall*>context).operand
    cdef const View* pivots = a + 1
    cdef const View* info = a + 2
    cdef int64_t i
    for i in range(begin, end):
        (<int*>part(info, i, 0))[0] = getrf(
            a.dtype, <int>rows_of(a), <int>cols_of(a), part(a, i, 2), lead(a),
            <int*>part(pivots, i, 1))


cdef int lu_factor_driver(const KernelCall* call) noexcept nogil:
    """L and U in place of A, pivots, info."""
    return each_matrix(call, factor_some, 0, 2)


cdef bint within(const View* pivots, int64_t n) noexcept nogil:
    """Pivots may come from anywhere; LAPACK would swap whatever they point at."""
    cdef const int* pivot = <const int*>pivots.data
    cdef int64_t i
    for i in range(pivots.numel):
        if pivot[i] < 1 or pivot[i] > n:
            return False
    return True


cdef void solve_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* x = call.operand
    cdef const View* a = x + 1
    cdef const View* pivots = x + 2
    cdef char trans = b"T" if call.scalar[0].i else b"N"
    cdef int64_t i
    for i in range(begin, end):
        getrs(x.dtype, trans, <int>rows_of(x), <int>cols_of(x), part(a, i, 2), lead(a),
              <const int*>part(pivots, i, 1), part(x, i, 2), lead(x))


cdef int lu_solve_driver(const KernelCall* call) noexcept nogil:
    """X in place of B, LU, pivots; scalar: transposed."""
    if not within(&call.operand[2], rows_of(call.operand)):
        return TT_BAD_INDEX
    return each_matrix(call, solve_some, 0, -1)


cdef void permute_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    """Swapping two columns of P for each pivot, backwards, needs no second array."""
    cdef const View* p = (<const KernelCall*>context).operand
    cdef const View* pivots = p + 1
    cdef const int* pivot
    cdef int64_t n = rows_of(p), k = cols_of(pivots), i, j, row, other
    cdef char* at
    for i in range(begin, end):
        pivot = <const int*>part(pivots, i, 1)
        at = part(p, i, 2)
        memset(at, 0, n * n * itemsize[p.dtype])
        for j in range(n):  # the row of column j's one: follow j through the swaps
            row = j
            for other in range(min(j, k - 1), -1, -1):
                if row == other:
                    row = pivot[other] - 1
                elif row == pivot[other] - 1:
                    row = other
            if itemsize[p.dtype] == 4:
                (<float*>at)[j * n + row] = 1
            else:
                (<double*>at)[j * n + row] = 1


cdef int permutation_driver(const KernelCall* call) noexcept nogil:
    """P (column by column) from pivots."""
    if not within(&call.operand[1], rows_of(call.operand)):
        return TT_BAD_INDEX
    return each_matrix(call, permute_some, 0, -1)


cdef Kernel* LU_FACTOR = register_kernel("lu_factor", <Driver>lu_factor_driver, NULL)
cdef Kernel* LU_SOLVE = register_kernel("lu_solve", <Driver>lu_solve_driver, NULL)
cdef Kernel* PERMUTATION = register_kernel(
    "lu_permutation", <Driver>permutation_driver, NULL)


# ---- without a graph ----

cdef tuple factored(Tensor a):
    cdef View[3] v
    cdef int64_t r = a.rank
    cdef Tensor lu = columns(a), info = per_matrix(a, I32)
    cdef Tensor pivots = per_vector(a, min(a.sizes[r - 1], a.sizes[r - 2]), I32)
    if a.storage.device != META:
        ensure_lapack()
    view_of(&v[0], lu)
    view_of(&v[1], pivots)
    view_of(&v[2], info)
    run(LU_FACTOR, v, 3, 3, NULL, 0, compute_of[a.code], a.storage.device)
    return lu, pivots, info


cdef Tensor solved(Tensor lu, Tensor pivots, Tensor b, bint transposed):
    cdef View[3] v
    cdef Scalar s
    cdef Tensor x = columns(b)
    if x.count == 0:
        return x
    if x.storage.device != META:
        ensure_lapack()
    lu, pivots = columnwise(lu), contiguous(pivots)
    s.i = transposed
    view_of(&v[0], x)
    view_of(&v[1], lu)
    view_of(&v[2], pivots)
    run(LU_SOLVE, v, 3, 1, &s, 1, compute_of[x.code], x.storage.device)
    return x


cdef Tensor permutation(Tensor pivots, Tensor like, int64_t n):
    cdef View[2] v
    cdef int64_t[MAX_DIMS] shape
    cdef int d, r = pivots.rank + 1
    cdef Tensor p
    for d in range(r - 2):
        shape[d] = pivots.sizes[d]
    shape[r - 2] = shape[r - 1] = n
    p = empty_columns(like, r, shape)
    pivots = contiguous(pivots)
    view_of(&v[0], p)
    view_of(&v[1], pivots)
    run(PERMUTATION, v, 2, 1, NULL, 0, compute_of[p.code], p.storage.device)
    return p


# ---- the decomposition ----

cdef tuple c_lu_factor(Tensor a):
    """(LU, pivots, info); only LU has a derivative."""
    cdef Node node = None
    cdef Tensor lu, pivots, info
    lu, pivots, info = factored(a)
    if needs_grad(a):
        node = new_node(factor_backward, b"LinalgLuFactorExBackward0")
        save_output(node, 0, lu)
        save(node, 1, pivots)
        link(node, 0, a)
        attach(lu, node)
    return lu, pivots, info


cdef int factor_backward(Node node, Tensor gy) except -1:
    """A = P L U, of which LU holds both: dA = P L^-T (S + T) U^-T for square A,

    S = tril(L' gL, -1), T = triu(gU U').  Rows of L beyond the square, and columns of
    U, depend on A through the square's U and L too: their share goes to T and S first.
    """
    cdef Tensor lu = saved(node, 0), square = lu, g = gy, s, t, ga, more = None, p
    cdef int r = lu.rank
    cdef int64_t m = lu.sizes[r - 2], n = lu.sizes[r - 1], k = min(m, n)
    if m > n:
        square, g = c_narrow(lu, r - 2, 0, k), c_narrow(gy, r - 2, 0, k)
    elif n > m:
        square, g = c_narrow(lu, r - 1, 0, k), c_narrow(gy, r - 1, 0, k)
    s = c_triangle(g, -1, False)
    s = c_add(c_bmm(c_triangle(square, -1, False), True, s, False), s)
    t = c_bmm(c_triangle(g, 0, True), False, c_triangle(square, 0, True), True)
    if m > n:
        more = c_narrow(gy, r - 2, k, m - k)
        t = c_sub(t, c_bmm(c_narrow(lu, r - 2, k, m - k), True, more, False))
        more = c_solve_triangular(c_mT(square), more, False, False, False)
    elif n > m:
        more = c_narrow(gy, r - 1, k, n - k)
        s = c_sub(s, c_bmm(more, False, c_narrow(lu, r - 1, k, n - k), True))
        more = c_solve_triangular(c_mT(square), more, True, True, True)
    ga = c_add(c_triangle(s, -1, False), c_triangle(t, 0, True))
    ga = c_solve_triangular(c_mT(square), ga, True, True, True)
    ga = c_solve_triangular(c_mT(square), ga, False, False, False)
    if more is not None:
        ga = c_cat([ga, more], r - (2 if m > n else 1))
    p = permutation(saved(node, 1), lu, m)
    send(node, 0, c_bmm(p, False, ga, False))
    return 0


# ---- systems ----

cdef Tensor c_lu_solve(Tensor lu, Tensor pivots, Tensor b, bint transposed):
    cdef Node node = None
    cdef Tensor x
    if needs_grad2(lu, b):
        node = new_node(solve_backward, b"LinalgLuSolveBackward0")
        save(node, 0, lu)
        save(node, 1, pivots)
        node.i0 = transposed
    x = solved(lu, pivots, b, transposed)
    if node is not None:
        save_output(node, 2, x)
        link(node, 0, lu)
        link(node, 1, b)
        attach(x, node)
    return x


cdef int solve_backward(Node node, Tensor gx) except -1:
    """P L U X = B:  y = U X, gy = U^-T gX, gz = L^-T gy:
    dU = -gy X', dL = -gz y', dB = P gz;
    U' L' P' X = B:  z = P' X, gy = L^-1 P' gX, dB = U^-1 gy:
    dL = -z gy', dU = -(L' z) dB'"""
    cdef bint transposed = node.i0
    cdef Tensor lu = saved(node, 0), pivots = saved(node, 1), x = saved(node, 2)
    cdef Tensor gl, gu, gy, gz, z, p
    if not wants(node, 0):
        send(node, 1, c_lu_solve(lu, pivots, gx, not transposed))
        return 0
    p = permutation(pivots, lu, lu.sizes[lu.rank - 1])
    if transposed:
        z = c_bmm(p, True, x, False)
        gy = c_solve_triangular(lu, c_bmm(p, True, gx, False), False, True, True)
        gz = c_solve_triangular(lu, gy, True, True, False)
        send(node, 1, gz)
        gl = c_bmm(z, False, gy, True)
        z = c_add(z, c_bmm(c_triangle(lu, -1, False), True, z, False))
        gu = c_bmm(z, False, gz, True)
    else:
        gy = c_solve_triangular(c_mT(lu), gx, False, True, False)
        gu = c_bmm(gy, False, x, True)
        gz = c_solve_triangular(c_mT(lu), gy, True, True, True)
        send(node, 1, c_bmm(p, False, gz, False))
        z = c_bmm(c_triangle(lu, 0, True), False, x, False)
        gl = c_bmm(gz, False, z, True)
    send(node, 0, c_neg(c_add(c_triangle(gl, -1, False), c_triangle(gu, 0, True))))
    return 0


# ---- for Python ----

LuFactor = named_result("linalg_lu_factor", "LU pivots")
LuFactorEx = named_result("linalg_lu_factor_ex", "LU pivots info")
Lu = named_result("linalg_lu", "P L U")
LuUnpack = named_result("lu_unpack", "P L U")


cdef int check_factor(Tensor a, object pivot, str op) except -1:
    if a.rank < 2:
        raise RuntimeError(f"{op}: Expected tensor with 2 or more dimensions. Got "
                           f"size: {list(size_of(a))} instead")
    refuse_kernel("lu_cpu", a)
    if not pivot:
        raise RuntimeError(
            "linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    return 0


cdef int check_info(Tensor info, str op) except -1:
    cdef int64_t failure = first_failure(info), k
    if failure:
        k = failure & 0xffffffff
        raise RuntimeError(
            f"{op}: {batch_element(info, failure)}U[{k},{k}] is zero and using it on "
            "lu_solve would result in a division by zero. If you still want to perform "
            "the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)")
    return 0


def lu_factor(Tensor A not None, *, pivot=True, out=None):
    """Return (LU, pivots): both triangles in one matrix, but for L's unit diagonal."""
    cdef tuple y
    check_factor(A, pivot, "torch.linalg.lu_factor")
    y = c_lu_factor(A)
    check_info(y[2], "torch.linalg.lu_factor")
    return results(LuFactor, y[:2], out)


def lu_factor_ex(Tensor A not None, *, pivot=True, check_errors=False, out=None):
    """Return (LU, pivots, info): as `lu_factor`, but singular matrices are reported."""
    cdef tuple y
    check_factor(A, pivot, "torch.linalg.lu_factor_ex")
    y = c_lu_factor(A)
    if check_errors:
        check_info(y[2], "torch.linalg.lu_factor_ex")
    return results(LuFactorEx, y, out)


cdef tuple unpacked(Tensor lu):
    """(L, U), recorded."""
    cdef int r = lu.rank
    cdef int64_t m = lu.sizes[r - 2], n = lu.sizes[r - 1], k = min(m, n)
    cdef Tensor lower = lu if n == k else c_narrow(lu, r - 1, 0, k)
    cdef Tensor upper = lu if m == k else c_narrow(lu, r - 2, 0, k)
    cdef Tensor one = identity(lu, m)
    lower = c_add(c_triangle(lower, -1, False),
                  one if k == m else c_narrow(one, 1, 0, k))
    return lower, c_triangle(upper, 0, True)


def lu(Tensor A not None, *, pivot=True, out=None):
    """Return (P, L, U) with A = P L U."""
    cdef Tensor lu, pivots
    check_factor(A, pivot, "linalg.lu")
    lu, pivots, _ = c_lu_factor(A)
    p = permutation(pivots, lu, A.sizes[A.rank - 2])
    return results(Lu, (p, *unpacked(lu)), out)


def lu_unpack(Tensor LU_data not None, Tensor LU_pivots not None, unpack_data=True,
              unpack_pivots=True, *, out=None):
    """Return (P, L, U) from `linalg.lu_factor`'s results; empty if not asked for."""
    cdef int64_t zero = 0
    cdef Tensor nothing = empty_beside(LU_data, 1, &zero, LU_data.code)
    if unpack_pivots and LU_pivots.code != I32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of "
            "torch.int32 dtype.\nNote: this function is intended to be used with the "
            "output produced by torch.linalg.lu_factor")
    if unpack_pivots:
        check_pivots(LU_data, LU_pivots, "torch.lu_unpack")
    p = (permutation(LU_pivots, LU_data, LU_data.sizes[LU_data.rank - 2])
         if unpack_pivots else nothing)
    return results(LuUnpack, (p, *(unpacked(LU_data) if unpack_data
                                   else (nothing, nothing))), out)


cdef int check_pivots(Tensor lu, Tensor pivots, str op) except -1:
    cdef int r = lu.rank, d
    cdef bint fits = pivots.rank == r - 1
    if pivots.code != I32:
        raise RuntimeError(
            f"{op}: pivots should be a Tensor of scalar type torch.int32")
    if pivots.rank < 1 or pivots.sizes[pivots.rank - 1] != min(
            lu.sizes[r - 1], lu.sizes[r - 2]):
        raise RuntimeError(f"{op}: Number of pivots per batch should be same as the "
                           "dimension of the matrix")
    if fits:
        for d in range(r - 2):
            fits = fits and pivots.sizes[d] == lu.sizes[d]
    if not fits:
        raise RuntimeError(f"{op}: Expected LU.shape[:-1] and pivots.shape to be the "
                           f"same, but got pivots with shape {list(size_of(pivots))} "
                           "instead")
    return 0


def lu_solve(Tensor LU not None, Tensor pivots not None, Tensor B not None, *,
             left=True, adjoint=False, out=None):
    """Return the X of A X = B (or A' X = B), or of X A = B, given A's decomposition."""
    cdef str op = "linalg.lu_solve"
    cdef int64_t[MAX_DIMS] batch
    cdef int r
    cdef Tensor x
    check_matrix(B, op, "B")
    check_same_dtype(LU, B, op, "LU", "B")
    check_square(LU, op)
    check_pivots(LU, pivots, op)
    refuse_kernel("lu_solve_cpu", LU)
    if LU.sizes[LU.rank - 1] != B.sizes[B.rank - (2 if left else 1)]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({LU.sizes[LU.rank - 2]}x"
            f"{LU.sizes[LU.rank - 1]} and {B.sizes[B.rank - 2]}x{B.sizes[B.rank - 1]})")
    r = batch_shape(LU, B, batch)
    batch[r] = LU.sizes[LU.rank - 1]
    pivots = c_expand(pivots, r + 1, batch)
    LU, B = with_batch(LU, r, batch), with_batch(B, r, batch)
    if left:
        x = c_lu_solve(LU, pivots, B, adjoint)
    else:
        x = c_mT(c_lu_solve(LU, pivots, c_mT(B), not adjoint))
    return deliver(x, out)
