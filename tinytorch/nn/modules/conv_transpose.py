"""Transposed convolutions over one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.common_types import _size_1_t, _size_2_t, _size_3_t
from tinytorch.nn.modules.activated import Activation
from tinytorch.nn.modules.convnd import _ConvNd
from tinytorch.nn.modules.utils import _pair, _single, _triple

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvTransposeNd(_ConvNd):
    """What transposed convolutions share: the choice of the output's size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
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
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {self.__class__.__name__}'
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            transposed,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[int],
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Sequence[int]:
        """Return what must be added to the smallest output to get `output_size`."""
        if output_size is None:
            return self.output_padding
        n, dims = num_spatial_dims, input.dim()
        batch = dims - n  # dimensions before the spatial ones: 2, or 1 without batch
        if len(output_size) == dims:
            output_size = output_size[batch:]
        if len(output_size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {dims}D input, output_size must have {n} or "
                f"{dims} elements (got {len(output_size)})"
            )
        sizes = input.shape[batch:]
        least = [
            (sizes[i] - 1) * stride[i]
            - 2 * padding[i]
            + (1 if dilation is None else dilation[i]) * (kernel_size[i] - 1)
            + 1
            for i in range(n)
        ]
        most = [low + stride[i] - 1 for i, low in enumerate(least)]
        if any(
            not low <= size <= high
            for size, low, high in zip(output_size, least, most, strict=True)
        ):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range "
                f"from {least} to {most} (for an input of {sizes})"
            )
        return [size - low for size, low in zip(output_size, least, strict=True)]

    def forward(
        self, input: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return the transposed convolution of `input`, of the size asked for."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(
                input,
                output_size,
                self.stride,
                self.padding,
                self.kernel_size,
                len(self.kernel_size),
                self.dilation,
            )
        y = self._function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )
        return y if self._activation is None else self._activation(y)


class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of a `Conv1d` with respect to its input, as a layer.

    Args:
        output_padding: lengthens the result at its end; a stride leaves the size open.
        groups: how many blocks of channels are convolved apart.
        activation: applied to the result; a name such as "relu" or a callable.  Not in
            PyTorch.
    """

    _function = staticmethod(F.conv_transpose1d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_1_t,
        stride: _size_1_t = 1,
        padding: _size_1_t = 0,
        output_padding: _size_1_t = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _size_1_t = 1,
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
            _single(padding),
            _single(dilation),
            True,
            _single(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )


class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of a `Conv2d` with respect to its input, as a layer.

    The arguments are those of `ConvTranspose1d`.
    """

    _function = staticmethod(F.conv_transpose2d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_2_t,
        stride: _size_2_t = 1,
        padding: _size_2_t = 0,
        output_padding: _size_2_t = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _size_2_t = 1,
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
            _pair(padding),
            _pair(dilation),
            True,
            _pair(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )


class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of a `Conv3d` with respect to its input, as a layer.

    The arguments are those of `ConvTranspose1d`.
    """

    _function = staticmethod(F.conv_transpose3d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _size_3_t,
        stride: _size_3_t = 1,
        padding: _size_3_t = 0,
        output_padding: _size_3_t = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _size_3_t = 1,
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
            _triple(padding),
            _triple(dilation),
            True,
            _triple(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation,
        )
