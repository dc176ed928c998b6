"""The profile executor: calls, seconds, bytes and FLOPs per kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt

executor = pytest.importorskip("tinytorch._core.executor")


def profiled(run: Callable[[], Any]) -> dict[str, tuple[int, float, int, float]]:
    """Return the table of the kernel calls that ``run`` makes."""
    profile = executor.Profile()
    profile.start()
    try:
        run()
    finally:
        profile.stop()
    return profile.table()


def total(table: dict[str, tuple[int, float, int, float]], column: int) -> float:
    return sum(row[column] for row in table.values())


def test_profile_counts_calls_and_bytes() -> None:
    a, b = tt.ones(100, 10), tt.ones(100, 10)
    table = profiled(lambda: [a + b for _ in range(7)])
    ((name, (count, seconds, moved, flops)),) = table.items()
    assert "add" in name
    assert (count, moved, flops) == (7, 7 * 3 * 4 * 1000, 7 * 1000)
    assert 0 < seconds < 1


@pytest.mark.parametrize("m, k, n", [(3, 4, 5), (64, 32, 16), (1, 7, 1)])
def test_profile_counts_the_flops_of_products(m: int, k: int, n: int) -> None:
    a, b = tt.ones(m, k), tt.ones(k, n)
    assert total(profiled(lambda: a @ b), 3) == 2 * m * k * n


def test_profile_counts_the_flops_of_convolution() -> None:
    x, w = tt.ones(2, 3, 8, 8), tt.ones(4, 3, 3, 3)
    table = profiled(lambda: tt.nn.functional.conv2d(x, w, padding=1))
    assert total(table, 3) == 2 * (2 * 4 * 8 * 8) * (3 * 3 * 3)


def test_profile_sees_backward_too() -> None:
    a = tt.ones(8, 8, requires_grad=True)
    forward = profiled(lambda: (a @ a).sum())
    both = profiled(lambda: (a @ a).sum().backward())
    assert total(both, 0) > total(forward, 0)
    assert total(both, 3) >= 3 * 2 * 8**3  # the product and its two adjoints


def test_views_are_no_kernel_calls() -> None:
    x = tt.ones(4, 6)

    def views() -> tt.Tensor:
        return x.t()[1:].unsqueeze(0).expand(3, 5, 4).reshape(3, 5, 4)[..., 0]

    assert profiled(views) == {}


def test_results_are_the_same_under_a_profile() -> None:
    x = tt.randn(20, 20)
    expected = x.softmax(-1).tolist()
    seen: list[Any] = []
    profiled(lambda: seen.append(x.softmax(-1).tolist()))
    assert seen == [expected]


def test_profile_stops_and_does_not_nest() -> None:
    profile = executor.Profile()
    profile.start()
    with pytest.raises(RuntimeError, match="already"):
        executor.Profile().start()
    profile.stop()
    before = profile.table()
    tt.ones(3) + 1
    assert profile.table() == before


def test_kernels_are_named_once() -> None:
    names = executor.kernel_names()
    assert len(names) == len(set(names)) > 50
    assert all(name.isidentifier() for name in names)
