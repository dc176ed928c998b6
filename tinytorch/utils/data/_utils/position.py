"""Where a DataLoader is, so that another run can go on from there.

A position is the random state at the start of the epoch, the number of batches read
since, and the random state now. To resume: set the first, begin an epoch, leave out
the batches' indices, set the last.
"""

from __future__ import annotations

from typing import Any

from tinytorch._core.rng import Generator, default_generator

__all__ = ["Position", "generators"]


def generators(loader: Any) -> list[Generator]:
    """Return the sources of random numbers of a loader, each once."""
    places = [loader, loader.sampler, loader.batch_sampler]
    places.append(getattr(loader.batch_sampler, "sampler", None))
    found = [default_generator]
    for place in places:
        generator = getattr(place, "generator", None)
        if isinstance(generator, Generator) and all(g is not generator for g in found):
            found.append(generator)
    return found


def states(loader: Any) -> list[Any]:
    """Return the states of a loader's generators."""
    return [generator.get_state() for generator in generators(loader)]


def set_states(loader: Any, saved: list[Any]) -> None:
    """Set the states of a loader's generators."""
    for generator, state in zip(generators(loader), saved, strict=True):
        generator.set_state(state)


class Position:
    """The progress of one pass; the loader and its iterator share it."""

    __slots__ = ("finished", "kept_seed", "start", "yielded")

    def __init__(self, start: list[Any], kept_seed: int | None) -> None:
        self.start = start
        self.kept_seed = kept_seed  # of workers that were kept; None: one was drawn
        self.yielded = 0
        self.finished = False
