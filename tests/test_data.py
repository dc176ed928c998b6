"""Data sets, samplers, collation and the DataLoader, against PyTorch's."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
import tinytorch.utils.data as data
from outcomes import outcome
from tinytorch.utils.data._utils.fetch import MapDatasetFetcher

torch = pytest.importorskip("torch")
torch_data = pytest.importorskip("torch.utils.data")

BOTH = ((tt, data), (torch, torch_data))


def plain(value: Any) -> Any:
    """Return nested tensors as nested lists, with their types."""
    if isinstance(value, (tt.Tensor, torch.Tensor)):
        return str(value.dtype).rpartition(".")[2], value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    return value


def same(call: Callable[[Any, Any], Any]) -> Any:
    """Call with each library after seeding it; compare; return ours."""
    results = []
    for library, module in BOTH:
        library.manual_seed(11)
        done = outcome(lambda: plain(call(library, module)))  # noqa: B023
        results.append((done, library.rand(1).item()))
    assert results[0] == results[1]
    return results[0][0]


# ---- the random stream ----

LOADERS: list[dict[str, Any]] = [
    {"batch_size": 3},
    {"batch_size": 3, "shuffle": True},
    {"batch_size": 4, "shuffle": True, "drop_last": True},
    {"batch_size": None, "shuffle": True},
    {"batch_size": 100, "shuffle": True},
]


@pytest.mark.parametrize("options", LOADERS, ids=str)
@pytest.mark.parametrize("own_generator", [False, True])
def test_loader_gives_the_same_batches(
    options: dict[str, Any], own_generator: bool
) -> None:
    def read(library: Any, module: Any) -> Any:
        more = {"generator": library.Generator()} if own_generator else {}
        if own_generator:
            more["generator"].manual_seed(5)
        loader = module.DataLoader(list(range(10)), **options, **more)
        read = [list(loader) for _ in range(3)]
        after = [g.get_state().tolist()[:40] for g in more.values()]
        return read, library.rand(2), after, len(loader)

    same(read)


SAMPLERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sequential": lambda L, m, g: m.SequentialSampler(range(7)),
    "random": lambda L, m, g: m.RandomSampler(range(7), generator=g),
    "more": lambda L, m, g: m.RandomSampler(range(7), num_samples=17, generator=g),
    "twice": lambda L, m, g: m.RandomSampler(range(7), num_samples=14, generator=g),
    "drawn": lambda L, m, g: m.RandomSampler(range(7), True, 70, generator=g),
    "drawn 64": lambda L, m, g: m.RandomSampler(range(7), True, 64, generator=g),
    "subset": lambda L, m, g: m.SubsetRandomSampler([5, 3, 9, 1], generator=g),
    "weighted": lambda L, m, g: m.WeightedRandomSampler(
        [0.1, 0.9, 0.4], 20, generator=g
    ),
    "weighted once": lambda L, m, g: m.WeightedRandomSampler(
        [0.1, 0.9, 0.4, 3.0], 3, replacement=False, generator=g
    ),
    "batch": lambda L, m, g: m.BatchSampler(
        m.RandomSampler(range(11), generator=g), 3, False
    ),
    "batch full": lambda L, m, g: m.BatchSampler(
        m.RandomSampler(range(11), generator=g), 3, True
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("own_generator", [False, True])
def test_sampler_gives_the_same_indices(name: str, own_generator: bool) -> None:
    def read(library: Any, module: Any) -> Any:
        generator = None
        if own_generator:
            generator = library.Generator()
            generator.manual_seed(3)
        sampler = SAMPLERS[name](library, module, generator)
        passes = [list(sampler), list(sampler)]
        rest = library.rand(3, generator=generator).tolist()
        return passes, len(sampler), rest

    assert same(read)[1][0] == "tuple"


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 2, 10, 11, 12])
def test_distributed_sampler_shares_as_pytorch(size: int, drop_last: bool) -> None:
    def read(library: Any, module: Any) -> Any:
        result = []
        for shuffle in (False, True):
            for rank in range(3):
                sampler = module.DistributedSampler(
                    range(size), 3, rank, shuffle, seed=4, drop_last=drop_last
                )
                sampler.set_epoch(2)
                result.append((list(sampler), len(sampler)))
        return result

    same(read)


def test_random_split() -> None:
    for lengths in ([3, 4, 3], [0.3, 0.3, 0.4], [0.25, 0.25, 0.5]):
        same(
            lambda L, m, lengths=lengths: [
                list(part) for part in m.random_split(list(range(10)), lengths)
            ]
        )
    generator = tt.Generator().manual_seed(1)
    parts = data.random_split(range(11), [0.5, 0.5], generator)
    assert [len(part) for part in parts] == [6, 5]
    assert sorted([*parts[0], *parts[1]]) == list(range(11))
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(1), [0.01, 0.99])


# ---- data sets ----


def test_data_sets_compose() -> None:
    def read(library: Any, module: Any) -> Any:
        x = library.arange(12).view(6, 2)
        pairs = module.TensorDataset(x, library.arange(6))
        joined = module.ConcatDataset([pairs, module.Subset(pairs, [4, 0])])
        stacked = module.StackDataset(pairs, joined.datasets[0])
        named = module.StackDataset(a=pairs, b=list("uvwxyz"))
        total = pairs + pairs
        return (
            [joined[i] for i in (0, 5, 6, 7, -1, -8)],
            len(joined),
            joined.cumulative_sizes,
            stacked[2],
            named[1],
            named.__getitems__([0, 3]),
            len(total),
            module.Subset(pairs, [3, 1, 2]).__getitems__([0, 2]),
        )

    same(read)


def streams(module: Any) -> type:
    class Stream(module.IterableDataset):
        def __init__(self, n: int) -> None:
            self.n = n

        def __iter__(self) -> Iterator[int]:
            return iter(range(self.n))

    return Stream


@pytest.mark.parametrize("batch_size", [None, 2, 5])
@pytest.mark.parametrize("drop_last", [False, True])
def test_streams(batch_size: int | None, drop_last: bool) -> None:
    if batch_size is None and drop_last:
        return

    def read(library: Any, module: Any) -> Any:
        stream = streams(module)
        chain = stream(3) + stream(4)
        loader = module.DataLoader(chain, batch_size, drop_last=drop_last)
        return [list(loader), list(loader)]

    same(read)


def test_length_of_a_stream_is_checked() -> None:
    class Liar(data.IterableDataset):
        def __iter__(self) -> Iterator[int]:
            return iter(range(3))

        def __len__(self) -> int:
            return 2

    loader = data.DataLoader(Liar(), batch_size=None)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        assert list(loader) == [0, 1, 2]


ERRORS: list[Callable[[Any, Any], Any]] = [
    lambda L, m: m.DataLoader([1], num_workers=-1),
    lambda L, m: m.DataLoader([1], timeout=-1),
    lambda L, m: m.DataLoader([1], prefetch_factor=2),
    lambda L, m: m.DataLoader([1], num_workers=1, prefetch_factor=-2),
    lambda L, m: m.DataLoader([1], persistent_workers=True),
    lambda L, m: m.DataLoader(streams(m)(2), shuffle=True),
    lambda L, m: m.DataLoader(streams(m)(2), sampler=[1]),
    lambda L, m: m.DataLoader(streams(m)(2), batch_sampler=[[1]]),
    lambda L, m: m.DataLoader([1], sampler=[1], shuffle=True),
    lambda L, m: m.DataLoader([1], batch_size=2, batch_sampler=[[1]]),
    lambda L, m: m.DataLoader([1], batch_size=None, drop_last=True),
    lambda L, m: m.DataLoader([1], num_workers=1, multiprocessing_context="x"),
    lambda L, m: m.DataLoader([1], num_workers=1, multiprocessing_context=3),
    lambda L, m: m.DataLoader([1], multiprocessing_context="fork"),
    lambda L, m: setattr(m.DataLoader([1]), "batch_size", 3),
    lambda L, m: m.DataLoader([], shuffle=True),
    lambda L, m: m.DataLoader([1], batch_size=0),
    lambda L, m: list(m.DataLoader([None])),
    lambda L, m: m.RandomSampler([1], replacement=1),
    lambda L, m: m.RandomSampler([1], num_samples=0),
    lambda L, m: m.WeightedRandomSampler([0.1], 0),
    lambda L, m: m.WeightedRandomSampler([0.1], 1, replacement=2),
    lambda L, m: m.WeightedRandomSampler([[0.1]], 1),
    lambda L, m: m.BatchSampler([1], 0, False),
    lambda L, m: m.BatchSampler([1], True, True),
    lambda L, m: m.BatchSampler([1], 1, 3),
    lambda L, m: m.TensorDataset(L.zeros(3), L.zeros(2)),
    lambda L, m: m.StackDataset(),
    lambda L, m: m.StackDataset([1], [1, 2]),
    lambda L, m: m.StackDataset([1], a=[1]),
    lambda L, m: m.ConcatDataset([]),
    lambda L, m: m.ConcatDataset([streams(m)(2)]),
    lambda L, m: m.ConcatDataset([[1]])[-5],
    lambda L, m: len(m.ChainDataset([[1]])),
    lambda L, m: m.random_split([1, 2], [5]),
    lambda L, m: m.random_split([1, 2], [-0.3, 1.3]),
    lambda L, m: m.DistributedSampler([1], 2, 5),
    lambda L, m: m.Dataset()[0],
]


@pytest.mark.parametrize("call", ERRORS, ids=range(len(ERRORS)))
def test_errors_are_pytorchs(call: Callable[[Any, Any], Any]) -> None:
    kind, text = same(call)
    assert kind.endswith("Error")
    assert text


# ---- collation ----

Pair = collections.namedtuple("Pair", "a b")


class Weird(list):  # type: ignore[type-arg]
    """A sequence whose class cannot be made from a list."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__([a, b])


