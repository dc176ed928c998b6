"""Max pooling over windows at random places, which overlap little and leave no gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinytorch._core.ops.creation import zeros
from tinytorch._core.ops.draws import rand
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.ranges import arange
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import int64

FUNCTIONAL = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]

Sizes = int | Sequence[int]
Ratios = float | Sequence[float]


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what `fractional_max_pool2d` returns, and the places of the maxima."""
    return _pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the maxima of windows at random places of (N, C, H, W).

    Args:
        output_size: of the result, or
        output_ratio: its ratio to the size of the input.
        return_indices: whether to return the places in the plane as well.
        _random_samples: (N, C, 2) between 0 and 1, which decide the places.
    """
    y, where = _pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)
    return (y, where) if return_indices else y


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what `fractional_max_pool3d` returns, and the places of the maxima."""
    return _pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the maxima of windows at random places of (N, C, D, H, W).

    The arguments are those of `fractional_max_pool2d`.
    """
    y, where = _pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)
    return (y, where) if return_indices else y


def _pool(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Ratios | None,
    samples: Tensor | None,
    n: int,
) -> tuple[Tensor, Tensor]:
    """Gather the windows of all planes, then take their maxima."""
    op = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op} requires specifying either an output_size or an "
                         "output_ratio")
    if output_size is None:
        ratios = _each(output_ratio, n, op, "output_ratio")
        output_size = [int(input.size(a - n) * ratios[a]) for a in range(n)]
    kernel = _each(kernel_size, n, op, "kernel_size")
    result = _each(output_size, n, op, "output_size")
    if samples is None:
        batch = input.size(0) if input.dim() == n + 2 else 1
        samples = rand(
            batch, input.size(-n - 1), n, dtype=input.dtype, device=input.device
        )
    _check(input, kernel, result, samples, n, op)
    lead, sizes = list(input.shape[:-n]), input.shape[-n:]
    number = math.prod(lead)
    planes = input.reshape(number, math.prod(sizes))
    samples = samples.reshape(-1, n)[:number]
    place = zeros((), dtype=int64, device=input.device)
    # The place in the plane; (planes, *result, *kernel) in the end.
    for a in range(n):
        # Two dimensions read the samples from the last axis on, three from the first.
        sample = samples[:, 1 - a if n == 2 else a]
        starts = _starts(sample, sizes[a], kernel[a], result[a])
        cells = starts.unsqueeze(2) + arange(kernel[a], device=input.device)
        shape = [1] * (2 * n + 1)
        shape[0], shape[1 + a], shape[1 + n + a] = number, result[a], kernel[a]
        place = place * sizes[a] + cells.reshape(shape)
    count, width = math.prod(result), math.prod(kernel)
    flat = place.reshape(number, count * width)
    best, at = planes.gather(1, flat).reshape(number, count, width).max(2)
    where = flat.reshape(number, count, width).gather(2, at.unsqueeze(2))
    shape = [*lead, *result]
    return best.reshape(shape), where.reshape(shape)


def _starts(sample: Tensor, size: int, kernel: int, result: int) -> Tensor:
    """Return (planes, result) the first elements of the windows along an axis."""
    last = (sample * 0).to(int64).unsqueeze(1) + (size - kernel)
    if result == 1:
        return last
    step = (size - kernel) / (result - 1)
    x = sample.unsqueeze(1)
    steps = arange(result - 1, dtype=sample.dtype, device=sample.device)
    inner = ((steps + x) * step).to(int64) - (x * step).to(int64)
    return cat([inner, last], 1)


def _each(value: Sizes | Ratios | None, n: int, op: str, name: str) -> list[int]:
    """Return one value per axis."""
    given = [value] * n if isinstance(value, int) else list(value)  # type: ignore
    if len(given) != n:
        raise RuntimeError(
            f"{op}: {name} must either be a single Int or tuple of Ints"
        )
    return given  # type: ignore[return-value]


def _check(
    input: Tensor,
    kernel: list[int],
    result: list[int],
    samples: Tensor,
    n: int,
    op: str,
) -> None:
    axes = ("time", "height", "width")[-n:]
    first = 1 if input.dim() == n + 2 else 0
    for a, size in enumerate(input.shape):
        if a >= first and size == 0:
            raise RuntimeError(
                f"{op}(): Expected input to have non-zero size for non-batch "
                f"dimensions, but got{list(input.shape)} with dimension {a} being "
                "empty."
            )
    for size, k, out, axis in zip(
        input.shape[-n:], kernel, result, axes, strict=True
    ):
        if out + k - 1 > size - (n == 3):  # PyTorch leaves one place in 3d
            raise RuntimeError(
                f"{op}{'_out' * (n == 3)}(): pool {axis} {k} too large relative to "
                f"input {axis} {size}"
            )
    if samples.dtype != input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if samples.dim() != 3:
        raise RuntimeError(
            f"Expect _random_samples to have 3 dimensions, got {samples.dim()}"
        )
    batch = input.shape[0] if input.dim() == n + 2 else 1
    if samples.shape[0] < batch:
        raise RuntimeError(
            "Expect _random_samples.size(0) no less then input batch size."
        )
    if samples.shape[1] != input.shape[-n - 1]:
        raise RuntimeError(
            "Expect _random_samples.size(1) equals to input channel size."
        )
    if samples.shape[2] != n:
        raise RuntimeError(
            f"Expect _random_samples.size(2) equals to {n}; got {samples.shape[2]}."
        )
