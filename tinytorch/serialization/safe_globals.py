"""Classes and functions that the user lets files name, beyond plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch.serialization.names import torch_name

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "safe_globals"]

SafeGlobal = Callable[..., Any] | tuple[Callable[..., Any], str]
_allowed: list[SafeGlobal] = []


def add_safe_globals(safe_globals: list[SafeGlobal]) -> None:
    """Let ``load(weights_only=True)`` use these classes and functions.

    Args:
        safe_globals: each one, or a pair of one and the full name that files have.

    A file can call what is listed here with any arguments.
    """
    for entry in safe_globals:
        if entry not in _allowed:
            _allowed.append(entry)


def get_safe_globals() -> list[SafeGlobal]:
    """Return what was added."""
    return list(_allowed)


def clear_safe_globals() -> None:
    """Forget all that was added."""
    _allowed.clear()


class safe_globals:
    """A ``with`` block within which files may use some classes and functions.

    Args:
        safe_globals: as for `add_safe_globals`.
    """

    def __init__(self, safe_globals: list[SafeGlobal]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self._before = list(_allowed)
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception: object) -> None:
        _allowed[:] = self._before


def allowed_by_name() -> dict[str, Any]:
    """Return what was added, by the full name that files have."""
    named: dict[str, Any] = {}
    for entry in _allowed:
        if isinstance(entry, tuple):
            value, name = entry
            named[name] = value
            continue
        own = (entry.__module__, entry.__qualname__)
        for module, name in {own, torch_name(entry, own[1]) or own}:
            named[f"{module}.{name}"] = entry
    return named
