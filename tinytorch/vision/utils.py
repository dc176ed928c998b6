"""Grids of images, and image files from tensors."""

from __future__ import annotations

import math
import pathlib
from typing import Any, BinaryIO

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image

__all__ = ["make_grid", "save_image"]


def _stretched(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    """Return an image with its values moved to 0 ... 1."""
    if bounds is None:
        low, high = float(x.min().item()), float(x.max().item())
    else:
        low, high = bounds
    return x.clamp(low, high).sub_(low).div_(max(high - low, 1e-5))


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Put images side by side in one image (3, H, W).

    Args:
        tensor: (N, C, H, W), or a list of (C, H, W).
        nrow: Images per row.
        padding: Pixels between them.
        normalize: Move the values to 0 ... 1.
        value_range: The values that become 0 and 1; default: the extremes.
        scale_each: Find the extremes of each image by itself.
        pad_value: Value of the pixels between.
    """
    with tinytorch.no_grad():
        return _grid(
            tensor, nrow, padding, normalize, value_range, scale_each, pad_value
        )


def _grid(
    tensor: Any,
    nrow: int,
    padding: int,
    normalize: bool,
    value_range: tuple[float, float] | None,
    scale_each: bool,
    pad_value: float,
) -> Tensor:
    if isinstance(tensor, list):
        if not all(isinstance(image, Tensor) for image in tensor):
            raise TypeError("tensor or list of tensors expected, got a list of others")
        tensor = tinytorch.stack(tensor, 0)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    x = tensor
    if x.dim() == 2:
        x = x[None]
    if x.dim() == 3:
        x = x.expand(3, -1, -1)[None] if x.size(0) == 1 else x[None]
    if x.dim() == 4 and x.size(1) == 1:
        x = x.expand(-1, 3, -1, -1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max "
                "are numbers"
            )
        if scale_each:
            x = tinytorch.stack([_stretched(image, value_range) for image in x])
        else:
            x = _stretched(x, value_range)
    count, channels, height, width = x.shape
    if count == 1:
        return x[0]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    grid = tinytorch.full(
        (channels, height * rows + padding, width * columns + padding),
        pad_value,
        dtype=x.dtype,
    )
    for k in range(count):
        top = (k // columns) * height + padding
        left = (k % columns) * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = x[k]
    return grid


def save_image(
    tensor: Any,
    fp: str | pathlib.Path | BinaryIO,
    format: str | None = None,
    **kwargs: Any,
) -> None:
    """Write images with values in 0 ... 1 as one image file.

    Args:
        tensor: (C, H, W), (N, C, H, W) or a list.
        fp: A path, or a file opened for bytes.
        format: ``"png"`` and the like; default: by the name.
        **kwargs: Those of :func:`make_grid`.
    """
    module = _image.require_pillow("writing image files")
    grid = make_grid(tensor, **kwargs).detach()
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0)
    array = pixels.to(tinytorch.uint8).contiguous().numpy()
    module.fromarray(array).save(fp, format=format)
