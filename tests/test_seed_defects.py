"""Defects that other small libraries had, and lessons from trackers, as tests of ours.

The numbers D1, D2, ... and L6, L7, ... are those of the list of features.  Defects of
optimisers, data loaders and files are tested where those live.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from test_ops import directional

F = tt.nn.functional


# ---- D2, L6: a second pass adds exactly the same gradient ----


def test_d2_intermediate_gradients_are_not_stale() -> None:
    x = tt.tensor([2.0, 3.0], requires_grad=True)
    h = x * x
    y = (h * h).sum()
    for times in range(1, 5):
        y.backward(retain_graph=True)
        assert x.grad.tolist() == [32.0 * times, 108.0 * times]
    assert h.grad_fn is not None and h.is_leaf is False


# ---- D3: every error is a Python exception ----


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x @ tt.ones(5, 5),
        lambda x: x + tt.ones(7),
        lambda x: tt.cat([x, tt.ones(2, 3, 4)]),
        lambda x: tt.stack([x, tt.ones(1)]),
        lambda x: F.conv2d(x, tt.ones(1, 1, 3, 3)),
        lambda x: F.linear(x, tt.ones(5, 5)),
        lambda x: x.gather(0, tt.zeros(3, 4)),
        lambda x: x.gather(5, tt.zeros(3, 4, dtype=tt.int64)),
        lambda x: F.cross_entropy(x, tt.tensor([0, 1, 9])),
        lambda x: F.nll_loss(x, tt.tensor([0.0, 1.0, 2.0])),
        lambda x: F.embedding(tt.tensor([7]), x),
        lambda x: F.layer_norm(x, (5,)),
        lambda x: tt.bmm(x, x),
        lambda x: tt.linalg.inv(x),
        lambda x: tt.linalg.cholesky(-tt.eye(3)),
        lambda x: x.to(tt.int64).mean(),
        lambda x: x.sum(dim=9),
        lambda x: x.softmax(dim=2),
        lambda x: x.topk(9),
        lambda x: tt.multinomial(-x, 1),
        lambda x: tt.arange(0, 10, 0),
        lambda x: tt.zeros(-1),
        lambda x: x.repeat(2),
        lambda x: x.backward(),
        lambda x: tt.einsum("ij,jk", x),
        lambda x: F.max_pool2d(x[None], 2, padding=2),
        lambda x: F.dropout(x, p=2.0),
        lambda x: x.item(),
    ],
)
def test_d3_errors_are_exceptions(wrong: Callable[[Any], Any]) -> None:
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        wrong(tt.arange(12.0).reshape(3, 4))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "name",
    "exp erfinv mm softmax cumsum sort svd inv conv2d layer_norm max_pool2d".split(),
)
def test_d3_any_dtype_gives_a_result_or_an_exception(name: str, dtype: str) -> None:
    x = tt.ones(1, 1, 4, 4).to(getattr(tt, dtype))
    calls: dict[str, Callable[[], Any]] = {
        "mm": lambda: x[0, 0].mm(x[0, 0]),
        "svd": lambda: tt.linalg.svd(x),
        "inv": lambda: tt.linalg.inv(x),
        "conv2d": lambda: F.conv2d(x, x),
        "layer_norm": lambda: F.layer_norm(x, (4,)),
        "max_pool2d": lambda: F.max_pool2d(x, 2),
        "softmax": lambda: x.softmax(-1),
        "cumsum": lambda: x.cumsum(-1),
        "sort": lambda: x.sort(-1),
    }
    try:
        calls.get(name, lambda: getattr(tt, name)(x))()
    except (RuntimeError, TypeError) as error:
        assert str(error)


# ---- D5: identities of extremes ----


def test_d5_max_pool_pads_with_minus_infinity() -> None:
    x = tt.full((1, 1, 4, 4), -5.0)
    assert (F.max_pool2d(x, 3, stride=1, padding=1) == -5).all()


@pytest.mark.parametrize("dtype", [tt.float32, tt.float64, tt.float16, tt.bfloat16])
def test_d5_rows_of_minus_infinity(dtype: Any) -> None:
    x = tt.full((2, 33), -float("inf"), dtype=dtype)
    assert x.max(1)[0].tolist() == x.amax(1).tolist() == [-float("inf")] * 2
    assert x.logsumexp(1).tolist() == [-float("inf")] * 2
    assert x.softmax(1).isnan().all()
    assert x.neg().min().item() == float("inf")


# ---- D10: no unchecked limits ----


@pytest.mark.parametrize("size", range(1, 10))
def test_d10_convolution_of_every_kernel_size(size: int) -> None:
    rng = np.random.default_rng(size)
    x, w = rng.normal(size=(2, 2, 11, 10)), rng.normal(size=(3, 2, size, size))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    expected = np.einsum("nchwij,ocij->nohw", windows, w)
    y = F.conv2d(*(tt.tensor(a.tolist(), dtype=tt.float64) for a in (x, w)))
    np.testing.assert_allclose(y.numpy(), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("classes", [1, 2, 3, 63, 64, 65, 100, 127, 128, 200])
def test_d10_cross_entropy_of_any_number_of_classes(classes: int) -> None:
    rng = np.random.default_rng(classes)
    logits, labels = rng.normal(size=(5, classes)), rng.integers(0, classes, 5)
    exps = np.exp(logits)
    expected = -np.log(exps[range(5), labels] / exps.sum(1)).mean()
    x = tt.tensor(logits.tolist(), dtype=tt.float64, requires_grad=True)
    loss = F.cross_entropy(x, tt.tensor(labels.tolist()))
    loss.backward()
    np.testing.assert_allclose(loss.item(), expected, 1e-12, 1e-14)
    gx = (exps / exps.sum(1, keepdims=True) - np.eye(classes)[labels]) / 5
    np.testing.assert_allclose(x.grad.numpy(), gx, 1e-10, 1e-14)


def test_d10_more_than_eight_dimensions() -> None:
    x = tt.arange(2.0**12).reshape([2] * 12)
    y = x.permute(*range(11, -1, -1)).contiguous()
    expected = np.arange(2.0**12).reshape([2] * 12).transpose()
    assert y.flatten().tolist() == expected.flatten().tolist()
    assert (x + x.permute(*range(11, -1, -1))).sum().item() == 2 * x.sum().item()
    assert tt.ones([1] * 64).dim() == 64
    with pytest.raises((RuntimeError, ValueError)):  # a limit, and it says so
        tt.ones([1] * 65)


# ---- L7, L8: distinct leaves, ties, counts in half ----


def test_l8_ties_of_extremes_share_the_gradient_as_torch() -> None:
    torch = pytest.importorskip("torch")

    def gradients(L: Any) -> list[Any]:
        found = []
        for extreme in (
            lambda x: x.max(),
            lambda x: x.amax(1).sum(),
            lambda x: x.max(1)[0].sum(),
            lambda x: x.min(0)[0].sum(),
            lambda x: x.median(),
            lambda x: x.sort(1)[0][:, 0].sum(),
            lambda x: L.maximum(x, x.flip(0)).sum(),
            lambda x: x.clamp(1, 2).sum(),
            lambda x: x.relu().sum(),
            lambda x: x.abs().sum(),
            lambda x: L.nn.functional.max_pool2d(x[None], 2).sum(),
        ):
            x = L.tensor([[1.0, 2.0, 2.0], [2.0, 0.0, 1.0]], requires_grad=True)
            extreme(x).backward()
            found.append(x.grad.tolist())
        return found

    assert gradients(tt) == gradients(torch)


def test_l8_seventy_thousand_ties_in_half() -> None:
    x = tt.ones(70_000, dtype=tt.float16, requires_grad=True)
    x.max().backward()
    assert x.grad.max().item() > 0
    assert (x.detach() == 1).sum().item() == 70_000
    assert tt.ones(70_000, dtype=tt.float16).mean().item() == 1.0


@pytest.mark.parametrize("dtype", [tt.float16, tt.bfloat16])
def test_l8_half_accumulates_in_float(dtype: Any) -> None:
    x = tt.full((4096,), 0.1, dtype=dtype)
    exact = x.double().sum().item()
    assert x.sum().item() == pytest.approx(exact, rel=1e-2)
    assert (x[None] @ x[:, None]).item() == pytest.approx(
        (x.double() ** 2).sum().item(), rel=1e-2
    )
    assert x.softmax(0).double().sum().item() == pytest.approx(1, rel=1e-2)


# ---- L9: never a silently missing gradient ----


@pytest.mark.parametrize(
    "op",
    [
        lambda x: x.floor(), lambda x: x.round(), lambda x: x.sign(), lambda x: x.max(),
        lambda x: x.cumsum(0), lambda x: x.topk(2)[0], lambda x: x.roll(1),
        lambda x: x.unfold(0, 2, 1), lambda x: F.pad(x, (1, 1)), lambda x: x.sort()[0],
        lambda x: x.prod(), lambda x: x.std(), lambda x: x.kthvalue(2)[0],
        lambda x: x[x > 0], lambda x: tt.where(x > 0, x, -x), lambda x: x.median(),
    ],
)  # fmt: skip
def test_l9_result_stays_in_the_graph(op: Callable[[Any], Any]) -> None:
    x = tt.tensor([3.0, -1.0, 2.0], requires_grad=True)
    y = op(x)
    assert y.requires_grad and y.grad_fn is not None
    y.sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    "op",
    [lambda x: x.argmax(), lambda x: x > 0, lambda x: x.long(), lambda x: x.sort()[1]],
)
def test_l9_integers_leave_the_graph(op: Callable[[Any], Any]) -> None:
    y = op(tt.tensor([3.0, -1.0], requires_grad=True))
    assert not y.requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        y.sum().backward()


# ---- L12, L13: warnings and integer division ----


@pytest.mark.parametrize(
    "loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss]
)
def test_l12_loss_that_broadcasts_warns(loss: Callable[..., Any]) -> None:
    with pytest.warns(UserWarning, match="Using a target size"):
        loss(tt.ones(3, 1), tt.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(tt.ones(3), tt.ones(3))


def test_variance_of_one_element_warns_and_is_nan() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert tt.ones(1).var().isnan().item()


def test_l13_division() -> None:
    a, b = tt.tensor([7, -7, 7, -7]), tt.tensor([2, 2, -2, -2])
    assert (a / b).tolist() == [3.5, -3.5, -3.5, 3.5]
    assert (a // b).tolist() == [3, -4, -4, 3]
    assert (a % b).tolist() == [1, 1, -1, -1]
    assert tt.fmod(a, b).tolist() == [1, -1, 1, -1]
    assert tt.div(a, b, rounding_mode="trunc").tolist() == [3, -3, -3, 3]
    for divide in (lambda: a // 0, lambda: a % 0):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            divide()


# ---- points where a formula breaks ----


def test_derivatives_at_the_points_where_formulas_break() -> None:
    torch = pytest.importorskip("torch")
    cases: list[tuple[Callable[[Any, Any], Any], float]] = [
        (lambda L, x: x**0, 0.0),
        (lambda L, x: x**2, 0.0),
        (lambda L, x: x**0.5, 0.0),
        (lambda L, x: L.pow(L.zeros_like(x), x), 0.0),
        (lambda L, x: L.pow(L.zeros_like(x), x), 2.0),
        (lambda L, x: x.sqrt(), 0.0),
        (lambda L, x: x.abs(), 0.0),
        (lambda L, x: x.norm(), 0.0),
        (lambda L, x: L.linalg.vector_norm(x), 0.0),
        (lambda L, x: x.log(), 0.0),
        (lambda L, x: L.xlogy(x, x), 0.0),
        (lambda L, x: L.sinc(x), 0.0),
        (lambda L, x: L.atan2(x, x), 0.0),
        (lambda L, x: L.hypot(x, x), 0.0),
        (lambda L, x: L.where(x > 0, x.log(), x), -1.0),
        (lambda L, x: x.prod(), 0.0),
        (lambda L, x: x.cumprod(0), 0.0),
        (lambda L, x: L.logaddexp(x, x), float("-inf")),
        (lambda L, x: L.nn.functional.softplus(x), 100.0),
        (lambda L, x: L.nn.functional.logsigmoid(x), -1000.0),
        (lambda L, x: x.tanh(), 1000.0),
        (lambda L, x: L.nn.functional.gelu(x), -40.0),
        (lambda L, x: x.sigmoid().log(), -1000.0),
        (lambda L, x: x.std(), 1.0),
    ]
    for number, (function, at) in enumerate(cases):
        results = []
        for L in (tt, torch):
            x = L.full((3,), at, dtype=L.float64, requires_grad=True)
            y = function(L, x)
            (gx,) = L.autograd.grad(y.sum(), x)
            results.append((y.tolist(), gx.tolist()))
        np.testing.assert_allclose(results[0][0], results[1][0], 1e-12, err_msg=number)
        np.testing.assert_allclose(results[0][1], results[1][1], 1e-12, err_msg=number)


def test_d1_gradient_along_directions_through_a_chain_of_permutes() -> None:
    x = tt.randn(2, 3, 4, dtype=tt.float64)
    directional(lambda x: x.permute(2, 0, 1).exp().permute(1, 2, 0) * x, [x], 2)


# ---- results do not depend on the number of threads ----


def test_results_are_the_same_bits_on_any_number_of_threads() -> None:
    x, w = tt.randn(300, 257), tt.randn(257, 129)
    image, kernel = tt.randn(4, 3, 33, 31), tt.randn(8, 3, 3, 3)

    def results() -> list[bytes]:
        found = [
            x.exp(), x.sum(), x.sum(0), x.mean(1), x.softmax(1), x @ w, x.cumsum(0),
            x.std(0), x.sort(1)[0], F.conv2d(image, kernel), x.t().contiguous(),
            F.layer_norm(x, (257,)), x.logsumexp(0), tt.linalg.norm(x), x.max(0)[0],
        ]  # fmt: skip
        return [y.numpy().tobytes() for y in found]

    before = tt.get_num_threads()
    try:
        tt.set_num_threads(1)
        expected = results()
        for count in (2, 3, 7):
            tt.set_num_threads(count)
            assert results() == expected
    finally:
        tt.set_num_threads(before)
