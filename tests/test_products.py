"""Products of vectors, matrices and batches against NumPy, in every layout."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.autograd import gradcheck, gradgradcheck

L = tt.linalg


def tensor(x: np.ndarray, grad: bool = False) -> Any:
    return tt.tensor(np.ascontiguousarray(x), requires_grad=grad)


def close(actual: Any, expected: Any) -> None:
    assert tuple(actual.shape) == np.shape(expected)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-10, atol=1e-10)


LAYOUTS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x,
    lambda x: x.mT.contiguous().mT,  # columns first
    lambda x: tt.stack([x, x], -1).select(-1, 0),  # every second element
)


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((70, 65), (65, 90)),  # beyond the direct kernel
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 0), (2, 0, 5)),
        ((0, 3, 4), (4, 5)),
    ],
)
def test_matmul_reads_every_layout(
    rng: np.random.Generator, a: Any, b: Any, left: Any, right: Any
) -> None:
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    close(left(tensor(x)) @ right(tensor(y)), x @ y)


def test_matmul_reads_expanded_and_permuted_batches(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((3, 4)), rng.standard_normal((5, 2, 4, 6))
    wide = tensor(x).expand(5, 2, 3, 4)
    close(wide @ tensor(y), np.broadcast_to(x, (5, 2, 3, 4)) @ y)
    moved = tensor(y).permute(1, 0, 3, 2)
    close(moved @ moved.mT, y.transpose(1, 0, 3, 2) @ y.transpose(1, 0, 2, 3))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_products_of_integers_wrap(rng: np.random.Generator, dtype: str) -> None:
    x = rng.integers(0, 100, (3, 40)).astype(dtype)
    expected = (x.astype("int64") @ x.astype("int64").T).astype(dtype)
    for y in (tensor(x) @ tensor(x).T, tensor(x[None]).matmul(tensor(x).T)[0]):
        assert y.numpy().dtype == dtype
        assert (y.numpy() == expected).all()
    assert (tensor(x).mv(tensor(x[0])).numpy() == expected[:, 0]).all()
    assert tensor(x[0]).dot(tensor(x[1])).item() == expected[0, 1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_products_of_halves_round_once(rng: np.random.Generator, dtype: str) -> None:
    x = tensor(rng.standard_normal((4, 300))).to(getattr(tt, dtype))
    exact = x.double() @ x.double().T
    assert ((x @ x.T) == exact.float().to(x.dtype)).double().mean().item() > 0.9
    assert (x @ x.T).dtype == x.dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("rows", "inner", "outer"),
    [(1, 3, 5), (7, 1, 12), (33, 9, 10), (100, 24, 12), (384, 16, 48), (50, 3, 3000)],
)
def test_linear_adds_the_bias_to_every_row(
    rng: np.random.Generator, rows: int, inner: int, outer: int, dtype: str
) -> None:
    x, w, b, gy = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((rows, inner), (outer, inner), (outer,), (rows, outer)))
    weight, bias = (tt.from_numpy(a).requires_grad_() for a in (w, b))
    y = tt.nn.functional.linear(tt.from_numpy(x), weight, bias)
    y.backward(tt.from_numpy(gy))
    close = {"rtol": 1e-5, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-11}
    np.testing.assert_allclose(y.detach().numpy(), x @ w.T + b, **close)
    np.testing.assert_allclose(weight.grad.numpy(), gy.T @ x, **close)
    np.testing.assert_allclose(bias.grad.numpy(), gy.sum(0), **close)


def test_linear_broadcasts_other_biases(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((2, 3)), rng.standard_normal((4, 3))
    linear = tt.nn.functional.linear
    for shape in ((), (1,), (1, 4), (2, 4), (2, 1)):
        b = rng.standard_normal(shape)
        close(linear(tensor(x), tensor(w), tensor(b)), x @ w.T + b)
    with pytest.raises(RuntimeError, match=r"The expanded size of the tensor \(4\)"):
        linear(tensor(x), tensor(w), tensor(x[0]))
    with pytest.raises(RuntimeError, match=r"output with shape \[4\] doesn't match"):
        linear(tensor(x[0]), tensor(w), tensor(rng.standard_normal((2, 4))))


@pytest.mark.parametrize(("beta", "alpha"), [(1, 1), (0.5, 2), (0, 1), (2, 0)])
def test_added_products_scale_both_terms(
    rng: np.random.Generator, beta: float, alpha: float
) -> None:
    x, a, b = (rng.standard_normal(s) for s in ((3, 1), (3, 4), (4, 5)))
    if beta == 0:
        x[:] = np.nan  # is not looked at
    first = 0 if beta == 0 else beta * x
    options = {"beta": beta, "alpha": alpha}
    close(tensor(x).addmm(tensor(a), tensor(b), **options), first + alpha * (a @ b))
    v = b[:, 0]
    close(
        tensor(x[:, 0]).addmv(tensor(a), tensor(v), **options),
        (first if beta == 0 else first[:, 0]) + alpha * (a @ v),
    )
    batch = np.stack([a, 2 * a]), np.stack([b, b - 1])
    products = alpha * (batch[0] @ batch[1])
    tensors = tuple(map(tensor, batch))
    close(tensor(x).baddbmm(*tensors, **options), first + products)
    close(tensor(x).addbmm(*tensors, **options), first + products.sum(0))
    close(
        tensor(x).addr(tensor(a[:, 0]), tensor(v), **options),
        first + alpha * np.outer(a[:, 0], v),
    )


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("bij,bjk", (2, 3, 4), (2, 4, 5)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 6)),
    ("ii->i", (3, 3)),
    ("iij->j", (3, 3, 2)),
    ("i,j->ij", (3,), (4,)),
    ("ij,ij->", (3, 4), (3, 4)),
    ("ijk->kji", (2, 3, 4)),
    ("ab,bc,cd,de->ae", (2, 3), (3, 4), (4, 2), (2, 5)),
    ("bn,anm,bm->ba", (2, 5), (3, 5, 4), (2, 4)),
    ("abc,cde,efa->bdf", (2, 3, 4), (4, 5, 2), (2, 3, 2)),
    ("i...->...i", (2, 3, 4)),
    ("ijkl,lkji->", (2, 3, 2, 2), (2, 2, 3, 2)),
    ("abcd,aefd->bcef", (2, 3, 2, 4), (2, 2, 3, 4)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij, kj -> ki", (2, 1), (4, 3)),
]


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda c: c[0])
def test_einsum_agrees_with_numpy(rng: np.random.Generator, case: Any) -> None:
    equation, *shapes = case
    arrays = [rng.standard_normal(s) for s in shapes]
    expected = np.einsum(equation.replace(" ", ""), *arrays)
    close(tt.einsum(equation, *map(tensor, arrays)), expected)


def test_einsum_takes_sublists(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    close(tt.einsum(tensor(x), [0, 1], tensor(y), [1, 2], [2, 0]), (x @ y).T)
    close(tt.einsum(tensor(x), [Ellipsis, 1]), x)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk", [(2, 3), (4, 5)], "subscript j has size 4 for operand 1"),
        ("ij->iz", [(2, 3)], "output subscript z does not appear"),
        ("ij->ii", [(2, 3)], "output subscript i appears more than once"),
        ("ij", [(2, 3), (2, 3)], "more operands were provided"),
        ("i1", [(2, 3)], "invalid subscript given at index 1"),
        ("ii", [(2, 3)], "subscript i is repeated for operand 0"),
        ("i..", [(2, 3)], "that is not part of any ellipsis"),
    ],
)
def test_einsum_refuses(equation: str, shapes: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(message)):
        tt.einsum(equation, *[tt.ones(s) for s in shapes])


def test_composed_products(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((3, 4, 5)), rng.standard_normal((5, 4, 2))
    close(tt.tensordot(tensor(x), tensor(y), 1), np.tensordot(x, y, 1))
    dims = [2, 1], [0, 1]
    close(tt.tensordot(tensor(x), tensor(y), dims), np.tensordot(x, y, dims))
    close(tt.kron(tensor(x[0]), tensor(y)), np.kron(x[0], y))
    a, b = rng.standard_normal((2, 4, 3)), rng.standard_normal((4, 3))
    close(L.cross(tensor(a), tensor(b[None])), np.cross(a, b))
    close(tt.trace(tensor(x[0])), np.trace(x[0]))
    close(L.vecdot(tensor(a), tensor(b)), (a * b).sum(-1))
    chain = [rng.standard_normal(s) for s in ((3,), (3, 40), (40, 2), (2, 5), (5,))]
    close(L.multi_dot(list(map(tensor, chain))), np.linalg.multi_dot(chain))
    close(tt.inner(tensor(a), tensor(b)), np.inner(a, b))
    close(L.vander(tensor(b), 4), np.stack([np.vander(r, 4, True) for r in b]))


DERIVATIVES: dict[str, tuple[Callable[..., Any], Any]] = {
    "matmul": (tt.matmul, ((2, 1, 2, 3), (2, 3, 2))),
    "matmul shared": (tt.matmul, ((2, 3), (2, 3, 2))),
    "mv": (tt.mv, ((2, 3), (3,))),
    "dot": (tt.dot, ((3,), (3,))),
    "addmm": (lambda x, a, b: tt.addmm(x, a, b, beta=2, alpha=3),
              ((1, 2), (3, 2), (2, 2))),
    "baddbmm": (tt.baddbmm, ((2, 2), (2, 2, 3), (2, 3, 2))),
    "einsum": (lambda a, b, c: tt.einsum("ijk,kl,il->lj", a, b, c),
               ((2, 2, 3), (3, 2), (2, 2))),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_of_products(rng: np.random.Generator, name: str) -> None:
    op, shapes = DERIVATIVES[name]
    inputs = [tensor(rng.standard_normal(shape), grad=True) for shape in shapes]
    assert gradcheck(op, inputs, fast_mode=True)
    assert gradgradcheck(op, inputs, fast_mode=True)
