"""Activations that are compositions: rrelu draws its slopes."""

from __future__ import annotations

from tinytorch._core.ops.activation import leaky_relu
from tinytorch._core.ops.creation import empty, ones_like
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import float64

__all__ = ["rrelu", "rrelu_"]
FUNCTIONAL = ["rrelu", "rrelu_"]


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return the elements, those not above 0 times a slope.

    Args:
        input: any tensor of floats.
        lower: smallest slope.
        upper: largest slope.
        training: draw each slope; otherwise all are the mean of both bounds.
        inplace: write the result into `input`.
    """
    if lower > upper:
        raise RuntimeError(
            "Lower bound should be less than or equal to the upper bound"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    # One draw in double precision for each element that needs one, as in PyTorch.
    bent = input <= 0
    slopes = ones_like(input)
    drawn = empty(int(bent.sum()), dtype=float64).uniform_(lower, upper)
    slopes[bent] = drawn.to(input.dtype)
    return input.mul_(slopes) if inplace else input * slopes


def rrelu_(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
) -> Tensor:
    """In-place `rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True)
