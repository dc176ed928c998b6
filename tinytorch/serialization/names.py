"""What objects are called inside a file: PyTorch's names for tinytorch's objects.

A file carries names of classes and functions.  They are written as PyTorch would write
them, so that PyTorch reads the file, and on reading they are looked up here: first in a
table of what both libraries have, then by putting one package's name for the other's.
"""

from __future__ import annotations

from importlib import import_module
from pickle import UnpicklingError
from typing import Any

import tinytorch
from tinytorch._core import types
from tinytorch._core.rng import Generator
from tinytorch._core.tensor import Tensor
from tinytorch.nn.parameter import Parameter
from tinytorch.serialization import rebuild
from tinytorch.storage import TypedStorage, UntypedStorage

__all__ = ["KNOWN", "STORAGE_NAMES", "StorageType", "find", "storage_reference",
           "torch_name"]


class StorageType:
    """A name such as ``torch.FloatStorage``: how files state the dtype of a storage."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: types.dtype) -> None:
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"torch.{self.name}"


STORAGE_NAMES: dict[types.dtype, StorageType] = {
    dtype: StorageType(name + "Storage", dtype)
    for name, dtype in (
        ("Float", types.float32), ("Double", types.float64), ("Half", types.float16),
        ("BFloat16", types.bfloat16), ("Long", types.int64), ("Int", types.int32),
        ("Short", types.int16), ("Char", types.int8), ("Byte", types.uint8),
        ("Bool", types.bool_))
}


def _known() -> dict[tuple[str, str], Any]:
    """Everything that plain data may name, by module and name in PyTorch."""
    known: dict[tuple[str, str], Any] = {
        ("torch", "Tensor"): Tensor,
        ("torch", "Size"): types.Size,
        ("torch", "device"): types.device,
        ("torch.nn.parameter", "Parameter"): Parameter,
        ("torch.storage", "TypedStorage"): TypedStorage,
        ("torch.storage", "UntypedStorage"): UntypedStorage,
        ("torch.serialization", "_get_layout"): rebuild.get_layout,
        ("torch._tensor", "_rebuild_from_type_v2"): rebuild.from_type,
        ("torch._utils", "_rebuild_tensor"): rebuild.tensor_v1,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild.tensor_v2,
        ("torch._utils", "_rebuild_tensor_v3"): rebuild.tensor_v3,
        ("torch._utils", "_rebuild_parameter"): rebuild.parameter,
        ("torch._utils", "_rebuild_parameter_with_state"):
            rebuild.parameter_with_state,
        ("torch._utils", "_rebuild_meta_tensor_no_storage"): rebuild.meta_tensor,
    }
    for dtype, storage_type in STORAGE_NAMES.items():
        known["torch", str(dtype).removeprefix("torch.")] = dtype
        known["torch", storage_type.name] = storage_type
        known["torch.cuda", storage_type.name] = storage_type
    return known


KNOWN = _known()
_TRUSTED_ONLY = {("torch._C", "Generator"): Generator}
_NAMES = {id(value): name for name, value in KNOWN.items() if name[0] != "torch.cuda"}
_NAMES |= {id(value): name for name, value in _TRUSTED_ONLY.items()}
_COMPILED = ("tinytorch._core", "tinytorch.functional")  # no such place in PyTorch


def torch_name(value: Any, name: str) -> tuple[str, str] | None:
    """Return where PyTorch has `value`, or None for what is not the library's.

    Args:
        value: a class, a function or a constant.
        name: its qualified name within its module.
    """
    known = _NAMES.get(id(value))
    if known is not None:
        return known
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module.partition(".")[0] != "tinytorch":
        return None
    if module.startswith(_COMPILED):
        for public in ("nn.functional", ""):
            if getattr(_module(public), name, None) is value:
                return ("torch." + public).rstrip("."), name
        return None
    return "torch" + module.removeprefix("tinytorch"), name


def _module(path: str) -> Any:
    return import_module("tinytorch." + path) if path else tinytorch


def find(module: str, name: str) -> Any:
    """Return what a trusted file means by a name of PyTorch's.

    Raises:
        AttributeError: tinytorch has nothing of that name.
    """
    known = KNOWN.get((module, name), _TRUSTED_ONLY.get((module, name)))
    if known is not None:
        return known
    places = [module.removeprefix("torch").lstrip(".")]
    if module.startswith("torch._"):  # PyTorch's own compiled functions
        places += ["nn.functional", ""]
    for place in places:
        try:
            found: Any = _module(place)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            continue
        return found
    raise AttributeError(
        f"the file needs {module}.{name}, which tinytorch does not have")


def storage_reference(reference: Any) -> tuple[Any, str, str, int]:
    """Return (type, key, location, bytes) of what a pickle has for a storage."""
    if not isinstance(reference, tuple) or len(reference) < 5:
        raise UnpicklingError(f"an unknown reference: {reference!r:.80}")
    what, kind, key, location, numel = reference[:5]
    if what == b"storage":  # a byte string of Python 2
        what = "storage"
    if what != "storage":
        raise UnpicklingError(f"an unknown reference: {reference!r:.80}")
    itemsize = 1
    if isinstance(kind, StorageType):
        itemsize = kind.dtype.itemsize
    elif kind is not UntypedStorage:
        raise UnpicklingError(f"an unknown type of storage: {kind!r:.80}")
    if type(key) is not str or type(location) is not str:
        raise UnpicklingError(f"an unknown reference: {reference!r:.80}")
    if type(numel) is not int or numel < 0:
        raise UnpicklingError(f"an invalid number of elements: {numel!r:.80}")
    return kind, key, location, numel * itemsize
