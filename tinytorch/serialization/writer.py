"""`save`: objects and their tensors to a file that PyTorch reads."""

from __future__ import annotations

import io
import os
import pickle
import sys
from typing import IO, Any

from tinytorch.serialization import legacy
from tinytorch.serialization.atomic import replacing
from tinytorch.serialization.pickler import Storages, pickler_class
from tinytorch.serialization.zip_writer import ALIGNMENT, ArchiveWriter

__all__ = ["save"]

DEFAULT_PROTOCOL = 2


def save(
    obj: object,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object to a file.

    Tensors that share memory share it in the file.  A path is replaced at once, when
    the whole file is on the disk.

    Args:
        obj: tensors, containers of them, state dicts, modules, what pickle takes.
        f: a path or an object with `write`.
        pickle_module: whose pickler is used.
        pickle_protocol: PyTorch reads 2 safely; higher ones need weights_only=False.

    Example:
        >>> import io, tinytorch
        >>> file = io.BytesIO()
        >>> tinytorch.save({"step": 3}, file)
    """
    write = _write_archive if _use_new_zipfile_serialization else legacy.write
    pickler = pickler_class(pickle_module)
    if isinstance(f, (str, os.PathLike)):
        name = os.path.splitext(os.path.basename(os.fspath(f)))[0]
        with replacing(f) as file:
            write(obj, file, pickler, pickle_protocol, name or "archive",
                  not _disable_byteorder_record)
    elif hasattr(f, "write"):
        write(obj, f, pickler, pickle_protocol, "archive",
              not _disable_byteorder_record)
    else:
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' "
            "attribute")


def _write_archive(
    obj: object, file: IO[bytes], pickler: Any, protocol: int, folder: str,
    state_byteorder: bool,
) -> None:
    storages = Storages()
    pickled = io.BytesIO()
    pickler(pickled, protocol, storages).dump(obj)
    archive = ArchiveWriter(file, folder)
    archive.add("data.pkl", pickled.getvalue())
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", str(ALIGNMENT).encode())
    if state_byteorder:
        archive.add("byteorder", sys.byteorder.encode())
    for key, storage in enumerate(storages.held):
        archive.add(f"data/{key}", memoryview(storage.cpu()._bytes))
    archive.close()
