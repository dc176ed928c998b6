"""`load`: objects from files of `save` and of PyTorch."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from mmap import MAP_SHARED
from mmap import mmap as MemoryMap
from typing import IO, Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.ops.data import frombuffer
from tinytorch._core.types import uint8
from tinytorch.serialization import legacy
from tinytorch.serialization.byteorder import swap_bytes
from tinytorch.serialization.locations import Restore, restorer
from tinytorch.serialization.names import storage_reference
from tinytorch.serialization.options import (
    LoadEndianness,
    get_default_load_endianness,
    get_default_mmap_options,
)
from tinytorch.serialization.unpickler import Unpickler, UnpicklingError, unsafe_globals
from tinytorch.serialization.zip_reader import Archive, Source, is_archive
from tinytorch.storage import TypedStorage, UntypedStorage, _wrap

__all__ = ["load"]

_ADVICE = (
    "Weights only load failed. The file holds more than tensors, numbers, strings and "
    "containers of them, or it is damaged. With `weights_only=False` a file can run "
    "any code: do that only if you trust its source.\n\tWeightsUnpickler error: ")


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save`, of tinytorch or of PyTorch, wrote.

    Args:
        f: a path or an object with `read` and `seek`.
        map_location: where tensors go: a device, a dict of devices by the name that
            the file has, or a function of a storage and its place.
        pickle_module: whose unpickler is used; implies ``weights_only=False``.
        weights_only: False lets the file run any code. Default: True.
        mmap: map the file into memory instead of reading it; needs a path.
        **pickle_load_args: for the unpickler, such as ``encoding``.

    Example:
        >>> import io, tinytorch
        >>> file = io.BytesIO()
        >>> tinytorch.save([1, 2.0, "three"], file)
        >>> tinytorch.load(io.BytesIO(file.getvalue()))
        [1, 2.0, 'three']
    """
    if weights_only is None:
        weights_only = pickle_module is None
    if weights_only and pickle_module is not None:
        raise RuntimeError(
            "Can not safely load weights when explicit pickle_module is specified")
    pickle_load_args.setdefault("encoding", "utf-8")
    unpickle = _restricted if weights_only else _trusting(pickle_module or pickle)
    restore = restorer(map_location)
    with ExitStack() as stack:
        if isinstance(f, (str, os.PathLike)):
            shared = mmap and get_default_mmap_options() == MAP_SHARED
            file: IO[bytes] = stack.enter_context(open(f, "r+b" if shared else "rb"))
        else:
            if mmap:
                raise ValueError("f must be a file path in order to use the mmap "
                                 "argument")
            file = _checked_file(f)
        if is_archive(file):
            return _load_archive(Archive(Source(file)), restore, unpickle,
                                 pickle_load_args, bool(mmap), map_location)
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with "
                "`torch.save(_use_new_zipfile_serialization=True), please torch.save "
                "your checkpoint with this option in order to use mmap.")
        if weights_only:
            return _advised(lambda: legacy.load_restricted(
                file.read(), restore, pickle_load_args["encoding"]))
        return legacy.load_trusted(file, restore, pickle_module or pickle,
                                   pickle_load_args)


def _checked_file(f: Any) -> IO[bytes]:
    for method in ("seek", "tell", "read"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can "
                "only torch.load from a file that is seekable. Please pre-load the "
                "data into a buffer like io.BytesIO and try to load from it instead.")
    return f  # type: ignore[no-any-return]


# ---- unpicklers ----

Unpickle = Callable[[bytes, Callable[[Any], Any], dict[str, Any]], Any]


def _advised(read: Callable[[], Any]) -> Any:
    """Read; say in an error what can be done about it."""
    try:
        return read()
    except UnpicklingError as error:
        raise UnpicklingError(_ADVICE + str(error)) from None


def _restricted(
    content: bytes, persistent_load: Callable[[Any], Any], arguments: dict[str, Any]
) -> Any:
    if set(arguments) != {"encoding"}:
        raise TypeError(
            "Unpickler.__init__() got an unexpected keyword argument "
            f"'{sorted(set(arguments) - {'encoding'})[0]}'")
    return _advised(Unpickler(
        content, persistent_load=persistent_load, **arguments).load)


