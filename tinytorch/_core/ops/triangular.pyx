"""Triangular systems  A X = B  and  X A = B.

    dB = A^-T gX,  dA = -dB X' (left);  dB = gX A^-T,  dA = -X' dB (right);
    of dA only the triangle that was read.
"""

import warnings

from libc.stdint cimport int64_t

from tinytorch._core.autograd cimport (
    Node, attach, link, needs_grad2, new_node, save, save_output, saved, send, wants)
from tinytorch._core.openblas cimport blas_symbol
from tinytorch._core.executor cimport (
    Driver, Kernel, KernelCall, Scalar, View, register_kernel, run, view_of)
from tinytorch._core.ops.arithmetic cimport c_neg
from tinytorch._core.ops.bmm cimport batch_shape, c_bmm, c_mT
from tinytorch._core.ops.copies cimport c_clone
from tinytorch._core.ops.elementwise cimport deliver
from tinytorch._core.ops.matrices cimport (
    check_matrix, check_same_dtype, check_square, cols_of, columns, columnwise,
    each_matrix, lead, part, refuse_kernel, rows_of, with_batch)
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.ops.triangle cimport c_triangle
from tinytorch._core.return_types import named_result
from tinytorch._core.storage cimport META
from tinytorch._core.tensor cimport Tensor, view
from tinytorch._core.types cimport F32, MAX_DIMS, compute_of

__all__ = ["triangular_solve"]
METHODS = ["triangular_solve"]
LINALG = ["solve_triangular"]

ctypedef void (*Trsm)(
    const char* side, const char* uplo, const char* trans, const char* diag,
    const int* m, const int* n, const void* alpha, const void* a, const int* lda,
    void* b, const int* ldb, size_t, size_t, size_t, size_t) noexcept nogil

cdef Trsm strsm = NULL
cdef Trsm dtrsm = NULL


cdef int ensure_trsm() except -1:
    """BLAS's routine, which divides by zero where LAPACK's would refuse."""
    global strsm, dtrsm
    if strsm == NULL:
        dtrsm = <Trsm>blas_symbol("dtrsm_")
        strsm = <Trsm>blas_symbol("strsm_")
    return 0


# ---- the kernel ----

