"""One pass over a DataLoader, here or through workers."""

from __future__ import annotations

import collections
import contextlib
import copy
import itertools
import os
import queue
import sys
import time
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import tinytorch
from tinytorch._core.rng import default_generator
from tinytorch.utils.data._utils import pin_memory as pinning
from tinytorch.utils.data._utils import pool, position
from tinytorch.utils.data._utils.errors import ExceptionWrapper
from tinytorch.utils.data._utils.worker import RESTART, StreamEnd, WorkerSpec

__all__ = ["LoaderIterator", "SingleProcessIterator", "WorkersIterator"]


def _apart(loader: Any) -> Any:
    """Return a loader that does not hold the iterator that is going to hold it.

    Else workers that are kept would outlive the loader until the next collection.
    """
    if not loader.persistent_workers:
        return loader
    twin = copy.copy(loader)
    twin._iterator = None
    return twin


class LoaderIterator:
    """What both kinds of pass have in common.

    The random stream per pass is PyTorch's: one draw for the workers' seeds, then what
    the sampler draws when its first index is asked for.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = _apart(loader)
        self._iterable = loader._dataset_kind == 1
        self._pin = loader.pin_memory and pinning.usable()
        self._resume = self._take_resume(loader)
        kept: int | None = self._resume.get("kept_seed")
        self._position = position.Position(position.states(loader), kept)
        loader._position = self._position
        self._base_seed = self._draw_seed() if kept is None else kept
        self._indices: Iterator[Any] = iter(loader._index_sampler)

    def _draw_seed(self) -> int:
        source = self._loader.generator or default_generator
        drawn = tinytorch.empty((), dtype=tinytorch.int64).random_(generator=source)
        return int(drawn.item())

    def _take_resume(self, loader: Any) -> dict[str, Any]:
        """Return what load_state_dict left, having set the random state to it."""
        saved: dict[str, Any] = loader._resume or {}
        loader._resume = None
        if saved:
            position.set_states(loader, saved["start"])
        return saved

    def _catch_up(self) -> None:
        """Go to the place that ``_resume`` names; the pass has just begun."""
        saved, self._resume = self._resume, {}
        if not saved:
            return
        try:
            for _ in range(saved["yielded"]):
                if self._iterable:
                    self._next_batch()
                else:
                    next(self._indices)
        except StopIteration:
            raise RuntimeError(
                "load_state_dict: the saved position is past the end of the data"
            ) from None
        self._position.yielded = saved["yielded"]

    def _settle(self, saved: dict[str, Any]) -> None:
        """Set the random state to what it was when the position was saved."""
        if saved and saved["now"] is not None:
            position.set_states(self._loader, saved["now"])

    def _next_batch(self) -> Any:
        raise NotImplementedError

    def __iter__(self) -> LoaderIterator:
        return self

    def __next__(self) -> Any:
        try:
            batch = self._next_batch()
        except StopIteration:
            self._position.finished = True
            raise
        self._position.yielded += 1
        if self._iterable:
            self._check_length()
        return pinning.pin_memory(batch) if self._pin else batch

    def _check_length(self) -> None:
        told, seen = self._loader._IterableDataset_len_called, self._position.yielded
        if told is not None and seen > told:
            text = (
                f"Length of IterableDataset {self._loader.dataset} was reported to be "
                f"{told}(when accessing len(dataloader)), but {seen} samples have been "
                "fetched. "
            )
            if self._loader.num_workers > 0:
                text += (
                    "For multiprocessing data-loading, this could be caused by not "
                    "properly configuring the IterableDataset replica at each worker."
                )
            warnings.warn(text, stacklevel=3)

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def _spec(self) -> WorkerSpec:
        loader = self._loader
        return WorkerSpec(
            self._iterable,
            loader.dataset,
            loader._auto_collation,
            loader.collate_fn,
            loader.drop_last,
            self._base_seed,
            loader.num_workers,
            loader.worker_init_fn,
        )


class SingleProcessIterator(LoaderIterator):
    """A pass in the calling thread."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._fetch = self._spec().fetcher().fetch
        saved = self._resume
        self._catch_up()
        self._settle(saved)

    def _next_batch(self) -> Any:
        return self._fetch(next(self._indices))


