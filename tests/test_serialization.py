"""save and load: files of PyTorch read here, files of ours read by PyTorch."""

from __future__ import annotations

import collections
import io
import pathlib
import pickle
import warnings
import zipfile
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.serialization import safe_globals, zip_writer

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16",
          "int8", "uint8", "bool"]
BOTH = pytest.mark.parametrize("weights_only", [True, False])
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(library: Any, value: Any, zipped: bool = True, **options: Any) -> bytes:
    file = io.BytesIO()
    library.save(value, file, _use_new_zipfile_serialization=zipped, **options)
    return file.getvalue()


def loaded(library: Any, content: bytes, **options: Any) -> Any:
    return library.load(io.BytesIO(content), **options)


def same(a: Any, b: Any) -> bool:
    """Whether two tensors, of either library, have the same bits."""
    if tuple(a.shape) != tuple(b.shape) or str(a.dtype) != str(b.dtype):
        return False
    wide = "float32" if str(a.dtype) == "torch.bfloat16" else None
    x, y = (t.detach() for t in (a, b))
    if wide:
        x, y = x.float(), y.float()
    return bool(np.array_equal(x.numpy(), y.numpy(), equal_nan=x.is_floating_point()))


def values(dtype: str) -> list[Any]:
    if dtype == "bool":
        return [[True, False, True], [False, False, True]]
    if "int" in dtype:
        return [[1, 2, 3], [100, 0, 7]]
    return [[1.5, -2.25, float("inf")], [0.0, -0.0, float("nan")]]


# ---- both directions ----


@FORMATS
@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_both_directions(
    dtype: str, weights_only: bool, zipped: bool
) -> None:
    ours = tt.tensor(values(dtype), dtype=getattr(tt, dtype))
    theirs = torch.tensor(values(dtype), dtype=getattr(torch, dtype))
    read_there = loaded(torch, saved(tt, ours, zipped), weights_only=weights_only)
    read_here = loaded(tt, saved(torch, theirs, zipped), weights_only=weights_only)
    assert same(read_there, theirs) and same(read_here, ours)


@FORMATS
@BOTH
def test_views_share_memory_after_loading(weights_only: bool, zipped: bool) -> None:
    for source, target in ((tt, torch), (torch, tt), (tt, tt)):
        x = source.arange(24.0).view(4, 6)
        views = {"x": x, "t": x.t(), "part": x[1:3, ::2], "again": x, "flat": x[2],
                 "wide": x[:, :1].expand(4, 3)}
        got = loaded(target, saved(source, views, zipped), weights_only=weights_only)
        for name, view in views.items():
            assert same(got[name], view), name
            assert got[name].stride() == view.stride()
            assert got[name].storage_offset() == view.storage_offset()
        assert got["x"] is got["again"]
        got["x"][2, 0] = -1.0
        assert got["t"][0, 2] == -1 and got["flat"][0] == -1 and got["wide"][2, 1] == -1


@BOTH
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 1, 3)], ids=str)
def test_odd_shapes(shape: tuple[int, ...], weights_only: bool) -> None:
    for source, target in ((tt, torch), (torch, tt)):
        x = source.ones(shape)
        assert same(loaded(target, saved(source, x), weights_only=weights_only), x)


def nested(library: Any) -> dict[str, Any]:
    x = library.arange(6.0).view(2, 3)
    return {
        "list": [x, 1, 2.5, None, True, "text \u00e9\u4e2d", b"by\x00tes\xff"],
        "tuple": (1, (2, (3, ())), -5, 1 << 40, -(1 << 70)),
        "ordered": collections.OrderedDict([("b", x), ("a", 2)]),
        "counter": collections.Counter("abca"),
        "set": {1, 2, 3},
        "complex": 1 - 2j,
        "bytearray": bytearray(b"abc"),
        "size": x.shape,
        "dtypes": [library.float32, library.bfloat16, library.bool, library.int8],
        "device": library.device("cpu"),
        "cuda": library.device("cuda", 1),
        "layout": library.strided,
        "parameter": library.nn.Parameter(x.clone()),
        "frozen": library.nn.Parameter(x.clone(), requires_grad=False),
        "leaf": library.tensor([1.0], requires_grad=True),
        "meta": library.empty(2, 3, device="meta"),
        "buffer": library.nn.Buffer(x.clone(), persistent=False),
        7: {"deep": {"deeper": [[x]]}},
        (1, "key"): 3,
    }


