"""Fractional max pooling beside PyTorch's: places, maxima, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from oracle import seed, to_tiny, to_torch


def test_places_are_those_of_the_maxima() -> None:
    functional = tt.nn.functional
    square, cube = tt.randn(2, 6, 7), tt.randn(2, 5, 6, 4)
    for x, (y, where) in (
        (square, functional.fractional_max_pool2d_with_indices(square, 2, 3)),
        (cube, functional.fractional_max_pool3d_with_indices(cube, 2, 2)),
    ):
        assert tt.equal(x.flatten(1).gather(1, where.flatten(1)), y.flatten(1))


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("number", range(10))
def test_fractional_pooling_of_random_shape(n: int, number: int) -> None:
    rng = np.random.default_rng(10 * n + number)
    size = rng.integers(4, 9, n).tolist()
    kernel = rng.integers(1, 3, n).tolist()
    # PyTorch leaves one place free in three dimensions.
    most = [s - k + 2 - (n == 3) for s, k in zip(size, kernel, strict=True)]
    result = [int(rng.integers(1, m)) for m in most]
    lead = [int(k) for k in rng.integers(1, 4, 1 + number % 2)]
    x = torch.from_numpy(rng.standard_normal((*lead, *size))).requires_grad_()
    name = f"fractional_max_pool{n}d"
    seed(number)
    y, where = getattr(torch.nn.functional, name)(
        x, kernel, result, return_indices=True
    )
    seed(number)
    tiny = to_tiny(x)
    z, there = getattr(tt.nn.functional, f"{name}_with_indices")(tiny, kernel, result)
    assert torch.equal(to_torch(z), y) and torch.equal(to_torch(there), where)
    y.sum().backward()
    z.sum().backward()
    assert torch.equal(to_torch(tiny.grad), x.grad)


@pytest.mark.parametrize(
    ("shape", "args", "samples"),
    [
        ((1, 5, 5), (2,), None),
        ((1, 5, 5), (2, 5), None),
        ((1, 5, 5), (2, (2, 2, 2)), None),
        ((1, 0, 5), (2, 3), None),
        ((1, 5, 5), (2, 3), (1, 1)),
        ((1, 5, 5), (2, 3), (1, 1, 1)),
        ((2, 1, 5, 5), (2, 3), (1, 1, 2)),
        ((2, 2, 5, 5), (2, 3), (2, 1, 2)),
    ],
)
def test_fractional_pooling_errors(
    shape: tuple[int, ...], args: tuple[Any, ...], samples: tuple[int, ...] | None
) -> None:
    found = []
    for library in (torch, tt):
        given = None if samples is None else library.rand(samples)
        with pytest.raises((ValueError, RuntimeError)) as caught:
            library.nn.functional.fractional_max_pool2d(
                library.ones(shape), *args, _random_samples=given
            )
        found.append((caught.type, str(caught.value)))
    assert found[0] == found[1]


def test_fractional_pooling_of_no_samples() -> None:
    y = tt.nn.functional.fractional_max_pool2d(tt.ones(0, 2, 3, 3), 2, 2)
    assert y.shape == (0, 2, 2, 2)
