"""Archives, places, paths, and files that are damaged."""

from __future__ import annotations

import collections
import errno
import io
import os
import pathlib
import pickle
import zipfile
from typing import Any

import pytest

import tinytorch as tt
from serialized import BOTH, DTYPES, loaded, same, saved
from tinytorch.serialization import zip_writer

torch = pytest.importorskip("torch")



# ---- the archive ----


def test_records_stand_where_pytorch_puts_them() -> None:
    def made(library: Any) -> bytes:
        return saved(library, {"a": library.arange(5), "b": library.ones(70)})

    def layout(content: bytes) -> list[Any]:
        infos = zipfile.ZipFile(io.BytesIO(content)).infolist()
        return [(i.filename, i.file_size, i.header_offset, i.CRC, i.flag_bits)
                for i in infos]

    ours, theirs = layout(made(tt)), layout(made(torch))
    assert ours[:-1] == theirs[:-1]  # the last names the content in an own way
    assert ours[-1][:3] == theirs[-1][:3]
    assert zipfile.ZipFile(io.BytesIO(made(tt))).testzip() is None
    records = zipfile.ZipFile(io.BytesIO(made(tt)))
    for name in ("data.pkl", ".format_version", ".storage_alignment", "byteorder",
                 "version"):
        theirs_there = zipfile.ZipFile(io.BytesIO(made(torch)))
        assert records.read("archive/" + name) == theirs_there.read("archive/" + name)


def test_pytorch_maps_our_storages(tmp_path: pathlib.Path) -> None:
    tt.save({"a": tt.arange(100.0), "b": tt.ones(3, dtype=tt.int8)}, tmp_path / "x.pt")
    got = torch.load(tmp_path / "x.pt", mmap=True)
    assert got["a"].sum() == 4950 and got["b"].sum() == 3
    assert got["a"].data_ptr() % 64 == 0