BATCHES: list[Any] = [
    [1, 2],
    [1.5, 2],
    [1, 2.5],
    [True, False],
    ["a", "b"],
    [b"a"],
    [(1, 2.0), (3, 4.0)],
    [[1, "a"], [2, "b"]],
    [{"a": 1, "b": {"c": 2.0}}, {"a": 2, "b": {"c": 3.0}}],
    [Pair(1, 2), Pair(3, 4)],
    [collections.OrderedDict(a=1)],
    [collections.defaultdict(int, a=1)],
    [np.float32(3), np.float32(4)],
    [np.float64(3)],
    [np.int16(3), np.int16(4)],
    [np.bool_(True)],
    [np.zeros(2), np.ones(2)],
    [np.array(2)],
    [np.array(["a"])],
    [None],
    [(1,), (1, 2)],
    [range(2), range(2)],
    [{1, 2}],
    [1 + 2j],
    [Weird(1, 2), Weird(3, 4)],
]


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_collate(batch: Any) -> None:
    same(lambda L, m: m.default_collate(batch))


def test_collate_tensors() -> None:
    same(lambda L, m: m.default_collate([L.ones(2), L.zeros(2)]))
    same(lambda L, m: m.default_collate([(L.ones(()), 1), (L.zeros(()), 2)]))
    same(lambda L, m: m.default_collate([L.ones(2), L.zeros(3)]))


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2),
        [np.zeros(1), "a"],
        {"a": np.ones(1)},
        (1, np.float32(2)),
        Pair(np.zeros(1), 2),
        3,
        "text",
    ],
    ids=str,
)
def test_convert(value: Any) -> None:
    same(lambda L, m: m.default_convert(value))


