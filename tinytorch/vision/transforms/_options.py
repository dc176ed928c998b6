"""Checks of the options of transforms."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

__all__ = ["angle_range", "as_pair"]


def as_pair(size: Any, message: str) -> tuple[int, int]:
    """Return (height, width) of a number or a sequence of one or two."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return int(size[0]), int(size[0])
    if len(size) != 2:
        raise ValueError(message)
    return int(size[0]), int(size[1])


def angle_range(value: Any, name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """Return the bounds of an angle; a number means from -number to number."""
    if isinstance(value, numbers.Number):
        bound = float(value)  # type: ignore[arg-type]
        if bound < 0 or math.isnan(bound):
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-bound, bound]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {lengths}.")
    if len(value) not in lengths:
        raise ValueError(
            f"{name} should be a sequence of length {' or '.join(map(str, lengths))}."
        )
    return [float(bound) for bound in value]
