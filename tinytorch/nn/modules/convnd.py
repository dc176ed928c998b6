"""What all convolution layers share: arguments, parameters, repr."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn import init
from tinytorch.nn.modules.activated import Activation, activate, activation_repr
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.utils import _reverse_repeat_tuple
from tinytorch.nn.parameter import Parameter

__all__ = ["_ConvNd"]

PADDINGS = {"valid", "same"}
MODES = {"zeros", "reflect", "replicate", "circular"}


class _ConvNd(Module):
    """What all convolutions share: arguments as tuples, weight, bias, repr.

    Weight and bias start uniform in ±1/sqrt(fan_in), fan_in being the weight's size
    without its first dimension.
    """

    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    padding: Any
    transposed: bool
    groups: int
    weight: Tensor
    bias: Tensor | None
    _reversed_padding_repeated_twice: Sequence[int]
    _function: Callable[..., Tensor]  # of nn.functional
    output_padding: Sequence[int]
    _activation: Callable[[Tensor], Tensor] | None = None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...] | str,
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
        activation: Activation | None = None,
    ) -> None:
        super().__init__()
        _check(in_channels, out_channels, stride, padding, groups, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = _pad_argument(
            padding, kernel_size, dilation
        )
        channels = (
            (in_channels, out_channels // groups)
            if transposed
            else (out_channels, in_channels // groups)
        )
        shape = (*channels, *kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()
        if activation is not None:
            activate(self, activation)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # a = sqrt(5) makes the bound 1/sqrt(fan_in).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _conv_forward(
        self, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        if self.padding_mode == "zeros":
            return self._function(
                input,
                weight,
                bias,
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
            )
        padded = F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode)
        return self._function(
            padded, weight, bias, self.stride, 0, self.dilation, self.groups
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of `input`."""
        y = self._conv_forward(input, self.weight, self.bias)
        return y if self._activation is None else self._activation(y)

    def extra_repr(self) -> str:
        """Describe the layer in its repr: what differs from the defaults."""
        n = len(self.kernel_size)
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        if self.padding != (0,) * len(self.padding):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts) + activation_repr(self._activation)


def _check(
    in_channels: int,
    out_channels: int,
    stride: tuple[int, ...],
    padding: tuple[int, ...] | str,
    groups: int,
    padding_mode: str,
) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups != 0:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        if padding not in PADDINGS:
            raise ValueError(
                f"Invalid padding string {padding!r}, should be one of {PADDINGS}"
            )
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if padding_mode not in MODES:
        raise ValueError(
            f"padding_mode must be one of {MODES}, but got {padding_mode=}"
        )


def _pad_argument(
    padding: Any, kernel_size: tuple[int, ...], dilation: tuple[int, ...]
) -> Sequence[int]:
    """Return the padding in the order of `F.pad`: last dimension first, both ends."""
    if padding == "valid":
        return [0, 0] * len(kernel_size)
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, kernel_size, strict=False)]
        # Of an odd total, the end gets the larger part.
        return [side for n in reversed(totals) for side in (n // 2, n - n // 2)]
    return _reverse_repeat_tuple(padding, 2)


def as_padding(padding: Any, parse: Callable[[Any], tuple[int, ...]]) -> Any:
    """Return one padding per dimension, or the string."""
    return padding if isinstance(padding, str) else parse(padding)