@FORMATS
@BOTH
def test_nested_containers(weights_only: bool, zipped: bool) -> None:
    for source, target in ((tt, torch), (torch, tt), (tt, tt)):
        got = loaded(target, saved(source, nested(source), zipped),
                     weights_only=weights_only)
        wanted = nested(target)
        assert list(got) == list(wanted)
        for name in ("tuple", "set", "complex", "bytearray", "size", "dtypes", "device",
                     "cuda", "layout", "counter", (1, "key")):
            assert got[name] == wanted[name], name
            assert type(got[name]) is type(wanted[name]), name
        assert got["list"][1:] == wanted["list"][1:]
        assert type(got["ordered"]) is collections.OrderedDict
        assert got["list"][0] is got["ordered"]["b"] is got[7]["deep"]["deeper"][0][0]
        assert type(got["parameter"]) is target.nn.Parameter
        assert got["parameter"].requires_grad and not got["frozen"].requires_grad
        assert same(got["parameter"], wanted["parameter"])
        assert got["leaf"].requires_grad and got["leaf"].is_leaf
        assert got["meta"].device.type == "meta" and got["meta"].shape == (2, 3)
        assert isinstance(got["buffer"], target.nn.Buffer)
        assert got["buffer"].persistent is False


@BOTH
def test_attributes_of_tensors(weights_only: bool) -> None:
    for source, target in ((tt, torch), (torch, tt)):
        x, p = source.ones(2), source.nn.Parameter(source.ones(2))
        x.note, p.tag = "n", [1, 2]
        got_x, got_p = loaded(target, saved(source, (x, p)), weights_only=weights_only)
        assert got_x.note == "n" and got_p.tag == [1, 2]
        assert type(got_p) is target.nn.Parameter


@BOTH
def test_metadata_of_state_dicts(weights_only: bool) -> None:
    state = collections.OrderedDict(w=torch.ones(2))
    state._metadata = collections.OrderedDict([("", {"version": 2})])
    got = loaded(tt, saved(torch, state), weights_only=weights_only)
    assert got._metadata[""] == {"version": 2}
    back = loaded(torch, saved(tt, got), weights_only=weights_only)
    assert back._metadata == state._metadata


@BOTH
def test_storages(weights_only: bool) -> None:
    x = tt.arange(4.0)
    got = loaded(tt, saved(tt, [x.storage(), x]), weights_only=weights_only)
    assert got[0].tolist() == [0, 1, 2, 3] and got[0].data_ptr() == got[1].data_ptr()
    if weights_only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch makes a TypedStorage of it
            assert loaded(torch, saved(tt, x.untyped_storage())).nbytes() == 16


def test_generators_in_both_directions() -> None:
    for source, target in ((tt, torch), (torch, tt)):
        g = source.Generator().manual_seed(3)
        source.rand(5, generator=g)
        state = loaded(target, saved(source, g.get_state()))
        restored = target.Generator()
        restored.set_state(state)
        whole = loaded(target, saved(source, g), weights_only=False)
        wanted = source.rand(4, generator=g)
        assert same(target.rand(4, generator=restored), wanted)
        assert same(target.rand(4, generator=whole), wanted)
        assert isinstance(whole, target.Generator)


def test_protocols() -> None:
    value = {"a": tt.ones(3), "b": {1, 2}, "c": b"x", "d": tt.float16}
    for protocol in (2, 3, 4, 5):
        content = saved(tt, value, pickle_protocol=protocol)
        assert loaded(torch, content, weights_only=False)["d"] is torch.float16
        assert same(loaded(tt, content)["a"], tt.ones(3))
        theirs = saved(torch, {"a": torch.ones(3)}, pickle_protocol=protocol)
        assert same(loaded(tt, theirs)["a"], tt.ones(3))


def test_python_pickle_module_and_arguments() -> None:
    content = saved(tt, {"a": tt.ones(2)}, pickle_module=pickle)
    assert same(loaded(tt, content, pickle_module=pickle)["a"], tt.ones(2))
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        loaded(tt, content, pickle_module=pickle, weights_only=True)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        loaded(tt, content, foo=1)
    for weights_only in (True, False):
        loaded(tt, content, encoding="latin1", weights_only=weights_only)


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


