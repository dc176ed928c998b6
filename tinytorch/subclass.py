"""Subclasses of Tensor: results of their methods and operators are of the subclass too.

A class may define ``__torch_function__(cls, func, types, args, kwargs)`` to see every
method call; the default runs the method and turns plain tensors among its results into
the subclass.  Free functions (``tinytorch.add(x, y)``) return plain tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from tinytorch._core.binding import bind
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any

__all__ = ["disabled_torch_function"]

OPERATORS = tuple(
    f"__{prefix}{name}__"
    for name in (
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    )
    for prefix in ("", "r")
) + (
    "__neg__",
    "__abs__",
    "__invert__",
    "__getitem__",
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
)


def disabled_torch_function(*args: Any, **kwargs: Any) -> Any:
    """Mark a subclass whose results are plain tensors, as those of Parameter are."""
    return NotImplemented


def _as(cls: type[Tensor], result: Any) -> Any:
    if type(result) is Tensor:
        return result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        made = [_as(cls, x) for x in result]
        if hasattr(result, "_fields"):
            return type(result)(*made)
        return type(result)(made)
    return result


def _torch_function(
    cls: type[Tensor],
    func: Callable[..., Any],
    types: tuple[type, ...],
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> Any:
    """Run `func` and return its tensors as objects of this class."""
    return _as(cls, func(*args, **(kwargs or {})))


def _wrapped(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        cls = type(self)
        result = cls.__torch_function__(method, (cls,), (self, *args), kwargs)
        if name.endswith("_") and not name.endswith("__"):
            return self
        return result

    return call


def _adopt(cls: type[Tensor], method_names: tuple[str, ...]) -> None:
    """Give a new subclass methods that return the subclass."""
    if getattr(cls, "__torch_function__", None) is disabled_torch_function:
        return
    if any(base is not Tensor and issubclass(base, Tensor) for base in cls.__bases__):
        return  # its base has them already
    for name in (*method_names, *OPERATORS):
        if name not in cls.__dict__ and callable(getattr(Tensor, name, None)):
            setattr(cls, name, _wrapped(name, getattr(Tensor, name)))
    if "__hash__" not in cls.__dict__:
        cls.__hash__ = Tensor.__hash__  # type: ignore[method-assign]


def install(method_names: tuple[str, ...]) -> None:
    """Let subclasses that are made from now on keep their class."""

    def init_subclass(cls: type[Tensor], /, **kwargs: Any) -> None:
        _adopt(cls, method_names)

    bind("__torch_function__", classmethod(_torch_function))
    bind("__init_subclass__", classmethod(init_subclass))
