"""An interpreter of pickles that can only build data.

It knows the opcodes that data needs and no others.  A name in the file is looked up in
a table, never imported; a call is made only to a function of that table, each of which
checks its arguments; attributes are set on an OrderedDict and on what the user allows.
The file decides about nothing that is larger than itself: lengths are compared with the
bytes that are there, and copies that it orders are paid from a budget.
"""

from __future__ import annotations

from _codecs import encode
from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError, decode_long
from struct import Struct
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size, device
from tinytorch.nn.parameter import Parameter
from tinytorch.serialization import constructors
from tinytorch.serialization.names import KNOWN
from tinytorch.serialization.safe_globals import allowed_by_name

__all__ = ["Unpickler", "UnpicklingError"]

BLOCKED = frozenset({"sys", "os", "posix", "nt"})  # not even if the user allows them
PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg", "__main__": "__main__"}

TABLE: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": Counter,
    "builtins.set": set,
    "builtins.bytearray": bytearray,
    "builtins.complex": complex,
    "_codecs.encode": encode,
    **{f"{module}.{name}": value for (module, name), value in KNOWN.items()},
}

Maker = Callable[["constructors.Budget", tuple[Any, ...]], Any]
MAKERS: dict[int, Maker] = {
    id(OrderedDict): constructors.ordered_dict,
    id(Counter): constructors.counter,
    id(set): constructors.new_set,
    id(bytearray): constructors.new_bytearray,
    id(complex): constructors.new_complex,
    id(encode): constructors.encoded,
    id(Size): constructors.size,
    id(device): constructors.new_device,
    id(Parameter): constructors.new_parameter,
} | {
    id(value): constructors.checked(value)
    for (module, _), value in KNOWN.items()
    if getattr(value, "__module__", "") == "tinytorch.serialization.rebuild"
}

_INT = Struct("<i")
_UINT16 = Struct("<H")
_UINT32 = Struct("<I")
_UINT64 = Struct("<Q")
_FLOAT = Struct(">d")

# What a damaged file makes the interpreter run into, as opposed to errors with a text.
_DAMAGE = (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError,
           RecursionError)


