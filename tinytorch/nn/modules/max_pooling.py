"""Pooling by maxima, over fixed and random windows, and its inverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.common_types import (
    _maybe_indices_t,
    _ratio_2_t,
    _ratio_3_t,
    _size_1_t,
    _size_2_t,
    _size_3_t,
    _size_any_t,
)
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.utils import _pair, _single, _triple

__all__ = [
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxPoolNd(Module):
    """The window of a maximum.

    Args:
        kernel_size, dilation: of the window.
        stride: between windows; as large as the window by default.
        padding: added at both ends, as minus infinity.
        return_indices: whether to return the places of the maxima as well.
        ceil_mode: whether a last window may reach beyond the end.
    """

    __constants__ = [
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "return_indices",
        "ceil_mode",
    ]
    _function: Callable[..., Any]  # of nn.functional

    def __init__(
        self,
        kernel_size: _size_any_t,
        stride: _size_any_t | None = None,
        padding: _size_any_t = 0,
        dilation: _size_any_t = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> _maybe_indices_t:
        """Return the maxima of the windows, and their places if asked for."""
        pooled: _maybe_indices_t = self._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )
        return pooled

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The maxima of windows of (N, C, L)."""

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """The maxima of windows of (N, C, H, W)."""

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The maxima of windows of (N, C, D, H, W)."""

    _function = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(Module):
    """The window of the maxima that are put back."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    _function: Callable[..., Tensor]  # of nn.functional

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return zeros with `input` at `indices`, of the size asked for."""
        return self._function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}"
        )


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts the results of `MaxPool1d` back to their places, among zeros."""

    _function = staticmethod(F.max_unpool1d)

    def __init__(
        self,
        kernel_size: _size_1_t,
        stride: _size_1_t | None = None,
        padding: _size_1_t = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(kernel_size if stride is None else stride)
        self.padding = _single(padding)


class MaxUnpool2d(_MaxUnpoolNd):
    """Puts the results of `MaxPool2d` back to their places, among zeros."""

    _function = staticmethod(F.max_unpool2d)

    def __init__(
        self,
        kernel_size: _size_2_t,
        stride: _size_2_t | None = None,
        padding: _size_2_t = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(kernel_size if stride is None else stride)
        self.padding = _pair(padding)


class MaxUnpool3d(_MaxUnpoolNd):
    """Puts the results of `MaxPool3d` back to their places, among zeros."""

    _function = staticmethod(F.max_unpool3d)

    def __init__(
        self,
        kernel_size: _size_3_t,
        stride: _size_3_t | None = None,
        padding: _size_3_t = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = _triple(kernel_size)
        self.stride = _triple(kernel_size if stride is None else stride)
        self.padding = _triple(padding)


class _FractionalMaxPoolNd(Module):
    """Windows at random places; the size of the result, or its ratio to the input's."""

    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]
    _random_samples: Tensor | None
    _function: Callable[..., Any]  # of nn.functional

    def _set_up(
        self,
        parse: Callable[[Any], tuple[Any, ...]],
        kernel_size: Any,
        output_size: Any,
        output_ratio: Any,
        return_indices: bool,
        random_samples: Tensor | None,
    ) -> None:
        self.kernel_size = parse(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", random_samples)
        self.output_size = None if output_size is None else parse(output_size)
        self.output_ratio = None if output_ratio is None else parse(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{self.__class__.__name__} requires specifying either an output size, "
                "or a pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError(
                "only one of output_size and output_ratio may be specified"
            )
        if self.output_ratio is not None and not all(
            0 < ratio < 1 for ratio in self.output_ratio
        ):
            raise ValueError(
                f"output_ratio must be between 0 and 1 (got {output_ratio})"
            )

    def forward(self, input: Tensor) -> _maybe_indices_t:
        """Return the maxima of the windows, and their places if asked for."""
        pooled: _maybe_indices_t = self._function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )
        return pooled


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The maxima of windows at random places of (N, C, H, W).

    Args:
        output_size: of the result, or
        output_ratio: its ratio to the size of the input, between 0 and 1.
        return_indices: whether to return the places of the maxima as well.
    """

    _function = staticmethod(F.fractional_max_pool2d)

    def __init__(
        self,
        kernel_size: _size_2_t,
        output_size: _size_2_t | None = None,
        output_ratio: _ratio_2_t | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self._set_up(
            _pair,
            kernel_size,
            output_size,
            output_ratio,
            return_indices,
            _random_samples,
        )


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The maxima of windows at random places of (N, C, D, H, W).

    Args:
        output_size: of the result, or
        output_ratio: its ratio to the size of the input, between 0 and 1.
        return_indices: whether to return the places of the maxima as well.
    """

    _function = staticmethod(F.fractional_max_pool3d)

    def __init__(
        self,
        kernel_size: _size_3_t,
        output_size: _size_3_t | None = None,
        output_ratio: _ratio_3_t | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self._set_up(
            _triple,
            kernel_size,
            output_size,
            output_ratio,
            return_indices,
            _random_samples,
        )
