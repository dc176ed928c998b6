"""Frequencies of Fourier transforms.  The transforms need complex numbers: no dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tinytorch
from tinytorch._later import later
from tinytorch._typing import Any

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]

__getattr__, __dir__ = later(__name__)

# ---- frequencies ----


def fftfreq(n: int, d: float = 1.0, **options: Any) -> Any:
    """Return the frequencies of `n` samples `d` apart, the negative ones last.

    Args:
        options: `dtype`, `device` and so on, as for `arange`.

    Example:
        >>> fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    count = _integer("fftfreq", n)
    return _frequencies("fftfreq", count, n, d, -(count // 2), options)


def rfftfreq(n: int, d: float = 1.0, **options: Any) -> Any:
    """Return the frequencies of `n` real samples `d` apart: none is negative."""
    count = _integer("rfftfreq", n) // 2 + 1
    return _frequencies("rfftfreq", count, n, d, 0, options)


def _integer(name: str, n: Any) -> int:
    if not isinstance(n, int):
        raise TypeError(
            f"fft_{name}(): argument 'n' (position 1) must be int, not "
            f"{type(n).__name__}"
        )
    return n


def _frequencies(
    name: str, count: int, n: int, d: float, first: int, options: dict[str, Any]
) -> Any:
    dtype = options.pop("dtype", None) or tinytorch.get_default_dtype()
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    if count < 0:
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {count}: [{count}]"
        )
    out = options.pop("out", None)
    requires_grad = options.pop("requires_grad", False)
    y = tinytorch.arange(first, first + count, dtype=dtype, **options)
    if first:
        y = tinytorch.roll(y, first)
    span = n * d
    y = y * (1.0 / span if span else math.copysign(math.inf, span))
    if out is not None:
        return out.resize_(y.shape).copy_(y)
    return y.requires_grad_(requires_grad)


# ---- order ----


def fftshift(input: Any, dim: int | Sequence[int] | None = None) -> Any:
    """Return `input` with the frequency zero moved from the front to the middle.

    Args:
        dim: one dimension or several; all by default.
    """
    return _roll(input, dim, lambda size: size // 2)


def ifftshift(input: Any, dim: int | Sequence[int] | None = None) -> Any:
    """Return `input` with the frequency zero moved from the middle to the front."""
    return _roll(input, dim, lambda size: (size + 1) // 2)


def _roll(
    input: Any, dim: int | Sequence[int] | None, shift: Callable[[int], int]
) -> Any:
    dims = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    shifts = [shift(input.size(d)) for d in dims]
    return tinytorch.roll(input, shifts, list(dims))
