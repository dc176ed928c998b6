"""How an exception of a worker is raised again where the batches are read."""

from __future__ import annotations

import pickle
import sys
import traceback
from types import TracebackType
from typing import NoReturn

__all__ = ["ExceptionWrapper", "KeyErrorMessage"]

_ExcInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
)


class KeyErrorMessage(str):
    """A text that KeyError prints as it is; it would print the repr of a str."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """An exception as type and text, without its frames, to be raised elsewhere."""

    def __init__(
        self, exc_info: _ExcInfo | None = None, where: str = "in background"
    ) -> None:
        found, value, trace = sys.exc_info() if exc_info is None else exc_info
        kind = found or RuntimeError
        self.exc_msg = "".join(traceback.format_exception(kind, value, trace))
        self.where = where
        self.exc_name = kind.__name__
        try:
            pickle.dumps(kind)
            self.exc_type: type[BaseException] = kind
        except Exception:  # a local class: it has no name that others can import
            self.exc_type = RuntimeError

    def reraise(self) -> NoReturn:
        """Raise an exception of the same type with the original traceback as text."""
        text = f"Caught {self.exc_name} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            raise KeyError(KeyErrorMessage(text))
        if getattr(self.exc_type, "message", None):
            raise self.exc_type(message=text)  # type: ignore[call-arg]
        try:
            error = self.exc_type(text)
        except Exception:  # a class that takes other arguments than one text
            raise RuntimeError(text) from None
        raise error