def test_wide_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and offsets that need 64 bits, by lowering what counts as large."""
    monkeypatch.setattr(zip_writer, "_WIDE", 0xFFFFFFFF)
    file = io.BytesIO()
    writer = zip_writer.ArchiveWriter(file, "archive")
    writer._at = (1 << 33)  # as if behind 8 GB
    writer.add("data.pkl", b"x")
    writer.close()
    extra = file.getvalue()
    assert extra.count((1 << 33).to_bytes(8, "little")) == 1


def test_mmap(tmp_path: pathlib.Path) -> None:
    torch.save({"a": torch.arange(1000), "e": torch.empty(0)}, tmp_path / "x.pt")
    before = (tmp_path / "x.pt").read_bytes()
    for weights_only in (True, False):
        got = tt.load(tmp_path / "x.pt", mmap=True, weights_only=weights_only)
        assert got["a"].sum().item() == 499500 and got["e"].shape == (0,)
        got["a"].zero_()  # a private copy of the page
    assert (tmp_path / "x.pt").read_bytes() == before
    with pytest.raises(ValueError, match="must be a file path"):
        tt.load(io.BytesIO(before), mmap=True)
    torch.save(1, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used"):
        tt.load(tmp_path / "old.pt", mmap=True)


def test_shared_mmap_writes_the_file(tmp_path: pathlib.Path) -> None:
    import mmap

    from tinytorch.serialization import set_default_mmap_options

    tt.save(tt.zeros(4), tmp_path / "x.pt")
    with set_default_mmap_options(mmap.MAP_SHARED):
        tt.load(tmp_path / "x.pt", mmap=True).fill_(2)
    assert tt.load(tmp_path / "x.pt", mmap=True).tolist() == [2, 2, 2, 2]


def test_other_byte_order() -> None:
    x = tt.tensor([1.0, 2.0])
    content = saved(tt, {"x": x, "y": tt.tensor([1, -2])})
    source = zipfile.ZipFile(io.BytesIO(content))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            record = source.read(name)
            if name.endswith("byteorder"):
                record = b"big"
            elif "/data/" in name:
                size = 4 if name.endswith("0") else 8
                record = b"".join(record[i:i + size][::-1]
                                  for i in range(0, len(record), size))
            target.writestr(name, record)
    got = loaded(tt, file.getvalue())
    assert got["x"].tolist() == [1, 2] and got["y"].tolist() == [1, -2]


# ---- places ----


def test_map_location() -> None:
    content = saved(torch, {"a": torch.ones(2)})
    for place in ("cpu", tt.device("cpu"), {"cpu": "cpu"}, None):
        assert loaded(tt, content, map_location=place)["a"].is_cpu
    for place in ("meta", {"cpu": "meta"}, tt.device("meta")):
        assert loaded(tt, content, map_location=place)["a"].is_meta
    seen = []

    def ask(storage: Any, location: str) -> Any:
        seen.append((type(storage), storage.nbytes(), location))
        return storage

    assert loaded(tt, content, map_location=ask)["a"].tolist() == [1, 1]
    assert seen == [(tt.UntypedStorage, 8, "cpu")]
    assert loaded(tt, content, map_location=lambda s, where: None)["a"].sum() == 2
    with pytest.raises(TypeError):
        loaded(tt, content, map_location=lambda s, where: 3)
    with pytest.raises(RuntimeError, match="tagged with bla"):
        loaded(tt, content, map_location="bla")
    if not tt.cuda.is_available():
        with pytest.raises(RuntimeError, match=r"Attempting to deserialize .* CUDA"):
            loaded(tt, content, map_location="cuda")


def test_register_package() -> None:
    from tinytorch.serialization import locations, register_package

    before = list(locations._packages)
    register_package(5, lambda s: None, lambda s, where: s if where == "moon" else None)
    try:
        content = saved(torch, torch.ones(2))
        assert loaded(tt, content, map_location="moon").tolist() == [1, 1]
    finally:
        locations._packages[:] = before


# ---- paths and errors ----


def test_paths_and_files(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        tt.save([1], path)
        assert tt.load(path) == [1] and torch.load(path) == [1]
    names = zipfile.ZipFile(tmp_path / "a.pt").namelist()
    assert names[0] == "a/data.pkl"
    with open(tmp_path / "c.pt", "wb") as file:
        tt.save(tt.ones(2), file)
    with open(tmp_path / "c.pt", "rb") as file:
        assert tt.load(file).sum() == 2
    link = tmp_path / "link.pt"
    link.symlink_to(tmp_path / "a.pt")
    tt.save([2], link)
    assert link.is_symlink() and tt.load(tmp_path / "a.pt") == [2]


class OnlyWrite:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: Any) -> None:
        self.parts.append(bytes(part))


class OnlyRead:
    """A file without readinto, that reads a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)
        self.seek, self.tell = self.file.seek, self.file.tell

    def read(self, n: int = -1) -> bytes:
        return self.file.read(n)


def test_plain_objects_as_files() -> None:
    sink = OnlyWrite()
    tt.save({"x": tt.arange(9)}, sink)  # type: ignore[arg-type]
    got = tt.load(OnlyRead(b"".join(sink.parts)))
    assert got["x"].tolist() == list(range(9))


def test_failed_save_leaves_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.pt"
    tt.save([1, 2], path)
    path.chmod(0o640)

    class Fails:
        def __reduce__(self) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tt.save([tt.ones(3), Fails()], path)
    assert tt.load(path) == [1, 2]
    tt.save([3], path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]


