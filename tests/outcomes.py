"""What a program does with either library: its result, or what it raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["outcome", "plain"]


def plain(value: Any) -> Any:
    """Return tensors inside containers as lists."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def outcome(program: Callable[..., Any], *args: Any) -> tuple[str, Any]:
    """Return ("value", plain result) or (exception's name, its words).

    Words that name the library name PyTorch.
    """
    try:
        return "value", plain(program(*args))
    except Exception as error:
        return type(error).__name__, str(error).replace("tinytorch", "torch")
