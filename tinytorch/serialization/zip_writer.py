"""Records written to an archive, byte for byte where PyTorch's writer puts them.

Records are stored uncompressed, each one's bytes on a boundary of 64 so that a program
can map them into memory.  Sizes follow the bytes, so that a stream can be written.
"""

from __future__ import annotations

from struct import Struct, pack
from typing import IO, Any
from zlib import crc32

__all__ = ["ALIGNMENT", "ArchiveWriter"]

ALIGNMENT = 64
_FLAGS = 0x0808  # sizes follow the bytes; names are UTF-8
_LOCAL = Struct("<4sHHHHHIIIHH")
_CENTRAL = Struct("<4sHHHHHHIIIHHHHHII")
_WIDE = 0xFFFFFFFF


class ArchiveWriter:
    """Writes records below one folder, then the directory.

    Args:
        file: where to; only its `write` is used.
        folder: the first part of all names.
    """

    def __init__(self, file: IO[bytes], folder: str) -> None:
        self._write = file.write
        self._folder = folder
        self._at = 0
        self._entries: list[tuple[bytes, int, int, int]] = []
        self._names = self._content = 0

    def add(self, name: str, content: bytes | memoryview) -> None:
        """Write a record."""
        raw = f"{self._folder}/{name}".encode()
        size, checksum, header = len(content), crc32(content), self._at
        padding = -(header + _LOCAL.size + len(raw) + 4) % ALIGNMENT
        extra = pack("<2sH", b"FB", padding) + b"Z" * padding
        self._put(_LOCAL.pack(b"PK\3\4", 0, _FLAGS, 0, 0, 0, 0, 0, 0, len(raw),
                              len(extra)) + raw + extra)
        self._put(content)
        widths = "<4sIQQ" if size >= _WIDE else "<4sIII"
        self._put(pack(widths, b"PK\7\x08", checksum, size, size))
        self._entries.append((raw, size, checksum, header))
        self._names = crc32(raw, self._names)
        self._content = crc32(pack("<IQ", checksum, size), self._content)

    def close(self) -> None:
        """Write what identifies the content, and the directory."""
        self.add("version", b"3\n")
        self.add(".data/serialization_id", b"%020d%020d" % (self._names, self._content))
        start = self._at
        for raw, size, checksum, header in self._entries:
            wide = [n for n in (size, size, header) if n >= _WIDE]
            extra = pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
            self._put(_CENTRAL.pack(
                b"PK\1\2", 0, 0, _FLAGS, 0, 0, 0, checksum, min(size, _WIDE),
                min(size, _WIDE), len(raw), len(extra), 0, 0, 0, 0, min(header, _WIDE))
                + raw + extra)
        end, count = self._at, len(self._entries)
        self._put(pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count,
                       end - start, start))
        self._put(pack("<4sIQI", b"PK\6\7", 0, end, 1))
        few = min(count, 0xFFFF)
        self._put(pack("<4sHHHHIIH", b"PK\5\6", 0, 0, few, few,
                       min(end - start, _WIDE), min(start, _WIDE), 0))

    def _put(self, content: Any) -> None:
        self._at += len(content)
        self._write(content)
