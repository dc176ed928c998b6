"""In a Sequential, Linear and ReLU are one call: the same bits, and nobody notices."""

from __future__ import annotations

from typing import Any

import pytest
from tinytorch._core.blas import _prefer_own
from tinytorch._core.ops.linear import linear_relu

import tinytorch as tt
from tinytorch import nn
from tinytorch.autograd import gradcheck, gradgradcheck

F = nn.functional
FLOATS = (tt.float32, tt.float64)

# rows, in, out: tiles with and without edges, dots, more than one pass, packed, shared
SIZES = [
    (64, 8, 64), (64, 64, 64), (100, 2, 24), (100, 24, 12), (7, 5, 3), (1, 300, 17),
    (3, 300, 2), (2, 9, 64), (70, 600, 19), (300, 784, 130), (1, 1, 1), (5, 0, 4),
    (0, 3, 4),
]


def parts(rows: int, cols: int, out: int, dtype: Any, bias: bool = True) -> list[Any]:
    """Return input, weight and bias, with some zeros of both signs and a NaN."""
    tt.manual_seed(rows * 1000 + cols * 10 + out)
    x = tt.randn(rows, cols, dtype=dtype)
    w = tt.randn(out, cols, dtype=dtype)
    if rows > 2 and cols:
        x[1] = 0
        x[2, 0] = float("nan")
    made = [x, w]
    if bias:
        b = tt.randn(out, dtype=dtype)
        b[:1] = -0.0
        made.append(b)
    return [t.requires_grad_() for t in made]


def same(a: Any, b: Any) -> bool:
    """Whether the bits agree, but for the payload of NaN."""
    whole = tt.int32 if a.dtype == tt.float32 else tt.int64
    nan = a.isnan()
    return bool((a.isnan() == b.isnan()).all()) and bool(
        (a.masked_fill(nan, 0).view(whole) == b.masked_fill(nan, 0).view(whole)).all()
    )


@pytest.mark.parametrize("own", [True, False], ids=["own", "blas"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "none"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bits_are_those_of_two_calls(
    size: tuple[int, int, int], dtype: Any, bias: bool, own: bool
) -> None:
    first = parts(*size, dtype, bias)
    second = [t.detach().clone().requires_grad_() for t in first]
    before = _prefer_own(own)
    try:
        y = linear_relu(*first)
        z = F.relu(F.linear(*second))
        seed = tt.randn_like(y)
        y.backward(seed)
        z.backward(seed)
    finally:
        _prefer_own(before)
    assert same(y.detach(), z.detach())
    for a, b in zip(first, second, strict=True):
        assert same(a.grad, b.grad)


@pytest.mark.parametrize("kept", [(0,), (1,), (2,), (0, 1), (1, 2)], ids=str)
def test_some_gradients(kept: tuple[int, ...]) -> None:
    first = [t.detach() for t in parts(6, 5, 4, tt.float64)]
    first[0][2, 0] = 1.0
    second = [t.clone() for t in first]
    for i in kept:
        first[i].requires_grad_()
        second[i].requires_grad_()
    linear_relu(*first).square().sum().backward()
    F.relu(F.linear(*second)).square().sum().backward()
    for a, b in zip(first, second, strict=True):
        assert (a.grad is None) == (b.grad is None)
        assert a.grad is None or same(a.grad, b.grad)


def test_derivatives() -> None:
    tt.manual_seed(3)
    inputs = tuple(
        tt.randn(*shape, dtype=tt.float64, requires_grad=True)
        for shape in ((2, 3, 4), (5, 4), (5,))
    )
    assert gradcheck(linear_relu, inputs)
    assert gradgradcheck(linear_relu, inputs)


def test_what_it_cannot_do_at_once_is_done_in_turn() -> None:
    x, w, b = tt.randn(6, 5).double(), tt.randn(4, 5).double(), tt.randn(4).double()
    half = [t.half() for t in (x, w, b)]
    assert linear_relu(*half).equal(F.relu(F.linear(*half)))
    assert linear_relu(x[0], w[0]).equal(F.relu(F.linear(x[0], w[0])))
    one = tt.tensor(0.5, dtype=tt.float64)
    assert linear_relu(x, w, one).equal(F.relu(F.linear(x, w, one)))
    assert linear_relu(x.to("meta"), w.to("meta")).shape == (6, 4)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        linear_relu(x, w.T)


# ---- in a Sequential ----


def kernels(model: Any, x: Any) -> list[str]:
    """Return the kernels of one pass through a model."""
    with tt.profiler.profile() as p:
        model(x)
    return sorted(p.calls())


def pair(**kwargs: Any) -> Any:
    tt.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(**kwargs))


@pytest.mark.parametrize("inplace", [False, True])
def test_a_pair_is_one_call(inplace: bool) -> None:
    model = pair(inplace=inplace)
    x = tt.randn(2, 3)
    assert kernels(model, x) == ["linear"]
    y = model(x)
    assert y.equal(model[1](model[0](x)))
    assert y.grad_fn.name() == "ReluBackward0"


@pytest.mark.parametrize("last", [nn.Tanh, nn.Identity])
def test_other_successors_run_in_turn(last: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), last())
    x = tt.randn(2, 3)
    assert model(x).equal(model[2](model[1](model[0](x))))
    assert nn.Sequential(nn.Linear(3, 4))(x).shape == (2, 4)


def test_what_lies_between_is_seen_by_hooks() -> None:
    for index in (0, 1):
        model = pair()
        seen: list[Any] = []
        model[index].register_forward_hook(lambda m, i, o, seen=seen: seen.append(o))
        x = tt.randn(2, 3)
        y = model(x)
        assert len(seen) == 1
        assert seen[0].equal(y if index else model[0](x))


def test_forward_of_ones_own_is_called() -> None:
    class Shifted(nn.Linear):
        def forward(self, input: Any) -> Any:
            return super().forward(input) + 100

    x = tt.randn(2, 3)
    model = nn.Sequential(Shifted(3, 4), nn.ReLU())
    assert model(x).min() > 50
    model = pair()
    model[0].forward = lambda x: x - 7
    assert model(x).equal(F.relu(x - 7))
    model = pair()
    model[1].forward = lambda x: x + 1
    assert model(x).equal(model[0](x) + 1)


def test_parametrized_and_activated_layers_are_left_alone() -> None:
    x = tt.randn(2, 3)
    model = pair()
    nn.utils.parametrizations.weight_norm(model[0])
    assert model(x).equal(F.relu(model[0](x)))
    model = nn.Sequential(nn.Linear(3, 4, activation="tanh"), nn.ReLU())
    assert model(x).max() < 1
    assert model(x).equal(F.relu(model[0](x)))


def test_replay_equals_the_eager_step() -> None:
    x, y = tt.randn(10, 3), tt.randn(10, 1)

    def trained(captured: bool) -> list[Any]:
        tt.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        update = tt.optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            update.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            update.step()
            return loss

        run = tt.capture(step) if captured else step
        return [run(x, y).item() for _ in range(20)]

    assert trained(True) == trained(False)
