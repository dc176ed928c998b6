"""Convolutions over one, two and three dimensions."""

from __future__ import annotations

from typing import Any

from tinytorch.nn import functional as F
from tinytorch.nn.common_types import _size_1_t, _size_2_t, _size_3_t
from tinytorch.nn.modules.activated import Activation
from tinytorch.nn.modules.convnd import _ConvNd, as_padding
from tinytorch.nn.modules.utils import _pair, _single, _triple

__all__ = ["Conv1d", "Conv2d", "Conv3d"]


class Conv1d(_ConvNd):
    """Cross-correlates (N, in_channels, L) with kernels: `F.conv1d` with parameters.

    Args:
        padding: added at both ends; "same" keeps the length, "valid" adds nothing.
        groups: how many blocks of channels are convolved apart.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        activation: applied to the result; a name such as "relu" or a callable.  Not in
            PyTorch.
    """

    _function = staticmethod(F.conv1d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_1_t,
        stride: _size_1_t = 1,
        padding: str | _size_1_t = 0,
        dilation: _size_1_t = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        activation: Activation | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            _single(kernel_size),
            _single(stride),
            as_padding(padding, _single),
            _single(dilation),
            False,
            _single(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )


class Conv2d(_ConvNd):
    """Cross-correlates (N, in_channels, H, W) with kernels: `F.conv2d` with parameters.

    The arguments are those of `Conv1d`, sizes as one number or (height, width).
    """

    _function = staticmethod(F.conv2d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_2_t,
        stride: _size_2_t = 1,
        padding: str | _size_2_t = 0,
        dilation: _size_2_t = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        activation: Activation | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            _pair(kernel_size),
            _pair(stride),
            as_padding(padding, _pair),
            _pair(dilation),
            False,
            _pair(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )


class Conv3d(_ConvNd):
    """Cross-correlates (N, in_channels, D, H, W) with kernels: `F.conv3d`.

    The arguments are those of `Conv1d`, sizes as one number or (depth, height, width).
    """

    _function = staticmethod(F.conv3d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_3_t,
        stride: _size_3_t = 1,
        padding: str | _size_3_t = 0,
        dilation: _size_3_t = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        activation: Activation | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            _triple(kernel_size),
            _triple(stride),
            as_padding(padding, _triple),
            _triple(dilation),
            False,
            _triple(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )
