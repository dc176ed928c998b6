"""Workers that raise, die or are stuck: an error within seconds, never a hang."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt
import tinytorch.utils.data as data

SECONDS_TO_NOTICE = 5.0


class Numbers(data.Dataset):
    """0 ... n - 1; ``at[i]`` is called before sample i is given."""

    def __init__(self, n: int, at: dict[int, Callable[[], Any]] | None = None) -> None:
        self.n = n
        self.at = at or {}

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        if index in self.at:
            self.at[index]()
        return index


def batches(loader: Any) -> list[Any]:
    return [batch.tolist() for batch in loader]


def fails(loader: Any, kind: type[Exception], match: str) -> float:
    """Read until it fails as expected; return the seconds that it took."""
    start = time.monotonic()
    with pytest.raises(kind, match=match):
        for _ in loader:
            pass
    return time.monotonic() - start


KINDS = ("multiprocessing", "thread")


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_arrives_with_its_traceback(kind: str) -> None:
    def wrong() -> None:
        raise KeyError("deep inside")

    loader = data.DataLoader(
        Numbers(8, {4: wrong}), 2, num_workers=2, worker_method=kind
    )
    where = "process" if kind == "multiprocessing" else "thread"
    iterator = iter(loader)
    assert [next(iterator).tolist(), next(iterator).tolist()] == [[0, 1], [2, 3]]
    text = f"(?s)Caught KeyError in DataLoader worker {where} 0.*Original Traceback"
    with pytest.raises(KeyError, match=text + ".*in wrong.*deep inside"):
        next(iterator)
    assert next(iterator).tolist() == [6, 7]  # the others are as they would be


def test_exceptions_that_cannot_be_made_again() -> None:
    class Local(Exception):
        pass

    def local() -> None:
        raise Local("of this function")

    def unicode() -> None:
        raise UnicodeDecodeError("utf-8", b"x", 0, 1, "takes five arguments")

    for wrong, text in (
        (local, "Caught Local"),
        (unicode, "Caught UnicodeDecodeError"),
    ):
        loader = data.DataLoader(Numbers(2, {0: wrong}), num_workers=1)
        assert fails(loader, RuntimeError, text) < SECONDS_TO_NOTICE


def test_what_cannot_be_sent_is_an_error() -> None:
    loader = data.DataLoader(
        Numbers(2), num_workers=1, collate_fn=lambda batch: lambda: batch
    )
    assert fails(loader, Exception, "(?i)pickle") < SECONDS_TO_NOTICE
    x = tt.ones(2, requires_grad=True)
    loader = data.DataLoader([x * 2], None, num_workers=1)
    assert fails(loader, RuntimeError, "non-leaf tensor") < SECONDS_TO_NOTICE


DEATHS: dict[str, tuple[Callable[[], Any], str]] = {
    "killed": (
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        r"killed by signal 9 \(SIGKILL\)",
    ),
    "terminated": (lambda: os.kill(os.getpid(), signal.SIGTERM), "SIGTERM"),
    "exit": (lambda: os._exit(3), "exited with code 3"),
    "sys.exit": (lambda: sys.exit(4), "exited with code 4"),
}


@pytest.mark.parametrize("name", DEATHS)
@pytest.mark.parametrize("index", [0, 7])
@pytest.mark.parametrize("in_order", [True, False])
def test_a_death_is_an_error_at_once(name: str, index: int, in_order: bool) -> None:
    die, text = DEATHS[name]
    loader = data.DataLoader(
        Numbers(20, {index: die}), 2, num_workers=2, in_order=in_order
    )
    text = rf"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly.*{text}"
    assert fails(loader, RuntimeError, text) < SECONDS_TO_NOTICE


def test_a_death_is_noticed_while_another_worker_is_slow() -> None:
    slow = Numbers(8, {0: lambda: time.sleep(60), 2: lambda: os._exit(1)})
    loader = data.DataLoader(slow, 2, num_workers=2)
    assert fails(loader, RuntimeError, "worker 1 exited") < SECONDS_TO_NOTICE


def test_a_death_with_a_child_that_lives_on() -> None:
    def die() -> None:
        if os.fork() == 0:  # has copies of the pipes
            time.sleep(8)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    loader = data.DataLoader(Numbers(4, {1: die}), 2, num_workers=1)
    assert fails(loader, RuntimeError, "SIGKILL") < SECONDS_TO_NOTICE


def test_after_a_death_the_loader_works_again() -> None:
    dataset = Numbers(6, {3: lambda: os._exit(1)})
    loader = data.DataLoader(dataset, 2, num_workers=2, persistent_workers=True)
    iterator = iter(loader)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(iterator)
    dataset.at.clear()
    assert batches(loader) == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("kind", KINDS)
def test_timeout(kind: str) -> None:
    event = threading.Event()
    stuck = Numbers(4, {0: lambda: event.wait(60)})
    loader = data.DataLoader(stuck, num_workers=1, timeout=0.3, worker_method=kind)
    seconds = fails(loader, RuntimeError, r"timed out after 0\.3 seconds")
    event.set()
    assert 0.3 <= seconds < SECONDS_TO_NOTICE


def kill_at(seconds: float, size: int) -> None:
    """Read with workers, one of which is killed after a time; never hang."""
    dataset = data.TensorDataset(tt.zeros(120, size))
    loader = data.DataLoader(dataset, 2, num_workers=2)
    start = time.monotonic()
    iterator = iter(loader)
    victim = iterator._workers[1].process.pid  # type: ignore[attr-defined]
    timer = threading.Timer(seconds, os.kill, (victim, signal.SIGKILL))
    timer.start()
    try:
        count = sum(1 for _ in iterator)
        assert count == 60  # it was done before
    except RuntimeError as error:
        assert "SIGKILL" in str(error)
    assert time.monotonic() - start < seconds + SECONDS_TO_NOTICE
    timer.cancel()
    timer.join()


@pytest.mark.parametrize("size", [10, 100_000], ids=["small", "beyond the pipe"])
def test_kills_at_random_times(size: int) -> None:
    times = random.Random(5)
    for _ in range(4):
        kill_at(times.uniform(0.0, 0.06), size)


@pytest.mark.slow
def test_two_hundred_kills_at_random_times() -> None:
    times = random.Random(6)
    for trial in range(200):
        kill_at(times.uniform(0.0, 0.06), (10, 100_000)[trial % 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_init_is_an_error(kind: str) -> None:
    def wrong(worker: int) -> None:
        raise ValueError(f"no luck in {worker}")

    loader = data.DataLoader(
        Numbers(4), 2, num_workers=2, worker_init_fn=wrong, worker_method=kind
    )
    assert fails(loader, ValueError, "no luck in 0") < SECONDS_TO_NOTICE


def test_an_interrupted_pass_does_not_spoil_the_next(monkeypatch: Any) -> None:
    loader = data.DataLoader(
        Numbers(6), 2, num_workers=1, persistent_workers=True, shuffle=False
    )
    iterator = iter(loader)
    next(iterator)

    def interrupted(*args: Any) -> Any:
        raise KeyboardInterrupt

    reader = iterator._workers[0]._reader  # type: ignore[attr-defined]
    monkeypatch.setattr(reader, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    with pytest.raises(RuntimeError, match="interrupted by KeyboardInterrupt"):
        next(iterator)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4, 5]]
