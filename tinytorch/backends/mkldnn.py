"""oneDNN, which tinytorch does not use: what programs set is kept."""

from __future__ import annotations

__all__ = ["enabled", "is_available"]

enabled = True


def is_available() -> bool:
    """Return whether it is used: it is not."""
    return False
