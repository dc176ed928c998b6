"""safetensors and npz, both ways, and the headers that must be refused."""

from __future__ import annotations

import json
import pathlib
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch as tt
from tinytorch.utils import safetensors
from tinytorch.utils.npz import load_npz, save_npz

torch = pytest.importorskip("torch")

import safetensors.torch as reference

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16",
          "int8", "uint8", "bool"]


def every_dtype(library: Any) -> dict[str, Any]:
    made = {name: library.arange(6).view(2, 3).to(getattr(library, name))
            for name in DTYPES}
    made["scalar"] = library.tensor(1.5)
    made['odd "name"\n\u00e9'] = library.ones(0, 3)
    return made


def equal(a: Any, b: Any) -> bool:
    return (str(a.dtype) == str(b.dtype) and tuple(a.shape) == tuple(b.shape)
            and a.float().tolist() == b.float().tolist())


# ---- safetensors ----


def test_safetensors_bytes_are_those_of_the_package() -> None:
    for metadata in (None, {"format": "pt"}, {}):
        ours = safetensors.save(every_dtype(tt), metadata)
        assert ours == reference.save(every_dtype(torch), metadata)


def test_safetensors_in_both_directions(tmp_path: pathlib.Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    safetensors.save_file(every_dtype(tt), a, {"note": "x"})
    reference.save_file(every_dtype(torch), b, {"note": "x"})
    there, here = reference.load_file(a), safetensors.load_file(b)
    for name, x in every_dtype(tt).items():
        assert equal(there[name], x) and equal(here[name], x), name
    with safetensors.safe_open(b, framework="pt", device="cpu") as file:
        with reference.safe_open(b, framework="pt") as theirs:
            assert sorted(file.keys()) == sorted(theirs.keys())
            assert file.offset_keys() == theirs.offset_keys()
            assert file.metadata() == theirs.metadata()
            ours_part = file.get_slice("bfloat16")
            part = theirs.get_slice("bfloat16")
            assert ours_part.get_shape() == part.get_shape() == [2, 3]
            assert ours_part.get_dtype() == part.get_dtype() == "BF16"
            assert equal(ours_part[1:, :2], part[1:, :2])
        assert equal(file.get_tensor("int16"), every_dtype(tt)["int16"])
        with pytest.raises(safetensors.SafetensorError, match="does not contain"):
            file.get_tensor("none")


def test_safetensors_refuses_what_the_package_refuses() -> None:
    x, y = tt.ones(4), torch.ones(4)
    cases: list[Any] = [
        lambda lib, x: {"a": x, "b": x}, lambda lib, x: {"a": lib.ones(2, 3).t()},
        lambda lib, x: {"a": 1}, lambda lib, x: [x], lambda lib, x: {1: x},
        lambda lib, x: {"a": x[:3], "b": x[1:]}]
    for case in cases:
        with pytest.raises((RuntimeError, ValueError, TypeError)) as theirs:
            reference.save(case(torch, y))
        with pytest.raises(theirs.type):
            safetensors.save(case(tt, x))
    safetensors.save({"a": x[:2], "b": x[2:]})
    with pytest.raises(TypeError, match="metadata"):
        safetensors.save({"a": x}, {"a": 1})  # type: ignore[dict-item]


def file_of(header: str | bytes, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(raw)) + raw + data


GOOD = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
HEADERS = {
    "good": file_of(GOOD, bytes(8)),
    "no bytes": b"", "seven bytes": bytes(7), "no header": bytes(8),
    "length 2**63": struct.pack("<Q", 1 << 63) + b"{}",
    "length over 100 MB": struct.pack("<Q", 100_000_001) + b"{}",
    "length beyond the file": struct.pack("<Q", 3) + b"{}",
    "empty": file_of("{}"), "spaces first": file_of(" {}"),
    "spaces last": file_of("{}   "), "a list": file_of("[]"), "cut": file_of("{"),
    "not UTF-8": file_of(b'{"\xff":1}'), "two objects": file_of("{}{}"),
    "too short": file_of(GOOD, bytes(7)), "too long": file_of(GOOD, bytes(9)),
    "hole": file_of(GOOD.replace("[0,8]", "[4,12]"), bytes(12)),
    "backwards": file_of(GOOD.replace("[0,8]", "[8,0]"), bytes(8)),
    "wrong length": file_of(GOOD.replace("[2]", "[3]"), bytes(8)),
    "negative shape": file_of(GOOD.replace("[2]", "[-2]"), bytes(8)),
    "fraction": file_of(GOOD.replace("[2]", "[2.0]"), bytes(8)),
    "text": file_of(GOOD.replace("[2]", '["2"]'), bytes(8)),
    "true": file_of(GOOD.replace("[2]", "[2,true]"), bytes(8)),
    "overflow": file_of(GOOD.replace("[2]", "[4294967296,4294967296,2]"), bytes(8)),
    "overflow with zero": file_of(
        GOOD.replace("[2]", "[4294967296,4294967296,0]").replace("8]", "0]")),
    "zero first": file_of(
        GOOD.replace("[2]", "[0,4294967296,4294967296]").replace("8]", "0]")),
    "unknown dtype": file_of(GOOD.replace("F32", "F31"), bytes(8)),
    "lower case": file_of(GOOD.replace("F32", "f32"), bytes(8)),
    "no dtype": file_of(GOOD.replace('"dtype":"F32",', ""), bytes(8)),
    "three offsets": file_of(GOOD.replace("[0,8]", "[0,8,8]"), bytes(8)),
    "one offset": file_of(GOOD.replace("[0,8]", "[8]"), bytes(8)),
    "not an object": file_of('{"a":1}'), "null": file_of('{"a":null}'),
    "metadata of numbers": file_of('{"__metadata__":{"a":1}}'),
    "metadata of text": file_of('{"__metadata__":"x"}'),
    "metadata null": file_of('{"__metadata__":null}'),
    "metadata": file_of('{"__metadata__":{"a":"b"}}'),
    "NaN": file_of('{"a":NaN}'), "deep": file_of("{" + '"a":{' * 100_000),
    "overlap": file_of(GOOD[:-1] + ',"b":{"dtype":"F32","shape":[1],'
                       '"data_offsets":[4,8]}}', bytes(8)),
    "two": file_of(GOOD[:-1] + ',"b":{"dtype":"U8","shape":[],'
                   '"data_offsets":[8,9]}}', bytes(9)),
    "an empty one between": file_of(
        GOOD[:-1] + ',"b":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}', bytes(8)),
    "an unknown field": file_of(GOOD.replace('"dtype"', '"x":1,"dtype"'), bytes(8)),
    "one name twice": file_of(GOOD[:-1] + "," + GOOD[1:], bytes(8)),
    "one field twice": file_of(GOOD.replace('"dtype"', '"dtype":"F32","dtype"'),
                               bytes(8)),
    "half a byte": file_of(
        '{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', bytes(1)),
}
# A name twice makes two readers see two files; the format says "begins with {".
STRICTER = {"one name twice", "spaces first"}


def accepted(library: Any, content: bytes, path: pathlib.Path) -> bool:
    path.write_bytes(content)
    errors = (safetensors.SafetensorError, reference_error())
    try:
        with library.safe_open(path, framework="pt") as file:
            sorted(file.keys())
        return True
    except errors:
        return False


def reference_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", HEADERS)
def test_safetensors_accepts_what_the_package_accepts(
    case: str, tmp_path: pathlib.Path
) -> None:
    ours = accepted(safetensors, HEADERS[case], tmp_path / "x")
    theirs = accepted(reference, HEADERS[case], tmp_path / "y")
    assert ours == (theirs and case not in STRICTER)


def test_safetensors_mutated(tmp_path: pathlib.Path) -> None:
    content = safetensors.save({"a": tt.ones(2, 3), "b": tt.ones(5).half()}, {"k": "v"})
    size = struct.unpack("<Q", content[:8])[0] + 8
    x, y = tmp_path / "x", tmp_path / "y"

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.tuples(st.integers(0, size - 1), st.sampled_from(
        b'0123456789"{}[]:,\\ FIU') | st.integers(0, 255)), min_size=1, max_size=3))
    def check(changes: list[tuple[int, int]]) -> None:
        broken = bytearray(content)
        for at, value in changes:
            broken[at] = value
        assert accepted(safetensors, bytes(broken), x) == accepted(
            reference, bytes(broken), y), bytes(broken)

    check()


