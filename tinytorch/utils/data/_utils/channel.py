"""How batches travel from a worker process: frames in a pipe, tensors beside pickles.

A frame is ``<count> <length>*count <pickle> <buffer>...``. The memory of tensors and
arrays is written from where it lies and read to where it will stay: nothing of it
passes through the pickle, and no file or shared memory can leak.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import select
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tinytorch
from tinytorch._core.tensor import Tensor

if TYPE_CHECKING:  # loaders without workers do without multiprocessing
    from multiprocessing.connection import Connection

__all__ = ["FrameReader", "dump", "widen", "write"]

_WORD = struct.Struct("<Q")
_PIECES = 64  # buffers per system call; the systems' own limits start at 1024
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # Linux's F_SETPIPE_SZ; the fcntl module names it from 3.10 on
_SMALL = 256  # bytes below which a buffer of its own costs more than it saves
_HAS_VECTORS = hasattr(os, "readv")


def _tensor_of(
    memory: Any, dtype: tinytorch.dtype, shape: tuple[int, ...], requires_grad: bool
) -> Tensor:
    """Make a tensor over memory that was read for it."""
    if not isinstance(memory, Tensor):  # it travelled inside the pickle
        memory = tinytorch.frombuffer(bytearray(memory), dtype=tinytorch.uint8)
    x = memory.view(dtype).view(shape)
    return x.requires_grad_() if requires_grad else x


class _Pickler(pickle.Pickler):
    """Pickle that leaves the memory of plain tensors to its buffers."""

    def reducer_override(self, item: Any) -> Any:
        if type(item) is not Tensor:
            return NotImplemented
        if item.requires_grad and not item.is_leaf:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, "
                "since autograd does not support crossing process boundaries.  If you "
                "just want to transfer the data, call detach() on the tensor before "
                "serializing (e.g., putting it on the queue)."
            )
        if item.numel() == 0 or item.device.type != "cpu" or item.__dict__:
            return NotImplemented  # what users have hung on it travels too
        flat = item.detach().contiguous().view(-1).view(tinytorch.uint8)
        memory: Any = memoryview(flat)
        if memory.nbytes >= _SMALL:
            memory = pickle.PickleBuffer(memory)
        else:
            memory = bytes(memory)
        return _tensor_of, (memory, item.dtype, tuple(item.shape), item.requires_grad)


def dump(item: Any) -> list[memoryview]:
    """Return the frame of an object as pieces of memory."""
    stream, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    _Pickler(stream, 5, buffer_callback=buffers.append).dump(item)
    pieces = [memoryview(stream.getbuffer()), *(b.raw() for b in buffers)]
    head = b"".join(_WORD.pack(n) for n in (len(pieces), *map(len, pieces)))
    return [memoryview(head), *pieces]


def widen(connection: Connection) -> None:
    """Let a pipe hold more, so that writer and reader alternate less often."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # over the user's share of pipe memory
            fcntl.fcntl(connection.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)


def _advance(pieces: list[memoryview], done: int) -> None:
    """Drop what has been written or read from the front of a list of pieces."""
    while pieces and done >= len(pieces[0]):
        done -= len(pieces[0])
        del pieces[0]
    if done:
        pieces[0] = pieces[0][done:]


def write(connection: Connection, frame: list[memoryview]) -> None:
    """Write a frame; block until all of it is in the pipe."""
    if not _HAS_VECTORS:
        for piece in frame:
            connection.send_bytes(piece)
        return
    pieces = list(frame)
    while pieces:
        _advance(pieces, os.writev(connection.fileno(), pieces[:_PIECES]))


class FrameReader:
    """Read the frames of one pipe.

    Args:
        connection: The end of the pipe to read.
        check: Called between waits of ``tick`` seconds; raises if the writer is dead.
        tick: The longest wait without a check.
    """

    def __init__(
        self, connection: Connection, check: Callable[[], None], tick: float
    ) -> None:
        self.connection = connection
        self.check = check
        self._tick = tick
        self._poll: Any = None
        if _HAS_VECTORS:
            self._poll = select.poll()
            self._poll.register(connection.fileno(), select.POLLIN)

    def ready(self, timeout: float) -> bool:
        """Return whether there is something to read, or an end, within a time."""
        if self._poll is None:
            return self.connection.poll(timeout)
        return bool(self._poll.poll(timeout * 1e3))

    def _read(self, pieces: list[memoryview]) -> None:
        """Fill pieces of memory from the pipe."""
        if not _HAS_VECTORS:
            for piece in pieces:
                self.connection.recv_bytes_into(piece)
            return
        pieces = [piece for piece in pieces if len(piece)]
        while pieces:
            while not self.ready(self._tick):
                self.check()
            done = os.readv(self.connection.fileno(), pieces[:_PIECES])
            if done == 0:
                raise EOFError
            _advance(pieces, done)

    def read(self) -> Any:
        """Return the next object; EOFError if the writer is gone."""
        if _HAS_VECTORS:
            word = bytearray(_WORD.size)
            self._read([memoryview(word)])
            (count,) = _WORD.unpack(word)
            table = bytearray(_WORD.size * count)
            self._read([memoryview(table)])
        else:
            table = bytearray(self.connection.recv_bytes()[_WORD.size :])
        lengths = [length for (length,) in _WORD.iter_unpack(table)]
        text = bytearray(lengths[0])
        buffers = [tinytorch.empty(n, dtype=tinytorch.uint8) for n in lengths[1:]]
        self._read([memoryview(text), *(memoryview(b) for b in buffers)])
        # What a process of our own has written, so nothing that one must not trust.
        return pickle.Unpickler(io.BytesIO(text), buffers=buffers).load()
