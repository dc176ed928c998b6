"""Page-locked copies of batches, where there is a device that gains from them."""

from __future__ import annotations

import collections.abc
import warnings
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.utils.data._utils.collate import _rebuild_sequence, _refill

__all__ = ["pin_memory", "usable"]


def usable() -> bool:
    """Return whether batches can be pinned; warn if there is no device for it."""
    if tinytorch.cuda.is_available():
        return hasattr(Tensor, "pin_memory")
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, then "
        "device pinned memory won't be used.",
        stacklevel=5,
    )
    return False


def pin_memory(data: Any, device: Any = None) -> Any:
    """Pin the tensors in any nesting of dicts, lists and tuples."""
    if isinstance(data, (str, bytes)):
        return data
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, collections.abc.Mapping):
        return _refill(data, {key: pin_memory(data[key], device) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(pin_memory(item, device) for item in data))
    if isinstance(data, tuple):
        return [pin_memory(item, device) for item in data]
    if isinstance(data, collections.abc.Sequence):
        return _rebuild_sequence(data, [pin_memory(item, device) for item in data])
    return data
