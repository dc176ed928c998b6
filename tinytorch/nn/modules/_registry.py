"""The tables behind a module's attributes: its parameters, buffers and children.

The table is the record; the module's ``__dict__`` mirrors it, so that reading
``module.weight`` is a plain attribute lookup.  Whoever writes to the table, by whatever
method of ``dict``, changes the attribute with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["KINDS", "Registry", "table_of", "typename"]

KINDS = ("_parameters", "_buffers", "_modules")


class Registry(dict[str, Any]):
    """An ordered table of a module whose entries are also the module's attributes.

    It refers to its module weakly: a strong reference would be a cycle and keep the
    memory of a dropped network until the garbage collector runs.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: Any, entries: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._owner = weakref.ref(owner)
        if entries:
            self.update(entries)

    def _attributes(self) -> dict[str, Any]:
        owner = self._owner()
        return {} if owner is None else owner.__dict__

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._attributes()[name] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._attributes().pop(name, None)

    def pop(self, name: str, *default: Any) -> Any:
        if name in self:
            self._attributes().pop(name, None)
        return super().pop(name, *default)

    def popitem(self) -> tuple[str, Any]:
        name, value = super().popitem()
        self._attributes().pop(name, None)
        return name, value

    def clear(self) -> None:
        self.unmirror()
        super().clear()

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def update(  # type: ignore[override]
        self, other: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **named: Any
    ) -> None:
        entries = dict(other, **named)
        super().update(entries)
        self._attributes().update(entries)

    def __ior__(self, other: Any) -> Registry:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)  # copies belong to nobody

    def unmirror(self) -> None:
        """Take the entries out of the module's attributes, though not out of here."""
        attributes = self._attributes()
        for name in self:
            attributes.pop(name, None)


def table_of(module: Any, kind: str) -> dict[str, Any]:
    """Return the table of a module, empty before its ``__init__`` ran."""
    table: dict[str, Any] = module.__dict__.get(kind) or {}
    return table


def typename(x: Any) -> str:
    """Name the type of `x`, or the type `x`, with its module."""
    if not isinstance(x, type):
        described = getattr(x, "type", None)
        if hasattr(x, "dtype") and callable(described):
            return str(described())
    cls = x if isinstance(x, type) else type(x)
    where = cls.__module__
    return cls.__qualname__ if where == "builtins" else f"{where}.{cls.__qualname__}"
