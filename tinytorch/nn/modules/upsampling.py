"""Layers that change the resolution of images and signals."""

from __future__ import annotations

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.common_types import _ratio_2_t, _ratio_any_t, _size_2_t, _size_any_t
from tinytorch.nn.modules.module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Samples (N, C, ...) anew: `F.interpolate` as a layer.

    Args:
        size: of the result, or
        scale_factor: by which it is larger.
        mode: "nearest", "linear", "bilinear", "bicubic", "trilinear" ...
        align_corners: whether the corners of both grids meet, if the mode is linear.
        recompute_scale_factor: use the ratio of the sizes instead of the factor.
    """

    __constants__ = [
        "size",
        "scale_factor",
        "mode",
        "align_corners",
        "name",
        "recompute_scale_factor",
    ]

    def __init__(
        self,
        size: _size_any_t | None = None,
        scale_factor: _ratio_any_t | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` in the new resolution."""
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of (N, C, H, W) that repeats pixels."""

    def __init__(
        self,
        size: _size_2_t | None = None,
        scale_factor: _ratio_2_t | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of (N, C, H, W) that interpolates, with corners aligned."""

    def __init__(
        self,
        size: _size_2_t | None = None,
        scale_factor: _ratio_2_t | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
