"""Shuffling of pixels and channels, affine grids, and power-mean pooling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from tinytorch._core.ops.activation import relu
from tinytorch._core.ops.creation import ones
from tinytorch._core.ops.join import stack
from tinytorch._core.ops.matmul import bmm
from tinytorch._core.ops.pool import avg_pool1d, avg_pool2d, avg_pool3d
from tinytorch._core.ops.ranges import linspace
from tinytorch._core.ops.rounding import abs, sign
from tinytorch._core.ops.views import clone, expand, permute, reshape, transpose
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import contiguous_format, device, dtype

__all__ = [
    "channel_shuffle",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "affine_grid_generator",
]
METHODS: list[str] = []
FUNCTIONAL = [
    "affine_grid",
    "channel_shuffle",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
]

Sizes = int | Sequence[int]


# ---- pixels and channels ----


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn groups of r * r channels into planes that are r times higher and wider.

    Args:
        input: of shape (..., channels * r * r, height, width).
        upscale_factor: r.

    Example:
        >>> pixel_shuffle(tensor([1, 2, 3, 4]).view(4, 1, 1), 2).tolist()
        [[[1, 2], [3, 4]]]
    """
    r = upscale_factor
    _check_image(input, "pixel_shuffle", "upscale_factor", r)
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by "
            "the square of upscale_factor, but input.size(-3)="
            f"{channels} is not divisible by {r * r}"
        )
    n = len(lead)
    x = reshape(input, (*lead, channels // (r * r), r, r, height, width))
    x = permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return _copied(x, (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Undo pixel_shuffle.

    Example:
        >>> pixel_unshuffle(tensor([[[1, 2], [3, 4]]]), 2).flatten().tolist()
        [1, 2, 3, 4]
    """
    r = downscale_factor
    _check_image(input, "pixel_unshuffle", "downscale_factor", r)
    *lead, channels, height, width = input.shape
    for name, size, place in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, "
                f"but input.size({place})={size} is not divisible by {r}"
            )
    n = len(lead)
    x = reshape(input, (*lead, channels, height // r, r, width // r, r))
    x = permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return _copied(x, (*lead, channels * r * r, height // r, width // r))


def _copied(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return x in another shape, never as a view."""
    return reshape(clone(x, memory_format=contiguous_format), size)


def _check_image(x: Tensor, op: str, name: str, factor: int) -> None:
    if x.ndim < 3:
        raise RuntimeError(
            f"{op} expects input to have at least 3 dimensions, but got input with "
            f"{x.ndim} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{op} expects a positive {name}, but got {factor}")


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave groups of channels: the first of each, then the second of each, ...

    Example:
        >>> channel_shuffle(tensor([1, 2, 3, 4]).view(1, 4, 1), 2).flatten().tolist()
        [1, 3, 2, 4]
    """
    if input.ndim < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            "Number of groups to divide channels in must be positive. Value of "
            f"groups:{groups}"
        )
    batch, channels, *rest = input.shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels "
            f"and {groups} groups."
        )
    x = reshape(input, (batch, groups, channels // groups, *rest))
    return _copied(transpose(x, 1, 2), (batch, channels, *rest))


native_channel_shuffle = channel_shuffle


# ---- affine grids ----


def affine_grid(
    theta: Tensor, size: Sequence[int], align_corners: bool | None = None
) -> Tensor:
    """Return the grid for grid_sample that applies affine maps.

    Args:
        theta: of shape (N, 2, 3), or (N, 3, 4) for volumes.
        size: of the result of sampling: (N, channels, [depth,] height, width).
        align_corners: whether -1 and 1 are the middles of the corner elements, or their
            corners (as unless given).

    Example:
        >>> unchanged = tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> affine_grid(unchanged, (1, 1, 1, 2), align_corners=False).tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to "
            "align_corners=False since 1.3.0. Please specify align_corners=True if the "
            "old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=2,
        )
    if not theta.is_floating_point():
        raise ValueError(
            f"Expected theta to have floating point type, but got {theta.dtype}"
        )
    dims = len(size) - 2
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine "
            f"transforms, respectively. Got size {size}."
        )
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} "
            f"for size {size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return affine_grid_generator(theta, size, bool(align_corners))


def affine_grid_generator(
    theta: Tensor, size: Sequence[int], align_corners: bool
) -> Tensor:
    """Return a grid of points that affine maps were applied to: see affine_grid."""
    n, _, *planes = size
    axes = [
        _coordinates(count, align_corners, theta.dtype, theta.device)
        for count in planes
    ]
    parts = [
        expand(reshape(axis, (-1, *[1] * (len(planes) - 1 - k))), planes)
        for k, axis in enumerate(axes)
    ]
    whole = ones(planes, dtype=theta.dtype, device=theta.device)
    points = reshape(stack([*parts[::-1], whole], -1), (1, -1, len(planes) + 1))
    grid = bmm(expand(points, (n, -1, -1)), transpose(theta, 1, 2))
    return reshape(grid, (n, *planes, len(planes)))


def _coordinates(count: int, align: bool, kind: dtype, where: device) -> Tensor:
    """Middles of `count` elements between -1 and 1;
    the first and last there if `align`."""
    if count <= 1:
        return linspace(0, 0, count, dtype=kind, device=where)
    x = linspace(-1, 1, count, dtype=kind, device=where)
    return x if align else x * ((count - 1) / count)


# ---- power means ----


def _power_mean(means: Tensor, count: int, norm_type: float) -> Tensor:
    """Return the root of sums, whose derivative at 0 is 0 as there relu's is."""
    return (sign(means) * relu(abs(means))).mul(count).pow(1.0 / norm_type)


def _count(kernel_size: Sizes, dims: int) -> int:
    if isinstance(kernel_size, int):
        return int(kernel_size**dims)
    count = 1
    for size in kernel_size:
        count *= size
    return count**dims if len(kernel_size) == 1 else count


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window along the last axis.

    Example:
        >>> lp_pool1d(tensor([[3.0, 4.0]]), 2, 2).tolist()
        [[5.0]]
    """
    means = avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _power_mean(means, _count(kernel_size, 1), norm_type)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window over the last two axes."""
    means = avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _power_mean(means, _count(kernel_size, 2), norm_type)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window over the last three axes."""
    means = avg_pool3d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _power_mean(means, _count(kernel_size, 3), norm_type)