cdef void solve_some(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef const KernelCall* call = <const KernelCall*>context
    cdef const View* x = &call.operand[0]
    cdef const View* a = &call.operand[1]
    cdef char uplo = b"U" if call.scalar[0].i else b"L"
    cdef char trans = b"T" if call.scalar[1].i else b"N"
    cdef char diag = b"U" if call.scalar[2].i else b"N"
    cdef char side = b"L" if call.scalar[3].i else b"R"
    cdef int m = <int>rows_of(x), n = <int>cols_of(x), lda = lead(a), ldb = lead(x)
    cdef float one = 1
    cdef double one_f64 = 1
    cdef int64_t i
    for i in range(begin, end):
        if x.dtype == F32:
            strsm(&side, &uplo, &trans, &diag, &m, &n, &one, part(a, i, 2), &lda,
                  part(x, i, 2), &ldb, 1, 1, 1, 1)
        else:
            dtrsm(&side, &uplo, &trans, &diag, &m, &n, &one_f64, part(a, i, 2), &lda,
                  part(x, i, 2), &ldb, 1, 1, 1, 1)


cdef int solve_triangular_driver(const KernelCall* call) noexcept nogil:
    """X (in place of B), A; scalars: upper, transposed, unit, left."""
    return each_matrix(call, solve_some, 0, -1)


cdef Kernel* SOLVE = register_kernel(
    "solve_triangular", <Driver>solve_triangular_driver, NULL)


cdef Tensor turned(Tensor x):
    """The last two dimensions exchanged, outside of any graph."""
    cdef int64_t[MAX_DIMS] sizes
    cdef int64_t[MAX_DIMS] strides
    cdef int d, r = x.rank
    for d in range(r):
        sizes[d] = x.sizes[d]
        strides[d] = x.strides[d]
    sizes[r - 2], sizes[r - 1] = x.sizes[r - 1], x.sizes[r - 2]
    strides[r - 2], strides[r - 1] = x.strides[r - 1], x.strides[r - 2]
    return view(x, r, sizes, strides, x.offset)


cdef Tensor solve(Tensor a, Tensor b, bint upper, bint left, bint unit):
    cdef View[2] v
    cdef Scalar[4] s
    cdef Tensor x = columns(b), stored = turned(a)
    cdef bint transposed = columnwise(stored) is stored  # a's rows are contiguous
    if x.count == 0:
        return x
    if not transposed:
        stored = columnwise(a)
    if x.storage.device != META:
        ensure_trsm()
    s[0].i = upper != transposed
    s[1].i = transposed
    s[2].i = unit
    s[3].i = left
    view_of(&v[0], x)
    view_of(&v[1], stored)
    run(SOLVE, v, 2, 1, s, 4, compute_of[x.code], x.storage.device)
    return x


# ---- the op ----

cdef Tensor c_solve_triangular(Tensor a, Tensor b, bint upper, bint left, bint unit):
    cdef Node node = None
    cdef Tensor x
    if needs_grad2(a, b):
        node = new_node(solve_backward, b"LinalgSolveTriangularBackward0")
        save(node, 0, a)
        node.i0 = upper
        node.i1 = left
        node.i2 = unit
    x = solve(a, b, upper, left, unit)
    if node is not None:
        save_output(node, 1, x)
        link(node, 0, a)
        link(node, 1, b)
        attach(x, node)
    return x


cdef int solve_backward(Node node, Tensor gx) except -1:
    """A X = B: dB = A^-T gX, dA = -dB X';  X A = B: dB = gX A^-T, dA = -X' dB"""
    cdef bint upper = node.i0, left = node.i1, unit = node.i2
    cdef Tensor gb = c_solve_triangular(
        c_mT(saved(node, 0)), gx, not upper, left, unit), ga
    send(node, 1, gb)
    if wants(node, 0):
        if left:
            ga = c_bmm(gb, False, saved(node, 1), True)
        else:
            ga = c_bmm(saved(node, 1), True, gb, False)
        send(node, 0, c_neg(c_triangle(ga, 0 if not unit else 1 if upper else -1,
                                       upper)))
    return 0


cdef Tensor solve_checked(Tensor a, Tensor b, bint upper, bint left, bint unit):
    cdef int64_t[MAX_DIMS] batch
    cdef int r = batch_shape(a, b, batch)
    return c_solve_triangular(with_batch(a, r, batch), with_batch(b, r, batch), upper,
                              left, unit)


def solve_triangular(Tensor A not None, Tensor B not None, *, upper, left=True,
                     unitriangular=False, out=None):
    """Return the X of A X = B, or of X A = B if not left, for a triangular A."""
    cdef int64_t rows, cols
    check_square(A, "linalg.solve_triangular")
    check_matrix(B, "linalg.solve_triangular", "B")
    check_same_dtype(A, B, "linalg.solve_triangular", "A", "B")
    rows, cols = B.sizes[B.rank - 2], B.sizes[B.rank - 1]
    if A.sizes[A.rank - 1] != (rows if left else cols):
        raise RuntimeError(
            "linalg.solve_triangular: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.sizes[A.rank - 2]}x"
            f"{A.sizes[A.rank - 1]} and {rows}x{cols})")
    refuse_kernel("triangular_solve_cpu", A)
    return deliver(solve_checked(A, B, upper, left, unitriangular), out)


TriangularSolve = named_result("triangular_solve", "solution cloned_coefficient")


def triangular_solve(Tensor input not None, Tensor A not None, upper=True,
                     transpose=False, unitriangular=False, *, out=None):
    """Return (X, a copy of A) with A X = input; `linalg.solve_triangular` is newer."""
    cdef Tensor x
    warnings.warn(
        "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangular"
        "and will be removed in a future PyTorch release.", UserWarning, stacklevel=2)
    if input.rank < 2:
        raise RuntimeError("torch.triangular_solve: Expected b to have at least 2 "
                           f"dimensions, but it has {input.rank} dimensions instead")
    if A.rank < 2:
        raise RuntimeError("torch.triangular_solve: Expected A to have at least 2 "
                           f"dimensions, but it has {A.rank} dimensions instead")
    if A.sizes[A.rank - 1] != A.sizes[A.rank - 2]:
        raise RuntimeError(
            "A must be batches of square matrices, but they are "
            f"{A.sizes[A.rank - 2]} by {A.sizes[A.rank - 1]} matrices")
    if A.sizes[A.rank - 1] != input.sizes[input.rank - 2]:
        raise RuntimeError(
            "Incompatible matrix sizes for triangular_solve: each A matrix is "
            f"{A.sizes[A.rank - 1]} by {A.sizes[A.rank - 1]} but each b matrix is "
            f"{input.sizes[input.rank - 2]} by {input.sizes[input.rank - 1]}")
    check_same_dtype(input, A, "triangular_solve", "b", "A")
    refuse_kernel("triangular_solve_cpu", A)
    if transpose:
        x = solve_checked(c_mT(A), input, not upper, True, unitriangular)
    else:
        x = solve_checked(A, input, upper, True, unitriangular)
    if out is None:
        return TriangularSolve(x, c_clone(A))
    return TriangularSolve(deliver(x, out[0]), deliver(c_clone(A), out[1]))
