"""What a program does with either library: its result, what it raises, its warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["outcome", "plain", "renamed", "warned"]


def plain(value: Any) -> Any:
    """Return tensors inside containers as lists."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def outcome(
    program: Callable[..., Any],
    *args: Any,
    errors: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> tuple[str, Any]:
    """Return ("value", plain result) or (exception's name, its words).

    Other exceptions than ``errors`` are a mistake in the program.
    """
    try:
        return "value", plain(program(*args))
    except errors as error:
        return type(error).__name__, str(error)


def renamed(done: tuple[str, Any]) -> tuple[str, Any]:
    """Return an outcome whose words, if it is an error, name PyTorch for us."""
    kind, result = done
    return done if kind == "value" else (kind, result.replace("tinytorch", "torch"))


def warned(program: Callable[..., Any], *args: Any) -> tuple[Any, list[Any]]:
    """Return the outcome and (category, words) of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = outcome(program, *args)
    # PyTorch adds the line of its sources.
    words = [str(w.message).partition(" (Triggered internally")[0] for w in caught]
    names = [w.category.__name__ for w in caught]
    return result, list(zip(names, words, strict=True))
