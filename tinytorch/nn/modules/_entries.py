"""What the containers share: places counted from the end, entries from any source."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

__all__ = ["position", "update"]


def position(n: int, index: Any) -> int:
    """Return `index` as a place among `n`, counted from the end if negative."""
    index = operator.index(index)
    if not -n <= index < n:
        raise IndexError(f"index {index} is out of range")
    return int(index % n)


def update(target: Any, entries: Any, name: str, what: str) -> None:
    """Put the entries of a mapping or of an iterable of pairs into `target`."""
    if not isinstance(entries, Iterable):
        raise TypeError(
            f"{name}.update should be called with an iterable of key/value pairs, but "
            f"got {type(entries).__name__}"
        )
    if hasattr(entries, "items"):
        for key, value in entries.items():
            target[key] = value
        return
    for i, pair in enumerate(entries):
        if not isinstance(pair, Iterable):
            raise TypeError(
                f"{name} update sequence element #{i} should be Iterable; is"
                f"{type(pair).__name__}"
            )
        pair = list(pair)
        if len(pair) != 2:
            raise ValueError(
                f"{name} update sequence element #{i} has length {len(pair)}; "
                "2 is required"
            )
        target[pair[0]] = pair[1]
