"""OpenMP, which tinytorch does not use: it has threads of its own."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Return whether it is used: it is not."""
    return False