# ---- batches in one call ----


def test_rows_of_tensors_are_gathered_at_once(monkeypatch: Any) -> None:
    base = data.TensorDataset(tt.arange(20.0).view(10, 2), tt.arange(10))
    inner = data.Subset(data.Subset(base, [9, 8, 7, 3, 2]), [4, 0, 2])
    expected = [
        data.default_collate([dataset[i] for i in indices])
        for dataset, indices in ((base, [3, 0, 9]), (inner, [0, 2, 1]))
    ]

    def refuse(*args: Any) -> Any:
        raise AssertionError("fetched item by item")

    monkeypatch.setattr(data.TensorDataset, "__getitem__", refuse)
    for dataset, indices, batch in (
        (base, [3, 0, 9], expected[0]),
        (inner, [0, 2, 1], expected[1]),
    ):
        fetcher = MapDatasetFetcher(dataset, True, data.default_collate, False)
        assert plain(fetcher.fetch(indices)) == plain(batch)


def test_an_override_is_respected() -> None:
    class Doubled(data.TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(2 * x for x in super().__getitem__(index))

    class Named(data.Subset):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            return [f"item {i}" for i in indices]

    x = tt.arange(4)
    assert [b[0].tolist() for b in data.DataLoader(Doubled(x), 2)] == [[0, 2], [4, 6]]
    subset = Named(data.TensorDataset(x), [1, 2])
    assert list(data.DataLoader(subset, 2)) == [["item 0", "item 1"]]
    seen: list[Any] = []
    list(data.DataLoader(data.TensorDataset(x), 2, collate_fn=seen.append))
    assert len(seen[0]) == 2


def test_odd_indices_of_tensor_data_sets() -> None:
    def read(library: Any, module: Any) -> Any:
        dataset = module.TensorDataset(library.arange(5))
        result = []
        for order in ([-1, 0, 2], list(library.tensor([1, 3]))):
            result.append(list(module.DataLoader(dataset, 2, sampler=order)))
        return result

    same(read)
    with pytest.raises(IndexError):
        list(data.DataLoader(data.TensorDataset(tt.arange(3)), sampler=[7]))
