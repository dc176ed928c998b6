"""The calls that the restricted unpickler makes, each with its arguments checked.

Every function takes the budget of the file and the tuple of arguments.  What copies an
argument pays for it: a file may name one long string a million times.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size, device, dtype
from tinytorch.nn.parameter import Parameter

__all__ = ["Budget", "key"]

_ATOMS = frozenset({str, int, float, bool, type(None), bytes, complex, dtype, device})
_LARGEST_KEY = 4096  # elements of nested tuples, each counted as often as it is met


class Budget:
    """Bytes that a file may still have copied."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def pay(self, nbytes: int) -> None:
        """Take from the budget; raise if it is used up."""
        self.left -= nbytes
        if self.left < 0:
            raise UnpicklingError("the pickle asks for more memory than it may have")


def _expect(holds: bool, what: str, args: tuple[Any, ...]) -> None:
    if not holds:
        raise UnpicklingError(f"{what} cannot be made of {args!r:.80}")


def key(value: Any) -> Any:
    """Return `value` if it may be a key of a dict or an element of a set.

    Only plain values and small trees of tuples are: hashing a tuple recurses without
    a limit and takes time exponential in its depth if it holds itself twice.
    """
    if type(value) in _ATOMS:
        return value
    waiting, met = [value], 0
    while waiting:
        item = waiting.pop()
        met += 1
        if type(item) in (tuple, Size):
            waiting.extend(item)
        elif type(item) not in _ATOMS and not isinstance(item, Tensor):
            raise UnpicklingError(f"a key of type {type(item).__name__}")
        if met + len(waiting) > _LARGEST_KEY:
            raise UnpicklingError("a key is too large")
    return value


def _pairs(budget: Budget, items: Any, args: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    _expect(type(items) in (list, tuple), "an OrderedDict", args)
    budget.pay(128 * len(items))
    made = []
    for item in items:
        _expect(type(item) in (list, tuple) and len(item) == 2, "an OrderedDict", args)
        made.append((key(item[0]), item[1]))
    return made


def ordered_dict(budget: Budget, args: tuple[Any, ...]) -> OrderedDict[Any, Any]:
    _expect(len(args) <= 1, "an OrderedDict", args)
    return OrderedDict(_pairs(budget, args[0], args) if args else ())


def counter(budget: Budget, args: tuple[Any, ...]) -> Counter[Any]:
    _expect(len(args) <= 1 and all(type(a) is dict for a in args), "a Counter", args)
    budget.pay(128 * sum(map(len, args)))
    return Counter(*args)


def new_set(budget: Budget, args: tuple[Any, ...]) -> set[Any]:
    _expect(len(args) <= 1 and all(type(a) in (list, tuple, set) for a in args),
            "a set", args)
    budget.pay(64 * sum(map(len, args)))
    return {key(item) for a in args for item in a}


def new_bytearray(budget: Budget, args: tuple[Any, ...]) -> bytearray:
    if len(args) == 2 and args[1] == "latin-1":
        args = (encoded(budget, args),)
    _expect(len(args) <= 1 and all(type(a) is bytes for a in args), "a bytearray", args)
    budget.pay(sum(map(len, args)))
    return bytearray(*args)


def new_complex(budget: Budget, args: tuple[Any, ...]) -> complex:
    _expect(len(args) == 2 and all(type(a) in (float, int) for a in args), "a complex",
            args)
    return complex(*args)


def encoded(budget: Budget, args: tuple[Any, ...]) -> bytes:
    """bytes, as protocol 2 has them."""
    _expect(len(args) == 2 and type(args[0]) is str
            and args[1] in ("latin1", "latin-1"), "bytes", args)
    budget.pay(len(args[0]))
    return args[0].encode("latin-1")  # type: ignore[no-any-return]


def size(budget: Budget, args: tuple[Any, ...]) -> Size:
    _expect(len(args) == 1 and type(args[0]) in (tuple, list)
            and all(type(n) is int for n in args[0]), "a Size", args)
    budget.pay(8 * len(args[0]))
    return Size(args[0])


def new_device(budget: Budget, args: tuple[Any, ...]) -> device:
    _expect(1 <= len(args) <= 2 and type(args[0]) is str
            and all(type(a) is int for a in args[1:]), "a device", args)
    return device(*args)


def new_parameter(budget: Budget, args: tuple[Any, ...]) -> Parameter:
    _expect(1 <= len(args) <= 2 and isinstance(args[0], Tensor)
            and all(type(a) is bool for a in args[1:]), "a Parameter", args)
    return Parameter(*args)


def checked(function: Callable[..., Any]) -> Callable[[Budget, tuple[Any, ...]], Any]:
    """Let a function that checks its own arguments be called by a file."""

    def call(budget: Budget, args: tuple[Any, ...]) -> Any:
        return function(*args)

    return call


def set_attributes(target: OrderedDict[Any, Any], state: Any) -> None:
    """Hang attributes, such as a state dict's ``_metadata``, on an OrderedDict."""
    if type(state) is not dict:
        raise UnpicklingError("the state of an OrderedDict is not a dict")
    for name, value in state.items():
        if type(name) is not str or hasattr(OrderedDict, name):
            raise UnpicklingError(f"an OrderedDict with an attribute {name!r:.80}")
        setattr(target, name, value)


def set_state(target: Any, state: Any) -> None:
    """Give an object of a class that the user allows its attributes, as pickle does."""
    slots: Any = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        for name, value in state.items():
            target.__dict__[name] = value
    if slots:
        for name, value in slots.items():
            setattr(target, name, value)
