"""Transforms of whole batches, where they equal those of the images one by one.

A transform that treats every pixel by itself has a method ``_pointwise``: from
(N, C, H, W) to (N, C, H, W), with the same operations as its call, so each number
comes out the same. Subclasses that change the call do not inherit the promise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.vision.transforms.transforms import Compose, ToTensor

__all__ = ["batched", "begins_with_to_tensor"]


def _steps(transform: Any) -> list[Any]:
    """Return the transforms that one consists of."""
    if type(transform) is not Compose:
        return [transform]
    return [step for part in transform.transforms for step in _steps(part)]


def begins_with_to_tensor(transform: Any) -> bool:
    """Return whether all that sees the image itself is ToTensor."""
    while type(transform) is Compose and transform.transforms:
        transform = transform.transforms[0]
    return type(transform) is ToTensor


def batched(transform: Any) -> Callable[[Tensor], Tensor] | None:
    """Return the transform for batches of bytes (N, C, H, W), or None."""
    if not begins_with_to_tensor(transform):
        return None
    steps = _steps(transform)
    if any("_pointwise" not in type(step).__dict__ for step in steps):
        return None

    def make(pixels: Tensor) -> Tensor:
        for step in steps:
            pixels = step._pointwise(pixels)
        return pixels

    return make
