"""Pooling into as many windows as the size of the result says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.common_types import _maybe_indices_t, _size_any_opt_t
from tinytorch.nn.modules.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
]


class _AdaptiveMaxPoolNd(Module):
    """The size of the result; None keeps that of the input."""

    __constants__ = ["output_size", "return_indices"]
    _function: Callable[..., Any]  # of nn.functional

    def __init__(
        self, output_size: _size_any_opt_t, return_indices: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> _maybe_indices_t:
        """Return the maxima of the windows, and their places if asked for."""
        pooled: _maybe_indices_t = self._function(
            input, self.output_size, self.return_indices
        )
        return pooled

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of (N, C, L) as `output_size` says."""

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of (N, C, H, W) as `output_size` says."""

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows of (N, C, D, H, W) as `output_size` says."""

    _function = staticmethod(F.adaptive_max_pool3d)


class _AdaptiveAvgPoolNd(Module):
    """The size of the result; None keeps that of the input."""

    __constants__ = ["output_size"]
    _function: Callable[..., Tensor]  # of nn.functional

    def __init__(self, output_size: _size_any_opt_t) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the averages of the windows."""
        return self._function(input, self.output_size)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The averages of as many windows of (N, C, L) as `output_size` says."""

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The averages of as many windows of (N, C, H, W) as `output_size` says."""

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The averages of as many windows of (N, C, D, H, W) as `output_size` says."""

    _function = staticmethod(F.adaptive_avg_pool3d)
