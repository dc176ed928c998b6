"""Convolutions of many channels, on grids of all widths, beside PyTorch's in float64.

The op database has few channels: what these shapes are for is the kernels whose vectors
run along channels, the pieces that they cut a call into, and what is left over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt


class Shape(NamedTuple):
    """What a convolution is called with."""

    x: tuple[int, ...]
    outputs: int
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = True


SHAPES = {
    "whole vectors": Shape((3, 16, 14, 14), 32, (3, 3), padding=1),
    "channels left over": Shape((2, 20, 9, 9), 29, (3, 3), padding=1),
    "three vectors": Shape((2, 12, 10, 12), 24, (5, 5), padding=2),
    "one vector": Shape((2, 17, 7, 11), 8, (3, 3), padding=1),
    "no padding": Shape((2, 16, 13, 13), 40, (3, 3)),
    "rows of whole vectors": Shape((2, 16, 26, 26), 32, (3, 3)),
    "small planes": Shape((40, 24, 7, 7), 16, (3, 3), padding=1),
    "one point": Shape((20, 32, 3, 3), 24, (3, 3)),
    "one by one": Shape((3, 40, 8, 8), 48, (1, 1)),
    "strided": Shape((2, 16, 15, 17), 24, (3, 3), stride=2, padding=1),
    "strided further": Shape((2, 16, 15, 17), 24, (3, 3), stride=3),
    "dilated": Shape((2, 16, 15, 17), 24, (3, 3), padding=2, dilation=2),
    "groups": Shape((2, 48, 9, 10), 32, (3, 3), padding=1, groups=4),
    "large kernel": Shape((1, 8, 30, 30), 16, (11, 9), padding=4),
    "padded far": Shape((1, 16, 4, 4), 16, (3, 3), padding=5),
    "large plane": Shape((1, 8, 90, 101), 64, (3, 3), padding=1, bias=False),
    "many channels": Shape((1, 300, 6, 6), 72, (3, 3), padding=1),
    "signal": Shape((3, 24, 211), 24, (5,), padding=2),
    "long signal": Shape((1, 16, 3000), 16, (3,), padding=1),
    "volume": Shape((2, 8, 7, 6, 9), 16, (3, 3, 3), padding=1),
    "strided volume": Shape((1, 8, 7, 6, 9), 16, (3, 2, 3), stride=2, padding=1),
}


def results(library: Any, shape: Shape, transposed: bool, dtype: str) -> list[Any]:
    """Return y and the gradients of x, w and b, from the same numbers."""
    generator = torch.Generator().manual_seed(5)
    dims, kind = len(shape.kernel), getattr(torch, dtype)
    channels = (shape.x[1], shape.outputs // shape.groups)
    if not transposed:
        channels = (shape.outputs, shape.x[1] // shape.groups)

    def drawn(*sizes: int) -> Any:
        values = torch.randn(*sizes, generator=generator, dtype=kind)
        return (values if library is torch else tt.tensor(values.tolist(),
                dtype=getattr(tt, dtype))).requires_grad_()

    x, w = drawn(*shape.x), drawn(*channels, *shape.kernel)
    b = drawn(shape.outputs) if shape.bias else None
    name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    y = getattr(library.nn.functional, name)(
        x, w, b, stride=shape.stride, padding=shape.padding, dilation=shape.dilation,
        groups=shape.groups)
    y.backward(drawn(*y.shape).detach())
    return [y.detach(), x.grad, w.grad] + ([b.grad] if shape.bias else [])


def largest_difference(ours: Any, theirs: Any) -> float:
    """Return the greatest difference, relative to the greatest number."""
    return float((torch.tensor(ours.tolist(), dtype=torch.float64) -
                  theirs.double()).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_convolution_and_gradients_equal_pytorchs(name: str, transposed: bool) -> None:
    shape = SHAPES[name]
    if transposed and (shape.padding > 4 or shape.outputs % shape.groups):
        pytest.skip("the result would be empty")
    ours = results(tt, shape, transposed, "float64")
    theirs = results(torch, shape, transposed, "float64")
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        assert largest_difference(a, b) < 1e-13


@pytest.mark.parametrize("name", ["whole vectors", "channels left over", "volume"])
def test_single_precision_equals_pytorchs(name: str) -> None:
    ours = results(tt, SHAPES[name], False, "float32")
    theirs = results(torch, SHAPES[name], False, "float32")
    for a, b in zip(ours, theirs, strict=True):
        assert largest_difference(a, b) < 3e-6


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    before = tt.get_num_threads()
    shape = Shape((16, 24, 20, 20), 40, (5, 5), padding=2)
    try:
        found = []
        for threads in (1, 2, 3):
            tt.set_num_threads(threads)
            found.append(results(tt, shape, False, "float32"))
    finally:
        tt.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert bool((a == b).all())


def test_unused_lanes_spread_no_nan() -> None:
    x = tt.full((1, 16, 6, 6), float("inf"))
    w = tt.ones(20, 16, 3, 3)
    y = tt.nn.functional.conv2d(x, w, padding=1)
    assert bool((y == float("inf")).all())


# Large enough for products by tile: 3 x 3, 5 x 5, odd sizes, small planes, groups.
TILED = {
    "three": Shape((8, 16, 13, 27), 36, (3, 3), padding=1),
    "five": Shape((8, 18, 15, 14), 24, (5, 5), padding=2),
    "five, no padding": Shape((9, 24, 16, 21), 16, (5, 5)),
    "small planes": Shape((41, 20, 7, 6), 56, (3, 3), padding=1),
    "many channels": Shape((3, 150, 29, 30), 20, (3, 3), padding=2),
    "groups": Shape((5, 48, 20, 20), 64, (3, 3), padding=1, groups=2),
    "wide": Shape((1, 16, 16, 300), 16, (3, 3), padding=1, bias=False),
}


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", TILED)
def test_products_by_tile_equal_pytorchs(name: str, transposed: bool) -> None:
    ours = results(tt, TILED[name], transposed, "float32")
    theirs = results(torch, TILED[name], transposed, "float32")
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        assert largest_difference(a, b) < 3e-6


def test_products_by_tile_keep_small_integers_exact() -> None:
    torch.manual_seed(3)
    numbers = torch.randint(-3, 4, (4, 16, 20, 20)).float()
    weight = torch.randint(-3, 4, (16, 16, 5, 5)).float()
    y = tt.nn.functional.conv2d(tt.tensor(numbers.tolist()),
                                tt.tensor(weight.tolist()), padding=2)
    exact = torch.nn.functional.conv2d(numbers.double(), weight.double(), padding=2)
    assert torch.equal(torch.tensor(y.tolist()).double(), exact)


def test_an_infinity_reaches_only_what_it_touches() -> None:
    torch.manual_seed(3)
    numbers, weight = torch.randn(4, 16, 20, 20), torch.randn(16, 16, 3, 3)
    numbers[1, 3, 8, 9] = float("inf")
    y = tt.nn.functional.conv2d(tt.tensor(numbers.tolist()),
                                tt.tensor(weight.tolist()), padding=1)
    theirs = torch.nn.functional.conv2d(numbers, weight, padding=1)
    assert int(theirs.isinf().sum()) == 16 * 9
    torch.testing.assert_close(torch.tensor(y.tolist()), theirs, atol=2e-4, rtol=1e-5)


def test_second_derivatives_of_many_channels() -> None:
    x = tt.randn(2, 9, 5, 5, dtype=tt.float64).requires_grad_()
    w = tt.randn(9, 9, 2, 2, dtype=tt.float64).requires_grad_()

    def slopes(x: Any, w: Any) -> Any:
        y = tt.nn.functional.conv2d(x, w, padding=1)
        return tt.autograd.grad((y ** 2).sum(), (x, w), create_graph=True)

    gx, gw = slopes(x, w)
    ours = tt.autograd.grad((gx.sin().sum() + gw.cos().sum()), (x, w))
    tx = torch.tensor(x.tolist(), dtype=torch.float64).requires_grad_()
    tw = torch.tensor(w.tolist(), dtype=torch.float64).requires_grad_()
    y = torch.nn.functional.conv2d(tx, tw, padding=1)
    gx, gw = torch.autograd.grad((y ** 2).sum(), (tx, tw), create_graph=True)
    theirs = torch.autograd.grad((gx.sin().sum() + gw.cos().sum()), (tx, tw))
    for a, b in zip(ours, theirs, strict=True):
        assert largest_difference(a, b) < 1e-11
