"""save and load: files of PyTorch read here, files of ours read by PyTorch."""

from __future__ import annotations

import collections
import pickle
import warnings
from typing import Any

import pytest

import tinytorch as tt
from serialized import BOTH, DTYPES, FORMATS, loaded, same, saved

torch = pytest.importorskip("torch")




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
def test_results_become_leaves(weights_only: bool) -> None:
    """Programs save the loss itself."""
    for source, target in ((tt, torch), (torch, tt)):
        loss = source.ones(2, requires_grad=True).sum()
        got = loaded(target, saved(source, loss), weights_only=weights_only)
        assert got.is_leaf and got.requires_grad and got.item() == 2


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
