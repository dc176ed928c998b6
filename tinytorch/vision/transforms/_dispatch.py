"""Which kind of image something is, and the function that is for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image
from tinytorch.vision._image import RawImage
from tinytorch.vision.transforms import _functional_tensor as on_tensor

__all__ = ["dispatch", "get_dimensions", "get_image_num_channels", "get_image_size"]


def dispatch(
    img: Any, tensor: Callable[[Tensor], Tensor], pil: Callable[[Any], Any]
) -> Any:
    """Call the function for this kind of image."""
    if isinstance(img, Tensor):
        return tensor(img)
    if isinstance(img, RawImage):
        return RawImage(tensor(img.pixels).contiguous())
    if _image.is_pil(img):
        return pil(img)
    raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")


def get_dimensions(img: Any) -> list[int]:
    """Return channels, height and width."""
    if isinstance(img, Tensor):
        return list(on_tensor.dimensions(img))
    if isinstance(img, RawImage) or _image.is_pil(img):
        return [len(img.getbands()), img.height, img.width]
    raise TypeError(f"Unexpected type {type(img)}")


def get_image_size(img: Any) -> list[int]:
    """Return width and height."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """Return the number of channels."""
    return get_dimensions(img)[0]
