"""Modes that say whether ops record a graph: context managers and decorators.

Each saves the thread's mode on entry and restores it on exit. As decorators they follow
generator functions and restore the caller's mode at every ``yield``.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Generator
from types import TracebackType

from tinytorch._core.modes import (
    enable_grad,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_decorator,
    set_grad_enabled_flag,
    set_inference_mode_flag,
)
from tinytorch._typing import Any, TypeVar, cast

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])
Self = TypeVar("Self", bound="_Mode")


class _Mode:
    """A context manager that decorates functions with fresh copies of itself."""

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def clone(self: Self) -> Self:
        return type(self)()

    def __call__(self, func: F) -> F:
        return _decorate(self.clone, func)


def _decorate(mode: Callable[[], Any], func: F) -> F:
    """Let every call of a function (or every step of a generator) run in a new mode."""
    import inspect  # slow to import; most programs decorate nothing

    if inspect.isclass(func):
        warnings.warn(
            "Decorating classes is deprecated and will be disabled in future "
            "versions. You should only decorate functions or methods. To preserve "
            "the current behavior of class decoration, you can directly decorate "
            "the `__init__` method and nothing else.",
            FutureWarning,
            stacklevel=3,
        )
        kind = func

        def construct(*args: Any, **kwargs: Any) -> Any:
            with mode():
                return kind(*args, **kwargs)

        return cast(F, construct)
    if inspect.isgeneratorfunction(func):
        return cast(F, _wrap_generator(mode, func))

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with mode():
            return func(*args, **kwargs)

    return cast(F, wrapper)


set_decorator(_decorate)


def _wrap_generator(
    mode: Callable[[], Any], func: Callable[..., Generator[Any, Any, Any]]
) -> Callable[..., Generator[Any, Any, Any]]:
    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body = func(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, body)
        while True:
            try:
                with mode():
                    value = resume()
            except StopIteration as stop:
                return stop.value
            # The caller runs here, in its own mode.
            try:
                sent = yield value
            except GeneratorExit:
                with mode():
                    body.close()
                raise
            except BaseException:
                resume = functools.partial(body.throw, sys.exc_info()[1])
            else:
                resume = functools.partial(body.send, sent)

    return wrapper


class set_grad_enabled(_Mode):
    """Turn recording on or off: at once as a function, or for a block or function.

    Example:
        >>> with set_grad_enabled(False):
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self.prev = set_grad_enabled_flag(self.mode)

    def __call__(self, func: F) -> F:
        set_grad_enabled_flag(self.prev)  # used as a decorator: not yet
        return super().__call__(func)

    def __enter__(self) -> None:
        set_grad_enabled_flag(self.mode)

    def __exit__(self, *exc: Any) -> None:
        set_grad_enabled_flag(self.prev)

    def clone(self) -> set_grad_enabled:
        return type(self)(self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}(mode={self.mode})"


class inference_mode(_Mode):
    """Record nothing and make tensors that never take part in a graph.

    Args:
        mode: False leaves inference mode again for the block.

    Example:
        >>> with inference_mode():
        ...     y = x * 2
        >>> y.is_inference()
        True
    """

    def __new__(cls, mode: Any = True) -> Any:
        if isinstance(mode, bool):
            return super().__new__(cls)
        return cls()(mode)  # @inference_mode without parentheses

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        grad = set_grad_enabled_flag(not self.mode)
        self._before.append((set_inference_mode_flag(self.mode), grad))

    def __exit__(self, *exc: Any) -> None:
        inference, grad = self._before.pop()
        set_inference_mode_flag(inference)
        set_grad_enabled_flag(grad)

    def clone(self) -> inference_mode:
        return type(self)(self.mode)
