"""Linear algebra against NumPy, and by the identities that define decompositions."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt

L = tt.linalg
DTYPES = ("float32", "float64")
ROOM = {"float32": 2e-4, "float64": 1e-10}  # conditions up to a few hundred
SHAPES = ((1, 1), (3, 3), (5, 5), (2, 4, 4), (2, 1, 3, 3))
OBLONG = ((4, 2), (2, 4), (3, 3), (3, 5, 2), (2, 2, 3, 6))
EMPTY = ((0, 0), (2, 0, 0), (0, 3, 3))


def tensor(x: np.ndarray, grad: bool = False) -> Any:
    return tt.tensor(np.ascontiguousarray(x), requires_grad=grad)


def regular(rng: np.random.Generator, shape: Any, dtype: str) -> np.ndarray:
    """Return matrices far from singular ones."""
    n = shape[-1]
    return (rng.standard_normal(shape) + n * np.eye(n)).astype(dtype)


def positive(rng: np.random.Generator, shape: Any, dtype: str) -> np.ndarray:
    x = rng.standard_normal(shape)
    return (x @ x.swapaxes(-1, -2) + np.eye(shape[-1])).astype(dtype)


def close(actual: Any, expected: Any, dtype: str = "float64") -> None:
    actual = actual.numpy() if isinstance(actual, tt.Tensor) else actual
    expected = expected.numpy() if isinstance(expected, tt.Tensor) else expected
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=ROOM[dtype], atol=ROOM[dtype])


LAYOUTS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x,
    lambda x: x.mT.contiguous().mT,  # columns first
    lambda x: tt.stack([x, x], -1).select(-1, 0),  # every second element
)


# ---- systems and inverses ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_and_solution(rng: np.random.Generator, shape: Any, dtype: str) -> None:
    a = regular(rng, shape, dtype)
    b = rng.standard_normal((*shape[:-1], 2)).astype(dtype)
    x = tensor(a)
    close(L.inv(x) @ x, np.broadcast_to(np.eye(shape[-1]), shape), dtype)
    close(L.solve(x, tensor(b)), np.linalg.solve(a, b), dtype)
    close(L.solve(x, tensor(b).mT, left=False) @ x, tensor(b).mT, dtype)
    close(x @ L.solve(x, tensor(b[..., 0])).unsqueeze(-1), b[..., :1], dtype)
    assert L.inv_ex(x).info.numpy().sum() == 0


def test_solve_broadcasts(rng: np.random.Generator) -> None:
    a, b = regular(rng, (3, 3), "float64"), rng.standard_normal((4, 2, 3, 2))
    close(L.solve(tensor(a), tensor(b)), np.linalg.solve(a, b))
    many = regular(rng, (4, 1, 3, 3), "float64")
    close(L.solve(tensor(many), tensor(b[0])), np.linalg.solve(many, b[0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_determinants(rng: np.random.Generator, shape: Any, dtype: str) -> None:
    a = rng.standard_normal(shape).astype(dtype)
    close(L.det(tensor(a)), np.linalg.det(a), dtype)
    sign, logarithm = np.linalg.slogdet(a)
    found = L.slogdet(tensor(a))
    close(found.sign, sign, dtype)
    close(found.logabsdet, logarithm, dtype)
    close(tt.logdet(tensor(a)), np.where(sign > 0, logarithm, np.nan), dtype)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_triangular_systems(
    rng: np.random.Generator, upper: bool, left: bool, unit: bool, layout: Any
) -> None:
    a = regular(rng, (2, 4, 4), "float64")
    b = rng.standard_normal((2, 4, 3) if left else (2, 3, 4))
    triangle = np.triu(a) if upper else np.tril(a)
    if unit:
        triangle[:, range(4), range(4)] = 1
    x = L.solve_triangular(
        layout(tensor(a)), layout(tensor(b)), upper=upper, left=left, unitriangular=unit
    ).numpy()
    close(triangle @ x if left else x @ triangle, b)


def test_singular_triangle_divides_by_zero() -> None:
    x = L.solve_triangular(tt.zeros(2, 2), tt.ones(2, 1), upper=True).numpy()
    assert np.isinf(x[1, 0])


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3), (0, 3), (3, 0)])
def test_lu(rng: np.random.Generator, shape: Any) -> None:
    a = rng.standard_normal(shape)
    p, low, up = (y.numpy() for y in L.lu(tensor(a)))
    close(p @ low @ up, a)
    assert (np.tril(up, -1) == 0).all()
    assert (np.triu(low, 1) == 0).all()
    assert (p.sum(-1) == 1).all()
    assert (p.sum(-2) == 1).all()
    again = tt.lu_unpack(*L.lu_factor_ex(tensor(a))[:2])
    for one, other in zip(again, (p, low, up), strict=True):
        close(one, other)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("adjoint", [False, True])
def test_lu_solve(rng: np.random.Generator, left: bool, adjoint: bool) -> None:
    a = regular(rng, (2, 4, 4), "float64")
    b = rng.standard_normal((2, 4, 3) if left else (2, 3, 4))
    lu, pivots = L.lu_factor(tensor(a))
    x = L.lu_solve(lu, pivots, tensor(b), left=left, adjoint=adjoint).numpy()
    op = a.swapaxes(-1, -2) if adjoint else a
    close(op @ x if left else x @ op, b)


def test_lu_solve_refuses_pivots_out_of_range() -> None:
    pivots = tt.tensor([1, 9, 3], dtype=tt.int32)
    with pytest.raises(IndexError):
        L.lu_solve(tt.eye(3), pivots, tt.ones(3, 1))
    with pytest.raises(IndexError):
        tt.lu_unpack(tt.eye(3), pivots)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("upper", [False, True])
def test_cholesky(
    rng: np.random.Generator, shape: Any, dtype: str, upper: bool
) -> None:
    a = positive(rng, shape, dtype)
    factor = L.cholesky(tensor(a), upper=upper)
    low = factor.mT if upper else factor
    close(low, np.linalg.cholesky(a), dtype)
    b = rng.standard_normal((*shape[:-1], 2)).astype(dtype)
    close(tensor(a) @ tt.cholesky_solve(tensor(b), factor, upper), b, dtype)
    close(tt.cholesky_inverse(factor, upper), np.linalg.inv(a), dtype)


# ---- orthogonal decompositions ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*OBLONG, (3, 0), (0, 3)])
@pytest.mark.parametrize("mode", ["reduced", "complete", "r"])
def test_qr(rng: np.random.Generator, shape: Any, dtype: str, mode: str) -> None:
    a = rng.standard_normal(shape).astype(dtype)
    q, r = L.qr(tensor(a), mode)
    assert (np.tril(r.numpy(), -1) == 0).all()
    if mode == "r":
        assert q.numel() == 0
        close(r.mT @ r, a.swapaxes(-1, -2) @ a, dtype)
        return
    close(q @ r, a, dtype)
    close(q.mT @ q, np.broadcast_to(np.eye(q.shape[-1]), (q.mT @ q).shape), dtype)
    assert q.shape[-1] == (shape[-2] if mode == "complete" else min(shape[-2:]))


def test_reflectors_make_and_apply_q(rng: np.random.Generator) -> None:
    a = tensor(rng.standard_normal((2, 5, 3)))
    reflectors, tau = tt.geqrf(a)
    q, r = L.qr(a, "complete")
    close(L.householder_product(reflectors, tau), q[..., :3])
    close(reflectors.triu()[..., :3, :], r[..., :3, :])
    for left, transpose in itertools.product((True, False), repeat=2):
        c = tensor(rng.standard_normal((2, 5, 4) if left else (2, 4, 5)))
        op = q.mT if transpose else q
        found = tt.ormqr(reflectors, tau, c, left, transpose)
        close(found, op @ c if left else c @ op)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*OBLONG, (3, 0), (0, 2, 3)])
@pytest.mark.parametrize("full", [False, True])
def test_svd(rng: np.random.Generator, shape: Any, dtype: str, full: bool) -> None:
    a = rng.standard_normal(shape).astype(dtype)
    u, s, vh = L.svd(tensor(a), full_matrices=full)
    k = min(shape[-2:])
    close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, dtype)
    close(u.mT @ u, np.broadcast_to(np.eye(u.shape[-1]), (u.mT @ u).shape), dtype)
    close(vh @ vh.mT, np.broadcast_to(np.eye(vh.shape[-2]), (vh @ vh.mT).shape), dtype)
    close(s, np.linalg.svd(a, compute_uv=False), dtype)
    close(L.svdvals(tensor(a)), s, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, *EMPTY])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh(rng: np.random.Generator, shape: Any, dtype: str, uplo: str) -> None:
    x = rng.standard_normal(shape).astype(dtype)
    a = x + x.swapaxes(-1, -2)
    read = tensor(np.tril(a) if uplo == "L" else np.triu(a))  # the rest is not used
    w, v = L.eigh(read, uplo)
    close((v * w.unsqueeze(-2)) @ v.mT, a, dtype)
    close(v.mT @ v, np.broadcast_to(np.eye(shape[-1]), shape), dtype)
    close(L.eigvalsh(read, uplo), np.linalg.eigvalsh(a), dtype)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 5, 3)])
def test_lstsq(rng: np.random.Generator, shape: Any, driver: str | None) -> None:
    a, b = rng.standard_normal(shape), rng.standard_normal((*shape[:-1], 2))
    found = L.lstsq(tensor(a), tensor(b), driver=driver)
    close(found.solution, np.linalg.pinv(a) @ b)
    if driver != "gels":
        assert (found.rank.numpy() == min(shape[-2:])).all()
    if shape[-2] > shape[-1] and driver in ("gels", "gelsd", "gelss"):
        rest = a @ found.solution.numpy() - b
        close(found.residuals, (rest**2).sum(-2))
    if driver in ("gelsd", "gelss"):
        close(found.singular_values, np.linalg.svd(a, compute_uv=False))


def test_pinv_and_rank_of_deficient_matrices(rng: np.random.Generator) -> None:
    a = rng.standard_normal((3, 5, 2)) @ rng.standard_normal((3, 2, 4))
    y = L.pinv(tensor(a))
    close(y, np.linalg.pinv(a, rcond=1e-14))
    close(tensor(a) @ y @ tensor(a), a)
    assert (L.matrix_rank(tensor(a)).numpy() == 2).all()
    s = np.linalg.svd(a, compute_uv=False)
    cut = tensor((s[:, 0] + s[:, 1]) / 2)
    assert (L.matrix_rank(tensor(a), atol=cut).numpy() == 1).all()
    symmetric = a @ a.swapaxes(-1, -2)
    close(L.pinv(tensor(symmetric), hermitian=True, rtol=1e-10),
          np.linalg.pinv(symmetric, rcond=1e-10))


# ---- norms and functions ----


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("keepdim", [False, True])
def test_matrix_norms(rng: np.random.Generator, ord: Any, keepdim: bool) -> None:
    a = rng.standard_normal((3, 4, 2))
    for dim in ((-2, -1), (0, 1), (2, 0)):
        expected = np.linalg.norm(a, ord, dim, keepdim)
        close(L.matrix_norm(tensor(a), ord, dim, keepdim), expected)
        close(L.norm(tensor(a), ord, dim, keepdim), expected)
    close(L.norm(tensor(a[0]), ord), np.linalg.norm(a[0], ord))


@pytest.mark.parametrize("p", [None, 1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"])
def test_condition(rng: np.random.Generator, p: Any) -> None:
    a = regular(rng, (3, 3), "float64")
    close(L.cond(tensor(a), p), np.linalg.cond(a, p))
    if p not in (None, 2, -2, "nuc"):
        assert L.cond(tt.zeros(3, 3), p).item() == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0.0, 1e-3, 0.1, 1.0, 3.0, 20.0, 200.0])
def test_matrix_exp(rng: np.random.Generator, size: float, dtype: str) -> None:
    x = rng.standard_normal((2, 4, 4))
    a = size * (x - x.swapaxes(-1, -2))  # antisymmetric: the result is a rotation
    w, v = np.linalg.eigh(1j * a)
    expected = ((v * np.exp(-1j * w)[:, None]) @ v.conj().swapaxes(-1, -2)).real
    room = (1 + size) * {"float32": 2e-5, "float64": 5e-14}[dtype]
    found = tt.matrix_exp(tensor(a.astype(dtype))).numpy()
    np.testing.assert_allclose(found, expected, atol=room, rtol=0)


def test_matrix_exp_scales_each_matrix_for_itself() -> None:
    a = tt.tensor([[[0.0, 1e-9], [0.0, 0.0]], [[0.0, 1e3], [0.0, 0.0]]])
    y = tt.matrix_exp(a)
    assert y[0, 0, 1].item() == pytest.approx(1e-9, rel=1e-6)
    assert y[1, 0, 1].item() == pytest.approx(1e3, rel=1e-5)
    assert tt.matrix_exp(tt.full((2, 2), float("nan"))).isnan().all().item()


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 12])
def test_matrix_power(rng: np.random.Generator, n: int) -> None:
    a = regular(rng, (2, 3, 3), "float64") / 3
    close(L.matrix_power(tensor(a), n), np.linalg.matrix_power(a, n))


def test_tensor_systems(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, 3, 6)), rng.standard_normal((2, 3))
    close(L.tensorsolve(tensor(a), tensor(b)), np.linalg.tensorsolve(a, b))
    close(L.tensorinv(tensor(a)), np.linalg.tensorinv(a))


# ---- failures ----


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (L.inv, "linalg.inv: (Batch element 1): The diagonal element 2 is zero"),
        (lambda a: L.solve(a, a), "(Batch element 1): The solver failed because the"),
        (L.cholesky, "linalg.cholesky: (Batch element 1): The factorization could not"),
    ],
)
def test_failures_name_the_matrix(op: Any, message: str) -> None:
    a = tt.stack([tt.eye(2), tt.tensor([[1.0, 2.0], [2.0, 4.0]])])
    with pytest.raises(L.LinAlgError, match=re.escape(message)):
        op(a)
    assert issubclass(L.LinAlgError, RuntimeError)


def test_reported_failures_raise_nothing() -> None:
    a = tt.stack([tt.eye(2), tt.tensor([[1.0, 2.0], [2.0, 4.0]])])
    assert L.inv_ex(a).info.tolist() == [0, 2]
    assert L.solve_ex(a, a).info.tolist() == [0, 2]
    assert L.cholesky_ex(a).info.tolist() == [0, 2]
    assert L.lu_factor_ex(a).info.tolist() == [0, 2]


def test_svd_refuses_nan() -> None:
    with pytest.raises(L.LinAlgError, match="contained non-finite values"):
        L.svd(tt.full((2, 2), float("nan")))


def test_complex_results_are_refused() -> None:
    for op in (L.eig, L.eigvals):
        with pytest.raises(NotImplementedError, match="complex"):
            op(tt.eye(2))


def test_results_are_named() -> None:
    assert repr(L.slogdet(tt.eye(2))).startswith("torch.return_types.linalg_slogdet(")
    assert L.qr(tt.eye(2))._fields == ("Q", "R")


@pytest.mark.parametrize("shape", EMPTY)
def test_empty_matrices(shape: Any) -> None:
    a = tt.ones(shape)
    assert L.inv(a).shape == shape
    assert L.solve(a, a).shape == shape
    assert L.det(a).tolist() == np.linalg.det(np.ones(shape)).tolist()
    assert L.cholesky(a).shape == shape
    assert tt.matrix_exp(a).shape == shape
    assert L.pinv(a).shape == shape


# ---- capture ----


def test_reporting_forms_can_be_captured(rng: np.random.Generator) -> None:
    captured = tt.capture(lambda a: L.inv_ex(a).inverse)
    first, second = (regular(rng, (4, 4), "float64") for _ in range(2))
    captured(tensor(first))
    close(captured(tensor(second)), np.linalg.inv(second))
    with pytest.raises(RuntimeError, match="cannot be captured"):
        tt.capture(L.inv)(tensor(first))


# ---- older names ----


def test_older_names_warn_and_agree(rng: np.random.Generator) -> None:
    a = tensor(positive(rng, (3, 3), "float64"))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        close(tt.cholesky(a), L.cholesky(a))
        close(tt.qr(a).R, L.qr(a).R)
        close(tt.lu(a)[0], L.lu_factor(a).LU)
        close(tt.chain_matmul(a, a, a), a @ a @ a)
    assert len(found) == 4
    u, s, v = tt.svd(a)
    close((u * s) @ v.mT, a)
    close(tt.pinverse(a), L.inv(a))
