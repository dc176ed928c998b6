"""Workers of the DataLoader: PyTorch's order and seeds, and no hang when one dies."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
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


# ---- order, seeds ----

KINDS = ("multiprocessing", "thread")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_order_is_that_of_one_process(kind: str, keep: bool, workers: int) -> None:
    options: dict[str, Any] = {"batch_size": 3, "shuffle": True}
    tt.manual_seed(0)
    alone = data.DataLoader(Numbers(20), **options)
    expected = [batches(alone), batches(alone)[:2], batches(alone)]
    tt.manual_seed(0)
    loader = data.DataLoader(
        Numbers(20),
        **options,
        num_workers=workers,
        persistent_workers=keep,
        worker_method=kind,
    )
    first = batches(loader)
    left = [batch.tolist() for batch, _ in zip(loader, range(2), strict=False)]
    if keep:
        assert first == expected[0]
        assert sorted(sum(batches(loader), [])) == list(range(20))
    else:
        assert [first, left, batches(loader)] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_without_order_all_batches_come(kind: str) -> None:
    slow = Numbers(12, {0: lambda: time.sleep(0.3)})
    loader = data.DataLoader(slow, 2, num_workers=2, in_order=False, worker_method=kind)
    seen = batches(loader)
    assert sorted(seen) == [[i, i + 1] for i in range(0, 12, 2)]
    assert seen[0] != [0, 1]


def drawing(library: Any, module: Any) -> type:
    class Drawing(module.Dataset):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Any:
            info = module.get_worker_info()
            return (
                info.id,
                info.num_workers,
                info.seed,
                int(np.random.randint(1 << 30)),
                random.random(),
                library.rand(2),
                library.get_num_threads(),
            )

    return Drawing


@pytest.mark.parametrize("keep", [False, True])
def test_seeds_of_workers_are_pytorchs(keep: bool) -> None:
    torch = pytest.importorskip("torch")
    torch_data = pytest.importorskip("torch.utils.data")
    read = []
    for library, module in ((tt, data), (torch, torch_data)):
        library.manual_seed(3)
        loader = module.DataLoader(
            drawing(library, module)(), 1, num_workers=2, persistent_workers=keep
        )
        read.append([[x.tolist() for x in b] for _ in range(2) for b in loader])
    assert read[0] == read[1]
    if not keep:
        seeds = {batch[2][0] for batch in read[0]}
        assert len(seeds) == 4  # two workers, two epochs
    for column in (3, 4, 5):
        assert len({str(batch[column]) for batch in read[0]}) == 12


def test_streams_of_workers_are_read_in_turn() -> None:
    torch_data = pytest.importorskip("torch.utils.data")

    def read(module: Any, **options: Any) -> Any:
        class Share(module.IterableDataset):
            def __iter__(self) -> Iterator[int]:
                info = module.get_worker_info()
                assert info.num_workers == 2
                return iter(range(info.id, 7 + 5 * info.id, 2))

        loader = module.DataLoader(Share(), num_workers=2, **options)
        return [[np.asarray(batch).tolist() for batch in loader] for _ in range(2)]

    for options in (
        {"batch_size": None},
        {"batch_size": 2},
        {"batch_size": 2, "drop_last": True},
        {"batch_size": 3, "persistent_workers": True},
    ):
        assert read(data, **options) == read(torch_data, **options)


def test_threads_have_sources_of_their_own() -> None:
    class Drawing(Numbers):
        def __getitem__(self, index: int) -> Any:
            info = data.get_worker_info()
            assert info is not None and info.rng is not None
            assert info.worker_method == "thread"
            assert info.dataset is self
            return (
                tt.rand(1, generator=info.rng.torch_generator),
                info.rng.random_generator.random(),
                info.rng.numpy_generator.random(),
            )

    loader = data.DataLoader(Drawing(8), 2, num_workers=2, worker_method="thread")
    tt.manual_seed(0)
    first = [[x.tolist() for x in batch] for batch in loader]
    second = [[x.tolist() for x in batch] for batch in loader]
    tt.manual_seed(0)
    assert [[x.tolist() for x in batch] for batch in loader] == first
    assert first != second
    assert len({str(batch) for batch in first}) == 4
    assert data.get_worker_info() is None


@pytest.mark.parametrize("kind", KINDS)
def test_workers_are_initialised(kind: str) -> None:
    class Told(Numbers):
        def __getitem__(self, index: int) -> int:
            info = data.get_worker_info()
            assert info is not None
            return info.mark  # type: ignore[no-any-return, attr-defined]

    def init(worker: int) -> None:
        info = data.get_worker_info()
        assert info is not None
        info.mark = 10 + worker  # type: ignore[attr-defined]

    loader = data.DataLoader(
        Told(4), 2, num_workers=2, worker_init_fn=init, worker_method=kind
    )
    assert batches(loader) == [[10, 10], [11, 11]]


# ---- what travels ----


def test_everything_arrives_as_it_was_sent() -> None:
    base = tt.arange(24.0).view(4, 6)
    samples: list[Any] = [
        base,
        base.t(),  # not contiguous
        base[1:3, ::2],
        tt.tensor(3),
        tt.empty(0, 3),
        tt.zeros(5, dtype=tt.bfloat16),
        tt.ones(2000, dtype=tt.bool),
        tt.ones(700, requires_grad=True),
        np.arange(1000).reshape(10, 100),
        {"a": [base, "text", None], "b": (1, 2.5)},
        [tt.full((300,), float(i)) for i in range(200)],  # many buffers
        "x" * 3_000_000,  # a pickle larger than the pipe
        tt.zeros(2_000_000),  # a buffer larger than the pipe
    ]

    def plain(value: Any) -> Any:
        if isinstance(value, tt.Tensor):
            return value.dtype, value.requires_grad, tuple(value.shape), value.tolist()
        if isinstance(value, np.ndarray):
            return value.dtype, value.tolist()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value), [plain(item) for item in value]
        return value

    loader = data.DataLoader(
        samples, None, num_workers=2, collate_fn=lambda sample: sample
    )
    for sent, got in zip(samples, loader, strict=True):
        assert plain(got) == plain(sent)
        if isinstance(got, tt.Tensor) and not got.requires_grad:
            got.zero_()  # it is ours, to write as well

    named = tt.ones(3)
    named.label = "seven"  # type: ignore[attr-defined]
    (got,) = data.DataLoader([named], None, num_workers=1)
    assert got.label == "seven"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(method: str, tmp_path: Any) -> None:
    program = f"""
        import tinytorch as tt
        import tinytorch.utils.data as data

        if __name__ == "__main__":
            x = tt.arange(6.0)
            loader = data.DataLoader(
                data.TensorDataset(x), 2, num_workers=1,
                multiprocessing_context="{method}",
            )
            print([batch[0].tolist() for batch in loader])
    """
    assert run(program, tmp_path) == "[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]\n"


def run(program: str, folder: Any, code: int = 0, **options: Any) -> str:
    """Run a program in a folder of its own; return what it prints."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(program))
    root = os.path.dirname(os.path.dirname(os.path.abspath(tt.__file__)))
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root},
        **options,
    )
    assert done.returncode == code, done.stderr
    assert code or done.stderr == ""
    return done.stdout


