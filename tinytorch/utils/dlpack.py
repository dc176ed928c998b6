"""Tensors from and for other libraries, without a copy."""

from __future__ import annotations

from typing import Any

from tinytorch import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Any) -> Any:
    """Return a capsule for another library's ``from_dlpack``."""
    return tensor.__dlpack__()
