"""Images turned, sheared and seen from the side."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision.transforms import _functional_pil as on_pil
from tinytorch.vision.transforms import _functional_tensor as on_tensor
from tinytorch.vision.transforms._dispatch import dispatch
from tinytorch.vision.transforms._interpolation import (
    InterpolationMode,
    as_mode,
    pil_number,
)

__all__ = ["affine", "perspective", "rotate"]

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill: Any = None,
) -> Any:
    """Turn by degrees, counter-clockwise.

    Args:
        img: The image.
        angle: Degrees.
        interpolation: NEAREST or BILINEAR; for Pillow's images also BICUBIC.
        expand: Make the result as large as the turned image.
        center: What stays in place, (x, y) from the upper left corner.
        fill: The colour outside.
    """
    mode = as_mode(interpolation)

    def turned(x: Tensor) -> Tensor:
        _, h, w = on_tensor.dimensions(x)
        from_middle = [0.0, 0.0]
        if center is not None:
            from_middle = [center[0] - w * 0.5, center[1] - h * 0.5]
        m = on_tensor.inverse_matrix(from_middle, -angle, [0, 0], 1.0, [0, 0])
        size = _expanded(m, w, h) if expand else None
        return on_tensor.affine(x, m, mode.value, fill, size)

    return dispatch(
        img,
        turned,
        lambda p: p.rotate(
            angle,
            pil_number(mode),
            expand,
            center=center,
            fillcolor=on_pil.colour(fill, p),
        ),
    )


def _expanded(matrix: list[float], width: int, height: int) -> tuple[int, int]:
    """Return the height and width that hold all of a turned image."""
    a, b, _, d, e, _ = matrix
    corners = [(x * width / 2, y * height / 2) for x in (-1, 1) for y in (-1, 1)]
    # The inverse of a rotation is its transpose.
    xs = [a * x + d * y for x, y in corners]
    ys = [b * x + e * y for x, y in corners]
    # Rounded first, so that an angle of 90 degrees does not add a line.
    spans = [
        math.ceil(round(max(v) + size / 2, 3)) - math.floor(round(min(v) + size / 2, 3))
        for v, size in ((ys, height), (xs, width))
    ]
    return spans[0], spans[1]


def affine(
    img: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Any = NEAREST,
    fill: Any = None,
    center: Sequence[int] | None = None,
) -> Any:
    """Turn (clockwise), move, scale and shear, keeping the centre in place."""
    mode = as_mode(interpolation)
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if isinstance(shear, numbers.Number):
        shear = [shear, 0.0]
    shear = list(shear) * 2 if len(shear) == 1 else list(shear)

    def on_tensors(x: Tensor) -> Tensor:
        _, h, w = on_tensor.dimensions(x)
        from_middle = [0.0, 0.0]
        if center is not None:
            from_middle = [center[0] - w * 0.5, center[1] - h * 0.5]
        m = on_tensor.inverse_matrix(from_middle, angle, translate, scale, shear)
        return on_tensor.affine(x, m, mode.value, fill)

    def on_pils(p: Any) -> Any:
        middle = center or [p.width * 0.5, p.height * 0.5]
        m = on_tensor.inverse_matrix(middle, angle, translate, scale, shear)
        return on_pil.affine(p, m, pil_number(mode), fill)

    return dispatch(img, on_tensors, on_pils)


def perspective(
    img: Any,
    startpoints: list[list[int]],
    endpoints: list[list[int]],
    interpolation: Any = BILINEAR,
    fill: Any = None,
) -> Any:
    """Map four corners, (x, y) each, to four other places."""
    mode = as_mode(interpolation)
    rows, sides = [], []
    for (x, y), (u, v) in zip(startpoints, endpoints, strict=True):
        rows.append([u, v, 1, 0, 0, 0, -x * u, -x * v])
        rows.append([0, 0, 0, u, v, 1, -y * u, -y * v])
        sides += [x, y]
    system = tinytorch.tensor(rows, dtype=tinytorch.float64)
    right = tinytorch.tensor(sides, dtype=tinytorch.float64)
    coefficients = tinytorch.linalg.solve(system, right).tolist()
    return dispatch(
        img,
        lambda x: on_tensor.perspective(x, coefficients, mode.value, fill),
        lambda p: on_pil.perspective(p, coefficients, pil_number(mode), fill),
    )
