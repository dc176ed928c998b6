"""Transforms of tensors (..., C, H, W): bytes, or floats in 0 ... 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tinytorch
import tinytorch.nn.functional as F
from tinytorch._core.tensor import Tensor

__all__: list[str] = []

_CAST = {"bilinear", "bicubic"}


def largest(x: Tensor) -> float:
    """Return the value of white: 1 for floats, else the largest of the type."""
    if x.is_floating_point():
        return 1.0
    return 1.0 if x.dtype is tinytorch.bool else float(tinytorch.iinfo(x.dtype).max)


def dimensions(x: Tensor) -> tuple[int, int, int]:
    """Return channels, height, width."""
    return (1 if x.dim() == 2 else x.size(-3)), x.size(-2), x.size(-1)


# ---- geometry without resampling ----


def crop(x: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Cut a box out; what lies outside of the image is black."""
    _, h, w = dimensions(x)
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > w or bottom > h:
        inside = x[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        borders = [
            max(min(right, 0) - left, 0),
            max(right - max(w, left), 0),
            max(min(bottom, 0) - top, 0),
            max(bottom - max(h, top), 0),
        ]
        return F.pad(inside, borders)
    return x[..., top:bottom, left:right]


def _mirrored(size: int, before: int, after: int, mode: str) -> list[int]:
    """Return where each pixel of a padded row comes from."""
    period = {"reflect": 2 * (size - 1), "symmetric": 2 * size}.get(mode, 0)
    if period == 0:  # edge, or a row of one pixel
        return [min(max(i, 0), size - 1) for i in range(-before, size + after)]
    places = []
    for i in range(-before, size + after):
        i %= period
        last = period - i - (1 if mode == "symmetric" else 0)
        places.append(i if i < size else last)
    return places


def pad(x: Tensor, borders: list[int], fill: Any, mode: str) -> Tensor:
    """Pad by left, top, right, bottom."""
    left, top, right, bottom = borders
    if mode == "constant":
        channels = dimensions(x)[0]
        if isinstance(fill, (tuple, list)) and len(fill) > 1:
            if len(fill) != channels:
                raise ValueError(
                    "The number of elements in 'fill' cannot broadcast to match the "
                    f"number of channels of the image ({len(fill)} != {channels})"
                )
            parts = [
                F.pad(x[..., c : c + 1, :, :], [left, right, top, bottom], value=value)
                for c, value in enumerate(fill)
            ]
            return tinytorch.cat(parts, -3)
        value = fill[0] if isinstance(fill, (tuple, list)) else (fill or 0)
        # Negative borders crop, as they do in F.pad.
        return F.pad(x, [left, right, top, bottom], value=value)
    if mode not in ("edge", "reflect", "symmetric"):
        raise ValueError(
            "Padding mode should be either constant, edge, reflect or symmetric"
        )
    rows = tinytorch.tensor(_mirrored(x.size(-2), top, bottom, mode))
    columns = tinytorch.tensor(_mirrored(x.size(-1), left, right, mode))
    return x.index_select(-2, rows).index_select(-1, columns)


# ---- resampling ----


def _as_float_batch(x: Tensor) -> tuple[Tensor, Any]:
    """Return (N, C, H, W) of floats, and what turns a result back."""
    shape, dtype = x.shape, x.dtype
    if x.dim() > 3:
        y = x.reshape(-1, *shape[-3:])
    else:
        y = x.reshape((1,) * (4 - x.dim()) + tuple(shape))
    y = y if x.is_floating_point() else y.to(tinytorch.float32)

    def back(z: Tensor) -> Tensor:
        if not x.is_floating_point():
            z = z.round().clamp(0, largest(x)).to(dtype)
        return z.reshape((*shape[:-2], *z.shape[-2:]))

    return y, back


def resize(x: Tensor, size: Sequence[int], mode: str, antialias: bool | None) -> Tensor:
    """Resample to (height, width)."""
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(
            "This interpolation mode is unsupported with Tensor input: " + mode
        )
    if list(x.shape[-2:]) == list(size):
        return x
    y, back = _as_float_batch(x)
    if mode in _CAST:
        y = F.interpolate(
            y,
            size=list(size),
            mode=mode,
            align_corners=False,
            antialias=bool(antialias),
        )
    else:
        y = F.interpolate(y, size=list(size), mode=mode)
    return back(y)


def affine(
    x: Tensor,
    matrix: Sequence[float],
    mode: str,
    fill: Any = None,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Sample at ``matrix @ (x, y, 1)``, coordinates from the centre, in pixels.

    Args:
        x: The image.
        matrix: Six numbers, row by row: from the result's place to the image's.
        mode: ``"nearest"`` or ``"bilinear"``.
        fill: What lies outside: a number, or one per channel.
        size: Height and width of the result; default: those of the image.
    """
    _, h, w = dimensions(x)
    rows, cols = size or (h, w)
    y, back = _as_float_batch(x)
    xs = tinytorch.arange(cols, dtype=y.dtype) - (cols - 1) * 0.5
    ys = (tinytorch.arange(rows, dtype=y.dtype) - (rows - 1) * 0.5)[:, None]
    a, b, c, d, e, f = matrix
    grid = tinytorch.stack(
        [(xs * a + ys * b + c) / (0.5 * w), (xs * d + ys * e + f) / (0.5 * h)], -1
    )
    grid = grid[None].expand(y.size(0), -1, -1, -1)
    return back(_sample(y, grid, mode, fill))


def _sample(y: Tensor, grid: Tensor, mode: str, fill: Any) -> Tensor:
    """Sample (N, C, H, W) at places in -1 ... 1, with a colour for outside."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(
            "This interpolation mode is unsupported with Tensor input: " + mode
        )
    if fill is None or fill == 0:
        return F.grid_sample(
            y, grid, mode=mode, padding_mode="zeros", align_corners=False
        )
    mask = tinytorch.ones_like(y[:, :1])
    both = F.grid_sample(
        tinytorch.cat([y, mask], 1),
        grid,
        mode=mode,
        padding_mode="zeros",
        align_corners=False,
    )
    z, inside = both[:, :-1], both[:, -1:]
    colour = tinytorch.tensor(fill, dtype=y.dtype).view(-1, 1, 1)
    if mode == "nearest":
        return tinytorch.where(inside < 0.5, colour.expand_as(z), z)
    return z * inside + (1.0 - inside) * colour


def perspective(
    x: Tensor, coefficients: Sequence[float], mode: str, fill: Any
) -> Tensor:
    """Sample at the places of a perspective map; coordinates from the corner."""
    _, h, w = dimensions(x)
    y, back = _as_float_batch(x)
    xs = tinytorch.arange(w, dtype=y.dtype) + 0.5
    ys = (tinytorch.arange(h, dtype=y.dtype) + 0.5)[:, None]
    a, b, c, d, e, f, g, k = coefficients
    below = xs * g + ys * k + 1.0
    across = (xs * a + ys * b + c) / below / (0.5 * w) - 1.0
    down = (xs * d + ys * e + f) / below / (0.5 * h) - 1.0
    grid = tinytorch.stack([across, down], -1)[None].expand(y.size(0), -1, -1, -1)
    return back(_sample(y, grid, mode, fill))


def gaussian_blur(x: Tensor, kernel: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Convolve each channel with a normal distribution, (x, y) in this order."""
    y, back = _as_float_batch(x)
    weights = []
    for size, width in zip(kernel, sigma, strict=True):
        places = tinytorch.arange(size, dtype=y.dtype) - (size - 1) * 0.5
        density = tinytorch.exp(-0.5 * (places / width).pow(2))
        weights.append(density / density.sum())
    channels = y.size(1)
    both = (weights[1][:, None] * weights[0]).expand(channels, 1, -1, -1)
    kx, ky = kernel[0] // 2, kernel[1] // 2
    padded = F.pad(y, [kx, kx, ky, ky], mode="reflect")
    return back(F.conv2d(padded, both.contiguous(), groups=channels))


# ---- colour ----


def blend(x: Tensor, other: Tensor, ratio: float) -> Tensor:
    """Mix two images, or go beyond the first if the ratio is over 1."""
    mixed = x * ratio + other * (1.0 - ratio)
    return mixed.clamp(0, largest(x)).to(x.dtype)


def to_grayscale(x: Tensor, channels: int = 1) -> Tensor:
    """Return the brightness of a colour image, as one or three channels."""
    if x.size(-3) not in (1, 3):
        raise TypeError(
            f"Input image tensor permitted channel values are 1 or 3, but found "
            f"{x.size(-3)}"
        )
    gray = x
    if x.size(-3) == 3:
        r, g, b = x.unbind(-3)
        gray = (0.2989 * r + 0.587 * g + 0.114 * b).to(x.dtype).unsqueeze(-3)
    return gray.expand(*x.shape[:-3], channels, *x.shape[-2:]) if channels > 1 else gray


def adjust_brightness(x: Tensor, factor: float) -> Tensor:
    """Mix with black."""
    return blend(x, tinytorch.zeros_like(x), factor)


def adjust_contrast(x: Tensor, factor: float) -> Tensor:
    """Mix with the mean brightness."""
    dtype = x.dtype if x.is_floating_point() else tinytorch.float32
    mean = to_grayscale(x).to(dtype).mean(dim=(-3, -2, -1), keepdim=True)
    return blend(x, mean, factor)


def adjust_saturation(x: Tensor, factor: float) -> Tensor:
    """Mix with the grey image."""
    return x if x.size(-3) == 1 else blend(x, to_grayscale(x), factor)


def adjust_hue(x: Tensor, factor: float) -> Tensor:
    """Turn the circle of colours by a share of it."""
    if x.size(-3) == 1:
        return x
    y = x if x.is_floating_point() else x.to(tinytorch.float32) / largest(x)
    r, g, b = y.unbind(-3)
    high, low = y.amax(-3), y.amin(-3)
    spread = high - low
    safe = tinytorch.where(spread == 0, tinytorch.ones_like(spread), spread)
    red, green = high == r, (high == g) & (high != r)
    blue = ~red & ~green
    hue = (
        red * ((g - b) / safe)
        + green * ((b - r) / safe + 2.0)
        + blue * ((r - g) / safe + 4.0)
    ) / 6.0
    hue = tinytorch.remainder(hue + 1.0 + factor, 1.0)
    top = tinytorch.where(high == 0, tinytorch.ones_like(high), high)
    saturation = spread / top
    # Each channel is highest around its own angle and falls off in straight lines.
    channels = []
    for n in (5.0, 3.0, 1.0):
        k = tinytorch.remainder(hue * 6.0 + n, 6.0)
        part = tinytorch.minimum(k, 4.0 - k).clamp(0.0, 1.0)
        channels.append(high - high * saturation * part)
    z = tinytorch.stack(channels, -3)
    if x.is_floating_point():
        return z
    return (z * largest(x)).round().clamp(0, largest(x)).to(x.dtype)


def adjust_gamma(x: Tensor, gamma: float, gain: float = 1.0) -> Tensor:
    """Raise to a power."""
    y = x if x.is_floating_point() else x.to(tinytorch.float32) / largest(x)
    y = (gain * y.pow(gamma)).clamp(0, 1)
    return y if x.is_floating_point() else _bytes_of(y, x)


def _bytes_of(y: Tensor, like: Tensor) -> Tensor:
    """Scale floats in 0 ... 1 so that each value has the same share."""
    return (y * (largest(like) + 1.0 - 1e-3)).to(like.dtype)


def adjust_sharpness(x: Tensor, factor: float) -> Tensor:
    """Mix with a smoothed image."""
    if x.size(-1) <= 2 or x.size(-2) <= 2:
        return x
    y, back = _as_float_batch(x)
    kernel = tinytorch.ones(3, 3, dtype=y.dtype)
    kernel[1, 1] = 5.0
    channels = y.size(1)
    kernel = (kernel / kernel.sum()).expand(channels, 1, 3, 3).contiguous()
    smooth = y.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(y, kernel, groups=channels)
    return blend(x, back(smooth), factor)


def autocontrast(x: Tensor) -> Tensor:
    """Stretch each channel from black to white."""
    white = largest(x)
    y = x if x.is_floating_point() else x.to(tinytorch.float32)
    low, high = y.amin((-2, -1), keepdim=True), y.amax((-2, -1), keepdim=True)
    flat = low == high
    scale = white / tinytorch.where(flat, tinytorch.ones_like(high), high - low)
    scale = tinytorch.where(flat, tinytorch.ones_like(scale), scale)
    low = tinytorch.where(flat, tinytorch.zeros_like(low), low)
    return ((y - low) * scale).clamp(0, white).to(x.dtype)


def equalize(x: Tensor) -> Tensor:
    """Spread the brightness of each channel of bytes evenly."""
    if x.dtype is not tinytorch.uint8:
        raise TypeError(
            f"Only torch.uint8 image tensors are supported, but found {x.dtype}"
        )
    planes = x.reshape(-1, x.size(-2) * x.size(-1))
    return tinytorch.stack([_equalize_plane(plane) for plane in planes]).view(x.shape)


def _equalize_plane(plane: Tensor) -> Tensor:
    counts = tinytorch.bincount(plane.to(tinytorch.int64), minlength=256)
    used = counts[counts != 0]
    step = int(used[:-1].sum().item()) // 255
    if step == 0:
        return plane
    table = (counts.cumsum(0) + step // 2) // step
    table = F.pad(table, [1, 0])[:-1].clamp(0, 255).to(tinytorch.uint8)
    return table[plane.to(tinytorch.int64)]


def posterize(x: Tensor, bits: int) -> Tensor:
    """Keep the highest bits of each byte."""
    mask = -(2 ** (8 - bits)) & 0xFF
    return x & mask


def invert(x: Tensor) -> Tensor:
    """Return the negative."""
    return largest(x) - x if x.is_floating_point() else int(largest(x)) - x


def solarize(x: Tensor, threshold: float) -> Tensor:
    """Invert what is at least as bright as the threshold."""
    if threshold > largest(x):
        raise TypeError("Threshold should be less than bound of img.")
    return tinytorch.where(x >= threshold, invert(x), x)


def inverse_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
) -> list[float]:
    """Return the map from places of the result to places of the image.

    The image is sheared, turned by ``angle`` degrees, scaled and moved, in this order
    and around ``center``.
    """
    turn = math.radians(angle)
    sx, sy = math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    # The determinant of the unscaled map is 1.
    m = [d / scale, -b / scale, 0.0, -c / scale, a / scale, 0.0]
    x, y = -center[0] - translate[0], -center[1] - translate[1]
    m[2] = m[0] * x + m[1] * y + center[0]
    m[5] = m[3] * x + m[4] * y + center[1]
    return m
