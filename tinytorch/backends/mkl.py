"""MKL, which tinytorch does not use: products go to OpenBLAS."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Return whether it is used: it is not."""
    return False
