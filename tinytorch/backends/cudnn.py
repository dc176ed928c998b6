"""cuDNN, which tinytorch does not use: what programs set is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

__all__ = [
    "allow_tf32", "benchmark", "benchmark_limit", "deterministic", "enabled", "flags",
    "fp32_precision", "is_acceptable", "is_available", "set_flags", "version",
]

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available() -> bool:
    """Return whether cuDNN is used: it is not."""
    return False


def is_acceptable(tensor: Any) -> bool:
    """Return whether cuDNN would take a tensor: it is not used."""
    return False


def version() -> int | None:
    """Return the version of cuDNN: there is none."""
    return None


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str = "none",
) -> tuple[Any, ...]:
    """Set what is not None; return what was set before."""
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32",
             "fp32_precision")
    values = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32,
              _fp32_precision)
    before = tuple(globals()[name] for name in names)
    for name, value in zip(names, values, strict=True):
        if value is not None:
            globals()[name] = value
    return before


@contextlib.contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int | None = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """Set everything for a ``with`` block."""
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32,
                       fp32_precision)
    try:
        yield
    finally:
        set_flags(*before)
        globals()["benchmark_limit"] = before[2]  # None too