def _trusting(pickle_module: Any) -> Unpickle:
    def unpickle(
        content: bytes, persistent_load: Callable[[Any], Any],
        arguments: dict[str, Any],
    ) -> Any:
        unpickler = legacy.trusting_class(pickle_module)(BytesIO(content), **arguments)
        unpickler.persistent_load = persistent_load
        return unpickler.load()

    return unpickle


# ---- archives ----


class _Loader:
    """Gives an unpickler the storages that it asks for, each read once."""

    def __init__(
        self, archive: Archive, restore: Restore, mapped: MemoryMap | None,
        to_meta: bool,
    ) -> None:
        self.archive = archive
        self.restore = restore
        self.mapped = mapped
        self.to_meta = to_meta
        self.swap = self._other_byteorder()
        self.loaded: dict[str, UntypedStorage] = {}

    def _other_byteorder(self) -> bool:
        if "byteorder" in self.archive:
            order = self.archive.read("byteorder").decode("ascii", "replace")
            if order not in ("little", "big"):
                raise ValueError(f"Unknown endianness type: {order!r}")
            return order != sys.byteorder
        default = get_default_load_endianness() or LoadEndianness.LITTLE
        return default is not LoadEndianness.NATIVE and (
            default.name.lower() != sys.byteorder)

    def persistent_load(self, reference: Any) -> TypedStorage | UntypedStorage:
        kind, key, location, nbytes = storage_reference(reference)
        dtype = uint8 if kind is UntypedStorage else kind.dtype
        if key not in self.loaded:
            storage = self.read(f"data/{key}", nbytes, dtype.itemsize)
            self.loaded[key] = self.restore(storage, location)
        storage = self.loaded[key]
        return storage if kind is UntypedStorage else TypedStorage(storage, dtype)

    def read(self, name: str, nbytes: int, itemsize: int) -> UntypedStorage:
        if nbytes > self.archive.size(name):
            raise RuntimeError(
                f"storage {name} should have {nbytes} bytes, but the file has "
                f"{self.archive.size(name)}")
        if self.to_meta:
            return _wrap(empty(nbytes, dtype=uint8, device="meta"))
        if self.mapped is not None and nbytes and not self.swap:
            offset = self.archive.offset(name)
            if offset % itemsize == 0:
                return _wrap(frombuffer(
                    self.mapped, dtype=uint8, count=nbytes, offset=offset))
        made = empty(nbytes, dtype=uint8, device="cpu")
        self.archive.fill(name, memoryview(made))
        if self.swap:
            swap_bytes(memoryview(made), itemsize)
        return _wrap(made)


def _load_archive(
    archive: Archive, restore: Restore, unpickle: Unpickle, arguments: dict[str, Any],
    mapped: bool, map_location: Any,
) -> Any:
    if "constants.pkl" in archive:
        raise RuntimeError("the file is a TorchScript program, which tinytorch does "
                           "not run; save its state_dict() with PyTorch")
    memory = None
    if mapped:
        memory = MemoryMap(archive.source.file.fileno(), 0,
                           flags=get_default_mmap_options())
    to_meta = not callable(map_location) and str(map_location) == "meta"
    loader = _Loader(archive, restore, memory, to_meta)
    return unpickle(archive.read("data.pkl"), loader.persistent_load, arguments)


def get_unsafe_globals_in_checkpoint(
    f: str | os.PathLike[str] | IO[bytes],
) -> list[str]:
    """Return the full names of what a file needs and plain data may not have.

    Nothing is called; what `add_safe_globals` allows is not in the list.
    """
    with ExitStack() as stack:
        file: Any = f
        if isinstance(f, (str, os.PathLike)):
            file = stack.enter_context(open(f, "rb"))
        if not is_archive(_checked_file(file)):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        return unsafe_globals(Archive(Source(file)).read("data.pkl"))
