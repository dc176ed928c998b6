"""Views: what shares memory, writes seen by all, strides, gradients through views."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch as tt

EXAMPLES = settings(max_examples=150, deadline=None)

VIEWS: dict[str, Callable[[Any], Any]] = {
    "view": lambda x: x.view(4, 6),
    "view dtype": lambda x: x.view(x.dtype),
    "view_as": lambda x: x.view_as(x.reshape(6, 4)),
    "reshape": lambda x: x.reshape(2, 12),
    "transpose": lambda x: x.transpose(0, 2),
    "T of a matrix": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "permute": lambda x: x.permute(2, 0, 1),
    "movedim": lambda x: x.movedim(0, -1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "expand_as": lambda x: x[:, :1].expand_as(x),
    "broadcast_to": lambda x: x.broadcast_to(2, 2, 3, 4),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "ravel": lambda x: x.ravel(),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "select": lambda x: x.select(1, 2),
    "slice": lambda x: x[:, 1:, ::2],
    "ellipsis": lambda x: x[..., 0],
    "newaxis": lambda x: x[:, None],
    "diagonal": lambda x: x.diagonal(0, 1, 2),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "as_strided": lambda x: x.as_strided((2, 2), (12, 4), 1),
    "detach": lambda x: x.detach(),
    "split": lambda x: x.split(2, 2)[1],
    "split sizes": lambda x: x.split([1, 2], 1)[1],
    "chunk": lambda x: x.chunk(2, 0)[1],
    "tensor_split": lambda x: x.tensor_split(3, 2)[2],
    "unbind": lambda x: x.unbind(1)[2],
    "hsplit": lambda x: tt.hsplit(x, 3)[0],
    "contiguous of contiguous": lambda x: x.contiguous(),
    "to the same": lambda x: x.to(x.dtype),
    "real": lambda x: x.real,
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.transpose(0, 1).contiguous(),
    "reshape of strided": lambda x: x.transpose(0, 1).reshape(-1),
    "flatten of strided": lambda x: x.transpose(0, 2).flatten(),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1, 0),
    "repeat": lambda x: x.repeat(1, 1, 1),
    "to copy": lambda x: x.to(x.dtype, copy=True),
    "tril": lambda x: x.tril(),
    "index": lambda x: x[[0, 1]],
    "mask": lambda x: x[x == x],
    "cat": lambda x: tt.cat([x]),
}


def filled() -> Any:
    """Return a (2, 3, 4) tensor of 0, 1, 2, ..."""
    return tt.arange(24, dtype=tt.float64).reshape(2, 3, 4)


def address(x: Any) -> int:
    return x.untyped_storage().data_ptr()


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_view_shares_memory_and_version(make: Callable[[Any], Any]) -> None:
    x = filled()
    y = make(x)
    assert address(y) == address(x)
    version = x._version
    y.select(0, 0).fill_(-7) if y.dim() else y.fill_(-7)
    assert (x == -7).any()
    if y is not x and not y.is_set_to(x):
        assert x._version == y._version or make is VIEWS["detach"]
    assert x._version > version


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_copy_shares_nothing(make: Callable[[Any], Any]) -> None:
    x = filled()
    y = make(x)
    assert address(y) != address(x)
    y.fill_(-7)
    assert x.tolist() == filled().tolist()


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_view_equals_torch_in_shape_stride_and_offset(
    make: Callable[[Any], Any],
) -> None:
    torch = pytest.importorskip("torch")
    if make is VIEWS["hsplit"]:
        pytest.skip("the row calls tinytorch by name")
    y = make(filled())
    expected = make(torch.arange(24, dtype=torch.float64).reshape(2, 3, 4))
    assert tuple(y.shape) == tuple(expected.shape)
    assert tuple(y.stride()) == tuple(expected.stride())
    assert y.storage_offset() == expected.storage_offset()
    assert y.is_contiguous() == expected.is_contiguous()
    assert y.tolist() == expected.tolist()


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_gradient_of_view_scatters_back(make: Callable[[Any], Any]) -> None:
    if make in (VIEWS["detach"], VIEWS["view dtype"]):
        assert not make(filled().requires_grad_()).requires_grad
        return
    x = filled().requires_grad_()
    y = make(x)
    weight = tt.arange(y.numel(), dtype=tt.float64).reshape(y.shape) + 1
    (gx,) = tt.autograd.grad(y, x, weight)
    places = make(filled()).flatten().to(tt.int64).tolist()
    expected = np.zeros(24)
    np.add.at(expected, places, np.arange(len(places)) + 1.0)
    assert gx.flatten().tolist() == expected.tolist()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_gradient_of_permute_in_every_order(order: tuple[int, ...]) -> None:
    x = tt.randn(2, 3, 4, 5, dtype=tt.float64, requires_grad=True)
    weight = tt.randn(tuple(x.shape[i] for i in order), dtype=tt.float64)
    (x.permute(order) * weight).sum().backward()
    expected = np.transpose(weight.numpy(), np.argsort(order))
    assert x.grad.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x.transpose(0, 1).view(-1),
        lambda x: x.view(5, 5),
        lambda x: x.view(-1, -1),
        lambda x: x.reshape(7, -1),
        lambda x: x.expand(2, 5, 4),
        lambda x: x.narrow(2, 3, 2),
        lambda x: x.permute(0, 1),
        lambda x: x.permute(0, 1, 1),
        lambda x: x.transpose(0, 3),
        lambda x: x.unflatten(2, (3, 2)),
        lambda x: x.as_strided((100,), (1,)),
        lambda x: x.split([1, 1], 1),
        lambda x: x.unfold(2, 5, 1),
        lambda x: x.squeeze(4),
        lambda x: x.select(1, 3),
        lambda x: x[0, :1].expand(2, 4).add_(1),
    ],
)
def test_impossible_view_raises_as_torch(wrong: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises((RuntimeError, IndexError)) as expected:
        wrong(torch.arange(24.0).reshape(2, 3, 4))
    with pytest.raises(expected.type):
        wrong(tt.arange(24.0).reshape(2, 3, 4))


# ---- chains of views against NumPy ----


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, Any]]]:
    """A shape and a list of view ops that fit it, one after the other."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    steps: list[tuple[str, Any]] = []
    x = np.empty(shape)
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(["permute", "slice", "unsqueeze", "select"]))
        if name == "permute":
            step: Any = tuple(draw(st.permutations(range(x.ndim))))
            x = x.transpose(step)
        elif name == "slice" and x.ndim:
            axis = draw(st.integers(0, x.ndim - 1))
            at = draw(st.integers(0, max(x.shape[axis] - 1, 0)))
            step = (slice(None),) * axis + (slice(at, None, draw(st.integers(1, 2))),)
            x = x[step]
        elif name == "select" and x.ndim and x.shape[0]:
            step = draw(st.integers(0, x.shape[0] - 1))
            x = x[step, ...]  # an array also where no axis is left
        elif name == "unsqueeze":
            step = draw(st.integers(0, x.ndim))
            x = np.expand_dims(x, step)
        else:
            continue
        steps.append((name, step))
    return shape, steps


