"""The position of a DataLoader: saved, restored, and exact to the last number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tinytorch as tt
import tinytorch.utils.data as data


class Stream(data.IterableDataset):
    """0 ... n - 1."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))


def plain(value: Any) -> Any:
    """Return tensors as lists."""
    if isinstance(value, tt.Tensor):
        return value.tolist()
    return [plain(item) for item in value] if isinstance(value, list) else value


def training(loader: Any, steps: int, start: Any = None) -> tuple[list[Any], Any]:
    """Read batches over epochs, drawing beside; return them and the state."""
    if start is not None:
        loader.load_state_dict(start)
    seen: list[Any] = []
    while True:
        for batch in loader:
            seen.append((plain(batch), tt.rand(2).tolist()))
            if len(seen) == steps:
                return seen, loader.state_dict()


RESUMABLE: dict[str, Callable[[], Any]] = {
    "shuffled": lambda: data.DataLoader(range(10), 3, shuffle=True),
    "single": lambda: data.DataLoader(range(4), None, shuffle=True),
    "generator": lambda: data.DataLoader(
        range(10), 3, shuffle=True, generator=tt.Generator().manual_seed(2)
    ),
    "sampler": lambda: data.DataLoader(
        range(10),
        3,
        sampler=data.RandomSampler(
            range(10), True, 40, generator=tt.Generator().manual_seed(2)
        ),
    ),
    "stream": lambda: data.DataLoader(Stream(10), 3),
    "workers": lambda: data.DataLoader(range(10), 3, shuffle=True, num_workers=2),
    "kept": lambda: data.DataLoader(
        range(10), 3, shuffle=True, num_workers=1, persistent_workers=True
    ),
}


@pytest.mark.parametrize("name", RESUMABLE)
@pytest.mark.parametrize("stop", [1, 3, 4, 5])
def test_resume_goes_on_as_if_nothing_had_happened(name: str, stop: int) -> None:
    make = RESUMABLE[name]
    tt.manual_seed(0)
    whole, _ = training(make(), 11)
    tt.manual_seed(0)
    first, state = training(make(), stop)
    tt.manual_seed(12345)  # another process has another random state
    rest, _ = training(make(), 11 - stop, state)
    assert first + rest == whole


def test_state_before_and_between_passes() -> None:
    tt.manual_seed(0)
    loader = data.DataLoader(range(5), shuffle=True)
    state = loader.state_dict()
    first = plain(list(loader))
    between = loader.state_dict()
    second = plain(list(loader))
    other = data.DataLoader(range(5), shuffle=True)
    other.load_state_dict(between)
    assert plain(list(other)) == second
    other.load_state_dict(state)
    assert plain(list(other)) == first
    assert plain(list(other)) == second


def test_state_remembers_the_epoch_of_a_distributed_sampler() -> None:
    def make() -> Any:
        sampler = data.DistributedSampler(range(9), 2, 0)
        return data.DataLoader(range(9), 2, sampler=sampler)

    loader = make()
    loader.sampler.set_epoch(3)
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    rest = plain(list(iterator))
    other = make()
    other.load_state_dict(state)
    assert plain(list(other)) == rest


def test_a_state_of_another_loader_is_refused() -> None:
    state = data.DataLoader(range(3), shuffle=True).state_dict()
    other = data.DataLoader(range(3), shuffle=True, generator=tt.Generator())
    with pytest.raises(ValueError, match="expected the states of 2 generators"):
        other.load_state_dict(state)
    longer = data.DataLoader(range(3))
    iterator = iter(longer)
    next(iterator), next(iterator)
    for few in (range(1), Stream(1)):
        shorter = data.DataLoader(few)
        shorter.load_state_dict(longer.state_dict())
        with pytest.raises(RuntimeError, match="past the end"):
            iter(shorter)
