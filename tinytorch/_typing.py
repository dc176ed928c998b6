"""The names of `typing` that the modules of `import tinytorch` need.

`typing` takes 8 ms to import, a sixth of all that is needed; annotations are text that
nobody evaluates.  Type checkers read `_typing.pyi`, where the names are the real ones.
"""

from __future__ import annotations

TYPE_CHECKING = False
Any = ClassVar = NoReturn = object


def TypeVar(name: str, **options: object) -> object:
    """Return what stands for any type."""
    return object


def cast(kind: object, value: object) -> object:
    """Return the value."""
    return value
