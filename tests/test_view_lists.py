"""A base finds its views when it gets a history: however many, whatever became of them.

The base and its views are a ring of plain pointers; nothing in it keeps a view alive.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import tinytorch as tt

storage = pytest.importorskip("tinytorch._core.storage")


@pytest.fixture(autouse=True)
def all_are_freed() -> Iterator[None]:
    """Every test gives back its tensors."""
    tt.ones((), requires_grad=True).backward()  # keeps the 1 that it starts with
    gc.collect()
    before = storage.live_tensors()
    yield
    gc.collect()
    assert storage.live_tensors() == before


def give_history(x: Any) -> None:
    x.mul_(tt.ones(1, requires_grad=True) * 2)


def test_views_that_died_are_forgotten() -> None:
    x = tt.ones(6)
    views = [x[i : i + 2] for i in range(5)]
    dead = [weakref.ref(v) for v in views[1::2]]
    del views[1::2]  # from the middle of the ring
    assert [r() for r in dead] == [None, None]
    _ = x[0]
    del _  # one that dies at once
    give_history(x)
    assert all(v.requires_grad for v in views)
    sum(v.sum() for v in views).backward()


@pytest.mark.parametrize("order", ["oldest", "newest", "middle"])
def test_views_die_in_any_order(order: str) -> None:
    x = tt.ones(8)
    views = [x[i] for i in range(8)]
    while len(views) > 1:
        at = {"oldest": 0, "newest": -1, "middle": len(views) // 2}[order]
        del views[at]
    give_history(x)
    assert views[0].requires_grad


def test_no_view_is_left() -> None:
    x = tt.ones(4)
    for _ in range(3):
        x[0], x.view(2, 2), x.t()  # noqa: B018
    give_history(x)
    assert x.requires_grad and not hasattr(x, "views")


def test_views_of_views_belong_to_the_root() -> None:
    x = tt.zeros(3, 4)
    row = x[1]
    pair = row[1:3]
    one = pair[0]
    del row, pair  # what lies between may go
    give_history(x)
    assert one.requires_grad and one._base is x
    kept = x[0].view(2, 2).t()
    x = None
    assert kept.requires_grad and kept._base.requires_grad


def test_a_view_outlives_everybody_but_its_base() -> None:
    w = tt.ones(2, requires_grad=True)
    v = tt.zeros(4)[1:3]
    u = v[:1]
    v.copy_(w * 3)
    (u * u).sum().backward()
    assert w.grad.tolist() == [18, 0]


def test_hook_on_a_view_of_a_written_base() -> None:
    """It is on the base's history, not that of a leaf; PyTorch 2.13 crashes here."""
    w = tt.ones(2, requires_grad=True)
    x = tt.zeros(2)
    v = x[:1]
    x.copy_(w)
    seen: list[Any] = []
    v.register_hook(lambda g: seen.append(g.tolist()))
    (v * 3).sum().backward()
    assert seen == [[3]] and w.grad.tolist() == [3, 0]


def test_ten_thousand_views() -> None:
    x = tt.zeros(10_000, 2)
    views = [x[i] for i in range(10_000)]
    start = time.perf_counter()
    give_history(x)
    first = time.perf_counter() - start
    assert all(v.requires_grad for v in views)
    del views[::2]
    start = time.perf_counter()
    for v in views[:1000]:  # the base has its history: nobody is looked for again
        v.mul_(2.0)
    each = (time.perf_counter() - start) / 1000
    assert each < first + 1e-3
    total = sum(v.sum() for v in views[:50])
    assert total.requires_grad


def test_history_of_one_base_is_not_that_of_another() -> None:
    x, y = tt.zeros(4), tt.zeros(4)
    v, u, other = x[:2], y[:2], x.detach()[:2]
    give_history(x)
    assert (v.requires_grad, u.requires_grad, other.requires_grad) == (1, 0, 0)


def test_subclass_copy_and_pickle() -> None:
    class Mine(tt.Tensor):
        pass

    x = tt.zeros(4)
    v = x[:2].as_subclass(Mine)
    twin = copy.deepcopy(x[:2])
    shown = copy.copy(x[1:3])
    loaded = pickle.loads(pickle.dumps(x[:2]))
    give_history(x)
    assert type(v) is Mine and v.requires_grad
    assert not twin.requires_grad and not loaded.requires_grad
    assert shown.tolist() == [0, 0]


def test_a_cycle_of_base_and_view_is_collected() -> None:
    x = tt.zeros(4)
    v = x[:2]
    x.note, v.note = v, x  # each holds the other
    u = x[1:]
    watch = weakref.ref(v)
    del x, v
    gc.collect()
    assert watch() is not None  # u holds its base
    del u
    gc.collect()
    assert watch() is None


def test_a_cycle_dies_while_others_live() -> None:
    x = tt.zeros(4)
    v = x[:2]
    v.me = v  # a view in a cycle of its own
    u = x[2:]
    del v
    gc.collect()
    give_history(x)
    assert u.requires_grad


def test_write_while_a_view_is_being_freed() -> None:
    """A finalizer writes to the base of the view that goes with it."""
    x = tt.zeros(4)
    u = x[:1]

    class Last:
        def __del__(self) -> None:
            give_history(x)

    v = x[1:3]
    v.last = Last()
    del v
    assert u.requires_grad


def test_deep_chain_of_attributes_dies_while_written() -> None:
    """Objects wait for their end (the trashcan) while the ring is walked."""
    x = tt.zeros(4)
    u = x[:1]

    class Last:
        def __del__(self) -> None:
            give_history(x)

    chain: Any = Last()
    for _ in range(3000):
        v = x[:2]
        v.before = chain
        chain = v
    del chain, v
    assert u.requires_grad


def test_threads_make_and_drop_views() -> None:
    x = tt.zeros(64)
    stop = time.perf_counter() + 0.3

    def work(i: int) -> None:
        kept = []
        while time.perf_counter() < stop:
            kept.append(x[i:])
            if len(kept) > 50:
                del kept[::3]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    views = []
    while time.perf_counter() < stop:
        views = [x[:k] for k in range(1, 20)]
    for t in threads:
        t.join()
    give_history(x)
    assert all(v.requires_grad for v in views)


def test_bytes_of_a_small_tensor() -> None:
    """Object and block of a 4x4 float32 tensor: the project's figure is 400 bytes."""
    before = storage.live_bytes()
    x = tt.zeros(4, 4)
    elements = storage.live_bytes() - before
    headers = 16 + 64  # the cycle collector's before the object, the storage's own
    assert elements == 64 and tt.Tensor.__basicsize__ + headers + elements <= 400
    assert x.numel() == 16