# ---- the end ----


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def wait_for_end(pids: list[int]) -> None:
    end = time.monotonic() + SECONDS_TO_NOTICE
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "workers live on"
        time.sleep(0.02)


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_their_iterator() -> None:
    big = data.TensorDataset(tt.zeros(40, 200_000))
    for read in (0, 1, 20):
        iterator = iter(data.DataLoader(big, 2, num_workers=2))
        pids = [w.process.pid for w in iterator._workers]  # type: ignore[attr-defined]
        for _ in range(read):
            next(iterator)
        with without_collections():
            del iterator
            wait_for_end(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_kept_workers_end_with_their_loader() -> None:
    loader = data.DataLoader(range(8), num_workers=1, persistent_workers=True)
    assert batches(loader) == batches(loader)
    assert loader._iterator is not None
    pids = [w.process.pid for w in loader._iterator._workers]
    with without_collections():
        del loader
        wait_for_end(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_their_parent(tmp_path: Any) -> None:
    program = """
        import os, signal
        import tinytorch as tt
        import tinytorch.utils.data as data

        loader = data.DataLoader(
            data.TensorDataset(tt.zeros(100, 200_000)), 2, num_workers=2)
        iterator = iter(loader)
        next(iterator)
        print(*(w.process.pid for w in iterator._workers), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    printed = run(program, tmp_path, code=-signal.SIGKILL)
    wait_for_end([int(pid) for pid in printed.split()])


def test_a_program_ends_in_silence(tmp_path: Any) -> None:
    program = """
        import tinytorch as tt
        import tinytorch.utils.data as data

        dataset = data.TensorDataset(tt.arange(40))
        kept = data.DataLoader(dataset, 2, num_workers=2, persistent_workers=True)
        for batch in kept:
            break
        left = iter(data.DataLoader(dataset, 2, num_workers=1))
        threads = iter(data.DataLoader(
            dataset, 2, num_workers=1, worker_method="thread"))
        print(next(left)[0].tolist(), next(threads)[0].tolist())
    """
    assert run(program, tmp_path) == "[0, 1] [0, 1]\n"


def test_fork_after_the_core_has_used_its_threads() -> None:
    before = tt.get_num_threads()
    tt.set_num_threads(4)
    try:
        x = tt.randn(400, 400)
        expected = (x @ x).sum().item()

        class Product(Numbers):
            def __getitem__(self, index: int) -> Any:
                tt.set_num_threads(3)  # threads of the child's own
                return (x @ x).sum().item()

        for _ in range(3):
            loader = data.DataLoader(Product(4), num_workers=2)
            assert [batch.item() for batch in loader] == [expected] * 4
            assert (x @ x).sum().item() == expected
    finally:
        tt.set_num_threads(before)


def test_a_worker_may_have_a_loader_of_its_own() -> None:
    class Outer(Numbers):
        def __getitem__(self, index: int) -> Any:
            return sum(batch.item() for batch in data.DataLoader(range(index)))

    loader = data.DataLoader(Outer(4), 2, num_workers=2)
    assert batches(loader) == [[0, 0], [1, 3]]


def test_too_many_workers_are_warned_of(monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    with pytest.warns(UserWarning, match="will create 2 worker processes"):
        data.DataLoader([1], num_workers=2)


def test_pinning_without_a_device_warns_and_works() -> None:
    if tt.cuda.is_available():
        pytest.skip("there is a device")
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert batches(data.DataLoader([1, 2], pin_memory=True)) == [[1], [2]]