def test_safetensors_of_foreign_dtypes(tmp_path: pathlib.Path) -> None:
    reference.save_file({"a": torch.ones(2, dtype=torch.uint16), "b": torch.ones(1)},
                        tmp_path / "x")
    with safetensors.safe_open(tmp_path / "x") as file:
        assert file.get_tensor("b").tolist() == [1]
        with pytest.raises(NotImplementedError, match="U16"):
            file.get_tensor("a")


def test_safetensors_in_parts(tmp_path: pathlib.Path) -> None:
    for part in ("x", "y"):
        safetensors.save_file({part: tt.full((2,), ord(part))}, tmp_path / f"{part}.st")
    index = tmp_path / "model.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "x.st", "y": "y.st"}}))
    assert safetensors.load_sharded(index)["y"].tolist() == [121, 121]
    index.write_text(json.dumps({"weight_map": {"x": "../x.st"}}))
    with pytest.raises(safetensors.SafetensorError, match="outside"):
        safetensors.load_sharded(index)


def test_safetensors_of_tied_modules(tmp_path: pathlib.Path) -> None:
    def tied() -> Any:
        made = tt.nn.Sequential(tt.nn.Linear(3, 3), tt.nn.Linear(3, 3, bias=False))
        made[1].weight = made[0].weight
        return made

    tt.manual_seed(0)
    model, other = tied(), tied()
    safetensors.save_model(model, tmp_path / "m")
    assert len(safetensors.load_file(tmp_path / "m")) == 2
    assert safetensors.load_model(other, tmp_path / "m") == (set(), [])
    assert other[1].weight.tolist() == model[0].weight.tolist()


# ---- npz ----


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_in_both_directions(compressed: bool, tmp_path: pathlib.Path) -> None:
    given_ = {k: v for k, v in every_dtype(tt).items() if k != "bfloat16"}
    given_["file"] = tt.ones(2)
    given_["turned"] = tt.arange(6).view(2, 3).t()
    save_npz(tmp_path / "x.npz", given_, compressed=compressed)
    with np.load(tmp_path / "x.npz") as file:
        for name, x in given_.items():
            assert np.array_equal(file[name], x.numpy()), name
    got = load_npz(tmp_path / "x.npz")
    assert list(got) == list(given_) and all(equal(got[k], given_[k]) for k in got)
    with pytest.raises(TypeError, match="bfloat16"):
        save_npz(tmp_path / "y.npz", {"a": tt.ones(1).bfloat16()})
    assert not (tmp_path / "y.npz").exists()
    np.savez(tmp_path / "o.npz", a=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_npz(tmp_path / "o.npz")
