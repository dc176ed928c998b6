"""The safetensors format: named tensors in a file that cannot hold anything else.

A file is the length of a header, the header (JSON: dtype, shape and place of each
tensor) and the bytes.  Files are accepted as the `safetensors` package accepts them,
and written byte for byte as it writes them; the package itself is not needed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import prod
from mmap import ACCESS_COPY, mmap
from struct import pack, unpack
from types import TracebackType
from typing import IO, Any, NamedTuple

import tinytorch
from tinytorch._core.ops.creation import empty
from tinytorch._core.ops.data import frombuffer
from tinytorch._core.ops.memory import identity
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import dtype
from tinytorch.serialization.atomic import replacing
from tinytorch.serialization.zip_reader import Source

__all__ = [
    "SafetensorError",
    "load",
    "load_file",
    "load_model",
    "load_sharded",
    "safe_open",
    "save",
    "save_file",
    "save_model",
]

MAX_HEADER = 100_000_000
# In the order in which the format sorts tensors: the last come first.
_SUPPORTED = {
    "BOOL": tinytorch.bool, "U8": tinytorch.uint8, "I8": tinytorch.int8,
    "I16": tinytorch.int16, "F16": tinytorch.float16, "BF16": tinytorch.bfloat16,
    "I32": tinytorch.int32, "F32": tinytorch.float32, "F64": tinytorch.float64,
    "I64": tinytorch.int64,
}
_CODES = {kind: code for code, kind in _SUPPORTED.items()}
_ORDER = {code: i for i, code in enumerate(_SUPPORTED)}
_BITS = {code: 8 * kind.itemsize for code, kind in _SUPPORTED.items()} | {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8, "U16": 16, "U32": 32, "U64": 64, "C64": 64}


class SafetensorError(Exception):
    """A file that is not of the format."""


def _error(reason: str) -> SafetensorError:
    return SafetensorError(f"Error while deserializing: {reason}")


# ---- writing ----


def _checked(tensors: Any) -> dict[str, Tensor]:
    """Return the tensors in the order of the file; refuse what it cannot express."""
    if not isinstance(tensors, Mapping):
        raise ValueError("Expected a dict of [str, torch.Tensor] but received "
                         f"{type(tensors)}")
    parts: dict[int, list[tuple[int, int, str]]] = {}
    for name, x in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"a key of type {type(name).__name__}, expected str")
        if not isinstance(x, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but "
                             f"received {type(x)}")
        if not x.is_contiguous():
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is "
                "not allowed. Call `.contiguous()` on it before saving, or save the "
                "tensor that it is a view of.")
        if x.numel():
            start = x.data_ptr()
            parts.setdefault(identity(x), []).append((start, start + x.nbytes, name))
    for shared in parts.values():
        shared.sort()
        for (_, end, a), (start, _, b) in zip(shared, shared[1:], strict=False):
            if start < end:
                raise RuntimeError(
                    f"Some tensors share memory, this will lead to duplicate memory on "
                    f"disk and potential differences when loading them again: "
                    f"{sorted([a, b])}. A potential way to correctly save your model "
                    "is to use `save_model`.")
    return dict(sorted(tensors.items(),
                       key=lambda item: (-_ORDER[_CODES[item[1].dtype]], item[0])))


def _write(file: Any, tensors: Any, metadata: dict[str, str] | None) -> None:
    ordered = _checked(tensors)
    header: dict[str, Any] = {}
    if metadata is not None:
        for key, value in metadata.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(
                    f"metadata: expected str to str, got {key!r:.40}: {value!r:.40}")
        header["__metadata__"] = dict(sorted(metadata.items()))
    at = 0
    for name, x in ordered.items():
        header[name] = {"dtype": _CODES[x.dtype], "shape": list(x.shape),
                        "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(pack("<Q", len(text)) + text)
    for x in ordered.values():
        file.write(memoryview(x.detach().cpu().view(-1).view(tinytorch.uint8)))


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a file with the tensors.

    Example:
        >>> import tinytorch
        >>> load(save({"x": tinytorch.ones(2)}))
        {'x': tensor([1., 1.])}
    """
    from io import BytesIO

    file = BytesIO()
    _write(file, tensors, metadata)
    return file.getvalue()


