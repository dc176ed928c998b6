"""What the restricted unpickler refuses: tricks that run code or eat memory."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import pathlib
import pickle
import resource
import struct
import time
import zipfile
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch as tt
from pickle_tricks import CALLS, GOOD, ORDERED, REFUSALS, archive, name, pickled, text
from tinytorch.serialization import safe_globals
from tinytorch.serialization.unpickler import Unpickler


def test_there_are_enough_tricks() -> None:
    assert len(CALLS) >= 60


@pytest.fixture
def canary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A file in the working directory that a successful exploit creates."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


def test_what_is_built_on_is_accepted() -> None:
    """The pieces from which the tricks are made are right in themselves."""
    record = {"data/0": struct.pack("<4f", 1, 2, 3, 4)}
    got = tt.load(io.BytesIO(archive(pickled(GOOD), record)))
    assert got.tolist() == [1, 2, 3, 4]
    attribute = ORDERED + b"}" + text("_metadata") + b"K\x01sb"
    assert tt.load(io.BytesIO(archive(pickled(attribute))))._metadata == 1


@pytest.mark.parametrize("trick", CALLS)
def test_tricks_are_refused(trick: str, canary: pathlib.Path) -> None:
    file = archive(pickled(CALLS[trick]), {"data/0": bytes(16)})
    with pytest.raises(REFUSALS):
        tt.load(io.BytesIO(file))
    # hidden in a container, and in the old format
    inside = pickled(b"}" + text("w") + CALLS[trick] + b"s")
    with pytest.raises(REFUSALS):
        tt.load(io.BytesIO(archive(inside, {"data/0": bytes(16)})))
    head = b"".join(pickle.dumps(v, protocol=2) for v in (
        0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    with pytest.raises(REFUSALS):
        tt.load(io.BytesIO(head + pickled(CALLS[trick])))
    assert not canary.exists()


def test_nothing_is_imported() -> None:
    import sys

    before = set(sys.modules)
    with pytest.raises(pickle.UnpicklingError):
        Unpickler(pickled(name("antigravity", "x"))).load()
    assert set(sys.modules) == before


def test_blocked_modules_stay_blocked() -> None:
    with safe_globals([os.system, (os.system, "os.system"), (eval, "builtins.eval")]):
        for module in ("os", "posix", "nt", "sys"):
            with pytest.raises(pickle.UnpicklingError, match="blocked"):
                Unpickler(pickled(name(module, "system"))).load()
        got = Unpickler(pickled(name("builtins", "eval"))).load()
        assert got is builtins.eval  # the user said so


class Evil:
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("called")


def test_setstate_of_classes_not_allowed() -> None:
    content = b"\x80\x02" + name(__name__, "Evil") + b")\x81}b."
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        Unpickler(content).load()


# ---- memory and time ----


def limited(content: bytes) -> float:
    """Seconds of work until the pickle is refused; its memory is watched."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(pickle.UnpicklingError):
        Unpickler(content).load()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024 + 100 * len(content) / 1024  # KiB
    return time.process_time() - start


def test_one_string_copied_often() -> None:
    body = text("a" * 100_000) + b"q\0" + b"](" + (
        name("_codecs", "encode") + b"h\0" + text("latin1") + b"\x86R") * 5_000 + b"e"
    assert limited(pickled(body)) < 5


def test_one_list_copied_often() -> None:
    items = b"](" + b"K\x01" * 10_000 + b"eq\0"
    body = items + b"](" + (name("builtins", "set") + b"h\0\x85R") * 5_000 + b"e"
    assert limited(pickled(body)) < 5


def test_a_key_that_holds_itself_twice_often() -> None:
    """2**60 elements to hash, in 200 bytes."""
    doubling = b"K\x01\x85q\0" + b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1])
        for i in range(60))
    assert limited(pickled(b"}" + doubling + b"K\x01s")) < 1


def test_deep_keys_do_not_overflow_the_stack() -> None:
    assert limited(pickled(b"}K\x01" + b"\x85" * 1_000_000 + b"K\x01s")) < 10


def test_deep_containers_load() -> None:
    n = 100_000
    got = Unpickler(pickled(b"]" * n + b"a" * (n - 1))).load()
    depth = 0
    while got:
        got, depth = got[0], depth + 1
    assert depth == n - 1


def test_memo_of_large_numbers() -> None:
    content = pickled(b"N" + b"".join(
        b"r" + struct.pack("<I", 0xFFFFFFFF - i) for i in range(1000)))
    assert Unpickler(content).load() is None


def test_mutated_files_never_crash() -> None:
    """Any bytes of a file changed: an error of ours, or an object."""
    file = io.BytesIO()
    state = OrderedDict(
        w=tt.ones(2, 3), b=tt.zeros(3, dtype=tt.bfloat16), n=[1, {2: b"x"}])
    tt.save(state, file)
    content = zipfile.ZipFile(file).read("archive/data.pkl")
    record = {"data/0": bytes(24), "data/1": bytes(6)}

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)),
                    min_size=1, max_size=4), st.integers(0, len(content)))
    def check(changes: list[tuple[int, int]], cut: int) -> None:
        broken = bytearray(content)
        for at, value in changes:
            broken[at] = value
        for mutated in (bytes(broken), bytes(broken[:cut] + broken[cut + 1:])):
            with contextlib.suppress(*REFUSALS):
                tt.load(io.BytesIO(archive(mutated, record)))

    check()


@pytest.mark.slow
def test_a_million_random_pickles_never_crash() -> None:
    import random

    draw = random.Random(0)
    pieces = [*CALLS.values(), GOOD, ORDERED, b"(", b"t", b"R", b"b", b"s", b"u", b"e",
              b"]", b"}", b")", b"\x81", b"\x93", b"q\0", b"h\0", b"K\x01", b"N"]
    for _ in range(1_000_000):
        content = pickled(*draw.choices(pieces, k=draw.randrange(1, 8)))
        with contextlib.suppress(*REFUSALS):
            Unpickler(content, persistent_load=lambda pid: None).load()
