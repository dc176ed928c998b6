"""Layers that zero random elements or channels while training."""

from __future__ import annotations

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.modules.module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _DropoutNd(Module):
    """The probability of being zeroed, and whether the input itself is changed."""

    __constants__ = ["p", "inplace"]
    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(
                f"dropout probability has to be between 0 and 1, but got {p}"
            )
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Zeroes elements with probability `p` and divides the others by ``1 - p``."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with elements dropped; in evaluation as it is."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """A `Dropout` of whole channels of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped; in evaluation as it is."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """A `Dropout` of whole channels of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped; in evaluation as it is."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """A `Dropout` of whole channels of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped; in evaluation as it is."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """A `Dropout` that keeps mean and variance, for networks of `SELU` units."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with elements dropped; in evaluation as it is."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """An `AlphaDropout` of whole channels, the input's second dimension."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped; in evaluation as it is."""
        return F.feature_alpha_dropout(input, self.p, self.training)
