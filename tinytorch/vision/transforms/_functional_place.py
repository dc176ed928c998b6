"""Size and place of images: cut, pad, flip, resample."""

from __future__ import annotations

import numbers
from typing import Any

from tinytorch.vision.transforms import _functional_pil as on_pil
from tinytorch.vision.transforms import _functional_tensor as on_tensor
from tinytorch.vision.transforms._dispatch import dispatch, get_dimensions
from tinytorch.vision.transforms._interpolation import (
    InterpolationMode,
    as_mode,
    pil_number,
)

__all__ = [
    "center_crop",
    "crop",
    "five_crop",
    "hflip",
    "pad",
    "resize",
    "resized_crop",
    "ten_crop",
    "vflip",
]

BILINEAR = InterpolationMode.BILINEAR


def _output_size(
    image_size: tuple[int, int], size: Any, max_size: int | None
) -> tuple[int, int]:
    """Return the (height, width) that a size means for an image."""
    if not isinstance(size, int) and len(size) == 2:
        return int(size[0]), int(size[1])
    edge = size if isinstance(size, int) else int(size[0])
    height, width = image_size
    short, long = sorted((height, width))
    new_short, new_long = edge, int(edge * long / short)
    if max_size is not None:
        if max_size <= edge:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested "
                f"size for the smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)


def resize(
    img: Any,
    size: Any,
    interpolation: Any = BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resample to (height, width), or to a length of the shorter edge."""
    mode = as_mode(interpolation)
    if not isinstance(size, int):
        if len(size) not in (1, 2):
            raise ValueError(
                "Size must be an int or a 1 or 2 element tuple/list, not a "
                f"{len(size)} element tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the "
                "smaller edge, i.e. size should be an int or a sequence of length 1."
            )
    _, height, width = get_dimensions(img)
    new = _output_size((height, width), size, max_size)
    if new == (height, width):
        return img
    return dispatch(
        img,
        lambda x: on_tensor.resize(x, new, mode.value, antialias),
        lambda p: p.resize((new[1], new[0]), pil_number(mode)),
    )


def _borders(padding: Any) -> list[int]:
    """Return left, top, right, bottom."""
    if isinstance(padding, int):
        return [padding] * 4
    if not isinstance(padding, (tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            "Padding must be an int or a 1, 2, or 4 element tuple, not a "
            f"{len(padding)} element tuple"
        )
    return [int(padding[i % len(padding)]) for i in range(4)]


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Pad all sides, or (left and right, top and bottom), or each one."""
    borders = _borders(padding)
    return dispatch(
        img,
        lambda x: on_tensor.pad(x, borders, fill, padding_mode),
        lambda p: on_pil.pad(p, borders, fill, padding_mode),
    )


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cut a box out."""
    return dispatch(
        img,
        lambda x: on_tensor.crop(x, top, left, height, width),
        lambda p: p.crop((left, top, left + width, top + height)),
    )


def center_crop(img: Any, output_size: Any) -> Any:
    """Cut out the middle; an image that is too small is padded with black."""
    if isinstance(output_size, numbers.Number):
        output_size = (int(output_size), int(output_size))  # type: ignore[call-overload]
    elif len(output_size) == 1:
        output_size = (output_size[0], output_size[0])
    _, height, width = get_dimensions(img)
    rows, cols = output_size
    if cols > width or rows > height:
        dx, dy = max(cols - width, 0), max(rows - height, 0)
        img = pad(img, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2])
        _, height, width = get_dimensions(img)
        if cols == width and rows == height:
            return img
    top, left = round((height - rows) / 2.0), round((width - cols) / 2.0)
    return crop(img, top, left, rows, cols)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Cut a box out and resample it."""
    box = crop(img, top, left, height, width)
    return resize(box, size, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Swap left and right."""
    return dispatch(img, lambda x: x.flip(-1), lambda p: p.transpose(0))


def vflip(img: Any) -> Any:
    """Swap top and bottom."""
    return dispatch(img, lambda x: x.flip(-2), lambda p: p.transpose(1))


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """Cut out the four corners and the middle."""
    rows, cols = (size, size) if isinstance(size, int) else (size[0], size[-1])
    _, height, width = get_dimensions(img)
    if cols > width or rows > height:
        raise ValueError(
            f"Requested crop size {(rows, cols)} is bigger than input size "
            f"{(height, width)}"
        )
    corners = [
        crop(img, top, left, rows, cols)
        for top in (0, height - rows)
        for left in (0, width - cols)
    ]
    return (*corners, center_crop(img, (rows, cols)))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """Return :func:`five_crop` of the image and of its mirror image."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)
