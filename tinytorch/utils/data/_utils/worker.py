"""What a worker does: seed itself, then answer each list of indices with a batch."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import tinytorch
from tinytorch._core.rng import Generator
from tinytorch.utils.data._utils import channel
from tinytorch.utils.data._utils.errors import ExceptionWrapper
from tinytorch.utils.data._utils.fetch import (
    IterableDatasetFetcher,
    MapDatasetFetcher,
)

__all__ = ["WorkerInfo", "WorkerRandom", "WorkerSpec", "get_worker_info"]

RESTART = "__restart__"  # a task: begin a new epoch


class StreamEnd:
    """A reply: the stream of this worker has ended."""


class WorkerRandom:
    """Sources of random numbers of one worker thread, each seeded with its seed.

    Threads share the default generators, so what they draw from those depends on how
    they happen to alternate. These are theirs alone.
    """

    def __init__(self, seed: int, numpy_seed: Any) -> None:
        self.random_generator = random.Random(seed)
        self.torch_generator = Generator().manual_seed(seed)
        self.numpy_generator: Any = None
        if numpy_seed is not None:
            import numpy

            self.numpy_generator = numpy.random.default_rng(numpy_seed)


class WorkerInfo:
    """Which worker this is.

    Attributes:
        id: 0 ... ``num_workers - 1``.
        num_workers: How many there are.
        seed: The seed of this worker in this epoch.
        dataset: The worker's copy of the data set; that of all in a thread.
        rng: A thread's own sources of random numbers; None in a process.
        worker_method: ``"multiprocessing"`` or ``"thread"``.
    """

    def __init__(
        self,
        id: int,
        num_workers: int,
        seed: int,
        dataset: Any,
        rng: WorkerRandom | None = None,
        worker_method: str | None = "multiprocessing",
    ) -> None:
        self.id = id
        self.num_workers = num_workers
        self.seed = seed
        self.dataset = dataset
        self.rng = rng
        self.worker_method = worker_method

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"WorkerInfo({fields})"


_here = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Return the :class:`WorkerInfo` of the calling worker; None outside of workers."""
    return getattr(_here, "info", None)


class WorkerSpec(NamedTuple):
    """What all workers of an iterator have in common."""

    iterable: bool
    dataset: Any
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    base_seed: int
    num_workers: int
    worker_init_fn: Callable[[int], Any] | None

    def fetcher(self) -> MapDatasetFetcher | IterableDatasetFetcher:
        """Start reading the data set."""
        cls = IterableDatasetFetcher if self.iterable else MapDatasetFetcher
        return cls(self.dataset, self.auto_collation, self.collate_fn, self.drop_last)


def numpy_seed(base_seed: int, worker_id: int) -> Any:
    """Return four words that seed NumPy, or None where there is no NumPy.

    They are PyTorch's: NumPy's own mixing of worker and base seed.
    """
    try:
        from numpy.random import SeedSequence
    except ImportError:
        return None
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return SeedSequence(words).generate_state(4)


def serve(
    spec: WorkerSpec,
    info: WorkerInfo,
    where: str,
    receive: Callable[[], Any],
    send: Callable[[Any], None],
) -> None:
    """Answer tasks until None comes: a batch, an error or a StreamEnd for each."""
    _here.info = info
    fetcher: Any = None
    failure: ExceptionWrapper | None = None
    try:
        if spec.worker_init_fn is not None:
            spec.worker_init_fn(info.id)
        fetcher = spec.fetcher()
    except Exception:
        failure = ExceptionWrapper(where=where)
    while (task := receive()) is not None:
        reply: Any
        try:
            if isinstance(task[0], str) and task[0] == RESTART:
                fetcher = None if failure else spec.fetcher()
                continue
            reply = failure or fetcher.fetch(task[0])
        except Exception as error:
            ended = spec.iterable and isinstance(error, StopIteration)
            reply = StreamEnd() if ended else ExceptionWrapper(where=where)
        send(reply)
        del reply  # its memory goes back while this waits for the next task


def _seed_process(seed: int, state: Any) -> None:
    random.seed(seed)
    tinytorch.manual_seed(seed)
    if state is not None:
        import numpy

        numpy.random.seed(state)


def process_main(
    spec: WorkerSpec, worker_id: int, tasks: Any, replies: Any, inherited: list[Any]
) -> None:
    """Run a worker process.

    Args:
        spec: What to do.
        worker_id: Its number.
        tasks: The pipe that indices come from.
        replies: The pipe that batches go to.
        inherited: The parent's ends of pipes, which this process has copies of. While
            they are open here nobody would notice that the parent is gone.
    """
    for connection in inherited:
        connection.close()
    tinytorch.set_num_threads(1)
    seed = spec.base_seed + worker_id
    _seed_process(seed, numpy_seed(spec.base_seed, worker_id))
    info = WorkerInfo(worker_id, spec.num_workers, seed, spec.dataset)
    where = f"in DataLoader worker process {worker_id}"

    # Written by a thread, so that the next batch is made while this one waits.
    frames: queue.SimpleQueue[list[memoryview]] = queue.SimpleQueue()

    def feed() -> None:
        try:
            while True:
                channel.write(replies, frames.get())
        except OSError:  # nobody reads any more; the tasks end too
            return

    def send(reply: Any) -> None:
        try:
            frame = channel.dump(reply)
        except Exception:
            frame = channel.dump(ExceptionWrapper(where=where))
        frames.put(frame)

    def receive() -> Any:
        try:
            return tasks.recv()
        except (EOFError, OSError):  # the parent is gone
            return None

    threading.Thread(target=feed, daemon=True).start()
    # The parent has the interrupt too, and says so.
    with contextlib.suppress(KeyboardInterrupt):
        serve(spec, info, where, receive, send)


def thread_main(
    spec: WorkerSpec, worker_id: int, tasks: Any, send: Callable[[Any], None]
) -> None:
    """Run a worker thread."""
    seed = spec.base_seed + worker_id
    rng = WorkerRandom(seed, numpy_seed(spec.base_seed, worker_id))
    info = WorkerInfo(worker_id, spec.num_workers, seed, spec.dataset, rng, "thread")
    where = f"in DataLoader worker thread {worker_id}"
    serve(spec, info, where, tasks.get, send)
