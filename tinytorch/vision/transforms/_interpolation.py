"""The names of the ways to resample an image."""

from __future__ import annotations

import enum
from typing import Any

__all__ = ["InterpolationMode", "as_mode", "pil_number"]


class InterpolationMode(enum.Enum):
    """How pixels between pixels are made; the last three need Pillow's images."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's numbers, which old programs pass.
_BY_NUMBER = {
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}
_NUMBERS = {mode: number for number, mode in _BY_NUMBER.items()}
_NUMBERS[InterpolationMode.NEAREST_EXACT] = 0


def as_mode(interpolation: Any) -> InterpolationMode:
    """Return the mode that a mode or one of Pillow's numbers means."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and int(interpolation) in _BY_NUMBER:
        return _BY_NUMBER[int(interpolation)]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding "
        f"Pillow integer constant, got {interpolation!r}"
    )


def pil_number(mode: InterpolationMode) -> int:
    """Return Pillow's number of a mode."""
    return _NUMBERS[mode]
