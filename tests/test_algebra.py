"""Laws of arithmetic, broadcasting and reductions, with Hypothesis; NumPy the judge."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinytorch as tt

EXAMPLES = settings(max_examples=150, deadline=None)
FINITE = st.floats(-1e3, 1e3, allow_subnormal=False)
ANY = st.floats(width=32)
INTEGERS = st.integers(-(2**31), 2**31)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def arrays(
    draw: st.DrawFn, elements: Any = FINITE, shapes: Any = SHAPES, dtype: Any = None
) -> np.ndarray:
    """An array of a drawn shape."""
    shape = draw(shapes)
    size = math.prod(shape)
    flat = draw(st.lists(elements, min_size=size, max_size=size))
    return np.array(flat, dtype=dtype or np.float64).reshape(shape)


@st.composite
def broadcastable(draw: st.DrawFn, elements: Any = FINITE) -> tuple[Any, Any]:
    """Two arrays whose shapes broadcast."""
    whole = draw(SHAPES)

    def part() -> tuple[int, ...]:
        cut = draw(st.integers(0, len(whole)))
        return tuple(1 if draw(st.booleans()) else n for n in whole[cut:])

    return (
        draw(arrays(elements, st.just(part()))),
        draw(arrays(elements, st.just(part()))),
    )


def tensor(x: np.ndarray) -> Any:
    """Return a tensor with an array's values, built without NumPy."""
    dtype = tt.float64 if x.dtype.kind == "f" else tt.int64
    return tt.tensor(x.tolist(), dtype=dtype).reshape(x.shape)


def assert_same(y: Any, expected: Any) -> None:
    """Compare shape and values exactly; NaN equals NaN."""
    expected = np.asarray(expected)
    assert tuple(y.shape) == expected.shape
    np.testing.assert_array_equal(y.detach().numpy(), expected)


# ---- arithmetic ----


@pytest.mark.parametrize(
    "op",
    [operator.add, operator.sub, operator.mul, operator.lt, operator.eq],
    ids=lambda op: op.__name__,
)
@given(pair=broadcastable())
@EXAMPLES
def test_operator_is_numpys(op: Callable[..., Any], pair: tuple[Any, Any]) -> None:
    a, b = pair
    assert_same(op(tensor(a), tensor(b)), op(a, b))


@pytest.mark.parametrize(
    "op",
    [operator.floordiv, operator.mod, operator.truediv],
    ids=lambda op: op.__name__,
)
@given(pair=broadcastable())
@EXAMPLES
def test_division_is_numpys(op: Callable[..., Any], pair: tuple[Any, Any]) -> None:
    a, b = pair
    assume((np.abs(b) > 1e-3).all())
    y, expected = op(tensor(a), tensor(b)), op(a, b)
    assert tuple(y.shape) == expected.shape
    np.testing.assert_allclose(y.numpy(), expected, 1e-13, 1e-12)


