"""Quantiles, covariances and membership, as compositions of other ops."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from tinytorch._core.ops.combine import lerp
from tinytorch._core.ops.creation import full
from tinytorch._core.ops.data import tensor
from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.norms import vector_norm
from tinytorch._core.ops.search import searchsorted
from tinytorch._core.ops.select import where
from tinytorch._core.ops.sort import sort
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, float32, float64, int64
from tinytorch._typing import Any
from tinytorch.functional.dtype_words import type_word

__all__ = [
    "corrcoef",
    "cov",
    "isin",
    "nanmean",
    "nanquantile",
    "quantile",
    "renorm",
]
METHODS = [
    "corrcoef",
    "cov",
    "nanmean",
    "nanquantile",
    "quantile",
    "renorm",
    "renorm_",
    "sum_to_size",
]

Dims = int | Sequence[int] | None


def nanmean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
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
            f"{type_word(input.dtype)}"
        )
    count = input.isnan().logical_not().sum(dim, keepdim)
    return delivered(input.nansum(dim, keepdim, dtype=dtype) / count, out)


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Return the sum over the dimensions that `size` would be broadcast along.

    Example:
        >>> ones(2, 3).sum_to_size(1, 3).tolist()
        [[2.0, 2.0, 2.0]]
    """
    wanted = (
        list(size[0]) if len(size) == 1 and not isinstance(size[0], int) else [*size]
    )
    given, lead = list(self.shape), self.ndim - len(wanted)
    if lead < 0 or any(
        n not in (1, m) for n, m in zip(wanted, given[lead:], strict=True)
    ):
        raise RuntimeError(f"size {{{wanted}}} is not expandable to size {{{given}}}.")
    summed = [d for d, n in enumerate([*[0] * lead, *wanted]) if n != given[d]]
    if not wanted:
        return self.sum()
    if not summed:
        return self
    return self.sum(summed, keepdim=True).reshape(wanted)


def renorm(
    input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None
) -> Tensor:
    """Return the input, slices along `dim` scaled to a p-norm of at most maxnorm.

    Example:
        >>> renorm(tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 5.0).tolist()
        [[3.0, 4.0], [0.0, 1.0]]
    """
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(
            "Dimension out of range (expected to be in range of "
            f"[{-input.ndim}, {input.ndim - 1}], but got {dim})"
        )
    others = [d for d in range(input.ndim) if d != dim % input.ndim]
    norm = vector_norm(input, p, others, True)
    factor = where(norm > maxnorm, maxnorm / (norm + 1e-7), 1.0)
    return delivered((input * factor).to(input.dtype), out)


def renorm_(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """In-place version of renorm."""
    return self.copy_(renorm(self, p, dim, maxnorm))


# ---- quantiles ----


def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
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
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """Return the quantiles of what is not NaN; see quantile.

    Example:
        >>> nanquantile(tensor([1.0, float("nan"), 3.0]), 0.5).item()
        2.0
    """
    y = _quantile(input, q, dim, keepdim, interpolation, leave_nan=True)
    return delivered(y, out)


def _quantile(
    x: Tensor,
    q: float | Tensor,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
    *,
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
        raise RuntimeError(
            "quantile() input tensor must be either float or double dtype"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(
                f"quantile() q must be in the range [0, 1] but got {q:g}"
            )
        q = full((1,), q, dtype=x.dtype, device=x.device)
    if q.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if q.dtype != x.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if q.device != x.device:
        raise RuntimeError(
            "quantile() q tensor must be on the same device as the input tensor"
        )
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint "
            f"or nearest, but got {interpolation}"
        )
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    return q.reshape(-1)


# ---- covariances ----


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
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
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got "
            f"an input with {input.ndim} dimensions"
        )
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
            "cov(): degrees of freedom is <= 0. Correction should be strictly less "
            "than the number of observations.",
            UserWarning,
            stacklevel=2,
        )
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
            f"cov(): expected {name} to have one or fewer dimensions but got {name} "
            f"with {weights.ndim} dimensions"
        )
    if weights.is_floating_point() != floating or weights.dtype == bool_:
        raise RuntimeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} "
            f"with {type_word(weights.dtype)} dtype"
        )
    if weights.numel() != x.shape[1]:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations "
            f"in the input but got {weights.numel()} != {x.shape[1]}"
        )
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
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but "
            f"got an input with {input.ndim} dimensions"
        )
    c = cov(input)
    if c.ndim == 0:
        return c / c
    deviation = c.diagonal().sqrt()
    return (c / deviation.unsqueeze(1) / deviation.unsqueeze(0)).clamp(-1, 1)


# ---- membership ----


def isin(
    elements: Tensor | float,
    test_elements: Tensor | float,
    *,
    assume_unique: bool = False,
    invert: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return which elements are among the test elements (or, inverted, are not).

    Example:
        >>> isin(tensor([1, 2, 3]), tensor([2])).tolist()
        [False, True, False]
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError(
            "isin() expects a tensor among its arguments, got "
            f"({type(elements).__name__}, {type(test_elements).__name__})"
        )
    x = elements if isinstance(elements, Tensor) else tensor(elements)
    tests = (
        test_elements if isinstance(test_elements, Tensor) else tensor(test_elements)
    )
    for one in (x, tests):
        if one.dtype == bool_:
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    if tests.numel() == 0:
        return delivered(
            full(tuple(x.shape), invert, dtype=bool_, device=x.device), out
        )
    known = sort(tests.detach().flatten()).values
    places = searchsorted(known, x.detach())
    found = known[places.clamp(max=known.shape[0] - 1)] == x.detach()
    return delivered(found.logical_not() if invert else found, out)
