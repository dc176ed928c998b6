"""Transforms of Pillow's images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__: list[str] = []


def pad(image: Any, borders: list[int], fill: Any, mode: str) -> Any:
    """Pad by left, top, right, bottom."""
    from PIL import Image, ImageOps

    left, top, right, bottom = borders
    if mode == "constant":
        if isinstance(fill, (tuple, list)):
            fill = fill[0] if len(fill) == 1 else tuple(fill)
        if isinstance(fill, (int, float)):
            bands = len(image.getbands())
            fill = (int(fill),) * bands if bands > 1 else fill
        if min(borders) < 0:  # negative borders crop
            image = image.crop(
                (
                    -min(left, 0),
                    -min(top, 0),
                    image.width + min(right, 0),
                    image.height + min(bottom, 0),
                )
            )
            borders = [max(b, 0) for b in borders]
        padded = ImageOps.expand(image, border=tuple(borders), fill=fill)
        if image.mode == "P":
            padded.putpalette(image.getpalette())
        return padded
    import numpy

    if mode not in ("edge", "reflect", "symmetric"):
        raise ValueError(
            "Padding mode should be either constant, edge, reflect or symmetric"
        )
    around: list[tuple[int, int]] = [(top, bottom), (left, right)]
    array = numpy.asarray(image)
    around += [(0, 0)] * (array.ndim - 2)
    padded = Image.fromarray(numpy.pad(array, around, mode=mode))  # type: ignore[call-overload]
    if image.mode == "P":
        padded = padded.convert("P")
        padded.putpalette(image.getpalette())
    return padded


def colour(fill: Any, image: Any) -> Any:
    """Return a fill in the form that Pillow wants for an image."""
    bands = len(image.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (tuple, list)):
        if bands == 1 and len(fill) == 1:
            return fill[0] if image.mode == "F" else int(fill[0])
        if len(fill) == 1:
            fill = tuple(fill) * bands
        if len(fill) != bands:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of "
                f"channels of the image ({len(fill)} != {bands})"
            )
        return tuple(int(value) for value in fill)
    return fill if image.mode == "F" else int(fill)


def affine(image: Any, matrix: Sequence[float], resample: int, fill: Any) -> Any:
    """Sample at ``matrix @ (x, y, 1)``, coordinates from the corner."""
    from PIL import Image

    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        tuple(matrix),
        resample,
        fillcolor=colour(fill, image),
    )


def perspective(
    image: Any, coefficients: Sequence[float], resample: int, fill: Any
) -> Any:
    """Sample at the places of a perspective map."""
    from PIL import Image

    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        tuple(coefficients),
        resample,
        fillcolor=colour(fill, image),
    )


def to_grayscale(image: Any, channels: int) -> Any:
    """Return the brightness, as ``"L"`` or ``"RGB"``."""
    from PIL import Image

    gray = image.convert("L")
    return gray if channels == 1 else Image.merge("RGB", (gray, gray, gray))


def enhance(image: Any, kind: str, factor: float) -> Any:
    """Change ``"Brightness"``, ``"Contrast"``, ``"Color"`` or ``"Sharpness"``."""
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(image).enhance(factor)


def adjust_hue(image: Any, factor: float) -> Any:
    """Turn the circle of colours by a share of it."""
    from PIL import Image

    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    shift = int(factor * 255)
    hue = hue.point([(i + shift) % 256 for i in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert(image.mode)


def adjust_gamma(image: Any, gamma: float, gain: float) -> Any:
    """Raise to a power."""
    mode = image.mode
    image = image.convert("RGB")
    top = 255 + 1 - 1e-3
    table = [int(min(top * gain * math.pow(i / 255.0, gamma), 255)) for i in range(256)]
    return image.point(table * 3).convert(mode)


def operate(image: Any, name: str, *args: Any) -> Any:
    """Call one of Pillow's ready operations."""
    from PIL import ImageOps

    return getattr(ImageOps, name)(image, *args)
