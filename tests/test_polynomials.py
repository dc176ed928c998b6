"""Orthogonal polynomials against PyTorch: degrees, ends of intervals, forms, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt

CHEBYSHEV = [f"{kind}chebyshev_polynomial_{letter}"
             for kind in ("", "shifted_") for letter in "tuvw"]  # fmt: skip
NAMES = [*CHEBYSHEV, "hermite_polynomial_h", "hermite_polynomial_he",
         "laguerre_polynomial_l", "legendre_polynomial_p"]  # fmt: skip
POINTS = [-1.5, -1.0, -0.999, -0.5, 0.0, 0.25, 0.5, 0.75, 0.999, 1.0, 1.25, 1e3]


def both(name: str) -> tuple[Any, Any]:
    """Return the function of tinytorch and that of PyTorch."""
    return getattr(tt.special, name), getattr(torch.special, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_pytorchs(name: str, dtype: str) -> None:
    """Every degree up to 15, below and above where the circular form begins."""
    ours, theirs = both(name)
    x, degree = np.meshgrid(POINTS, np.arange(-2, 16).astype(float))
    found = ours(tt.tensor(x, dtype=getattr(tt, dtype)), tt.tensor(degree))
    wanted = theirs(
        torch.tensor(x, dtype=getattr(torch, dtype)), torch.tensor(degree).double()
    )
    scale = np.abs(wanted.numpy()).max(axis=1, keepdims=True) + 1
    tolerance = 1e-12 if dtype == "float64" or found.dtype is tt.float64 else 1e-4
    assert np.abs((found.numpy() - wanted.numpy()) / scale).max() < tolerance


@pytest.mark.parametrize("name", NAMES)
def test_high_degrees_and_infinity(name: str) -> None:
    ours, theirs = both(name)
    x = [1.0, -1.0, 0.0, 0.5, 0.3, math.inf, -math.inf]
    for n in (1, 40, 41, 151):
        found = ours(tt.tensor(x, dtype=tt.float64), n).numpy()
        wanted = theirs(torch.tensor(x, dtype=torch.float64), n).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)
    ends = tt.tensor([1.0, 0.0 if "shifted" in name else -1.0])
    if "hermite" not in name and "laguerre" not in name:
        assert ours(ends, 10**9 + 1).isfinite().all()  # known there: no recurrence


@pytest.mark.parametrize("name", CHEBYSHEV[:4])
def test_shifted_kinds_are_the_others_of_2x_minus_1(name: str) -> None:
    x = tt.linspace(0, 1, 33, dtype=tt.float64)
    for n in (3, 5, 20):
        plain = getattr(tt.special, name)(2 * x - 1, n)
        shifted = getattr(tt.special, f"shifted_{name}")(x, n)
        np.testing.assert_allclose(shifted.numpy(), plain.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_forms_and_dtypes(name: str) -> None:
    ours, theirs = both(name)
    x, n = [0.3, -0.2, 2.0], [2, 3, 4]
    for a, b in [(x, n), (x, 2), (0.5, n), (n, n), (n, 3), (2, n), (x, 2.7)]:
        mine, its = (
            [lib.tensor(v) if isinstance(v, list) else v for v in (a, b)]
            for lib in (tt, torch)
        )
        found, wanted = ours(*mine), theirs(*its)
        assert str(found.dtype) == str(wanted.dtype)
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=2e-6)
    assert ours(x=tt.ones(2, 1), n=tt.ones(3)).shape == (2, 3)
    out = tt.empty(3)
    assert ours(tt.tensor(x), 2, out=out) is out
    assert out.tolist() == ours(tt.tensor(x), 2).tolist()
    assert ours(tt.empty(4, 1, device="meta"), tt.empty(2, device="meta")).shape == (
        4,
        2,
    )
    leaf = tt.tensor(x, requires_grad=True)
    assert not ours(leaf, 2).requires_grad
    assert ours(tt.tensor(math.nan), 3).isnan()
    assert ours(tt.tensor(0.5), math.nan) == 0


@pytest.mark.parametrize("name", NAMES)
def test_errors_are_pytorchs(name: str) -> None:
    ours, theirs = both(name)
    half = [lib.ones(2, dtype=lib.float16) for lib in (tt, torch)]
    for arguments in (lambda h: (h, 2), lambda h: (h, h), lambda h: (0.5, 2)):
        with pytest.raises((TypeError, NotImplementedError)) as wanted:
            theirs(*arguments(half[1]))
        with pytest.raises(wanted.type) as found:
            ours(*arguments(half[0]))
        assert str(found.value).strip() == str(wanted.value).strip()
