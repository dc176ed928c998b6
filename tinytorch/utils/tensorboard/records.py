"""Event files: events, each a record with its length and masked checksums.

    length (8 bytes)  checksum of the length (4)  data  checksum of the data (4)
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import weakref
from typing import BinaryIO

from tinytorch._core.checksum import crc32c
from tinytorch.utils.tensorboard.messages import blob, double, integer, text

__all__ = ["EventFile", "record"]

_counter_lock = threading.Lock()
_counter = 0


def _masked(data: bytes) -> bytes:
    """Return the checksum, rotated and shifted: data may hold checksums itself."""
    crc: int = crc32c(data)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """Return the data as one record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


class EventFile:
    """A file of events that TensorBoard reads while it grows.

    Events are kept until `max_queue` of them wait or `flush_secs` have passed.
    """

    def __init__(
        self,
        log_dir: str,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        global _counter
        os.makedirs(log_dir, exist_ok=True)
        with _counter_lock:
            number = _counter
            _counter += 1
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}."
            f"{os.getpid()}.{number}{filename_suffix}"
        )
        self.path = os.path.join(log_dir, name)
        self._max_queue = max_queue
        self._flush_secs = flush_secs
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()
        self._lock = threading.Lock()
        self._file: BinaryIO | None = open(self.path, "ab")  # noqa: SIM115
        version = double(1, time.time()) + text(3, "brain.Event:2")
        self._file.write(record(version))
        self._file.flush()
        # what a forgotten writer still holds is written when it, or the program, ends
        self._end = weakref.finalize(self, _finish, self._file, self._waiting)

    def add(self, what: bytes, step: int | None, walltime: float | None) -> None:
        """Add an event: a summary or a graph, encoded with its field's key."""
        event = double(1, time.time() if walltime is None else walltime)
        if step is not None:
            event += integer(2, int(step))
        with self._lock:
            if self._file is None:
                raise ValueError(f"the event file {self.path} is closed")
            self._waiting.append(record(event + what))
            late = time.monotonic() - self._flushed > self._flush_secs
            if late or len(self._waiting) > self._max_queue:
                self._write()

    def add_summary(
        self, values: bytes, step: int | None, walltime: float | None = None
    ) -> None:
        """Add an event that holds summary values."""
        self.add(blob(5, values), step, walltime)

    def _write(self) -> None:
        file = self._file
        if file is not None:
            file.write(b"".join(self._waiting))
            file.flush()
        self._waiting.clear()
        self._flushed = time.monotonic()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self._file is not None:
                self._write()

    def close(self) -> None:
        """Write what waits and close the file."""
        with self._lock:
            self._end()
            self._file = None


def _finish(file: BinaryIO, waiting: list[bytes]) -> None:
    file.write(b"".join(waiting))
    waiting.clear()
    file.close()
