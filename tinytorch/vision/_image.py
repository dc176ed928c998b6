"""Images: Pillow's where it is installed, and a light stand-in where it is not.

Pillow is needed to decode and encode files, and for text and fonts; data sets whose
pixels are in memory and all transforms do without it. The stand-in has the few
attributes that programs read (``size``, ``mode``, ``tobytes``) and carries its pixels
as a tensor, on which the transforms work as they do on any tensor.
"""

from __future__ import annotations

import functools
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor

__all__ = ["RawImage", "from_pixels", "is_pil", "pillow", "require_pillow"]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class RawImage:
    """An image of bytes in memory, for machines without Pillow.

    Args:
        pixels: (C, H, W), uint8; 1, 2, 3 or 4 channels.
    """

    __slots__ = ("pixels",)

    def __init__(self, pixels: Tensor) -> None:
        if pixels.dim() != 3 or pixels.dtype is not tinytorch.uint8:
            raise ValueError(
                "RawImage: expected (C, H, W) of uint8, got "
                f"{tuple(pixels.shape)} of {pixels.dtype}"
            )
        self.pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return int(self.pixels.size(2)), int(self.pixels.size(1))

    @property
    def width(self) -> int:
        """Pixels per row."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Rows."""
        return self.size[1]

    @property
    def mode(self) -> str:
        """``"L"``, ``"LA"``, ``"RGB"`` or ``"RGBA"``."""
        return _MODES[int(self.pixels.size(0))]

    def getbands(self) -> tuple[str, ...]:
        """Return the names of the channels."""
        return tuple(self.mode)

    def convert(self, mode: str) -> RawImage:
        """Return the image as ``"L"`` or ``"RGB"``."""
        if mode == self.mode:
            return self
        if mode == "RGB" and self.mode == "L":
            return RawImage(self.pixels.expand(3, -1, -1).contiguous())
        if mode == "L" and self.mode == "RGB":
            # Pillow's integer weights, which sum up to 2**16.
            r, g, b = self.pixels.to(tinytorch.int32).unbind(0)
            gray = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16
            return RawImage(gray.to(tinytorch.uint8)[None])
        raise ValueError(f"convert from {self.mode} to {mode} needs Pillow")

    def interleaved(self) -> Tensor:
        """Return (H, W), or (H, W, C) if there are several channels."""
        if self.pixels.size(0) == 1:
            return self.pixels[0]
        return self.pixels.permute(1, 2, 0).contiguous()

    def tobytes(self) -> bytes:
        """Return the pixels row by row, their channels side by side."""
        return bytes(memoryview(self.interleaved().contiguous()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.interleaved().numpy()
        return array if dtype is None else array.astype(dtype)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RawImage) or self.size != other.size:
            return NotImplemented
        return bool(tinytorch.equal(self.pixels, other.pixels))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<RawImage mode={self.mode} size={self.width}x{self.height}>"


@functools.cache
def pillow() -> Any:
    """Return ``PIL.Image``, or None where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def require_pillow(purpose: str) -> Any:
    """Return ``PIL.Image``; ImportError that says what for and how to get it."""
    module = pillow()
    if module is None:
        raise ImportError(
            f"{purpose} needs Pillow, which is not installed: "
            "pip install 'tinytorch[vision]'"
        )
    return module


def is_pil(image: Any) -> bool:
    """Return whether this is an image of Pillow's."""
    # A program can only have one if it has imported the package.
    module = pillow()
    return module is not None and isinstance(image, module.Image)


def from_pixels(pixels: Tensor) -> Any:
    """Make an image of (H, W) or (H, W, C) bytes: Pillow's, or else the stand-in."""
    module = pillow()
    if module is None:
        chw = pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)
        return RawImage(chw.contiguous())
    channels = 1 if pixels.dim() == 2 else int(pixels.size(2))
    size = (int(pixels.size(1)), int(pixels.size(0)))
    return module.frombytes(
        _MODES[channels], size, bytes(memoryview(pixels.contiguous()))
    )
