"""DataLoader: batches from a data set, by worker processes or threads if wanted."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar, cast

from tinytorch._core.rng import Generator
from tinytorch.utils.data._utils import collate, position
from tinytorch.utils.data._utils.fetch import (
    IterableDatasetFetcher,
    MapDatasetFetcher,
)
from tinytorch.utils.data._utils.iterators import (
    LoaderIterator as _BaseDataLoaderIter,
)
from tinytorch.utils.data._utils.iterators import (
    SingleProcessIterator as _SingleProcessDataLoaderIter,
)
from tinytorch.utils.data._utils.iterators import (
    WorkersIterator as _MultiProcessingDataLoaderIter,
)
from tinytorch.utils.data._utils.worker import get_worker_info
from tinytorch.utils.data.dataset import Dataset, IterableDataset
from tinytorch.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

default_collate = collate.default_collate
default_convert = collate.default_convert

_METHODS = ("multiprocessing", "thread")


class _DatasetKind:
    """How a data set is read."""

    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(
        kind: int,
        dataset: Any,
        auto_collation: bool,
        collate_fn: Callable[[Any], Any],
        drop_last: bool,
    ) -> Any:
        """Return what turns indices into batches."""
        fetcher = MapDatasetFetcher if kind == 0 else IterableDatasetFetcher
        return fetcher(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler[None]):
    """None without end: a stream is asked for more until it says that it has none."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Iterate over a data set in batches.

    Shuffling follows PyTorch's random stream: the same seed gives the same batches.
    A worker that raises, exits or is killed gives an error here, never a hang.

    Args:
        dataset: A data set with an index or a stream.
        batch_size: Samples per batch; None gives single samples, not collated.
        shuffle: A new random order in each pass.
        sampler: The order of the indices, instead of ``shuffle``.
        batch_sampler: Lists of indices, instead of the four options around it.
        num_workers: Worker processes; 0 reads in the calling thread.
        collate_fn: From a list of samples to a batch.
        pin_memory: Copy batches to page-locked memory, where there is a GPU.
        drop_last: Leave out a last batch that is not full.
        timeout: Seconds to wait for a batch of a worker; 0 waits for ever.
        worker_init_fn: Called in each worker with its number.
        multiprocessing_context: Start method, or a context; default on Linux: fork.
        generator: Source of the random numbers; default: the default generator.
        prefetch_factor: Batches that a worker has in work, 2 if not given.
        persistent_workers: Keep the workers for the next pass.
        pin_memory_device: Accepted for old programs; the current device is used.
        in_order: Give the batches in the order of the sampler.
        worker_method: ``"thread"`` uses threads instead of processes: nothing is
            copied, and Python code takes turns. Not in PyTorch.

    Example:
        >>> loader = DataLoader(range(5), batch_size=2)
        >>> [batch.tolist() for batch in loader]
        [[0, 1], [2, 3], [4]]
    """

    dataset: Dataset[T_co]
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Sampler[Any] | Iterable[Any]
    prefetch_factor: int | None
    _iterator: _MultiProcessingDataLoaderIter | None
    _initialized = False

    _FIXED = frozenset(
        (
            "batch_size",
            "batch_sampler",
            "sampler",
            "drop_last",
            "dataset",
            "persistent_workers",
        )
    )

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        worker_method: str = "multiprocessing",
    ) -> None:
        if num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to "
                "disable multiprocessing."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set "
                "prefetch_factor to None."
            )
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        elif prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        if worker_method not in _METHODS:
            raise ValueError(
                f"worker_method should be one of {_METHODS}, got {worker_method!r}"
            )
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.worker_method = worker_method
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self.generator = generator
        self._choose_samplers(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called: int | None = None
        self._iterator = None
        self._position: position.Position | None = None
        self._resume: dict[str, Any] | None = None
        self._initialized = True
        self.check_worker_number_rationality()

    def _choose_samplers(
        self,
        batch_size: int | None,
        shuffle: bool | None,
        sampler: Any,
        batch_sampler: Any,
        drop_last: bool,
    ) -> None:
        """Check the options that say what is read in which order; set what follows."""
        iterable = isinstance(self.dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if iterable else _DatasetKind.Map
        if iterable:
            given = (
                ("shuffle", shuffle, bool(shuffle)),
                ("sampler", sampler, sampler is not None),
                ("batch_sampler", batch_sampler, batch_sampler is not None),
            )
            for name, value, wrong in given:
                if wrong:
                    raise ValueError(
                        "DataLoader with IterableDataset: expected unspecified "
                        f"{name} option, but got {name}={value}"
                    )
        shuffle = bool(shuffle)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, "
                    "shuffle, sampler, and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually "
                "exclusive with drop_last"
            )
        if sampler is None:
            source = cast(Sized, self.dataset)
            if iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(source, generator=self.generator)
            else:
                sampler = SequentialSampler(source)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler

    @property
    def multiprocessing_context(self) -> Any:
        """The context that worker processes are made in; None for the default."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            import multiprocessing

            if self.num_workers == 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process "
                    "loading (num_workers > 0), but got "
                    f"num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                known = multiprocessing.get_all_start_methods()
                if context not in known:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start "
                        f"method in {known!r}, but got "
                        f"multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object "
                    "or a string specifying the start method, but got "
                    f"multiprocessing_context={context}"
                )
        self._multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialized and name in self._FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is "
                "initialized"
            )
        super().__setattr__(name, value)

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    def __iter__(self) -> Iterator[Any]:
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        kept = self._iterator
        if kept is not None and kept.reusable:
            kept.restart(self)
        else:
            kept = cast(_MultiProcessingDataLoaderIter, self._get_iterator())
            self._iterator = kept
        return kept

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(cast(Sized, self.dataset))
        if self.batch_size is None:
            return length
        whole, rest = divmod(length, self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    def check_worker_number_rationality(self) -> None:
        """Warn if there are more workers than processors."""
        if self.num_workers == 0:
            return
        if hasattr(os, "sched_getaffinity"):
            available = len(os.sched_getaffinity(0))
        else:
            available = os.cpu_count() or 1
        if self.num_workers > available:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in "
                f"total. Our suggested max number of worker in current system is "
                f"{available}, which is smaller than what this DataLoader is going to "
                "create. Please be aware that excessive worker creation might get "
                "DataLoader running slow or even freeze, lower the worker number to "
                "avoid potential slowness/freeze if necessary.",
                stacklevel=3,
            )

    # ---- saving the position; not in PyTorch ----

    def state_dict(self) -> dict[str, Any]:
        """Return where the current pass is, and the random state; not in PyTorch.

        A loader that loads it goes on with the next batch: the rest of the pass and
        all later ones are what they would have been. What runs in worker processes
        begins with the seeds of the pass again, so random transforms there repeat.
        """
        now = position.states(self)
        current = self._position
        if current is None or current.finished:
            kept = self._iterator
            seed = kept._base_seed if kept is not None and kept.reusable else None
            state: dict[str, Any] = {
                "start": now,
                "kept_seed": seed,
                "yielded": 0,
                "now": None,
            }
        else:
            state = {
                "start": current.start,
                "kept_seed": current.kept_seed,
                "yielded": current.yielded,
                "now": now,
            }
        if hasattr(self.sampler, "set_epoch"):
            state["epoch"] = getattr(self.sampler, "epoch", 0)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next pass go on from a saved position; not in PyTorch.

        When that pass begins, the default generator (and the loader's own) is set to
        its saved state. A stream is read again up to the position.
        """
        if not self.in_order and self.num_workers > 0:
            raise ValueError("load_state_dict: needs in_order=True")
        count = len(position.generators(self))
        if len(state_dict["start"]) != count:
            raise ValueError(
                f"load_state_dict: expected the states of {count} generators, got "
                f"{len(state_dict['start'])}"
            )
        self._resume = dict(state_dict)
        if "epoch" in state_dict and hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(state_dict["epoch"])
