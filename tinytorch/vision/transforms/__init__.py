"""Transforms of images, as in torchvision.transforms."""

from __future__ import annotations

from tinytorch.vision.transforms import functional, transforms
from tinytorch.vision.transforms.transforms import *  # noqa: F403

__all__ = ["functional"]
__all__ += transforms.__all__
