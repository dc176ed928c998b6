"""Linear algebra, under PyTorch's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch._registry import collect

if TYPE_CHECKING:  # the names come from the registry

    def __getattr__(name: str) -> Any: ...


globals().update(collect("LINALG"))
