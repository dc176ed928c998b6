"""First and second derivatives of decompositions and systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.autograd import gradcheck, gradgradcheck

L = tt.linalg


def tensor(x: np.ndarray, grad: bool = False) -> Any:
    return tt.tensor(np.ascontiguousarray(x), requires_grad=grad)


def _symmetric(x: Any) -> Any:
    return x + x.mT


def _definite(x: Any) -> Any:
    return x @ x.mT + 2 * tt.eye(x.shape[-1], dtype=x.dtype)


DERIVATIVES: dict[str, tuple[Callable[..., Any], Any]] = {
    "inv": (L.inv, ((2, 3, 3),)),
    "solve": (L.solve, ((3, 3), (2, 3, 2))),
    "solve right": (lambda a, b: L.solve(a, b, left=False), ((3, 3), (2, 3))),
    "solve vector": (L.solve, ((3, 3), (3,))),
    "det": (L.det, ((2, 3, 3),)),
    "slogdet": (lambda a: L.slogdet(a)[1], ((2, 3, 3),)),
    "triangle": (lambda a, b: L.solve_triangular(a, b, upper=True), ((3, 3), (3, 2))),
    "triangle right": (
        lambda a, b: L.solve_triangular(a, b, upper=False, left=False,
                                        unitriangular=True), ((3, 3), (2, 3))),
    "lu": (lambda a: L.lu(a)[1:], ((3, 3),)),
    "lu tall": (lambda a: L.lu(a)[1:], ((4, 2),)),
    "lu wide": (lambda a: L.lu(a)[1:], ((2, 4),)),
    "lu_solve": (lambda a, b: L.lu_solve(*L.lu_factor(a), b), ((3, 3), (3, 2))),
    "lu_solve adjoint": (
        lambda a, b: L.lu_solve(*L.lu_factor(a), b, left=False), ((3, 3), (2, 3))),
    "cholesky": (lambda x: L.cholesky(_definite(x)), ((2, 3, 3),)),
    "cholesky upper": (lambda x: L.cholesky(_definite(x), upper=True), ((3, 3),)),
    "cholesky_solve": (lambda b, a: tt.cholesky_solve(b, a.tril()), ((3, 2), (3, 3))),
    "cholesky_inverse": (lambda a: tt.cholesky_inverse(a.triu(), True), ((3, 3),)),
    "qr": (lambda a: tuple(L.qr(a)), ((3, 3),)),
    "qr tall": (lambda a: tuple(L.qr(a)), ((4, 2),)),
    "qr wide": (lambda a: tuple(L.qr(a)), ((2, 4),)),
    "householder": (L.householder_product, ((4, 2), (2,))),
    "svd": (lambda a: [y.abs() for y in L.svd(a, full_matrices=False)], ((4, 2),)),
    "svd wide": (lambda a: [y.abs() for y in L.svd(a, full_matrices=False)], ((2, 4),)),
    "svdvals": (L.svdvals, ((3, 3),)),
    "eigh": (lambda x: [y.abs() for y in L.eigh(_symmetric(x))], ((2, 3, 3),)),
    "eigvalsh": (lambda x: L.eigvalsh(_symmetric(x)), ((3, 3),)),
    "pinv": (L.pinv, ((4, 2),)),
    "lstsq": (lambda a, b: L.lstsq(a, b, driver="gels")[:2], ((4, 2), (4, 2))),
    "matrix_exp": (tt.matrix_exp, ((3, 3),)),
    "norms": (lambda a: (L.matrix_norm(a), L.matrix_norm(a, "nuc"), L.cond(a, "fro")),
              ((3, 3),)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(rng: np.random.Generator, name: str) -> None:
    op, shapes = DERIVATIVES[name]
    inputs = []
    for shape in shapes:
        x = rng.standard_normal(shape)
        if len(shape) > 1 and shape[-1] == shape[-2]:
            x += 2 * np.diag(np.arange(1, shape[-1] + 1))
        inputs.append(tensor(x, grad=True))
    assert gradcheck(op, inputs, fast_mode=True)
    assert gradgradcheck(op, inputs, fast_mode=True)


def test_det_of_singular_matrix_has_its_cofactors_as_gradient() -> None:
    a = tt.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=tt.float64, requires_grad=True)
    cofactors = [[4.0, -2.0], [-2.0, 1.0]]
    for create in (False, True):
        (g,) = tt.autograd.grad(L.det(a), a, create_graph=create)
        np.testing.assert_allclose(g.detach().numpy(), cofactors, atol=1e-12)
