"""Settings of saving and loading for the whole process."""

from __future__ import annotations

from enum import Enum
from mmap import MAP_PRIVATE, MAP_SHARED

__all__ = [
    "LoadEndianness",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
]


class LoadEndianness(Enum):
    """The byte order of files that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_endianness: LoadEndianness | None = None
_mmap_flags = MAP_PRIVATE


def get_default_load_endianness() -> LoadEndianness | None:
    """Return the byte order assumed where a file says none; None is little."""
    return _endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Set the byte order assumed where a file says none."""
    global _endianness
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _endianness = endianness


def get_default_mmap_options() -> int:
    """Return ``mmap.MAP_PRIVATE`` or ``mmap.MAP_SHARED``."""
    return _mmap_flags


class set_default_mmap_options:
    """Set how ``load(mmap=True)`` maps files; as a ``with`` block, for a while.

    Args:
        flags: ``mmap.MAP_PRIVATE`` (writes stay in the process) or
            ``mmap.MAP_SHARED`` (writes change the file).
    """

    def __init__(self, flags: int) -> None:
        global _mmap_flags
        if flags not in (MAP_PRIVATE, MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected "
                f"mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got {flags}")
        self._before = _mmap_flags
        _mmap_flags = flags

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        global _mmap_flags
        _mmap_flags = self._before


def get_crc32_options() -> bool:
    """Return True: every record has its checksum."""
    return True


def set_crc32_options(compute_crc32: bool) -> None:
    """Accept True; files without checksums are not written."""
    if not compute_crc32:
        raise NotImplementedError("every record is written with its checksum")
