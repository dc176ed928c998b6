"""The format that PyTorch wrote before 1.6: pickles one after the other, then storages.

In order: a magic number, the version, the writer's byte order, the object, the keys of
the storages, and per storage its number of elements and its bytes.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from io import BytesIO
from struct import pack, unpack_from
from typing import IO, Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.ops.memory import identity
from tinytorch._core.types import uint8
from tinytorch.serialization.locations import Restore
from tinytorch.serialization.names import find, storage_reference
from tinytorch.serialization.pickler import Storages
from tinytorch.serialization.unpickler import Unpickler, UnpicklingError
from tinytorch.storage import TypedStorage, UntypedStorage, _wrap

__all__ = ["load_restricted", "load_trusted", "trusting_class", "write"]

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
PersistentLoad = Callable[[Any], Any]


def trusting_class(pickle_module: Any) -> Any:
    """Return a module's unpickler, taught PyTorch's names: it runs what a file says."""

    class TrustingUnpickler(pickle_module.Unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            if module.partition(".")[0] == "torch":
                return find(module, name)
            return super().find_class(module, name)

    return TrustingUnpickler


# ---- reading ----


class _Storages:
    """Storages that the object refers to, made empty and filled from the file's end."""

    def __init__(self, restore: Restore, available: int) -> None:
        self.restore = restore
        self.available = available  # bytes: no file has more storage than it is long
        self.made: dict[str, tuple[UntypedStorage, UntypedStorage, int]] = {}

    def persistent_load(self, reference: Any) -> Any:
        if isinstance(reference, tuple) and reference[:1] == ("module",) and (
                len(reference) > 1):
            return reference[1]  # a class, with its source text
        kind, key, location, nbytes = storage_reference(reference)
        if len(reference) > 5 and reference[5] is not None:
            raise UnpicklingError("views of storages, as PyTorch 0.1 wrote them")
        dtype = uint8 if kind is UntypedStorage else kind.dtype
        if key not in self.made:
            self.available -= nbytes
            if self.available < 0:
                raise RuntimeError(
                    "the file is shorter than its storages; corrupt file?")
            own = _wrap(empty(nbytes, dtype=uint8, device="cpu"))
            self.made[key] = own, self.restore(own, location), dtype.itemsize
        storage = self.made[key][1]
        return storage if kind is UntypedStorage else TypedStorage(storage, dtype)

    def fill(self, keys: Any, content: bytes, at: int) -> None:
        """Read the storages, which stand in the order of their keys."""
        if not isinstance(keys, list) or set(keys) != set(self.made) or (
                len(set(keys)) != len(keys)):
            raise RuntimeError("the file's list of storages is wrong; corrupt file?")
        for key in keys:
            own, restored, itemsize = self.made[key]
            nbytes = own.nbytes()
            if len(content) - at < 8 + nbytes:
                raise RuntimeError(
                    "unexpected EOF. The file might be corrupted.")
            (numel,) = unpack_from("<q", content, at)
            if numel * itemsize != nbytes:
                raise RuntimeError(
                    f"storage has wrong size: expected {nbytes // itemsize} got "
                    f"{numel}")
            memoryview(own._bytes)[:] = memoryview(content)[at + 8:at + 8 + nbytes]
            at += 8 + nbytes
            if restored is not own and restored.device.type != "meta":
                restored.copy_(own)


def _load(
    content: bytes, restore: Restore, read: Callable[[PersistentLoad | None], Any],
    position: Callable[[], int],
) -> Any:
    if not content:
        raise EOFError("Ran out of input")
    if read(None) != MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = read(None)
    if version != VERSION:
        raise RuntimeError(f"Invalid protocol version: {version!r:.80}")
    system = read(None)
    order = system.get("little_endian", True) if isinstance(system, dict) else True
    if order is not (sys.byteorder == "little"):
        raise RuntimeError("the file is of a machine with another byte order")
    storages = _Storages(restore, len(content))
    result = read(storages.persistent_load)
    keys = read(None)
    storages.fill(keys, content, position())
    return result


def load_restricted(content: bytes, restore: Restore, encoding: str) -> Any:
    """Read a file that may only hold data."""
    at = 0

    def read(persistent_load: PersistentLoad | None) -> Any:
        nonlocal at
        unpickler = Unpickler(content, at, persistent_load=persistent_load,
                              encoding=encoding)
        value = unpickler.load()
        at = unpickler.position
        return value

    return _load(content, restore, read, lambda: at)


def load_trusted(
    file: IO[bytes], restore: Restore, pickle_module: Any, arguments: dict[str, Any]
) -> Any:
    """Read a file that may run code."""
    content = file.read()
    stream = BytesIO(content)
    cls = trusting_class(pickle_module)

    def read(persistent_load: PersistentLoad | None) -> Any:
        unpickler = cls(stream, **arguments)
        if persistent_load is not None:
            unpickler.persistent_load = persistent_load
        return unpickler.load()

    return _load(content, restore, read, stream.tell)


# ---- writing ----


class _LegacyStorages(Storages):
    def reference(self, value: Any) -> tuple[Any, ...] | None:
        found = super().reference(value)
        return None if found is None else (*found, None)


def write(
    obj: object, file: IO[bytes], pickler: Any, protocol: int, folder: str,
    state_byteorder: bool,
) -> None:
    """Write an object; `folder` and `state_byteorder` belong to the newer format."""
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": VERSION, "little_endian": sys.byteorder == "little",
              "type_sizes": sizes}
    for value in (MAGIC, VERSION, system):
        pickle.dump(value, file, protocol=protocol)
    storages = _LegacyStorages()
    pickler(file, protocol, storages).dump(obj)
    keys = [str(key) for key in range(len(storages.held))]
    pickle.dump(keys, file, protocol=protocol)
    for storage in storages.held:
        dtype = storages.dtypes.get(identity(storage._bytes), uint8)
        file.write(pack("<q", storage.nbytes() // dtype.itemsize))
        file.write(memoryview(storage.cpu()._bytes))