def test_errors_of_save(tmp_path: pathlib.Path) -> None:
    def message(library: Any, value: Any, target: Any) -> tuple[type, str]:
        with pytest.raises((RuntimeError, AttributeError)) as caught:
            library.save(value(library), target)
        return caught.type, str(caught.value)

    cases = [
        (lambda m: 1, 5),
        (lambda m: 1, str(tmp_path / "none" / "x.pt")),
        (lambda m: [m.zeros(3), m.zeros(3).view(m.int32)] * 1, None),
        (lambda m: m.zeros(3, requires_grad=True) * 2, None),
    ]
    for value, target in cases[:2]:
        assert message(tt, value, target) == message(torch, value, target)

    def two(m: Any) -> Any:
        x = m.zeros(3)
        return [x, x.view(m.int32)]

    assert message(tt, two, io.BytesIO()) == message(torch, two, io.BytesIO())
    with pytest.raises(RuntimeError, match="graph leaves"):
        tt.save(cases[3][0](tt), io.BytesIO())


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


# ---- classes ----


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


class Slotted:
    __slots__ = ("a",)


class Marked(tt.Tensor):
    """A subclass of a user's."""


def test_users_classes() -> None:
    point = Point(tt.ones(2))
    slotted = Slotted()
    slotted.a = 3
    content = saved(tt, [point, slotted])
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        loaded(tt, content)
    got = loaded(tt, content, weights_only=False)
    assert same(got[0].x, point.x) and got[1].a == 3
    with safe_globals([Point, Slotted]):
        got = loaded(tt, content)
        assert type(got[0]) is Point and same(got[0].x, point.x) and got[1].a == 3
    with safe_globals([(Point, f"{__name__}.Point"), Slotted]):
        assert loaded(tt, content)[1].a == 3
    with pytest.raises(pickle.UnpicklingError):
        loaded(tt, content)


def test_lists_of_unsafe_globals() -> None:
    from tinytorch.serialization import get_unsafe_globals_in_checkpoint as unsafe

    content = saved(tt, [Point(1), tt.ones(1)])
    assert unsafe(io.BytesIO(content)) == [f"{__name__}.Point"]
    assert unsafe(io.BytesIO(saved(tt, tt.ones(1)))) == []
    with safe_globals([Point]):
        assert unsafe(io.BytesIO(content)) == []


def test_subclasses_of_tensor() -> None:
    x = tt.arange(3.0).as_subclass(Marked)
    x.label = "a"
    content = saved(tt, x)
    got = loaded(tt, content, weights_only=False)
    assert type(got) is Marked and got.label == "a" and got.tolist() == [0, 1, 2]
    with safe_globals([Marked]):
        assert type(loaded(tt, content)) is Marked
    with pytest.raises(pickle.UnpicklingError):
        loaded(tt, content)


def test_numpy_scalars_of_old_checkpoints() -> None:
    content = saved(torch, {"loss": np.float64(0.5)})
    assert loaded(tt, content, weights_only=False)["loss"] == 0.5
    scalar = np.float64(0.5).__reduce__()[0]
    allowed = [scalar, np.dtype, type(np.dtype("float64"))]
    with safe_globals([*allowed, (scalar, "numpy.core.multiarray.scalar")]):
        assert loaded(tt, content)["loss"] == 0.5


# ---- modules and optimizers ----


def network(library: Any) -> Any:
    nn = library.nn
    library.manual_seed(0)
    return nn.Sequential(
        collections.OrderedDict([
            ("conv", nn.Conv2d(1, 3, 3, padding="same")), ("norm", nn.BatchNorm2d(3)),
            ("act", nn.ReLU()), ("pool", nn.MaxPool2d(2)), ("flat", nn.Flatten()),
            ("drop", nn.Dropout(0.1)), ("head", nn.Linear(12, 2)),
            ("list", nn.Sequential(nn.Identity(), nn.GELU(), nn.LayerNorm(2))),
        ]))


def trained(library: Any, kind: str, **options: Any) -> tuple[Any, Any]:
    """A network and its optimizer after two steps."""
    model = network(library)
    model.drop.eval()
    optimizer = getattr(library.optim, kind)(model.parameters(), **options)
    scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    x = library.arange(32.0).view(2, 1, 4, 4).div(32)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return model, (optimizer, scheduler)


