"""The random state of the whole process: seeds, states, forks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tinytorch
from tinytorch._core.rng import Generator, default_generator
from tinytorch._typing import Any

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


def manual_seed(seed: int) -> Generator:
    """Seed the generators of all devices; return that of the CPU.

    Args:
        seed: An integer of 64 bits; a negative one counts from 2**64 down.

    Example:
        >>> manual_seed(0)
        <tinytorch._core.rng.Generator object at ...>
    """
    seed = int(seed)
    tinytorch.cuda.manual_seed_all(seed)
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the generators of all devices from the system; return the seed."""
    value = int(default_generator.seed())
    tinytorch.cuda.manual_seed_all(value)
    return value


def initial_seed() -> int:
    """Return the seed that the CPU's generator started from."""
    return int(default_generator.initial_seed())


def get_rng_state() -> Any:
    """Return the state of the CPU's generator as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Set the state of the CPU's generator."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    device_type: str | None = None,
) -> Iterator[None]:
    """Restore the random state at the end of a ``with`` block.

    Args:
        devices: CUDA devices to restore as well. Default: all.
        enabled: False makes this do nothing.
        device_type: ``"cuda"`` or None; ``"meta"`` has no state.

    Example:
        >>> with fork_rng():
        ...     manual_seed(0)
    """
    if device_type not in (None, "cuda", "cpu", "meta"):
        raise RuntimeError(f"torch has no module of `{device_type}`")
    if not enabled or device_type == "meta":
        yield
        return
    if devices is None:
        devices = range(tinytorch.cuda.device_count())
    before = get_rng_state()
    cuda = [(device, tinytorch.cuda.get_rng_state(device)) for device in devices]
    try:
        yield
    finally:
        set_rng_state(before)
        for device, state in cuda:
            tinytorch.cuda.set_rng_state(state, device)
