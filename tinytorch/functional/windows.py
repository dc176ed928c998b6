"""Windows by which a signal is multiplied before its spectrum is taken."""

from __future__ import annotations

import math
from typing import Any

from tinytorch._core.ops.bessel import i0
from tinytorch._core.ops.circular import cos
from tinytorch._core.ops.creation import empty, ones
from tinytorch._core.ops.pointwise import sqrt
from tinytorch._core.ops.ranges import arange
from tinytorch._core.ops.rounding import abs as magnitude
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import get_default_dtype

__all__ = [
    "bartlett_window",
    "blackman_window",
    "hamming_window",
    "hann_window",
    "kaiser_window",
]


def _phase(name: str, length: int, periodic: bool, options: dict[str, Any]) -> Tensor:
    """Return k / n for k = 0, 1, ...: a periodic window lacks its last element."""
    dtype = options.get("dtype") or get_default_dtype()
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    intervals = length if periodic else length - 1
    k = arange(length, dtype=dtype, device=options.get("device"))
    phase: Tensor = k / max(intervals, 1)
    return phase


def _finished(window: Tensor, length: int, options: dict[str, Any]) -> Tensor:
    """Return the window as asked for; that of one element is 1."""
    if length == 1:
        window = ones(1, dtype=window.dtype, device=window.device)
    return window.requires_grad_() if options.get("requires_grad") else window


def _cosines(
    name: str,
    length: int,
    periodic: bool,
    weights: tuple[float, ...],
    options: dict[str, Any],
) -> Tensor:
    """Return the sum of ``weights[j] * cos(2 pi j k / n)``."""
    phase = _phase(name, length, periodic, options)
    window = phase * 0 + weights[0]
    for j, weight in enumerate(weights[1:], 1):
        window = window + cos(phase * (2 * math.pi * j)) * weight
    return _finished(window, length, options)


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Return ``(1 - cos(2 pi k / n)) / 2``.

    Example:
        >>> hann_window(4).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    return _cosines("hann_window", window_length, periodic, (0.5, -0.5), options)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> Tensor:
    """Return ``alpha - beta * cos(2 pi k / n)``."""
    weights = (alpha, -beta)
    return _cosines("hamming_window", window_length, periodic, weights, options)


def blackman_window(
    window_length: int, periodic: bool = True, **options: Any
) -> Tensor:
    """Return ``0.42 - 0.5 cos(2 pi k / n) + 0.08 cos(4 pi k / n)``."""
    weights = (0.42, -0.5, 0.08)
    return _cosines("blackman_window", window_length, periodic, weights, options)


def bartlett_window(
    window_length: int, periodic: bool = True, **options: Any
) -> Tensor:
    """Return the triangle from 0 over 1 to 0."""
    phase = _phase("bartlett_window", window_length, periodic, options)
    return _finished(1 - magnitude(phase * 2 - 1), window_length, options)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any
) -> Tensor:
    """Return ``i0(beta * sqrt(1 - (2 k / n - 1)^2)) / i0(beta)``."""
    phase = _phase("kaiser_window", window_length, periodic, options)
    inside = (1 - (phase * 2 - 1) ** 2).clamp(min=0)
    height = i0(empty((), dtype=phase.dtype, device=phase.device).fill_(beta))
    return _finished(i0(sqrt(inside) * beta) / height, window_length, options)