@BOTH
def test_state_dicts_of_modules(weights_only: bool) -> None:
    for source, target in ((tt, torch), (torch, tt)):
        model, other = network(source), network(target)
        source_state = model.state_dict()
        state = loaded(target, saved(source, source_state), weights_only=weights_only)
        assert list(state) == list(source_state)
        for parameter in other.parameters():
            parameter.data.zero_()
        other.load_state_dict(state)
        x = source.arange(16.0).view(1, 1, 4, 4)
        y = target.arange(16.0).view(1, 1, 4, 4)
        a, b = model.eval()(x), other.eval()(y)
        assert np.allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind, options", [
    ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True}), ("RMSprop", {"lr": 0.01}),
    ("Adadelta", {"lr": 1.0})])
def test_states_of_optimizers(kind: str, options: dict[str, Any]) -> None:
    """Training goes on in the other library, from its file, with the same numbers."""
    x = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4) / 32
    for source, target in ((tt, torch), (torch, tt)):
        model, (optimizer, scheduler) = trained(source, kind, **options)
        content = saved(source, {"model": model.state_dict(), "optimizer":
                                 optimizer.state_dict(), "epoch": 2,
                                 "scheduler": scheduler.state_dict()})
        state = loaded(target, content)
        other, (its, other_scheduler) = trained(target, kind, lr=0.5)
        other.load_state_dict(state["model"])
        its.load_state_dict(state["optimizer"])
        other_scheduler.load_state_dict(state["scheduler"])
        losses = []
        for library, net, steps, lr in ((source, model, optimizer, scheduler),
                                        (target, other, its, other_scheduler)):
            for _ in range(3):
                steps.zero_grad()
                loss = net(library.from_numpy(x)).square().mean()
                loss.backward()
                steps.step()
                lr.step()
                losses.append(loss.item())
        assert np.allclose(losses[:3], losses[3:], rtol=1e-4), (source, losses)
        assert its.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_whole_modules_in_both_directions() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    for source, target in ((tt, torch), (torch, tt)):
        model = network(source).eval()
        got = loaded(target, saved(source, model), weights_only=False)
        assert type(got) is target.nn.Sequential
        assert type(got.conv) is target.nn.Conv2d and not got.training
        a = model(source.from_numpy(x)).detach().numpy()
        b = got(target.from_numpy(x)).detach().numpy()
        assert np.allclose(a, b, atol=1e-6)
        assert [n for n, _ in got.named_parameters()] == [
            n for n, _ in model.named_parameters()]
        got.train()(target.from_numpy(x)).sum().backward()
        assert got.head.weight.grad is not None
        called = mock.Mock(return_value=None)
        got.register_forward_hook(called)
        got(target.from_numpy(x))
        assert called.call_count == 1
        with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
            loaded(target, saved(source, model))


def test_whole_modules_with_safe_globals() -> None:
    nn = tt.nn
    content = saved(torch, torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()))
    with safe_globals([nn.Sequential, nn.Linear, nn.ReLU]):
        got = loaded(tt, content)
    assert type(got[0]) is nn.Linear and repr(got[1]) == "ReLU()"


class Custom(tt.nn.Module):
    """A module of a user's, with a function of the library as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.line = tt.nn.Linear(2, 2)
        self.act = tt.nn.functional.relu
        self.register_buffer("count", tt.zeros(1))

    def forward(self, x: Any) -> Any:
        return self.act(self.line(x))


def test_modules_of_users() -> None:
    model = Custom()
    got = loaded(tt, saved(tt, model), weights_only=False)
    assert type(got) is Custom and got.act is tt.nn.functional.relu
    x = tt.ones(3, 2)
    assert same(got(x), model(x)) and list(got.state_dict()) == list(model.state_dict())


def test_names_that_tinytorch_does_not_have() -> None:
    content = saved(torch, torch.nn.quantized.FloatFunctional())
    with pytest.raises(AttributeError, match="tinytorch does not have"):
        loaded(tt, content, weights_only=False)
    with pytest.raises(pickle.UnpicklingError, match="complex64"):
        loaded(tt, saved(torch, torch.complex64))