@given(broadcastable(INTEGERS))
@EXAMPLES
def test_integer_division_floors_and_remainder_fits(pair: tuple[Any, Any]) -> None:
    a, b = (x.astype(np.int64) for x in pair)
    assume((b != 0).all())
    x, y = tensor(a), tensor(b)
    assert_same(x // y, a // b)
    assert_same(x % y, a % b)
    assert (x // y * y + x % y == x).all()


@given(broadcastable())
@EXAMPLES
def test_addition_and_multiplication_commute(pair: tuple[Any, Any]) -> None:
    x, y = map(tensor, pair)
    assert (x + y).tolist() == (y + x).tolist()
    assert (x * y).tolist() == (y * x).tolist()
    assert (x - y).tolist() == (-(y - x)).tolist() or ((x - y) == 0).any()


@given(arrays(ANY))
@EXAMPLES
def test_neutral_and_inverse_elements(a: np.ndarray) -> None:
    x = tensor(a)
    assert_same(x + 0.0, a + 0.0)
    assert_same(x * 1, a)
    assert_same(x.neg().neg(), a)
    with np.errstate(invalid="ignore"):
        assert_same(x - x, a - a)
    assert_same(abs(x), np.abs(a))
    assert_same(x.maximum(x), a)
    assert_same(x.isnan() | x.isinf() | x.isfinite(), np.ones_like(a, dtype=bool))


@given(pair=broadcastable(ANY))
@EXAMPLES
def test_extremes_carry_nan_as_numpy(pair: tuple[Any, Any]) -> None:
    a, b = pair
    with np.errstate(invalid="ignore"):
        assert_same(tensor(a).maximum(tensor(b)), np.maximum(a, b))
        assert_same(tensor(a).minimum(tensor(b)), np.minimum(a, b))
        assert_same(tt.fmax(tensor(a), tensor(b)), np.fmax(a, b))


@given(broadcastable())
@EXAMPLES
def test_broadcast_gradient_sums_back(pair: tuple[Any, Any]) -> None:
    x, y = (tensor(a).requires_grad_() for a in pair)
    z = x * y
    gx, gy = tt.autograd.grad(z, (x, y), tt.ones_like(z))
    a, b = pair
    np.testing.assert_allclose(gx.numpy(), _sum_to(b, z.shape, a.shape), 1e-9, 1e-9)
    np.testing.assert_allclose(gy.numpy(), _sum_to(a, z.shape, b.shape), 1e-9, 1e-9)


def _sum_to(other: Any, whole: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast ``other`` to the whole shape and sum over what ``shape`` lacks."""
    full = np.broadcast_to(other, tuple(whole))
    full = full.sum(tuple(range(full.ndim - len(shape))))
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return full.sum(ones, keepdims=True)


@given(a=arrays(), dims=st.data())
@EXAMPLES
def test_shapes_that_do_not_broadcast_raise(a: np.ndarray, dims: Any) -> None:
    assume(a.ndim and a.shape[-1] > 1)
    with pytest.raises(RuntimeError, match="must match the size"):
        tensor(a) + tt.zeros(a.shape[-1] + 1)


@given(a=arrays(), b=arrays(), c=arrays())
@EXAMPLES
def test_where_chooses(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    try:
        expected = np.where(a > 0, b, c)
    except ValueError:
        with pytest.raises(RuntimeError):
            tt.where(tensor(a) > 0, tensor(b), tensor(c))
        return
    assert_same(tt.where(tensor(a) > 0, tensor(b), tensor(c)), expected)


# ---- values equal, tensors distinct ----


@pytest.mark.parametrize("op", [tt.add, tt.mul, tt.maximum, tt.atan2, tt.sub, tt.div])
@given(value=st.floats(0.5, 2.0))
@settings(max_examples=30, deadline=None)
def test_equal_leaves_are_told_apart(op: Callable[..., Any], value: float) -> None:
    x, y = (tt.tensor(value, dtype=tt.float64, requires_grad=True) for _ in range(2))
    gx, gy = tt.autograd.grad(op(x, y), (x, y))
    (twice,) = tt.autograd.grad(op(x, x), x)
    assert twice.item() == pytest.approx(gx.item() + gy.item(), abs=1e-12)


# ---- reductions ----


@given(arrays(), st.data())
@EXAMPLES
def test_sum_over_any_axes_is_numpys(a: np.ndarray, data: Any) -> None:
    axes = data.draw(st.lists(st.integers(0, max(a.ndim - 1, 0)), unique=True))
    axes = tuple(axes) if a.ndim else ()
    keep = data.draw(st.booleans())
    expected = a.sum(axes or None, keepdims=keep)
    y = tensor(a).sum(axes or None, keepdim=keep)
    assert tuple(y.shape) == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, 1e-12, 1e-9)


@given(arrays(ANY))
@EXAMPLES
def test_extreme_of_all_is_an_element(a: np.ndarray) -> None:
    if a.size == 0:
        with pytest.raises((RuntimeError, IndexError)):
            tensor(a).amax()
        return
    assert_same(tensor(a).amax(), a.max())
    assert_same(tensor(a).amin(), a.min())
    assert_same(tensor(a).flatten()[tensor(a).argmax()], a.max())


@given(arrays())
@EXAMPLES
def test_sort_is_an_ordered_permutation(a: np.ndarray) -> None:
    assume(a.ndim)
    values, places = tensor(a).sort(dim=-1, stable=True)
    assert_same(values, np.sort(a, -1, kind="stable"))
    assert_same(places, np.argsort(a, -1, kind="stable"))
    assert_same(tensor(a).gather(-1, places), values.numpy())
    assert_same(tensor(a).sort(dim=-1, descending=True)[0], -np.sort(-a, -1))


@given(arrays(st.integers(-5, 5)))
@EXAMPLES
def test_unique_is_sorted_and_rebuilds(a: np.ndarray) -> None:
    x = tensor(a.astype(np.int64))
    values, back, counts = tt.unique(x, return_inverse=True, return_counts=True)
    assert values.tolist() == sorted(set(a.flatten().tolist()))
    assert values[back].tolist() == x.tolist()
    assert counts.sum().item() == a.size


@given(arrays(shapes=st.tuples(st.integers(1, 4), st.integers(1, 6))))
@EXAMPLES
def test_softmax_is_a_distribution(a: np.ndarray) -> None:
    y = tensor(a).softmax(-1)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(-1).numpy(), 1, 1e-12)
    np.testing.assert_allclose(y.log().exp().numpy(), y.numpy(), 1e-9, 1e-300)
    shifted = (tensor(a) + 100).softmax(-1)
    np.testing.assert_allclose(shifted.numpy(), y.numpy(), 1e-9, 1e-300)


@given(arrays(), st.integers(-3, 3), st.integers(-3, 3))
@EXAMPLES
def test_triangles_add_up(a: np.ndarray, one: int, other: int) -> None:
    assume(a.ndim >= 2)
    x = tensor(a)
    assert_same(x.tril(one) + x.triu(one + 1), a + 0.0)
    assert_same(x.tril(other), np.tril(a, other))


@given(
    st.tuples(*[st.integers(0, 4)] * 4),
    st.sampled_from(["ij,jk->ik", "ij,kj->ik", "ij,jk->ki", "ij,jk->", "ij,jk->ijk"]),
)
@EXAMPLES
def test_einsum_is_numpys(sizes: tuple[int, ...], rule: str) -> None:
    size = dict(zip("ijk", sizes, strict=False))
    operands = [
        np.random.default_rng(0).normal(size=[size[letter] for letter in part])
        for part in rule.partition("->")[0].split(",")
    ]
    y = tt.einsum(rule, *map(tensor, operands))
    expected = np.einsum(rule, *operands)
    assert tuple(y.shape) == expected.shape
    np.testing.assert_allclose(y.numpy(), expected, 1e-12, 1e-12)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
@EXAMPLES
def test_matmul_is_linear_and_transposes(n: int, k: int, m: int) -> None:
    rng = np.random.default_rng(1)
    a, b, c = (tensor(rng.normal(size=s)) for s in ((n, k), (n, k), (k, m)))
    np.testing.assert_allclose(
        ((a + b) @ c).numpy(), (a @ c + b @ c).numpy(), 1e-12, 1e-12
    )
    np.testing.assert_allclose((a @ c).T.numpy(), (c.T @ a.T).numpy(), 1e-12, 1e-12)
