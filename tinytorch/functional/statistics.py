"""Quantiles, covariances, histograms and membership, as compositions of other ops."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from tinytorch._core.ops.combine import lerp
from tinytorch._core.ops.creation import full, linspace
from tinytorch._core.ops.data import tensor
from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.search import bincount, searchsorted
from tinytorch._core.ops.select import where
from tinytorch._core.ops.sort import sort
from tinytorch._core.return_types import named_result
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, float32, float64, int64

__all__ = [
    "corrcoef", "cov", "histogram", "isin", "nanmean", "nanquantile", "quantile",
]
METHODS = ["corrcoef", "cov", "histogram", "nanmean", "nanquantile", "quantile"]

Dims = int | Sequence[int] | None


def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the mean of what is not NaN, of all elements or along `dim`.

    Example:
        >>> nanmean(tensor([1.0, float("nan"), 3.0])).item()
        2.0
    """
    if not input.is_floating_point():
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{_word(input)}"
        )
    count = input.isnan().logical_not().sum(dim, keepdim)
    return delivered(input.nansum(dim, keepdim, dtype=dtype) / count, out)


# ---- quantiles ----


def quantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Tensor | None = None,
) -> Tensor:
    """Return the q-quantiles of all elements, or along `dim`.

    Args:
        q: a number in [0, 1] or a vector of them, whose size then leads the result's.
        interpolation: linear, lower, higher, midpoint or nearest.

    Example:
        >>> quantile(tensor([1.0, 2.0, 4.0]), 0.75).item()
        3.0
    """
    y = _quantile(input, q, dim, keepdim, interpolation, leave_nan=False)
    return delivered(y, out)


def nanquantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Tensor | None = None,
) -> Tensor:
    """Return the quantiles of what is not NaN; see quantile.

    Example:
        >>> nanquantile(tensor([1.0, float("nan"), 3.0]), 0.5).item()
        2.0
    """
    y = _quantile(input, q, dim, keepdim, interpolation, leave_nan=True)
    return delivered(y, out)


def _quantile(
    x: Tensor, q: float | Tensor, dim: int | None, keepdim: bool, interpolation: str, *,
    leave_nan: bool,
) -> Tensor:
    probabilities = _probabilities(x, q, interpolation)
    rank = x.ndim
    lines = x.flatten() if dim is None or rank == 0 else x.movedim(dim, -1)
    ordered = sort(lines, -1).values
    # Where each quantile is among the sorted elements: (..., quantiles).
    missing = ordered.isnan()
    if leave_nan:
        last = missing.logical_not().sum(-1, keepdim=True) - 1
        places = (probabilities * last.to(x.dtype)).clamp(min=0)
    else:
        last = ordered.shape[-1] - 1
        places = (probabilities * last).expand(*ordered.shape[:-1], -1)
        places = places.masked_fill(missing.any(-1, keepdim=True), last)
    y = _between(ordered, places, interpolation)
    y = y.movedim(-1, 0)
    if keepdim and rank:
        y = y.reshape(-1, *[1] * rank) if dim is None else y.unsqueeze(dim % rank + 1)
    scalar = not isinstance(q, Tensor) or q.ndim == 0
    return y.squeeze(0) if scalar else y


def _between(ordered: Tensor, places: Tensor, interpolation: str) -> Tensor:
    """Read sorted lines at fractional places."""
    if interpolation == "lower":
        places = places.floor()
    elif interpolation == "higher":
        places = places.ceil()
    elif interpolation == "nearest":
        places = places.round()
    below = places.to(int64)
    y = ordered.gather(-1, below)
    if interpolation == "linear":
        weight: Any = places - below
    elif interpolation == "midpoint":
        weight = 0.5
    else:
        return y
    return lerp(y, ordered.gather(-1, places.ceil().to(int64)), weight)


