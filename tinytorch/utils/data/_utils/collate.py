"""From a list of samples to one batch."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import re
import sys
from collections.abc import Callable
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor

__all__ = ["collate", "default_collate", "default_convert"]

_TEXT_DTYPE = re.compile(r"[SaUO]")  # NumPy's strings and objects
_UNKNOWN = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
    "lists; found {}"
)

Collators = dict["type | tuple[type, ...]", Callable[..., Any]]


def _numpy_kind(value: Any) -> str | None:
    """Return "array" or "scalar" for NumPy's values, None for all others."""
    numpy = sys.modules.get("numpy")
    if numpy is None:  # then nobody can have made one
        return None
    if isinstance(value, numpy.ndarray):
        return "array"
    if isinstance(value, numpy.generic) and not isinstance(value, (str, bytes)):
        return "scalar"
    return None


def default_convert(data: Any) -> Any:
    """Turn NumPy arrays into tensors, in any nesting of dicts, lists and tuples.

    What is neither comes back as it is. A DataLoader without batches uses this.
    """
    if isinstance(data, Tensor):
        return data
    if _numpy_kind(data):
        if _TEXT_DTYPE.search(data.dtype.str) is not None:
            return data
        return tinytorch.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _refill(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(item) for item in data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, collections.abc.Sequence) and not isinstance(
        data, (str, bytes)
    ):
        return _rebuild_sequence(data, [default_convert(item) for item in data])
    return data


def default_collate(batch: Any) -> Any:
    """Stack a list of samples along a new first dimension.

    Tensors and NumPy arrays are stacked; numbers become one tensor (floats of 64
    bits); strings stay a list; dicts, tuples and lists are collated field by field.

    Example:
        >>> default_collate([{"x": 1}, {"x": 2}])
        {'x': tensor([1, 2])}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    """Collate a list of samples by a table from types to functions.

    Args:
        batch: The samples.
        collate_fn_map: ``{type or types: f(batch, collate_fn_map=...)}``; the first
            that matches the first sample is used. Containers are entered.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        exact = collate_fn_map.get(kind)
        if exact is not None:
            return exact(batch, collate_fn_map=collate_fn_map)
        for types, function in collate_fn_map.items():
            if isinstance(first, types):
                return function(batch, collate_fn_map=collate_fn_map)
        numpy_kind = _numpy_kind(first)
        if numpy_kind and Tensor in collate_fn_map:
            by_numpy = _collate_arrays if numpy_kind == "array" else _collate_scalars
            return by_numpy(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, collections.abc.Mapping):
        fields = {
            key: collate(
                [sample[key] for sample in batch], collate_fn_map=collate_fn_map
            )
            for key in first
        }
        return _refill(first, fields)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(
            *(
                collate(column, collate_fn_map=collate_fn_map)
                for column in zip(*batch, strict=True)
            )
        )
    if isinstance(first, collections.abc.Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [
            collate(column, collate_fn_map=collate_fn_map)
            for column in zip(*batch, strict=True)
        ]
        # Tuples become lists, as programs have come to expect.
        return (
            columns if isinstance(first, tuple) else _rebuild_sequence(first, columns)
        )
    raise TypeError(_UNKNOWN.format(kind))


def _refill(like: Any, fields: dict[Any, Any]) -> Any:
    """Return a mapping of the same class with other values."""
    if type(like) is dict:
        return fields
    with contextlib.suppress(TypeError):
        if isinstance(like, collections.abc.MutableMapping):
            # A copy keeps what the class holds besides, such as a default factory.
            clone = copy.copy(like)
            clone.update(fields)
            return clone
        return type(like)(fields)  # type: ignore[call-arg]
    return fields  # a class that cannot be made from a dict


def _rebuild_sequence(like: Any, items: list[Any]) -> Any:
    """Return a sequence of the same class with other items."""
    if type(like) is list or isinstance(like, range):
        return items
    with contextlib.suppress(TypeError):
        if isinstance(like, collections.abc.MutableSequence):
            clone = copy.copy(like)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(like)(items)  # type: ignore[call-arg]
    return items


# ---- what is collated by type ----


def _collate_tensors(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    return tinytorch.stack(list(batch), 0)


def _collate_arrays(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    first = batch[0]
    if _TEXT_DTYPE.search(first.dtype.str) is not None:
        raise TypeError(_UNKNOWN.format(first.dtype))
    tensors = [tinytorch.as_tensor(array) for array in batch]
    return collate(tensors, collate_fn_map=collate_fn_map)


def _collate_scalars(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    return tinytorch.as_tensor(batch)


def _collate_floats(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    return tinytorch.tensor(batch, dtype=tinytorch.float64)


def _collate_ints(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    return tinytorch.tensor(batch)


def _collate_texts(batch: Any, *, collate_fn_map: Collators | None = None) -> Any:
    return batch


default_collate_fn_map: Collators = {
    Tensor: _collate_tensors,
    float: _collate_floats,
    int: _collate_ints,
    str: _collate_texts,
    bytes: _collate_texts,
}