class _Outside(Exception):
    """An error of `persistent_load`, which is not the pickle's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Unpickler:
    """Reads one pickle out of a buffer.

    Args:
        data: the buffer.
        start: where the pickle begins.
        persistent_load: called for what the pickle leaves outside, such as storages.
        encoding: how byte strings of Python 2 are read.

    Attributes:
        position: after `load`, the first byte behind the pickle.
    """

    def __init__(
        self, data: bytes, start: int = 0, *,
        persistent_load: Callable[[Any], Any] | None = None, encoding: str = "utf-8",
    ) -> None:
        self.data = data
        self.position = start
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.budget = constructors.Budget(8 * (len(data) - start) + (1 << 16))
        self.allowed = allowed_by_name()
        self.allowed_ids = {id(value) for value in self.allowed.values()}

    def load(self) -> Any:
        """Return the object."""
        data, opcodes, end = self.data, OPCODES, len(self.data)
        start = at = self.position
        try:
            while True:
                at = self.position
                if at >= end:
                    raise UnpicklingError("pickle data was truncated")
                code = data[at]
                self.position = at + 1
                if code == STOP:
                    result = self.stack.pop()
                    if self.stack or self.marks:
                        raise UnpicklingError("the pickle leaves objects behind")
                    return result
                step = opcodes.get(code)
                if step is None:
                    raise UnpicklingError(f"Unsupported operand {code}")
                step(self)
        except _Outside as passed:
            raise passed.error from None
        except _DAMAGE as error:
            raise UnpicklingError(
                f"the pickle is damaged at byte {at - start}: "
                f"{type(error).__name__}: {error}") from error

    # ---- reading ----

    def take(self, n: int) -> bytes:
        """Return the next n bytes."""
        start = self.position
        if n > len(self.data) - start:
            raise UnpicklingError("pickle data was truncated")
        self.position = start + n
        return self.data[start:start + n]

    def number(self, form: Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def line(self) -> str:
        """Return the text up to the next line's end."""
        end = self.data.find(b"\n", self.position, self.position + 1024)
        if end < 0:
            raise UnpicklingError("pickle data was truncated")
        text = self.data[self.position:end].decode("utf-8")
        self.position = end + 1
        return text

    def above_mark(self) -> list[Any]:
        """Return what was pushed since the last mark, and drop the mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # ---- opcodes ----

    def protocol(self) -> None:
        version = self.take(1)[0]
        if not 2 <= version <= 5:
            raise UnpicklingError(f"unsupported pickle protocol: {version}")

    def frame(self) -> None:
        if self.number(_UINT64) > len(self.data) - self.position:
            raise UnpicklingError("pickle data was truncated")

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def put(self) -> None:
        self.memo[self.take(1)[0]] = self.stack[-1]

    def long_put(self) -> None:
        self.memo[self.number(_UINT32)] = self.stack[-1]

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self) -> None:
        self.stack.append(self.memo[self.take(1)[0]])

    def long_get(self) -> None:
        self.stack.append(self.memo[self.number(_UINT32)])

    def bytes_string(self) -> None:
        raw = self.take(self.take(1)[0])
        self.stack.append(raw if self.encoding == "bytes" else
                          raw.decode(self.encoding))

    def tuple_of_marked(self) -> None:
        items = tuple(self.above_mark())
        self.stack.append(items)

    def tuple_of(self, n: int) -> None:
        items = tuple(self.stack[-n:])
        if len(items) != n:
            raise UnpicklingError("the stack has too few objects")
        self.stack[-n:] = [items]

    def append(self) -> None:
        value = self.stack.pop()
        self.extend_list([value])

    def appends(self) -> None:
        self.extend_list(self.above_mark())

    def extend_list(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError(
                f"Can only append to lists, but got {type(target).__name__}")
        target.extend(items)

    def add_items(self) -> None:
        items = self.above_mark()
        target = self.stack[-1]
        if type(target) is not set:
            raise UnpicklingError(
                f"Can only add to sets, but got {type(target).__name__}")
        target.update([constructors.key(item) for item in items])

    def set_item(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self.update_dict([key, value])

    def set_items(self) -> None:
        self.update_dict(self.above_mark())

    def update_dict(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise UnpicklingError(
                f"Can only set items of dicts, but got {type(target).__name__}")
        if len(items) % 2:
            raise UnpicklingError("a key without a value")
        for i in range(0, len(items), 2):
            target[constructors.key(items[i])] = items[i + 1]

    def global_(self) -> None:
        module = self.line()
        self.push_global(module, self.line())

    def stack_global(self) -> None:
        name = self.stack.pop()
        module = self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("STACK_GLOBAL requires str")
        self.push_global(module, name)

    def push_global(self, module: str, name: str) -> None:
        module = PYTHON_2.get(module, module)
        full = f"{module}.{name}"
        if module.partition(".")[0] in BLOCKED:
            raise UnpicklingError(
                f"Trying to load unsupported GLOBAL {full} whose module {module} is "
                "blocked.")
        found = TABLE.get(full)
        if found is None:
            found = self.allowed.get(full)
        if found is None:
            shown = full.removeprefix("builtins.")
            raise UnpicklingError(
                f"Unsupported global: GLOBAL {shown} was not an allowed global by "
                "default. Please use `torch.serialization.add_safe_globals"
                f"([{shown}])` or the `torch.serialization.safe_globals([{shown}])` "
                "context manager to allowlist this global if you trust this "
                "class/function.")
        self.stack.append(found)

    def reduce(self) -> None:
        args = self.stack.pop()
        func = self.stack.pop()
        if type(args) is not tuple:
            raise UnpicklingError("the arguments of a call are not a tuple")
        maker = MAKERS.get(id(func))
        if maker is not None:
            self.stack.append(maker(self.budget, args))
        elif id(func) in self.allowed_ids:
            self.stack.append(func(*args))
        else:
            raise UnpicklingError(
                f"Trying to call reduce for unrecognized function {func!r:.80}")

    def new_object(self) -> None:
        args = self.stack.pop()
        cls = self.stack.pop()
        if type(args) is not tuple:
            raise UnpicklingError("the arguments of a call are not a tuple")
        if cls is OrderedDict and not args:
            self.stack.append(OrderedDict())
        elif isinstance(cls, type) and id(cls) in self.allowed_ids:
            self.stack.append(cls.__new__(cls, *args))
        else:
            raise UnpicklingError(
                f"Trying to call NEWOBJ for unsupported class {cls!r:.80}")

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        cls = type(target)
        if cls is OrderedDict:
            constructors.set_attributes(target, state)
        elif id(cls) not in self.allowed_ids or issubclass(cls, Tensor):
            raise UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {cls!r:.80}")
        elif hasattr(target, "__setstate__"):
            target.__setstate__(state)
        else:
            constructors.set_state(target, state)

    def persistent_id(self) -> None:
        pid = self.stack.pop()
        if self.persistent_load is None:
            raise UnpicklingError("the pickle refers to objects outside of it")
        try:
            storage = self.persistent_load(pid)
        except _DAMAGE as error:
            raise _Outside(error) from None
        self.stack.append(storage)

    def push(self, value: Any) -> None:
        self.stack.append(value)


STOP = ord(".")


def _pushes(make: Callable[[Unpickler], Any]) -> Callable[[Unpickler], None]:
    def step(self: Unpickler) -> None:
        self.stack.append(make(self))

    return step


def _text(form: Struct) -> Callable[[Unpickler], Any]:
    return lambda u: u.take(u.number(form)).decode("utf-8", "surrogatepass")


def _raw(form: Struct) -> Callable[[Unpickler], Any]:
    return lambda u: u.take(u.number(form))


def _long(u: Unpickler) -> int:
    return decode_long(u.take(u.take(1)[0]))


_BYTE = Struct("<B")

OPCODES: dict[int, Callable[[Unpickler], None]] = {
    ord(code): step
    for code, step in {
        "\x80": Unpickler.protocol, "\x95": Unpickler.frame, "(": Unpickler.mark,
        "q": Unpickler.put, "r": Unpickler.long_put, "\x94": Unpickler.memoize,
        "h": Unpickler.get, "j": Unpickler.long_get,
        "N": _pushes(lambda u: None),
        "\x88": _pushes(lambda u: True), "\x89": _pushes(lambda u: False),
        "J": _pushes(lambda u: u.number(_INT)),
        "K": _pushes(lambda u: u.take(1)[0]),
        "M": _pushes(lambda u: u.number(_UINT16)),
        "\x8a": _pushes(_long), "G": _pushes(lambda u: u.number(_FLOAT)),
        "X": _pushes(_text(_UINT32)), "\x8c": _pushes(_text(_BYTE)),
        "\x8d": _pushes(_text(_UINT64)), "U": Unpickler.bytes_string,
        "B": _pushes(_raw(_UINT32)), "C": _pushes(_raw(_BYTE)),
        "]": _pushes(lambda u: []), "}": _pushes(lambda u: {}),
        ")": _pushes(lambda u: ()), "\x8f": _pushes(lambda u: set()),
        "t": Unpickler.tuple_of_marked, "\x85": lambda u: u.tuple_of(1),
        "\x86": lambda u: u.tuple_of(2), "\x87": lambda u: u.tuple_of(3),
        "a": Unpickler.append, "e": Unpickler.appends, "\x90": Unpickler.add_items,
        "s": Unpickler.set_item, "u": Unpickler.set_items,
        "c": Unpickler.global_, "\x93": Unpickler.stack_global,
        "R": Unpickler.reduce, "\x81": Unpickler.new_object, "b": Unpickler.build,
        "Q": Unpickler.persistent_id,
    }.items()
}


def unsafe_globals(content: bytes) -> list[str]:
    """Return the names in a pickle that `Unpickler` would refuse; nothing is built."""
    from pickletools import genops

    allowed = allowed_by_name()
    found: dict[str, None] = {}
    strings: list[str] = []
    for opcode, argument, _ in genops(content):
        if isinstance(argument, str) and opcode.name not in ("GLOBAL", "INST"):
            strings.append(argument)
        name = ""
        if opcode.name in ("GLOBAL", "INST"):
            module, _, last = str(argument).partition(" ")
            name = f"{PYTHON_2.get(module, module)}.{last}"
        elif opcode.name == "STACK_GLOBAL" and len(strings) > 1:
            name = f"{strings[-2]}.{strings[-1]}"
        if name and name not in TABLE and name not in allowed:
            found[name] = None
    return list(found)
