"""From indices to a batch: sample by sample, or in one call where that is the same.

A data set whose class defines ``_gather(indices) -> batch | None`` beside its
``__getitem__`` promises that the batch equals ``default_collate`` of the samples, bit
for bit; None means that this time it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.utils.data._utils.collate import default_collate
from tinytorch.utils.data.dataset import Subset

__all__ = ["IterableDatasetFetcher", "MapDatasetFetcher"]


class MapDatasetFetcher:
    """Fetch from a data set with an index."""

    def __init__(
        self,
        dataset: Any,
        auto_collation: bool,
        collate_fn: Callable[[Any], Any],
        drop_last: bool,
    ) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.ended = False
        self._maps: list[Sequence[int]] = []
        self._gather: Callable[[Tensor], Any] | None = None
        if auto_collation and collate_fn is default_collate:
            self._gather, self._maps = _gatherer(dataset)

    def fetch(self, indices: Any) -> Any:
        """Return the batch of these indices, or the sample of this one."""
        if not self.auto_collation:
            return self.collate_fn(self.dataset[indices])
        if self._gather is not None:
            batch = self._gathered(self._gather, indices)
            if batch is not None:
                return batch
        if getattr(self.dataset, "__getitems__", None):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[index] for index in indices])

    def _gathered(self, gather: Callable[[Tensor], Any], indices: Any) -> Any:
        """Return the batch from one call, or None if these indices need another way."""
        try:
            for mapped in self._maps:
                indices = [mapped[i] for i in indices]
            rows = tinytorch.tensor(indices)
            if rows.dtype is not tinytorch.int64 or rows.dim() != 1:
                return None
            return gather(rows)
        except (IndexError, KeyError, TypeError, ValueError, RuntimeError):
            return None  # negative or wrong: the data set itself answers or raises


class IterableDatasetFetcher:
    """Fetch from a stream; ``ended`` is set with the last batch."""

    def __init__(
        self,
        dataset: Any,
        auto_collation: bool,
        collate_fn: Callable[[Any], Any],
        drop_last: bool,
    ) -> None:
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False
        self._stream = iter(dataset)

    def fetch(self, indices: Any) -> Any:
        """Return the next batch, of as many samples as there are indices."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            try:
                return self.collate_fn(next(self._stream))
            except StopIteration:
                self.ended = True
                raise
        samples = []
        for _ in indices:
            try:
                samples.append(next(self._stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(indices)):
            raise StopIteration
        return self.collate_fn(samples)


def _definer(cls: type, name: str) -> type | None:
    """Return the class among the bases that defines a method."""
    return next((base for base in cls.__mro__ if name in base.__dict__), None)


def _gatherer(
    dataset: Any,
) -> tuple[Callable[[Tensor], Any] | None, list[Sequence[int]]]:
    """Return what gathers a batch of a data set, and the subsets on the way to it."""
    maps: list[Sequence[int]] = []
    while (
        isinstance(dataset, Subset)
        and _definer(type(dataset), "__getitem__") is Subset
        and _definer(type(dataset), "__getitems__") is Subset
    ):
        maps.append(dataset.indices)
        dataset = dataset.dataset
    cls = type(dataset)
    source = _definer(cls, "_gather")
    # A subclass that overrides how samples are made has overridden the batch too.
    if (
        source is None
        or _definer(cls, "__getitem__") is not source
        or _definer(cls, "__getitems__") not in (None, source)
    ):
        return None, []
    return dataset._gather, maps
