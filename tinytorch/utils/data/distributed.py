"""The share of a data set that one of several training processes reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any

import tinytorch
from tinytorch._core.rng import Generator
from tinytorch.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[Any]):
    """Every ``num_replicas``-th index, from ``rank`` on, of a common order.

    All processes draw the same order from ``seed + epoch``, so :meth:`set_epoch` must
    be called before each epoch for a new one.

    Args:
        dataset: What is sampled from; only its length counts.
        num_replicas: Number of processes. Default: that of the process group.
        rank: Which of them this is. Default: that in the process group.
        shuffle: Draw a random order; otherwise 0, 1, 2, ...
        seed: The same on all processes.
        drop_last: Drop what does not divide evenly, instead of repeating the first.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None:
            num_replicas = _process_group().get_world_size()
        if rank is None:
            rank = _process_group().get_rank()
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval "
                f"[0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[Any]:
        n = len(self.dataset)
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = tinytorch.randperm(n, generator=generator).tolist()
        else:
            indices = list(range(n))
        if not self.drop_last and n < self.total_size:
            indices = (indices * math.ceil(self.total_size / n))[: self.total_size]
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next pass has."""
        self.epoch = epoch


def _process_group() -> Any:
    """Return the module of process groups, where there is one."""
    distributed = getattr(tinytorch, "distributed", None)
    if distributed is None:
        raise RuntimeError("Requires distributed package to be available")
    return distributed
