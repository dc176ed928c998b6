"""The package opt_einsum, which ``einsum`` does without."""

from __future__ import annotations

__all__ = ["enabled", "is_available", "strategy"]

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Return whether it is used: it is not."""
    return False
