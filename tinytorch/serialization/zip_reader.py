"""Records of an archive, read without trusting a number in it.

An archive is a zip file of uncompressed records below one folder.  Its directory is
checked as a whole before a record is read: every record within the file, none over
another, no name twice, no name that leads elsewhere.
"""

from __future__ import annotations

import io
import os
from struct import Struct, error
from typing import IO, Any, NamedTuple
from zlib import crc32

__all__ = ["Archive", "Source"]

_LOCAL = Struct("<4sHHHHHIIIHH")
_CENTRAL = Struct("<4sHHHHHHIIIHHHHHII")
_END = Struct("<4sHHHHIIH")
_END64 = Struct("<4sQHHIIQQQQ")
_LOCATOR64 = Struct("<4sIQI")
_CHUNK = 1 << 20


class Source:
    """A file read at given places: one on disk, or any object with seek and read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.readinto: Any = getattr(file, "readinto", None)
        file.seek(0, os.SEEK_END)
        self.size = file.tell()

    def read(self, offset: int, n: int) -> bytes:
        """Return n bytes from `offset` on."""
        if offset < 0 or n < 0 or offset + n > self.size:
            raise RuntimeError(_failed("the file is too short"))
        self.file.seek(offset)
        content = self.file.read(n)
        if len(content) != n:
            raise RuntimeError(_failed("the file became shorter while it was read"))
        return content

    def fill(self, offset: int, memory: memoryview) -> int:
        """Read into `memory`; return the checksum of what was read."""
        if offset < 0 or offset + len(memory) > self.size:
            raise RuntimeError(_failed("the file is too short"))
        self.file.seek(offset)
        checksum = done = 0
        while done < len(memory):
            part = memory[done:done + _CHUNK]
            if self.readinto is not None:
                n = int(self.readinto(part))
            else:
                content = self.file.read(len(part))
                n = len(content)
                part[:n] = content
            if not n:
                raise RuntimeError(_failed("the file became shorter while it was read"))
            checksum = crc32(part[:n], checksum)
            done += n
        return checksum


class _Record(NamedTuple):
    header: int  # where its local header begins
    size: int
    checksum: int
    limit: int   # where the next record's header, or the directory, begins


def _failed(reason: str) -> str:
    return (f"PytorchStreamReader failed reading zip archive: {reason}. Your "
            "checkpoint file is corrupted, or not what PyTorch or tinytorch writes.")


class Archive:
    """The records of a zip file, by their names below its folder."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.folder = ""
        try:
            self._read_directory()
        except error as problem:
            raise RuntimeError(_failed(f"broken directory ({problem})")) from None

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def names(self) -> list[str]:
        """Return the names of all records."""
        return list(self._records)

    def size(self, name: str) -> int:
        """Return the bytes of a record."""
        return self._record(name).size

    def offset(self, name: str) -> int:
        """Return where a record's bytes begin in the file."""
        record = self._record(name)
        header = _LOCAL.unpack(self.source.read(record.header, _LOCAL.size))
        offset: int = record.header + _LOCAL.size + header[9] + header[10]
        if header[0] != b"PK\3\4" or offset + record.size > record.limit:
            raise RuntimeError(_failed(f"broken header of {name!r:.80}"))
        return offset

    def read(self, name: str) -> bytes:
        """Return the bytes of a record."""
        record = self._record(name)
        content = self.source.read(self.offset(name), record.size)
        self._check(name, crc32(content), record)
        return content

    def fill(self, name: str, memory: memoryview) -> None:
        """Read the first bytes of a record into memory."""
        record = self._record(name)
        checksum = self.source.fill(self.offset(name), memory)
        if len(memory) == record.size:
            self._check(name, checksum, record)

    def _check(self, name: str, checksum: int, record: _Record) -> None:
        if checksum != record.checksum:
            raise RuntimeError(
                f"PytorchStreamReader failed reading file {name}: file read failed: "
                "the checksum is wrong")

    def _record(self, name: str) -> _Record:
        try:
            return self._records[name]
        except KeyError:
            raise RuntimeError(
                f"PytorchStreamReader failed locating file {name}: file not found"
            ) from None

    # ---- the directory ----

    def _find_directory(self) -> tuple[int, int, int]:
        """Return where the directory begins and ends, and how many entries it has."""
        source = self.source
        if source.size < _END.size:
            raise RuntimeError(_failed("not a ZIP archive"))
        tail_size = min(source.size, _END.size + 0xFFFF)
        tail = source.read(source.size - tail_size, tail_size)
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise RuntimeError(_failed("failed finding central directory"))
        end = source.size - tail_size + at
        _, disk, start_disk, here, count, size, offset, comment = _END.unpack_from(
            tail, at)
        if at + _END.size + comment != len(tail) or disk or start_disk or here != count:
            raise RuntimeError(_failed("broken end of the directory"))
        if end >= _LOCATOR64.size:
            locator = _LOCATOR64.unpack(
                source.read(end - _LOCATOR64.size, _LOCATOR64.size))
            if locator[0] == b"PK\6\7":
                wide = _END64.unpack(source.read(locator[2], _END64.size))
                end = locator[2]
                if wide[0] != b"PK\6\6" or wide[6] != wide[7]:
                    raise RuntimeError(_failed("broken end of the directory"))
                count, size, offset = wide[7:]
        if offset + size != end:
            raise RuntimeError(_failed("failed finding central directory"))
        return offset, end, count

    def _read_directory(self) -> None:
        start, end, count = self._find_directory()
        directory = self.source.read(start, end - start)
        found: list[tuple[int, int, int, str]] = []
        at = 0
        for _ in range(count):
            if at + _CENTRAL.size > len(directory):
                raise RuntimeError(_failed("the directory is too short"))
            (signature, _, _, flags, method, _, _, checksum, packed, size, name_size,
             extra_size, comment_size, _, _, _, header) = _CENTRAL.unpack_from(
                 directory, at)
            at += _CENTRAL.size
            raw = directory[at:at + name_size]
            extra = directory[at + name_size:at + name_size + extra_size]
            at += name_size + extra_size + comment_size
            if signature != b"PK\1\2" or at > len(directory):
                raise RuntimeError(_failed("broken entry of the directory"))
            size, packed, header = _widened(extra, size, packed, header)
            name = self._inner_name(raw)
            if flags & 1 or method or packed != size:
                raise RuntimeError(_failed(
                    f"{name!r:.80} is compressed or encrypted; only stored records are "
                    "read"))
            if name:
                found.append((header, size, checksum, name))
            elif size:
                raise RuntimeError(_failed("a folder with content"))
        if at != len(directory):
            raise RuntimeError(_failed("the directory has more entries than it says"))
        self._records: dict[str, _Record] = {}
        limit = start
        for header, size, checksum, name in sorted(found, reverse=True):
            if header + _LOCAL.size + size > limit:
                raise RuntimeError(_failed(f"{name!r:.80} overlaps another record"))
            if name in self._records:
                raise RuntimeError(_failed(f"{name!r:.80} is there twice"))
            self._records[name] = _Record(header, size, checksum, limit)
            limit = header

    def _inner_name(self, raw: bytes) -> str:
        """Return a record's name below the folder, which is the same for all."""
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise RuntimeError(_failed("a name that is not UTF-8")) from None
        folder, slash, inner = name.partition("/")
        if (not slash or not folder or "\\" in name or "\0" in name
                or {"..", "."} & set(name.split("/")) or "//" in name):
            raise RuntimeError(_failed(f"a record named {name!r:.80}"))
        if self.folder and folder != self.folder:
            raise RuntimeError(_failed("more than one folder"))
        self.folder = folder
        return inner


def _widened(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Take from the extra field what is too large for the entry itself."""
    values = [size, packed, header]
    wanted = [i for i, value in enumerate(values) if value == 0xFFFFFFFF]
    at = 0
    while wanted and at + 4 <= len(extra):
        kind, n = Struct("<HH").unpack_from(extra, at)
        if kind == 1 and n >= 8 * len(wanted):
            numbers = Struct(f"<{len(wanted)}Q").unpack_from(extra, at + 4)
            for i, number in zip(wanted, numbers, strict=True):
                values[i] = number
            break
        at += 4 + n
    return values[0], values[1], values[2]


def is_archive(file: io.BufferedIOBase | IO[bytes]) -> bool:
    """Tell whether a file begins like an archive; leave its position as it was."""
    before = file.tell()
    file.seek(0)
    first = file.read(4)
    file.seek(before)
    return first == b"PK\3\4"
