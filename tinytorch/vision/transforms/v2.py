"""The names of torchvision.transforms.v2 that mean the same as in v1, and three more.

These take images and tensors; boxes, masks and videos are not transformed.
"""

from __future__ import annotations

from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.nn import Module
from tinytorch.vision.transforms import functional, transforms
from tinytorch.vision.transforms.transforms import *  # noqa: F403

__all__ = ["Identity", "ToDtype", "ToImage", "functional"]
__all__ += transforms.__all__


class ToImage(Module):
    """An image or an array (H, W, C) as a tensor (C, H, W) of the same type."""

    def forward(self, image: Any) -> Tensor:
        if isinstance(image, Tensor):
            return image
        if hasattr(image, "getbands"):
            return functional.pil_to_tensor(image)
        x = tinytorch.as_tensor(image)
        x = x[:, :, None] if x.dim() == 2 else x
        return x.permute(2, 0, 1).contiguous()


class ToDtype(Module):
    """Another type of numbers, from white to white if ``scale``.

    Args:
        dtype: The type.
        scale: Whether 255 becomes 1.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        self.dtype = dtype
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        if self.scale:
            return functional.convert_image_dtype(image, self.dtype)
        return image.to(self.dtype)

    def extra_repr(self) -> str:
        """Return the options as text."""
        return f"scale={self.scale}"


class Identity(Module):
    """The image itself."""

    def forward(self, image: Any) -> Any:
        return image