class WorkersIterator(LoaderIterator):
    """A pass through workers, each of which has up to ``prefetch_factor`` tasks.

    Tasks go to the workers in turn, and replies are read in the order of the tasks, so
    the order of batches does not depend on the workers' speed. With ``in_order=False``
    they are read as they come, and a slow worker is given less.
    """

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._pid = os.getpid()
        self._failure: str | None = None
        self._workers: list[Any] = []
        self._arrivals: queue.SimpleQueue[Any] | None = None
        self._waiting: collections.deque[int] = collections.deque()
        try:
            self._start_workers()
            self._begin()
        except BaseException:
            self._shutdown(at_once=True)
            raise

    def _start_workers(self) -> None:
        loader, spec = self._loader, self._spec()
        if loader.worker_method == "thread":
            if not loader.in_order:
                self._arrivals = queue.SimpleQueue()
            for i in range(loader.num_workers):
                self._workers.append(pool.ThreadWorker(spec, i, self._arrivals))
            return
        with contextlib.suppress(ImportError):
            import numpy  # noqa: F401  once here, not once in each process
        context = loader.multiprocessing_context or pool.default_context()
        owner = weakref.ref(self)  # a cycle would keep the workers after a break

        def check() -> None:
            iterator = owner()
            if iterator is not None:
                iterator._check()

        for i in range(loader.num_workers):
            worker = pool.ProcessWorker(context, spec, i, self._workers, check)
            self._workers.append(worker)

    def _check(self) -> None:
        for worker in self._workers:
            worker.check()

    # ---- a pass ----

    def _begin(self) -> None:
        count = self._loader.num_workers
        self._open = [True] * count  # their streams may go on
        self._tasks = [0] * count
        self._turns = itertools.cycle(range(count))
        saved = self._resume
        if not self._iterable:
            self._catch_up()
        for _ in range(self._loader.prefetch_factor * count):
            self._give_task()
        if self._iterable:
            self._catch_up()
        self._settle(saved)

    def restart(self, loader: Any) -> None:
        """Begin another pass with the same workers."""
        self._loader = _apart(loader)
        self._resume = self._take_resume(loader)
        drawn = bool(self._resume) and self._resume["kept_seed"] is None
        kept = None if drawn else self._base_seed
        self._position = position.Position(position.states(loader), kept)
        loader._position = self._position
        if drawn:
            self._draw_seed()  # the saved pass did, for workers that it started
        self._indices = iter(loader._index_sampler)
        while self._waiting:  # replies to the pass before, if it was left early
            self._receive()
        for i in range(len(self._workers)):
            self._send(i, RESTART)
        self._begin()

    @property
    def reusable(self) -> bool:
        """Whether the workers can serve another pass."""
        return self._failure is None and bool(self._workers)

    def _give_task(self) -> None:
        """Send the next indices to the worker whose turn it is."""
        index = next(self._indices, self)
        if index is self:
            return
        share = sum(self._tasks) // max(1, sum(self._open))
        for i in itertools.islice(self._turns, len(self._workers)):
            if self._open[i] and (self._loader.in_order or self._tasks[i] <= share):
                self._send(i, index)
                self._tasks[i] += 1
                self._waiting.append(i)
                return

    def _send(self, i: int, task: Any) -> None:
        try:
            self._workers[i].send(task)
        except RuntimeError as error:
            self._failure = str(error)
            raise

    def _receive(self) -> tuple[int, Any]:
        """Return the next reply and who sent it."""
        timeout = self._loader.timeout
        try:
            if self._loader.in_order:
                i = self._waiting[0]
            else:
                i = self._first_ready(timeout)
            reply = self._workers[i].receive(timeout)
        except TimeoutError:
            self._failure = f"DataLoader timed out after {timeout} seconds"
            raise RuntimeError(self._failure) from None
        except BaseException as error:
            # A frame may have been read in part: these workers are of no more use.
            self._failure = str(error) or f"interrupted by {type(error).__name__}"
            raise
        self._waiting.remove(i)  # the first of its tasks, which stand in order
        self._tasks[i] -= 1
        return i, reply

    def _first_ready(self, timeout: float) -> int:
        if self._arrivals is not None:
            ready: Any = pool.ThreadWorker.first_ready(
                self._arrivals, timeout, self._check
            )
        else:
            asked = [self._workers[i] for i in sorted(set(self._waiting))]
            ready = pool.ProcessWorker.first_ready(asked, timeout, self._check)
        return int(ready.index)

    def _next_batch(self) -> Any:
        if self._failure is not None:
            raise RuntimeError(self._failure)
        try:
            while self._waiting:
                i, reply = self._receive()
                if isinstance(reply, StreamEnd):
                    if self._open[i]:
                        self._open[i] = False
                        self._give_task()
                    continue
                self._give_task()
                if isinstance(reply, ExceptionWrapper):
                    reply.reraise()
                return reply
        except BaseException:
            if self._failure is not None:
                self._shutdown(at_once=True)
            raise
        if not self._loader.persistent_workers:
            self._shutdown()
        raise StopIteration

    # ---- the end ----

    def _shutdown(self, at_once: bool = False) -> None:
        """End the workers; those that do not end in time are killed."""
        workers, self._workers = self._workers, []
        self._waiting.clear()
        for worker in workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + (0.0 if at_once else pool.STOP_SECONDS)
        for worker in workers:
            worker.stop(deadline)

    def __del__(self) -> None:
        # A forked child has a copy of this object, but not of the right to end it.
        mine = getattr(self, "_workers", None) and self._pid == os.getpid()
        if mine and not sys.is_finalizing():
            self._shutdown()
