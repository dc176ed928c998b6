"""Apple's GPUs, which tinytorch does not use."""

from __future__ import annotations

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """Return whether it is used: it is not."""
    return False


def is_built() -> bool:
    """Return whether the code for them is there: it is not."""
    return False