def save_file(
    tensors: dict[str, Tensor], filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write tensors to a file, at once.

    Args:
        tensors: by name; contiguous, and none in the memory of another.
        filename: where to.
        metadata: strings to keep with them.
    """
    with replacing(filename) as file:
        _write(file, tensors, metadata)


# ---- the header ----


class _Entry(NamedTuple):
    code: str
    shape: tuple[int, ...]
    start: int
    end: int


def _natural(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise _error(f"invalid JSON in header: expected a size, got {value!r:.40}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _error("invalid JSON in header: a key is there twice")
    return found


def _constant(name: str) -> Any:
    raise _error(f"invalid JSON in header: {name}")


def _parse(text: bytes) -> tuple[dict[str, _Entry], dict[str, str] | None]:
    """Return the entries in the order of their places, and the metadata."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_object,
                            parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise _error(f"invalid JSON in header: {error}") from None
    if not isinstance(header, dict):
        raise _error("invalid JSON in header: not an object")
    metadata = header.pop("__metadata__", None)
    if metadata is not None and not (
            isinstance(metadata, dict)
            and all(isinstance(value, str) for value in metadata.values())):
        raise _error("invalid JSON in header: __metadata__")
    entries = {}
    for name, given in header.items():
        if not isinstance(given, dict):
            raise _error(f"invalid JSON in header: {name!r:.40}")
        code, shape = given.get("dtype"), given.get("shape")
        offsets = given.get("data_offsets")
        if code not in _BITS or not isinstance(shape, list) or not (
                isinstance(offsets, list) and len(offsets) == 2):
            raise _error(f"invalid JSON in header: {name!r:.40}")
        entries[name] = _Entry(code, tuple(map(_natural, shape)),
                               *map(_natural, offsets))
    return dict(sorted(entries.items(), key=lambda item: item[1][2:])), metadata


class _Header:
    """The header of a file, checked against the size of the file."""

    def __init__(self, source: Source) -> None:
        if source.size < 8:
            raise _error("header too small")
        (length,) = unpack("<Q", source.read(0, 8))
        if length > MAX_HEADER:
            raise _error("header too large")
        if length > source.size - 8:
            raise _error("invalid header length")
        text = source.read(8, length)
        if not text.startswith(b"{"):
            raise _error("invalid start character in header")
        self.data = 8 + length
        self.entries, self.metadata = _parse(text)
        at = 0
        for name, entry in self.entries.items():
            if entry.start != at or entry.end < entry.start:
                raise _error(f"invalid offset for tensor `{name:.40}`")
            at = entry.end
            bits = _BITS[entry.code] * prod(entry.shape)
            if _overflows(entry.shape, _BITS[entry.code]) or bits % 8 or (
                    entry.end - entry.start != bits // 8):
                raise _error("info length does not match shape and dtype")
        if self.data + at != source.size:
            raise _error("incomplete metadata, file not fully covered")


def _overflows(shape: tuple[int, ...], bits: int) -> bool:
    """Whether a machine word cannot hold the product on the way to it."""
    n = 1
    for size in shape:
        n *= size
        if n >= 1 << 64:
            return True
    return n * bits >= 1 << 64


# ---- reading ----


def _dtype(code: str, name: str) -> dtype:
    kind = _SUPPORTED.get(code)
    if kind is None:
        raise NotImplementedError(f"`{name}` is of dtype {code}, which tinytorch does "
                                  "not have")
    return kind


def _made(source: Source, header: _Header, name: str, device: Any) -> Tensor:
    entry = header.entries[name]
    kind = _dtype(entry.code, name)
    made = empty(entry.end - entry.start, dtype=tinytorch.uint8, device="cpu")
    source.fill(header.data + entry.start, memoryview(made))
    made = made.view(kind).view(entry.shape)
    return made if str(device) == "cpu" else made.to(device)


def _read(file: IO[bytes], device: Any) -> dict[str, Tensor]:
    source = Source(file)
    header = _Header(source)
    return {name: _made(source, header, name, device) for name in header.entries}


def load(data: bytes) -> dict[str, Tensor]:
    """Return the tensors in the bytes of a file."""
    from io import BytesIO

    return _read(BytesIO(data), "cpu")


def load_file(
    filename: str | os.PathLike[str], device: Any = "cpu"
) -> dict[str, Tensor]:
    """Return the tensors of a file, on a device."""
    with open(filename, "rb") as file:
        return _read(file, device)


def load_sharded(
    index: str | os.PathLike[str], device: Any = "cpu"
) -> dict[str, Tensor]:
    """Return the tensors of several files that a ``*.index.json`` lists."""
    with open(index, encoding="utf-8") as file:
        names = json.load(file)["weight_map"]
    folder = os.path.dirname(os.fspath(index))
    found: dict[str, Tensor] = {}
    for part in sorted(set(names.values())):
        if os.path.basename(part) != part:
            raise SafetensorError(f"a part outside the folder: {part!r:.80}")
        found.update(load_file(os.path.join(folder, part), device))
    missing = set(names) - set(found)
    if missing:
        raise SafetensorError(f"the parts do not have {sorted(missing)}")
    return {name: found[name] for name in names}


class safe_open:
    """A file whose tensors are read one by one.

    Args:
        filename: the file.
        framework: ``"pt"``, or nothing.
        device: where tensors go.
    """

    def __init__(
        self, filename: str | os.PathLike[str], framework: str = "pt",
        device: Any = "cpu",
    ) -> None:
        if framework not in ("pt", "torch", "pytorch", "tinytorch"):
            raise SafetensorError(f"framework {framework} is invalid")
        self._device = device
        self._file = open(filename, "rb")  # noqa: SIM115 (closed by __exit__)
        try:
            self._source = Source(self._file)
            self._header = _Header(self._source)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> safe_open:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def keys(self) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted(self._header.entries)

    def offset_keys(self) -> list[str]:
        """Return the names in the order of the file."""
        return list(self._header.entries)

    def metadata(self) -> dict[str, str] | None:
        """Return the strings kept with the tensors."""
        return self._header.metadata

    def get_tensor(self, name: str) -> Tensor:
        """Return one tensor."""
        self._entry(name)
        return _made(self._source, self._header, name, self._device)

    def get_slice(self, name: str) -> _Slice:
        """Return an object that is indexed like the tensor and reads only that part."""
        return _Slice(self._file, self._header, name, self._entry(name), self._device)

    def _entry(self, name: str) -> _Entry:
        if name not in self._header.entries:
            raise SafetensorError(f"File does not contain tensor {name}")
        return self._header.entries[name]


class _Slice:
    def __init__(
        self, file: IO[bytes], header: _Header, name: str, entry: _Entry, device: Any
    ) -> None:
        self._file, self._device, self._entry = file, device, entry
        self._start = header.data + entry.start
        self._dtype = _dtype(entry.code, name)

    def get_shape(self) -> list[int]:
        """Return the shape of the whole tensor."""
        return list(self._entry.shape)

    def get_dtype(self) -> str:
        """Return the dtype as the file has it."""
        return self._entry.code

    def __getitem__(self, key: Any) -> Tensor:
        nbytes = self._entry.end - self._entry.start
        if not nbytes:
            whole: Tensor = empty(self._entry.shape, dtype=self._dtype)
            return whole[key]  # type: ignore[no-any-return]
        memory = mmap(self._file.fileno(), 0, access=ACCESS_COPY)
        raw = frombuffer(memory, dtype=tinytorch.uint8, count=nbytes,
                         offset=self._start)
        if self._start % self._dtype.itemsize:
            raw = raw.clone()
        part = raw.view(self._dtype).view(self._entry.shape)[key]
        return part.clone().to(self._device)  # type: ignore[no-any-return]


# ---- modules ----


def save_model(
    model: Any, filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None, force_contiguous: bool = True,
) -> None:
    """Write a module's state; of tensors that are one, only the first is written."""
    state: dict[str, Tensor] = model.state_dict()
    kept: dict[str, Tensor] = {}
    first: dict[tuple[Any, ...], str] = {}
    notes = dict(metadata or {})
    for name in sorted(state):
        x = state[name]
        same = (identity(x), x.storage_offset(), tuple(x.shape), x.stride())
        if x.numel() and first.setdefault(same, name) != name:
            notes[name] = first[same]
        else:
            kept[name] = x.contiguous() if force_contiguous else x
    save_file(kept, filename, notes or None)


def load_model(
    model: Any, filename: str | os.PathLike[str], strict: bool = True,
    device: Any = "cpu",
) -> tuple[set[str], list[str]]:
    """Read a module's state into it; return the missing and the unexpected names."""
    with safe_open(filename, device=device) as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        notes = file.metadata() or {}
    for name, first in notes.items():  # tensors that were one
        if first in state and name not in state:
            state[name] = state[first]
    missing, unexpected = model.load_state_dict(state, strict=strict)
    return set(missing), list(unexpected)
