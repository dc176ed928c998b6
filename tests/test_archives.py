"""Zip files that an archive reader must not believe."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

import tinytorch as tt
from pickle_tricks import GOOD, pickled


def entry(name: bytes, content: bytes, header: int, **changed: int) -> bytes:
    fields = {"flags": 0, "method": 0, "crc": zlib.crc32(content), "packed":
              len(content), "size": len(content), **changed}
    return struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 0, 0, fields["flags"], fields["method"], 0, 0,
        fields["crc"], fields["packed"], fields["size"], len(name), 0, 0, 0, 0, 0,
        header) + name


def local(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 0, 0, 0, 0, 0, 0, 0, 0, len(name),
                       0) + name + content


def zipped(body: bytes, entries: list[bytes], count: int | None = None) -> bytes:
    directory = b"".join(entries)
    n = len(entries) if count is None else count
    return body + directory + struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, n, n, len(directory), len(body), 0)


N, A, B = b"a/data.pkl", b"a/data/0", b"a/data/1"
DATA = b"\x80\x02N."
OK = local(N, DATA)

ARCHIVES = {
    "compressed": zipped(OK, [entry(N, DATA, 0, method=8)]),
    "encrypted": zipped(OK, [entry(N, DATA, 0, flags=1)]),
    "sizes differ": zipped(OK, [entry(N, DATA, 0, size=1 << 31)]),
    "beyond the file": zipped(OK, [entry(N, DATA, 0, size=1 << 31, packed=1 << 31)]),
    "header outside": zipped(OK, [entry(N, DATA, 1 << 31)]),
    "header elsewhere": zipped(OK, [entry(N, DATA, 3)]),
    "the same bytes twice": zipped(OK, [entry(N, DATA, 0), entry(A, DATA, 0)]),
    "overlap": zipped(OK + local(A, b"x" * 60), [
        entry(N, DATA, 0, size=60, packed=60), entry(A, b"x" * 60, len(OK))]),
    "one name twice": zipped(OK + OK, [entry(N, DATA, 0), entry(N, DATA, len(OK))]),
    "two folders": zipped(OK + local(b"b/x", b""), [
        entry(N, DATA, 0), entry(b"b/x", b"", len(OK))]),
    "up": zipped(local(b"a/../x", DATA), [entry(b"a/../x", DATA, 0)]),
    "root": zipped(local(b"/data.pkl", DATA), [entry(b"/data.pkl", DATA, 0)]),
    "backslash": zipped(local(b"a\\data.pkl", DATA), [entry(b"a\\data.pkl", DATA, 0)]),
    "nul": zipped(local(b"a/data.pkl\0x", DATA), [entry(b"a/data.pkl\0x", DATA, 0)]),
    "no folder": zipped(local(b"data.pkl", DATA), [entry(b"data.pkl", DATA, 0)]),
    "not UTF-8": zipped(local(b"a/\xff\xfe", DATA), [entry(b"a/\xff\xfe", DATA, 0)]),
    "checksum": zipped(OK, [entry(N, DATA, 0, crc=1)]),
    "no data.pkl": zipped(local(A, DATA), [entry(A, DATA, 0)]),
    "more entries": zipped(OK, [entry(N, DATA, 0)], 2),
    "fewer entries": zipped(OK, [entry(N, DATA, 0)], 0),
    "no directory": OK + bytes(100),
    "trailing bytes": zipped(OK, [entry(N, DATA, 0)]) + b"x",
    "another disk": zipped(OK, [entry(N, DATA, 0)])[:-18] + b"\1\0" + zipped(
        OK, [entry(N, DATA, 0)])[-16:],
}


def test_archive_of_hand_is_accepted() -> None:
    assert tt.load(io.BytesIO(zipped(OK, [entry(N, DATA, 0)]))) is None


@pytest.mark.parametrize("trick", ARCHIVES)
def test_archives_are_refused(trick: str) -> None:
    with pytest.raises(RuntimeError, match="PytorchStreamReader"):
        tt.load(io.BytesIO(ARCHIVES[trick]))


def test_zip_bomb() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("archive/data.pkl", pickled(GOOD))
        target.writestr("archive/data/0", bytes(50_000_000))
    with pytest.raises(RuntimeError, match="compressed"):
        tt.load(file)
