"""Pickles as PyTorch writes them: storages left outside, classes under its names."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import IO, Any

from tinytorch._core.ops.memory import identity
from tinytorch._core.rng import Generator
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import dtype, layout, memory_format
from tinytorch.nn.modules.module import Module
from tinytorch.nn.parameter import Buffer, Parameter
from tinytorch.serialization import rebuild
from tinytorch.serialization.locations import location_tag
from tinytorch.serialization.names import STORAGE_NAMES, StorageType, torch_name
from tinytorch.storage import TypedStorage, UntypedStorage

__all__ = ["Storages", "pickler_class"]

_PythonPickler: Any = pickle._Pickler  # the one whose methods can be replaced


class Storages:
    """The storages that a pickle refers to, each with the key it has there."""

    def __init__(self) -> None:
        self.keys: dict[int, str] = {}
        self.held: list[UntypedStorage] = []  # alive, so that identities last
        self.dtypes: dict[int, dtype] = {}

    def reference(self, value: Any) -> tuple[Any, ...] | None:
        """Return what the pickle has in place of a storage; None for all else."""
        if isinstance(value, TypedStorage):
            storage = value.untyped()
            kind: Any = STORAGE_NAMES[value.dtype]
            numel = value.size()
        elif isinstance(value, UntypedStorage):
            storage, kind, numel = value, UntypedStorage, value.nbytes()
        else:
            return None
        own = identity(storage._bytes)
        if (isinstance(kind, StorageType) and storage.nbytes()
                and self.dtypes.setdefault(own, kind.dtype) is not kind.dtype):
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as "
                "different types")
        if own not in self.keys:
            self.keys[own] = self.new_key(storage)
            self.held.append(storage)
        return "storage", kind, self.keys[own], location_tag(storage), numel

    def new_key(self, storage: UntypedStorage) -> str:
        """Return the key of the next storage."""
        return str(len(self.held))


def _reduce_plain(x: Tensor) -> tuple[Any, ...]:
    if x.device.type == "meta":
        return rebuild.meta_tensor, (
            x.dtype, tuple(x.shape), x.stride(), x.requires_grad)
    return rebuild.tensor_v2, (
        TypedStorage(x.untyped_storage(), x.dtype), x.storage_offset(), tuple(x.shape),
        x.stride(), x.requires_grad, OrderedDict())


def _reduce_tensor(x: Tensor) -> Any:
    """What PyTorch writes for a tensor, a parameter, or an object of a subclass."""
    cls = type(x)
    own = getattr(cls.__reduce_ex__, "__wrapped__", cls.__reduce_ex__)
    if own not in (Tensor.__reduce_ex__, Parameter.__reduce_ex__):
        return NotImplemented  # the class has its own way
    state = dict(x.__dict__)
    if isinstance(x, Parameter):
        args: tuple[Any, ...] = (x.data, x.requires_grad, OrderedDict())
        if state:
            return rebuild.parameter_with_state, (*args, state)
        return rebuild.parameter, args
    if isinstance(x, Buffer):
        cls, state = Tensor, {**state, "_is_buffer": True}
    if cls is Tensor and not state:
        return _reduce_plain(x)
    func, args = _reduce_plain(x)
    if any("__getstate__" in vars(base) for base in cls.__mro__[:-2]):
        state = x.__getstate__()
    return rebuild.from_type, (func, cls, args, state)


# What PyTorch expects in the state of a module; here it is made when first asked for.
_TABLES = tuple(f"_{name}_hooks" for name in (
    "backward_pre", "backward", "forward", "forward_pre", "state_dict",
    "state_dict_pre", "load_state_dict_pre", "load_state_dict_post")) + (
    "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs")


def _reduce_module(module: Module) -> Any:
    """What PyTorch writes for a module: its class and all its tables."""
    reduced: Any = module.__reduce_ex__(2)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not (
            isinstance(reduced[2], dict) and "_modules" in reduced[2]):
        return reduced  # the class has its own way
    state = {"_is_full_backward_hook": None, **reduced[2]}
    state.pop("_hooked", None)
    for name in _TABLES:
        state.setdefault(name, OrderedDict())
    return (*reduced[:2], state, *reduced[3:])


def _reduce(value: Any) -> Any:
    """Return how the library's own objects are written; NotImplemented for others."""
    if isinstance(value, Tensor):
        return _reduce_tensor(value)
    if isinstance(value, Module):
        return _reduce_module(value)
    if isinstance(value, dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, StorageType):
        return value.name
    if isinstance(value, Generator):
        return Generator, (value.device,), (
            value.initial_seed(), None, value.get_state())
    if isinstance(value, layout) and not isinstance(value, memory_format):
        return rebuild.get_layout, (repr(value),)
    return NotImplemented


_classes: dict[Any, Any] = {}


def pickler_class(pickle_module: Any = pickle) -> Any:
    """Return a pickler made of a module's, in pure Python where the module has one.

    Only a pickler in Python can write other names than the objects' own.  A compiled
    one (``cloudpickle``) writes tinytorch's names, which PyTorch does not know.
    """
    if pickle_module in _classes:
        return _classes[pickle_module]
    base: Any = getattr(pickle_module, "_Pickler", pickle_module.Pickler)

    class Pickler(base):  # type: ignore[misc]
        def __init__(self, file: IO[bytes], protocol: int, storages: Storages) -> None:
            super().__init__(file, protocol)
            self._storages = storages

        def persistent_id(self, obj: Any) -> Any:
            return self._storages.reference(obj)

        def reducer_override(self, obj: Any) -> Any:
            reduced = _reduce(obj)
            if reduced is NotImplemented and hasattr(base, "reducer_override"):
                return super().reducer_override(obj)
            return reduced

    if issubclass(base, _PythonPickler):
        Pickler.save_global = _save_global
        Pickler.dispatch = {
            kind: _save_global if save is _PythonPickler.save_global else save
            for kind, save in base.dispatch.items()
        }
    if base is _PythonPickler:
        Pickler.save = _save
    _classes[pickle_module] = Pickler
    return Pickler


_PLAIN: dict[type, Any] = {
    kind: _PythonPickler.dispatch[kind]
    for kind in (type(None), bool, int, float, str, bytes, tuple, list, dict)
}
_save_any: Any = _PythonPickler.save


def _save(self: Any, obj: Any, save_persistent_id: bool = True) -> None:
    """Write an object; what is plain is neither a storage nor reduced."""
    step = _PLAIN.get(type(obj))
    if step is None:
        _save_any(self, obj, save_persistent_id)
        return
    self.framer.commit_frame()
    known = self.memo.get(id(obj))
    if known is None:
        step(self, obj)
    else:
        self.write(self.get(known[0]))


def _save_global(self: Any, obj: Any, name: str | None = None) -> None:
    """Write the name of a class, a function or a constant: PyTorch's if it has it."""
    found = torch_name(obj, name or str(getattr(obj, "__qualname__", "")))
    if found is None:
        _PythonPickler.save_global(self, obj, name)
        return
    module, qualified = found
    if self.proto >= 4:
        self.save(module)
        self.save(qualified)
        self.write(pickle.STACK_GLOBAL)
    else:
        self.write(pickle.GLOBAL + f"{module}\n{qualified}\n".encode())
    self.memoize(obj)
