"""Reductions, scans and sorting beyond samples: accuracy, threads, ties, zeros."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.autograd import gradcheck, gradgradcheck

FLOATS = ["float32", "float64", "float16", "bfloat16"]


def random(rng: np.random.Generator, *shape: int, dtype: object = None) -> tt.Tensor:
    """Return normal numbers as a tensor."""
    return tt.tensor(rng.standard_normal(shape).tolist(), dtype=dtype or tt.float64)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20)


# ---- sums ----


@pytest.mark.parametrize("shape", [(300_000,), (1000, 130), (7, 40, 90), (90_000, 3)])
def test_sum_of_any_layout_is_that_of_numpy(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    values = rng.standard_normal(shape)
    x = tt.from_numpy(values)
    for order in itertools.permutations(range(len(shape))):
        y, expected = x.permute(*order), values.transpose(order)
        for dim in range(len(shape)):
            found = y.sum(dim).numpy()
            np.testing.assert_allclose(found, expected.sum(dim), rtol=1e-12, atol=1e-11)
        assert math.isclose(y.sum().item(), values.sum(), abs_tol=1e-9)


def test_sum_of_float32_loses_few_units_in_the_last_place(
    rng: np.random.Generator,
) -> None:
    values = (rng.standard_normal(2_000_000) + 1).astype(np.float32)
    exact = values.astype(np.float64).sum()
    error = abs(tt.from_numpy(values).sum().item() - exact)
    assert error <= 4 * np.spacing(np.float32(exact))


def test_half_types_accumulate_in_float32() -> None:
    for dtype in (tt.float16, tt.bfloat16):
        assert tt.ones(4096, dtype=dtype).sum().item() == 4096
        assert tt.full((70_000,), 2.0, dtype=dtype).mean().item() == 2


@pytest.mark.parametrize("shape", [(200_000,), (500, 700), (3, 90_000), (90_000, 3)])
def test_results_do_not_depend_on_threads(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    x = tt.from_numpy(rng.standard_normal(shape).astype(np.float32))
    before, results = tt.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            tt.set_num_threads(threads)
            results.append(
                [x.sum(), x.sum(0), x.var(-1), x.max(0).indices, x.cumsum(-1)]
                + [x.logsumexp(0), x.norm(), x.sort(0).indices]
            )
    finally:
        tt.set_num_threads(before)
    for other in results[1:]:
        assert all(tt.equal(a, b) for a, b in zip(results[0], other, strict=True))


# ---- empty and NaN ----


def test_empty_reductions_give_the_identity_or_raise() -> None:
    x = tt.zeros(0, 3)
    assert x.sum(0).tolist() == [0, 0, 0]
    assert x.prod(0).tolist() == [1, 1, 1]
    assert x.all(0).tolist() == [True] * 3
    assert x.any(0).tolist() == [False] * 3
    assert x.logsumexp(0).tolist() == [-math.inf] * 3
    assert math.isnan(x.mean().item())
    assert x.amax(1).shape == (0,)
    for function in (tt.amax, tt.amin, tt.argmax, tt.median, tt.max, tt.mode):
        with pytest.raises(IndexError, match="non-zero size"):
            function(x, 0)


def test_nan_wins_in_extrema_wherever_it_stands() -> None:
    for n in (3, 20, 300, 5000):
        for place in (0, n // 2, n - 1):
            x = tt.zeros(n, 2)
            x[place, 1] = math.nan
            for y in (
                x.amax(0),
                x.amin(0),
                x.max(0).values,
                x.t().contiguous().amax(1),
            ):
                assert y[0].item() == 0
                assert math.isnan(y[1].item())
            assert x.argmax(0).tolist() == [0, place]
            assert x.t().contiguous().argmin(1).tolist() == [0, place]


# ---- ties and zeros in derivatives ----


def test_ties_share_the_gradient_of_amax_and_not_that_of_max_along_dim() -> None:
    x = tt.tensor([[1.0, 3.0, 3.0]], requires_grad=True)
    x.amax(1).sum().backward()
    assert x.grad.tolist() == [[0, 0.5, 0.5]]
    x.grad = None
    x.max(1).values.sum().backward()
    assert x.grad.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("zeros", [[], [1], [0, 2], [0, 1, 2, 3]])
@pytest.mark.parametrize("name", ["prod", "cumprod"])
def test_products_are_differentiated_twice_where_factors_are_zero(
    rng: np.random.Generator, name: str, zeros: list[int]
) -> None:
    x = random(rng, 4, 2)
    x[zeros] = 0
    x.requires_grad_()
    function = getattr(tt, name)
    assert gradcheck(lambda x: function(x, 0), (x,))
    assert gradgradcheck(lambda x: function(x, 0), (x,))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.logcumsumexp(0),
        lambda x: x.logsumexp((0, 1)),
        lambda x: x.var(0, correction=0),
        lambda x: x.std(),
        lambda x: x.norm(3, 1),
        lambda x: x.norm(math.inf, 0),
        lambda x: x.sort(0, descending=True).values,
        lambda x: x.topk(2, 0).values,
        lambda x: x.kthvalue(2, 1).values,
        lambda x: x.median(0).values,
        lambda x: x.cummax(0).values,
        lambda x: x.quantile(0.3, 0),
        lambda x: tt.gradient(x, spacing=2.0)[1],
    ],
)
def test_first_and_second_derivatives(
    rng: np.random.Generator, function: object
) -> None:
    x = random(rng, 4, 3).requires_grad_()
    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


def test_norm_has_no_gradient_at_zero() -> None:
    for p in (1, 1.5, 2, 3):
        x = tt.zeros(3, requires_grad=True)
        x.norm(p).backward()
        assert x.grad.tolist() == [0, 0, 0]


# ---- order ----


@pytest.mark.parametrize("n", [1, 5, 24, 25, 300, 70_000])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable_with_nan_last(
    rng: np.random.Generator, n: int, descending: bool
) -> None:
    values = rng.integers(-3, 4, n).astype(np.float32)
    values[rng.random(n) < 0.1] = np.nan
    values[rng.random(n) < 0.1] = -0.0
    result = tt.from_numpy(values).sort(0, descending=descending, stable=True)
    keys = np.where(np.isnan(values), 9, values)
    expected = np.argsort(-keys if descending else keys, kind="stable")
    assert result.indices.tolist() == expected.tolist()
    np.testing.assert_array_equal(result.values.numpy(), values[expected])


@pytest.mark.parametrize("k", [1, 3, 32, 33, 200, 999, 1000])
@pytest.mark.parametrize("largest", [False, True])
def test_topk_is_the_beginning_of_sort(
    rng: np.random.Generator, k: int, largest: bool
) -> None:
    x = tt.tensor(rng.integers(0, 50, (3, 1000)).tolist())
    found, order = x.topk(k, 1, largest), x.sort(1, descending=largest)
    assert tt.equal(found.values, order.values[:, :k])
    assert tt.equal(found.indices, order.indices[:, :k])
    if not largest:
        assert tt.equal(x.kthvalue(k, 1).values, order.values[:, k - 1])


def test_median_of_lines_and_of_all(rng: np.random.Generator) -> None:
    for n in (1, 2, 9, 10, 101):
        values = rng.standard_normal((4, n))
        x = tt.from_numpy(values)
        expected = np.sort(values, 1)[:, (n - 1) // 2]
        np.testing.assert_array_equal(x.median(1).values.numpy(), expected)
        assert x.median().item() == np.sort(values.ravel())[(4 * n - 1) // 2]


def test_unique_counts_and_inverse_rebuild_the_input(rng: np.random.Generator) -> None:
    values = rng.integers(0, 40, (30, 4))
    x = tt.from_numpy(values)
    found, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert tt.equal(found[inverse], x)
    assert counts.sum().item() == x.numel()
    rows, inverse = x.remainder(2).unique(return_inverse=True, dim=0)
    assert tt.equal(rows[inverse], x.remainder(2))
    assert rows.tolist() == np.unique(values % 2, axis=0).tolist()


def test_searchsorted_agrees_with_numpy(rng: np.random.Generator) -> None:
    edges, values = np.sort(rng.integers(0, 50, 40)), rng.integers(-5, 60, 3000)
    for side in ("left", "right"):
        found = tt.searchsorted(tt.from_numpy(edges), tt.from_numpy(values), side=side)
        np.testing.assert_array_equal(
            found.numpy(), np.searchsorted(edges, values, side)
        )


def test_bincount_of_float32_weights_keeps_within_its_memory() -> None:
    for n in range(1, 60):  # a write behind the end showed at some sizes
        y = tt.bincount(tt.arange(n), tt.ones(n))
        assert y.dtype == tt.float32
        assert y.tolist() == [1.0] * n


# ---- results ----


def test_named_results_print_as_in_pytorch() -> None:
    values, indices = result = tt.tensor([1.0, 4.0]).max(0)
    assert repr(result) == (
        "torch.return_types.max(\nvalues=tensor(4.),\nindices=tensor(1))"
    )
    assert values is result.values
    assert indices is result.indices


def test_degrees_of_freedom_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert math.isnan(tt.ones(1).std().item())
