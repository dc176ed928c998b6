"""Allocations that fail give MemoryError and leave the library usable."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt
from test_memory import held, mlp

storage = pytest.importorskip("tinytorch._core.storage")


def convolution() -> Any:
    x, w = tt.ones(1, 2, 6, 6, requires_grad=True), tt.ones(3, 2, 3, 3)
    y = tt.nn.functional.conv2d(x, w, padding=1)
    tt.nn.functional.max_pool2d(y, 2).sum().backward()
    return x.grad


def attention() -> Any:
    q = tt.ones(1, 2, 4, 8, requires_grad=True)
    tt.nn.functional.scaled_dot_product_attention(
        q, q, q, is_causal=True
    ).sum().backward()
    return q.grad


def indexing() -> Any:
    x = tt.arange(24.0).reshape(4, 6).requires_grad_()
    y = x[[0, 2], 1:] * 1
    y[y > 3] = 0.0
    tt.cat([y, y]).sum().backward()
    return x.grad


def linear_algebra() -> Any:
    x = (tt.eye(4) * 3 + 1).requires_grad_()
    (tt.linalg.inv(x) @ tt.linalg.qr(x)[0]).sum().backward()
    return x.grad


def sorting() -> Any:
    x = tt.arange(50.0).sin()
    return x.sort()[0], x.topk(3)[0], tt.unique(x), x.cumsum(0)


def norms() -> Any:
    x = tt.arange(24.0).reshape(4, 6).requires_grad_()
    tt.nn.functional.layer_norm(x, (6,)).softmax(-1).sum().backward()
    return x.grad


def second_order() -> Any:
    x = tt.ones(5, requires_grad=True)
    (g,) = tt.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = tt.autograd.grad(g.sum(), x)
    return h


def random_numbers() -> Any:
    return tt.randn(100), tt.randperm(20), tt.bernoulli(tt.full((9,), 0.5))


def conversions() -> Any:
    x = tt.tensor([[1.0, 2.0], [3.0, 4.0]])
    return x.half().double().tolist(), x.t().contiguous().tolist(), repr(x)


def training_step() -> Any:
    step = mlp()
    return step()


SCENARIOS = [
    convolution, attention, indexing, linear_algebra, sorting, norms, second_order,
    random_numbers, conversions, training_step,
]  # fmt: skip


@pytest.mark.parametrize("run", SCENARIOS, ids=lambda run: run.__name__)
def test_every_failing_allocation_is_a_memory_error(run: Callable[[], Any]) -> None:
    run()
    gc.collect()
    before = held()
    failures = 0
    for n in range(10_000):
        tt.manual_seed(0)
        storage.fail_allocation(n)
        try:
            run()
        except MemoryError:
            failures += 1
        else:
            break
        finally:
            storage.fail_allocation(-1)
        run()  # usable at once
        gc.collect()
        assert held() == before, f"allocation {n} leaked"
    else:
        pytest.fail("the allocations do not end")
    assert failures > 0


def test_too_large_allocation_is_a_memory_error() -> None:
    before = held()
    with pytest.raises((MemoryError, RuntimeError)):
        tt.empty(1 << 50)
    with pytest.raises((MemoryError, RuntimeError, ValueError, OverflowError)):
        tt.empty(1 << 40, 1 << 40)
    assert held() == before
    assert tt.ones(3).sum().item() == 3


def test_peak_counts_what_was_alive_at_once() -> None:
    storage.reset_peak_bytes()
    start = storage.live_bytes()
    x = tt.empty(1 << 20)
    y = tt.empty(1 << 20)
    del x, y
    assert storage.peak_bytes() - start >= 8 << 20
    assert storage.live_bytes() == start
    storage.empty_cache()
    assert storage.cached_bytes() == 0
