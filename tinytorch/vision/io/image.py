"""Image files as tensors of bytes (C, H, W)."""

from __future__ import annotations

import enum
import io
import os
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image
from tinytorch.vision.transforms.functional import pil_to_tensor, to_pil_image

__all__ = [
    "ImageReadMode",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(enum.Enum):
    """How many channels an image is read as; UNCHANGED: as many as it has."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PIL_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_file(path: str | os.PathLike[str]) -> Tensor:
    """Return the bytes of a file."""
    with open(path, "rb") as stream:
        content = bytearray(stream.read())
    return tinytorch.frombuffer(content, dtype=tinytorch.uint8)


def write_file(filename: str | os.PathLike[str], data: Tensor) -> None:
    """Write bytes to a file."""
    with open(filename, "wb") as stream:
        stream.write(memoryview(data.contiguous()))


def decode_image(
    input: Tensor | str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the pixels of an image file, or of the bytes of one."""
    module = _image.require_pillow("reading image files")
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    source: Any = input
    if isinstance(input, Tensor):
        source = io.BytesIO(bytes(memoryview(input.contiguous())))
    with module.open(source) as image:
        if apply_exif_orientation:
            from PIL import ImageOps

            image = ImageOps.exif_transpose(image)
        if mode.value:
            image = image.convert(_PIL_MODES[mode.value])
        elif image.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        return pil_to_tensor(image)


def decode_png(
    input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED
) -> Tensor:
    """Return the pixels of the bytes of a PNG file."""
    return decode_image(input, mode)


def decode_jpeg(
    input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED
) -> Tensor:
    """Return the pixels of the bytes of a JPEG file."""
    return decode_image(input, mode)


def read_image(
    path: str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the pixels of an image file."""
    return decode_image(path, mode, apply_exif_orientation)


def _encode(input: Tensor, format: str, **options: Any) -> Tensor:
    if input.dtype is not tinytorch.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {input.dtype}")
    if input.dim() != 3 or input.size(0) not in (1, 3):
        raise RuntimeError(
            f"The number of channels should be 1 or 3, got: {tuple(input.shape)}"
        )
    _image.require_pillow("writing image files")
    stream = io.BytesIO()
    to_pil_image(input).save(stream, format=format, **options)
    return tinytorch.frombuffer(bytearray(stream.getvalue()), dtype=tinytorch.uint8)


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """Return the bytes of a PNG file."""
    return _encode(input, "png", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """Return the bytes of a JPEG file."""
    return _encode(input, "jpeg", quality=quality)


def write_png(
    input: Tensor, filename: str | os.PathLike[str], compression_level: int = 6
) -> None:
    """Write a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(
    input: Tensor, filename: str | os.PathLike[str], quality: int = 75
) -> None:
    """Write a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
