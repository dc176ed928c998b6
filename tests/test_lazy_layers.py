"""Lazy layers beside PyTorch's: what the first input or a state makes of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from oracle import difference, seed, to_tiny, to_torch

# Layer, its arguments, the shape of an input.
LAZY: list[tuple[str, tuple[Any, ...], tuple[int, ...]]] = [
    ("LazyLinear", (3,), (4, 5)),
    ("LazyLinear", (3, False), (4, 5)),
    ("LazyConv1d", (4, 3), (2, 3, 8)),
    ("LazyConv2d", (4, 3), (3, 8, 8)),
    ("LazyConv3d", (4, 3), (1, 2, 5, 5, 5)),
    ("LazyConvTranspose1d", (4, 3), (2, 3, 8)),
    ("LazyConvTranspose2d", (4, 3, 2), (2, 3, 4, 4)),
    ("LazyConvTranspose3d", (4, 2), (2, 2, 3, 3, 3)),
    ("LazyBatchNorm1d", (), (4, 5)),
    ("LazyBatchNorm2d", (), (4, 3, 2, 2)),
    ("LazyBatchNorm3d", (), (4, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d", (), (4, 5, 3)),
    ("LazyInstanceNorm2d", (), (4, 5, 3, 3)),
    ("LazyInstanceNorm3d", (), (2, 2, 3, 3, 3)),
]
IDS = [f"{name}{args}" for name, args, _ in LAZY]


def build(library: Any, name: str, args: tuple[Any, ...]) -> Any:
    """Return a seeded layer of a library."""
    seed(4)
    return getattr(library.nn, name)(*args)


def compare_states(layer: Any, expected: Any) -> None:
    """Assert that keys and values agree."""
    actual, wanted = layer.state_dict(), expected.state_dict()
    assert list(actual) == list(wanted)
    for key, value in wanted.items():
        assert difference(to_torch(actual[key]), value) is None, key


@pytest.mark.parametrize(("name", "args", "shape"), LAZY, ids=IDS)
def test_lazy_layer_learns_its_shape(
    name: str, args: tuple[Any, ...], shape: tuple[int, ...]
) -> None:
    layer, expected = build(tt, name, args), build(torch, name, args)
    assert repr(layer) == repr(expected)
    assert layer.has_uninitialized_params() and expected.has_uninitialized_params()
    assert list(layer.state_dict()) == list(expected.state_dict())
    x = torch.randn(shape)
    seed(5)
    wanted = expected(x)
    seed(5)
    actual = layer(to_tiny(x))
    assert type(layer) is getattr(tt.nn, name.replace("Lazy", ""))
    assert repr(layer) == repr(expected)
    assert difference(to_torch(actual), wanted) is None
    compare_states(layer, expected)
    actual.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize(("name", "args", "shape"), LAZY, ids=IDS)
def test_lazy_layer_takes_shapes_from_a_state(
    name: str, args: tuple[Any, ...], shape: tuple[int, ...]
) -> None:
    expected = build(torch, name, args)
    x = torch.randn(shape)
    expected(x)
    layer = build(tt, name, args)
    twin = copy.deepcopy(layer)
    for fresh in (layer, twin):
        fresh.load_state_dict(to_tiny(dict(expected.state_dict())))
        compare_states(fresh, expected)
        assert not fresh.has_uninitialized_params()
        assert difference(to_torch(fresh(to_tiny(x))), expected(x)) is None
        assert repr(fresh) == repr(expected)
        expected.load_state_dict(
            {key: to_torch(value) for key, value in fresh.state_dict().items()}
        )
