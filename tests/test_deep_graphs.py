"""Graphs of a million nodes run backward and are freed on a small stack."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt


def on_small_stack(function: Callable[[], Any]) -> Any:
    """Run a function in a thread whose stack has 256 KB; return its result."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    previous = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(previous)
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


@pytest.mark.parametrize(
    "depth", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
)
def test_long_chain_forward_backward_destruction(depth: int) -> None:
    def run() -> tuple[float, bool]:
        x = tt.ones(1, requires_grad=True)
        y = x
        for _ in range(depth):
            y = y + 1.0
        y.backward(retain_graph=True)
        del y  # destroys the chain, node by node
        return x.grad.item(), True

    assert on_small_stack(run) == (1.0, True)


def test_long_chain_dropped_without_backward() -> None:
    def run() -> int:
        x = tt.ones(1, requires_grad=True)
        y = x
        for _ in range(100_000):
            y = (y * 1.0).view(1)
        del y
        return 1

    assert on_small_stack(run) == 1


def test_long_chain_of_in_place_ops() -> None:
    def run() -> float:
        x = tt.zeros(4, requires_grad=True)
        y = x * 1
        for _ in range(20_000):
            y[0:2].add_(1.0)
        y.sum().backward()
        return x.grad.sum().item()

    assert on_small_stack(run) == 4.0


def test_long_chain_of_custom_functions() -> None:
    def run() -> int:
        class Shift(tt.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.x = x  # the chain goes on through Python's dicts
                return x + 1

            @staticmethod
            def backward(ctx: Any, gy: Any) -> Any:
                return gy

        y = tt.ones(1, requires_grad=True)
        for _ in range(20_000):
            y = Shift.apply(y)
        gone = weakref.ref(Shift)
        del Shift, y  # the class goes with its nodes
        gc.collect()
        return gone() is None

    assert on_small_stack(run)
