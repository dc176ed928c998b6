"""Handles that take a registered hook away again."""

from __future__ import annotations

import weakref
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """Removes one entry from a table of hooks, at the latest when a ``with`` ends.

    Args:
        hooks_dict: the ordered table that holds the hook under `id`.
        extra_dict: a table, or tables, that mark the same id and forget it together.
    """

    id: int
    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        if extra_dict is None:
            marks: tuple[Any, ...] = ()
        elif isinstance(extra_dict, dict):
            marks = (extra_dict,)
        else:
            marks = tuple(extra_dict)
        self.extra_dict_ref = tuple(weakref.ref(table) for table in marks)

    def remove(self) -> None:
        """Take the hook out; once is enough, more does no harm."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            table = reference()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        marks = tuple(reference() for reference in self.extra_dict_ref)
        return self.hooks_dict_ref(), self.id, marks

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        from collections import OrderedDict

        table, self.id, marks = state
        # what lived nowhere else is gone: an empty table stands in for it
        self.hooks_dict_ref = weakref.ref(OrderedDict() if table is None else table)
        self.extra_dict_ref = tuple(
            weakref.ref(OrderedDict() if mark is None else mark) for mark in marks
        )
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.remove()