def follow(x: Any, steps: list[tuple[str, Any]]) -> Any:
    """Take the steps of a chain on an array or a tensor."""
    for name, step in steps:
        if name == "permute":
            x = x.transpose(step) if isinstance(x, np.ndarray) else x.permute(step)
        elif name == "unsqueeze":
            at = isinstance(x, np.ndarray)
            x = np.expand_dims(x, step) if at else x.unsqueeze(step)
        else:
            x = x[step, ...] if name == "select" else x[step]
    return x


@given(chains())
@EXAMPLES
def test_chain_of_views_is_numpys(case: tuple[tuple[int, ...], Any]) -> None:
    shape, steps = case
    base = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = tt.tensor(base.tolist(), dtype=tt.float64)
    y, expected = follow(x, steps), follow(base, steps)
    assert tuple(y.shape) == expected.shape
    assert y.tolist() == expected.tolist()
    assert y.contiguous().tolist() == (y + 0).tolist() == expected.tolist()
    y.mul_(-2)
    expected[...] *= -2
    assert x.tolist() == base.tolist()


@given(chains())
@EXAMPLES
def test_chain_of_views_sums_and_orders_as_the_copy(
    case: tuple[tuple[int, ...], Any],
) -> None:
    shape, steps = case
    y = follow(tt.randn(shape, dtype=tt.float64), steps)
    copy = y.clone(memory_format=tt.contiguous_format)
    assert y.sum().item() == pytest.approx(copy.sum().item(), rel=1e-12, abs=1e-12)
    for dim in range(y.dim()):
        assert y.cumsum(dim).tolist() == copy.cumsum(dim).tolist()
        if y.shape[dim]:
            assert y.amax(dim).tolist() == copy.amax(dim).tolist()


def test_view_of_another_dtype() -> None:
    x = tt.tensor([1.0, -2.0], dtype=tt.float32)
    bits = x.view(tt.int32)
    assert bits.tolist() == [0x3F800000, -0x40000000]
    bits[0] = 0x40400000
    assert x.tolist() == [3.0, -2.0]
    assert x.view(tt.uint8).shape == (8,) and x.view(tt.float64).shape == (1,)
    with pytest.raises(RuntimeError):
        x[:1].view(tt.float64)


def test_view_keeps_the_storage_alive() -> None:
    y = tt.arange(1000, dtype=tt.float64)[500:502]
    junk = [tt.zeros(1000, dtype=tt.float64) for _ in range(10)]
    assert y.tolist() == [500.0, 501.0] and len(junk) == 10


def test_padding_of_a_view_begins_where_the_view_does() -> None:
    x = tt.arange(12.0).view(3, 2, 2).requires_grad_()
    y = tt.nn.functional.pad(x[1:2], [1, 0, 0, 0], value=9.0)
    assert y.tolist() == [[[9.0, 4.0, 5.0], [9.0, 6.0, 7.0]]]
    y = tt.nn.functional.pad(x[2:, :, 1:], [0, 0, -1, 1])
    assert y.tolist() == [[[11.0], [0.0]]]
    y.sum().backward()
    assert x.grad.nonzero().tolist() == [[2, 1, 1]]
