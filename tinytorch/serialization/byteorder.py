"""Numbers of machines with the other byte order."""

from __future__ import annotations

__all__ = ["swap_bytes"]


def swap_bytes(memory: memoryview, itemsize: int) -> None:
    """Reverse the bytes of each element, in place."""
    for i in range(itemsize // 2):
        j = itemsize - 1 - i
        first = bytes(memory[i::itemsize])
        memory[i::itemsize] = memory[j::itemsize]
        memory[j::itemsize] = first