def test_full_disk_leaves_the_old_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write fails in turn, then the fsync and the rename."""
    path = tmp_path / "x.pt"
    tt.save([1, 2], path)
    put = zip_writer.ArchiveWriter._put
    calls = 0

    def fail(*given: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fails_at(last: int) -> Any:
        def write(self: Any, content: Any) -> None:
            nonlocal calls
            calls += 1
            fail() if calls == last else put(self, content)

        return write

    writes = 0
    for last in range(1, 1000):
        calls = 0
        monkeypatch.setattr(zip_writer.ArchiveWriter, "_put", fails_at(last))
        try:
            tt.save({"a": tt.ones(3), "b": tt.zeros(2)}, path)
            break
        except OSError as error:
            assert error.errno == errno.ENOSPC
        writes += 1
        assert tt.load(path) == [1, 2] and len(list(tmp_path.iterdir())) == 1
    assert writes > 20 and tt.load(path)["a"].sum() == 3
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            with pytest.raises(OSError):
                tt.save([3], path)
        assert tt.load(path)["b"].shape == (2,) and len(list(tmp_path.iterdir())) == 1


# ---- files of the past ----

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.pt")), ids=lambda p: p.stem)
def test_files_of_the_past_load(path: pathlib.Path) -> None:
    """Written once, by the release in the name; never written again."""
    for weights_only in (True, False):
        got = tt.load(path, weights_only=weights_only)
        for name in DTYPES:
            wanted = tt.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(tt, name))
            assert same(got["dtypes"][name], wanted), name
        assert got["turned"].data_ptr() == got["dtypes"]["float32"].data_ptr()
        assert got["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
        assert type(got["state"]) is collections.OrderedDict
        assert got["state"]._metadata == {"": {"version": 1}}
        assert isinstance(got["parameter"], tt.nn.Parameter)
        assert got["plain"] == [1, -2.5, "\u00e9", None, True, (1, (2,)), b"\x00\xff"]
        assert got["size"] == tt.Size([2, 3]) and got["kind"] is tt.bfloat16


def test_there_are_files_of_the_past() -> None:
    assert len(list(GOLDEN.glob("torch-*.pt"))) >= 2
    assert len(list(GOLDEN.glob("tinytorch-*.pt"))) >= 1


def test_errors_of_save(tmp_path: pathlib.Path) -> None:
    def message(library: Any, value: Any, target: Any) -> tuple[type, str]:
        with pytest.raises((RuntimeError, AttributeError)) as caught:
            library.save(value(library), target)
        return caught.type, str(caught.value)

    def one(m: Any) -> int:
        return 1

    def two(m: Any) -> Any:
        x = m.zeros(3)
        return [x, x.view(m.int32)]

    for target in (5, str(tmp_path / "none" / "x.pt")):
        assert message(tt, one, target) == message(torch, one, target)
    assert message(tt, two, io.BytesIO()) == message(torch, two, io.BytesIO())


def test_errors_of_load() -> None:
    def kind(library: Any, f: Any, **options: Any) -> type:
        with pytest.raises(Exception) as caught:
            library.load(f(), **options)
        return caught.type

    content = saved(torch, {"a": torch.ones(3)})
    for f in (lambda: 5, lambda: "/nonexistent.pt", lambda: io.BytesIO(b""),
              lambda: io.BytesIO(content[:10]), lambda: io.BytesIO(content[:200]),
              lambda: io.BytesIO(content[:-1]),
              lambda: io.BytesIO(pickle.dumps({"a": 1}, protocol=2))):
        for weights_only in (True, False):
            ours = kind(tt, f, weights_only=weights_only)
            assert ours is kind(torch, f, weights_only=weights_only), f()


@BOTH
def test_every_cut_raises(weights_only: bool) -> None:
    content = saved(tt, {"a": tt.ones(3), "b": "text"})
    for zipped in (True, False):
        content = saved(tt, {"a": tt.ones(3), "b": "text"}, zipped)
        for n in range(0, len(content), 3):
            with pytest.raises((RuntimeError, EOFError, pickle.UnpicklingError)):
                loaded(tt, content[:n], weights_only=weights_only)


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    """What is in a record is noticed; the rest is padding, flags and times."""
    x = tt.arange(5.0)
    content = saved(tt, {"a": x})
    infos = zipfile.ZipFile(io.BytesIO(content)).infolist()
    inside: set[int] = set()
    for info in infos:
        if info.filename.endswith(("data.pkl", "data/0")):
            header = content[info.header_offset:]
            start = info.header_offset + 30 + header[26] + header[28]
            inside |= set(range(start, start + info.file_size))
    assert len(inside) > 100
    for i in range(len(content)):
        broken = bytearray(content)
        broken[i] ^= 0x55
        try:
            got = loaded(tt, bytes(broken))
        except (RuntimeError, EOFError, pickle.UnpicklingError, NotImplementedError):
            continue
        assert same(got["a"], x) and i not in inside


def test_wrong_checksum() -> None:
    content = bytearray(saved(tt, tt.ones(50)))
    at = content.find(b"\x00\x00\x80?" * 4)
    content[at] = 1
    with pytest.raises(RuntimeError, match="checksum"):
        loaded(tt, bytes(content))
