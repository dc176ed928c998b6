"""``make_tensor``: random tensors for tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import tinytorch

__all__ = ["make_tensor"]


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Any:
    """Return a tensor with values drawn uniformly from ``[low, high)``.

    Args:
        shape: Integers, or one sequence of them.
        dtype: Its dtype.
        device: Its device.
        low: Lower bound. Default: -9, for bool and uint8 zero.
        high: Upper bound, exclusive. Default: 10, for floating dtypes 9, for bool 2.
        requires_grad: Floating dtypes only.
        noncontiguous: Give a tensor of two or more elements a stride of two.
        exclude_zero: Replace zeros by the smallest positive value.
        memory_format: Not together with ``noncontiguous``.

    Example:
        >>> make_tensor(2, 3, dtype=tinytorch.float32, device="cpu").shape
        tinytorch.Size([2, 3])
    """
    size = tuple(shape[0] if _one_sequence(shape) else shape)
    floating = dtype.is_floating_point
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually "
            f"exclusive, but got {noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not floating:
        raise ValueError(
            "`requires_grad=True` is not supported for boolean and integral dtypes, "
            f"but got {dtype=}"
        )
    low, high = _bounds(dtype, low, high)
    strided = noncontiguous and math.prod(size) > 1
    if strided:
        size = (*size[:-1], 2 * size[-1])
    if floating:
        x = tinytorch.empty(size, device=device, dtype=dtype)
        wide = high - low >= tinytorch.finfo(dtype).max  # more than uniform_ can take
        if wide:
            x.uniform_(low / 2, high / 2).mul_(2)
        else:
            x.uniform_(low, high)
    else:
        x = tinytorch.randint(int(low), int(high), size, device=device, dtype=dtype)
    if strided:
        x = x[..., 1::2]  # from 1, so that a forgotten offset shows as well
    elif memory_format is not None:
        x = x.clone(memory_format=memory_format)
    if exclude_zero:
        x[x == 0] = tinytorch.finfo(dtype).tiny if floating else 1
    return x.requires_grad_() if requires_grad else x


def _one_sequence(shape: tuple[Any, ...]) -> bool:
    return len(shape) == 1 and isinstance(shape[0], Sequence)


def _bounds(dtype: Any, low: float | None, high: float | None) -> tuple[float, float]:
    """The bounds, checked and cut to what the dtype can hold."""
    floating = dtype.is_floating_point
    smallest: float
    largest: float
    if dtype == tinytorch.bool:
        smallest, largest, defaults = 0, 2, (0, 2)
    elif floating:
        info = tinytorch.finfo(dtype)
        smallest, largest, defaults = info.min, info.max, (-9, 9)
    else:
        whole = tinytorch.iinfo(dtype)
        # randint's bounds are int64 themselves and cannot exceed it
        largest = whole.max + (dtype != tinytorch.int64)
        smallest, defaults = whole.min, (-9, 10)
    low = defaults[0] if low is None else low
    high = defaults[1] if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low == high and floating:
        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or "
            "complex types is deprecated since 2.1 and will be removed in 2.3. Use "
            "`torch.full(...)` instead.",
            FutureWarning,
            stacklevel=3,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    elif high < smallest or low >= largest:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), "
            f"but {dtype} only supports [{smallest}, {largest})"
        )
    low = min(max(low, smallest), largest)
    high = min(max(high, smallest), largest)
    return (low, high) if floating else (math.ceil(low), math.ceil(high))
