"""The parts of complex numbers, as far as real tensors have them."""

from __future__ import annotations

from tinytorch._core.tensor import Tensor

__all__ = ["imag", "real"]


def real(input: Tensor) -> Tensor:
    """Return the input, which has no imaginary part."""
    return input


def imag(input: Tensor) -> Tensor:
    """Raise, as PyTorch does for real tensors."""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
