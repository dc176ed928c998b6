"""Special functions, under PyTorch's names."""

from __future__ import annotations

from tinytorch._registry import collect
from tinytorch._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the names come from the registry

    def __getattr__(name: str) -> Any: ...


globals().update(collect("SPECIAL"))