def _probabilities(x: Tensor, q: float | Tensor, interpolation: str) -> Tensor:
    """Check the arguments of a quantile and return q as a vector."""
    if x.numel() == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if x.dtype not in (float32, float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(
                f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = full((1,), q, dtype=x.dtype, device=x.device)
    if q.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if q.dtype != x.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if q.device != x.device:
        raise RuntimeError("quantile() q tensor must be on the same device as the input "
                           "tensor")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or "
            f"nearest, but got {interpolation}")
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    return q.reshape(-1)


# ---- covariances ----


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Return the covariance matrix of variables (rows) over observations (columns).

    Args:
        correction: is taken from the number of observations.
        fweights: how often each observation was made.
        aweights: how much each observation counts.

    Example:
        >>> cov(tensor([[1.0, 2.0], [2.0, 4.0]])).tolist()
        [[0.5, 1.0], [1.0, 2.0]]
    """
    if input.ndim > 2:
        raise RuntimeError("cov(): expected input to have two or fewer dimensions but got "
                           f"an input with {input.ndim} dimensions")
    if input.dtype == bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    count = x.shape[1]
    weights: Any = _weights(x, fweights, "fweights", "integral", False)
    reliability = _weights(x, aweights, "aweights", "floating point", True)
    if reliability is not None:
        weights = reliability if weights is None else weights * reliability
    total: Any = count if weights is None else weights.sum()
    if weights is not None and float(total) == 0:
        raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    mean = (x if weights is None else x * weights).sum(1) / total
    if reliability is None or correction == 0:
        norm = total - correction
    else:
        norm = total - correction * (weights * reliability).sum() / total
    if float(norm) <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than "
            "the number of observations.", UserWarning, stacklevel=2)
        norm = norm * 0 if isinstance(norm, Tensor) else 0
    away = x - mean.unsqueeze(1)
    weighted = away if weights is None else away * weights
    y = away.to(mean.dtype) @ weighted.to(mean.dtype).t()
    norm = norm if isinstance(norm, Tensor) else tensor(norm, dtype=y.dtype)
    return (y / norm).squeeze()


def _weights(
    x: Tensor, weights: Tensor | None, name: str, kind: str, floating: bool
) -> Tensor | None:
    if weights is None:
        return None
    if weights.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
            f"{weights.ndim} dimensions")
    if weights.is_floating_point() != floating or weights.dtype == bool_:
        raise RuntimeError(f"cov(): expected {name} to have {kind} dtype but got {name} "
                           f"with {_word(weights)} dtype")
    if weights.numel() != x.shape[1]:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in "
            f"the input but got {weights.numel()} != {x.shape[1]}")
    if weights.numel() and bool(weights.min() < 0):
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return weights


def corrcoef(input: Tensor) -> Tensor:
    """Return the matrix of correlation coefficients of the rows, within [-1, 1].

    Example:
        >>> corrcoef(tensor([[1.0, 2.0], [4.0, 2.0]])).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    if input.ndim > 2:
        raise RuntimeError("corrcoef(): expected input to have two or fewer dimensions but "
                           f"got an input with {input.ndim} dimensions")
    c = cov(input)
    if c.ndim == 0:
        return c / c
    deviation = c.diagonal().sqrt()
    return (c / deviation.unsqueeze(1) / deviation.unsqueeze(0)).clamp(-1, 1)


# ---- membership ----


def isin(
    elements: Tensor | float, test_elements: Tensor | float, *,
    assume_unique: bool = False, invert: bool = False, out: Tensor | None = None,
) -> Tensor:
    """Return which elements are among the test elements (or, inverted, are not).

    Example:
        >>> isin(tensor([1, 2, 3]), tensor([2])).tolist()
        [False, True, False]
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin() expects a tensor among its arguments, got "
                        f"({type(elements).__name__}, {type(test_elements).__name__})")
    x = elements if isinstance(elements, Tensor) else tensor(elements)
    tests = test_elements if isinstance(test_elements, Tensor) else tensor(test_elements)
    for one in (x, tests):
        if one.dtype == bool_:
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    if tests.numel() == 0:
        return delivered(full(tuple(x.shape), invert, dtype=bool_, device=x.device), out)
    known = sort(tests.detach().flatten()).values
    places = searchsorted(known, x.detach())
    found = known[places.clamp(max=known.shape[0] - 1)] == x.detach()
    return delivered(found.logical_not() if invert else found, out)


# ---- histograms ----

_Histogram = named_result("histogram", "hist bin_edges")


def histogram(
    input: Tensor, bins: int | Tensor, *, range: tuple[float, float] | None = None,
    weight: Tensor | None = None, density: bool = False, out: Any = None,
) -> Any:
    """Return how many elements fall between edges, and the edges.

    Args:
        bins: the number of equal parts of `range`, or the edges themselves.
        weight: what each element counts.
        density: whether the result is divided so that its integral is 1.

    Example:
        >>> histogram(tensor([1.0, 2.0, 3.0]), 2).hist.tolist()
        [1.0, 2.0]
    """
    if input.dtype not in (float32, float64):
        raise NotImplementedError(f'"histogramdd" not implemented for \'{_word(input)}\'')
    edges = _given_edges(input, bins) if isinstance(bins, Tensor) else _edges(
        input, bins, range)
    if weight is not None and weight.shape != input.shape:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same "
            "shape as the input tensor excluding its innermost dimension, but got input "
            f"with shape {[input.numel(), 1]} and weight with shape {list(weight.shape)}")
    x = input.detach().flatten()
    count = edges.shape[0] - 1
    inside = (x >= edges[0]) & (x <= edges[count])
    # The last part includes its upper edge.
    places = (searchsorted(edges, x, right=True) - 1).clamp(max=count - 1)
    places = where(inside, places, count)
    w = None if weight is None else weight.detach().flatten().to(x.dtype)
    hist = bincount(places, w, count + 1)[:count].to(x.dtype)
    if density:
        hist = hist / hist.sum() / (edges[1:] - edges[:-1])
    if out is None:
        return _Histogram(hist, edges)
    return _Histogram(delivered(hist, out[0]), delivered(edges, out[1]))


def _given_edges(x: Tensor, edges: Tensor) -> Tensor:
    if edges.ndim != 1:
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have one dimension, but got "
            f"{edges.ndim} dimensions in the bins tensor for dimension 0")
    if edges.numel() == 0:
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have at least 1 element, but got 0 "
            "elements in the bins tensor for dimension 0")
    if edges.numel() == 1:
        raise RuntimeError("torch.histogram(): bins must be > 0, but got 0 for dimension 0")
    if edges.dtype != x.dtype:
        words = _word(x).lower(), _word(edges).lower()
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, "
            f"but got input with dtype {words[0]} and bins for dimension 0 with dtype "
            f"{words[1]}")
    return edges.detach().clone()


def _edges(x: Tensor, bins: int, limits: tuple[float, float] | None) -> Tensor:
    if bins <= 0:
        raise RuntimeError(
            f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if limits is not None:
        if len(limits) != 2:
            raise RuntimeError("torch.histogramdd: for a 1-dimensional histogram range "
                               f"should have 2 elements, but got {len(limits)}")
        least, most = float(limits[0]), float(limits[1])
    elif x.numel() == 0:
        least, most = 0.0, 1.0
    else:
        least, most = float(x.detach().min()), float(x.detach().max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise RuntimeError(f"torch.histogramdd: dimension 0's range [{least:g}, {most:g}] "
                           "is not finite")
    if least > most:
        raise RuntimeError("torch.histogramdd: min should not exceed max, but got min "
                           f"{least:g} max {most:g} for dimension 0")
    if least == most:
        least, most = least - 0.5, most + 0.5
    return linspace(least, most, bins + 1, dtype=x.dtype)


_WORDS = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16",
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "bool": "Bool",
}


def _word(x: Tensor) -> str:
    """Return the name of x's dtype as PyTorch's messages have it."""
    return _WORDS[x.dtype.name]
