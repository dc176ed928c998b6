"""Layers that pad the last dimensions; a number pads all sides alike.

Negative widths cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.common_types import _size_2_t, _size_4_t, _size_6_t
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.utils import _ntuple, _pair, _quadruple

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]

_sextuple = _ntuple(6)


# ---- constants ----


class _ConstantPadNd(Module):
    """The value, and the widths in the order of `F.pad`: last dimension first."""

    __constants__ = ["padding", "value"]
    value: float
    padding: Sequence[int]

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` padded."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with `value`.

    Args:
        padding: a number, or (left, right).
    """

    def __init__(self, padding: _size_2_t, value: float) -> None:
        super().__init__(value)
        self.padding = _pair(padding)


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with `value`.

    Args:
        padding: a number, or (left, right, top, bottom).
    """

    def __init__(self, padding: _size_4_t, value: float) -> None:
        super().__init__(value)
        self.padding = _quadruple(padding)


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with `value`.

    Args:
        padding: a number, or (left, right, top, bottom, front, back).
    """

    def __init__(self, padding: _size_6_t, value: float) -> None:
        super().__init__(value)
        self.padding = _sextuple(padding)


class ZeroPad1d(ConstantPad1d):
    """Pads the last dimension with zeros.

    Args:
        padding: a number, or (left, right).
    """

    def __init__(self, padding: _size_2_t) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Pads the last two dimensions with zeros.

    Args:
        padding: a number, or (left, right, top, bottom).
    """

    def __init__(self, padding: _size_4_t) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Pads the last three dimensions with zeros.

    Args:
        padding: a number, or (left, right, top, bottom, front, back).
    """

    def __init__(self, padding: _size_6_t) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


# ---- reflect ----


class _ReflectionPadNd(Module):
    """The widths in the order of `F.pad`: last dimension first."""

    __constants__ = ["padding"]
    padding: Sequence[int]

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` padded."""
        return F.pad(input, self.padding, "reflect")

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads the last dimension with its mirror image, the edge not repeated.

    Args:
        padding: a number, or (left, right).
    """

    def __init__(self, padding: _size_2_t) -> None:
        super().__init__()
        self.padding = _pair(padding)


class ReflectionPad2d(_ReflectionPadNd):
    """Pads the last two dimensions with its mirror image, the edge not repeated.

    Args:
        padding: a number, or (left, right, top, bottom).
    """

    def __init__(self, padding: _size_4_t) -> None:
        super().__init__()
        self.padding = _quadruple(padding)


class ReflectionPad3d(_ReflectionPadNd):
    """Pads the last three dimensions with its mirror image, the edge not repeated.

    Args:
        padding: a number, or (left, right, top, bottom, front, back).
    """

    def __init__(self, padding: _size_6_t) -> None:
        super().__init__()
        self.padding = _sextuple(padding)


# ---- replicate ----


class _ReplicationPadNd(Module):
    """The widths in the order of `F.pad`: last dimension first."""

    __constants__ = ["padding"]
    padding: Sequence[int]

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` padded."""
        return F.pad(input, self.padding, "replicate")

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads the last dimension with the values at its edge.

    Args:
        padding: a number, or (left, right).
    """

    def __init__(self, padding: _size_2_t) -> None:
        super().__init__()
        self.padding = _pair(padding)


class ReplicationPad2d(_ReplicationPadNd):
    """Pads the last two dimensions with the values at its edge.

    Args:
        padding: a number, or (left, right, top, bottom).
    """

    def __init__(self, padding: _size_4_t) -> None:
        super().__init__()
        self.padding = _quadruple(padding)


class ReplicationPad3d(_ReplicationPadNd):
    """Pads the last three dimensions with the values at its edge.

    Args:
        padding: a number, or (left, right, top, bottom, front, back).
    """

    def __init__(self, padding: _size_6_t) -> None:
        super().__init__()
        self.padding = _sextuple(padding)


# ---- circular ----


class _CircularPadNd(Module):
    """The widths in the order of `F.pad`: last dimension first."""

    __constants__ = ["padding"]
    padding: Sequence[int]
    _dims: ClassVar[tuple[int, int]]  # of an input without and with a batch

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._dims:
            low, high = self._dims
            raise ValueError(
                f"expected {low}D or {high}D input (got {input.dim()}D input)"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` padded."""
        self._check_input_dim(input)
        return F.pad(input, self.padding, "circular")

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"{self.padding}"


class CircularPad1d(_CircularPadNd):
    """Pads the last dimension with the values of the opposite side.

    Args:
        padding: a number, or (left, right).
    """

    _dims = (2, 3)

    def __init__(self, padding: _size_2_t) -> None:
        super().__init__()
        self.padding = _pair(padding)


class CircularPad2d(_CircularPadNd):
    """Pads the last two dimensions with the values of the opposite side.

    Args:
        padding: a number, or (left, right, top, bottom).
    """

    _dims = (3, 4)

    def __init__(self, padding: _size_4_t) -> None:
        super().__init__()
        self.padding = _quadruple(padding)


class CircularPad3d(_CircularPadNd):
    """Pads the last three dimensions with the values of the opposite side.

    Args:
        padding: a number, or (left, right, top, bottom, front, back).
    """

    _dims = (4, 5)

    def __init__(self, padding: _size_6_t) -> None:
        super().__init__()
        self.padding = _sextuple(padding)
