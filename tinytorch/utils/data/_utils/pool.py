"""Workers as their reader sees them: processes behind pipes, threads behind queues."""

from __future__ import annotations

import contextlib
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tinytorch.utils.data._utils import channel
from tinytorch.utils.data._utils.worker import WorkerSpec, process_main, thread_main

__all__ = ["ProcessWorker", "ThreadWorker", "Worker", "default_context"]

TICK = 0.5  # seconds between looks at whether the workers live
STOP_SECONDS = 5.0  # for a worker to finish what it is at, before it is terminated


class Worker(Protocol):
    """What the iterator needs of a worker."""

    def send(self, task: Any) -> None: ...

    def receive(self, timeout: float) -> Any: ...

    def check(self) -> None: ...

    def ask_to_stop(self) -> None: ...

    def stop(self, deadline: float) -> None: ...


def default_context() -> Any:
    """Return the context of worker processes: what the program chose, else fork.

    Fork is what PyTorch's programs rely on where it exists: their data sets need not
    be importable. The core's threads are made for it; macOS's libraries are not.
    """
    import multiprocessing

    chosen = multiprocessing.get_start_method(allow_none=True)
    if chosen is None and sys.platform == "linux":
        chosen = "fork"
    return multiprocessing.get_context(chosen)


class ProcessWorker:
    """A process; it dies with its reader, and its reader hears of its death.

    Args:
        context: A context of ``multiprocessing``.
        spec: What all workers have in common.
        index: The number of this one.
        others: The workers that were started before.
        check: Called while waiting; raises if any worker is dead.
    """

    def __init__(
        self,
        context: Any,
        spec: WorkerSpec,
        index: int,
        others: Sequence[Any],
        check: Callable[[], None],
    ) -> None:
        self.index = index
        task_end, self._tasks = context.Pipe(duplex=False)
        self._replies, reply_end = context.Pipe(duplex=False)
        channel.widen(self._replies)
        inherited = []
        if context.get_start_method() == "fork":
            inherited = [end for w in (*others, self) for end in (w._tasks, w._replies)]
        self.process = context.Process(
            target=process_main,
            args=(spec, index, task_end, reply_end, inherited),
            daemon=True,
        )
        with warnings.catch_warnings():
            # Python warns of forks beside threads; the core's threads allow for them.
            warnings.filterwarnings("ignore", ".*multi-threaded, use of fork")
            self.process.start()
        task_end.close()
        reply_end.close()
        self._reader = channel.FrameReader(self._replies, check, TICK)

    def _died(self) -> RuntimeError:
        self.process.join(TICK)
        code = self.process.exitcode
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            name = signal.Signals(-code).name if -code in _SIGNALS else "unknown"
            how = f"was killed by signal {-code} ({name})"
        else:
            how = f"exited with code {code}"
        return RuntimeError(
            f"DataLoader worker (pid(s) {self.process.pid}) exited unexpectedly: "
            f"worker {self.index} {how}"
        )

    def check(self) -> None:
        """Raise if the process is dead."""
        if not self.process.is_alive():
            raise self._died()

    def send(self, task: Any) -> None:
        """Give the process a task."""
        try:
            self._tasks.send((task,))
        except OSError:
            raise self._died() from None

    def receive(self, timeout: float) -> Any:
        """Return the next reply; TimeoutError after some seconds, never if 0."""
        start = time.monotonic()
        while not self._reader.ready(min(timeout, TICK) if timeout else TICK):
            self._reader.check()
            if timeout and time.monotonic() - start >= timeout:
                raise TimeoutError
        try:
            return self._reader.read()
        except (EOFError, ConnectionResetError):
            raise self._died() from None

    def ask_to_stop(self) -> None:
        """Let the process end when it has answered what it was asked."""
        with contextlib.suppress(OSError):
            self._tasks.send(None)
        self._tasks.close()
        self._replies.close()

    def stop(self, deadline: float) -> None:
        """Wait for the end until a time, then make it."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        for end in (self.process.terminate, self.process.kill):
            if self.process.is_alive():
                end()
                self.process.join(1.0)
        if not self.process.is_alive():
            self.process.close()

    @staticmethod
    def first_ready(
        workers: Sequence[Any], timeout: float, check: Callable[[], None]
    ) -> Any:
        """Return one of the workers that have replied; TimeoutError if none does."""
        from multiprocessing.connection import wait

        by_end = {worker._replies: worker for worker in workers}
        start = time.monotonic()
        while not (ready := wait(by_end, min(timeout, TICK) if timeout else TICK)):
            check()
            if timeout and time.monotonic() - start >= timeout:
                raise TimeoutError
        return by_end[ready[0]]


_SIGNALS = {int(number) for number in signal.Signals}


class ThreadWorker:
    """A thread: no copies and no pickling, and the interpreter is shared."""

    def __init__(
        self,
        spec: WorkerSpec,
        index: int,
        arrivals: queue.SimpleQueue[ThreadWorker] | None,
    ) -> None:
        self.index = index
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def send(reply: Any) -> None:
            self._replies.put(reply)
            if arrivals is not None:
                arrivals.put(self)

        self._thread = threading.Thread(
            target=thread_main, args=(spec, index, self._tasks, send), daemon=True
        )
        self._thread.start()

    def check(self) -> None:
        """Raise if the thread has ended, as by SystemExit in a data set."""
        if not self._thread.is_alive():
            raise RuntimeError(
                f"DataLoader worker (thread {self.index}) exited unexpectedly"
            )

    def send(self, task: Any) -> None:
        """Give the thread a task."""
        self._tasks.put((task,))

    def receive(self, timeout: float) -> Any:
        """Return the next reply; TimeoutError after some seconds, never if 0."""
        start = time.monotonic()
        while True:
            try:
                return self._replies.get(
                    timeout=min(timeout, TICK) if timeout else TICK
                )
            except queue.Empty:
                self.check()
                if timeout and time.monotonic() - start >= timeout:
                    raise TimeoutError from None

    def ask_to_stop(self) -> None:
        """Let the thread end when it has answered what it was asked."""
        self._tasks.put(None)

    def stop(self, deadline: float) -> None:
        """Nothing to wait for: the thread ends by itself, at the latest with us."""

    @staticmethod
    def first_ready(
        arrivals: queue.SimpleQueue[ThreadWorker],
        timeout: float,
        check: Callable[[], None],
    ) -> ThreadWorker:
        """Return a worker that has replied; TimeoutError if none does."""
        start = time.monotonic()
        while True:
            try:
                return arrivals.get(timeout=min(timeout, TICK) if timeout else TICK)
            except queue.Empty:
                check()
                if timeout and time.monotonic() - start >= timeout:
                    raise TimeoutError from None
