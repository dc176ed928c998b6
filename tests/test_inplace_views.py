"""In-place ops on views and their bases: rebased history; outcomes as PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios import check_scenario, leaf, scenarios

SCENARIOS, scenario = scenarios()


@scenario
def write_into_view_rebases_the_base(L: Any) -> Any:
    x, value = leaf(L, 4), leaf(L, 2)
    y = x * 2
    y[1:3] = value * 3
    (y * y).sum().backward()
    return y, x.grad, value.grad


@scenario
def in_place_on_view_rebases_the_base(L: Any) -> Any:
    x = leaf(L, 2, 3)
    y = x * 1
    y[0].mul_(5)
    y.sum().backward()
    return y, x.grad


@scenario
def in_place_on_base_reaches_earlier_view(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    v = y[:2]
    y.mul_(3)
    v.sum().backward()
    return v, x.grad


@scenario
def in_place_on_sibling_reaches_view(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    v, w = y[:3], y[1:]
    v.mul_(2)
    w.exp_()
    (v.sum() + w.sum() + y.sum()).backward()
    return v, w, x.grad


@scenario
def view_of_view_in_place(L: Any) -> Any:
    x = leaf(L, 2, 2, 3)
    y = x * 1
    y[1].t()[0:2].mul_(L.tensor([[2.0], [3.0]], dtype=L.float64))
    y.sum().backward()
    return y, x.grad


@scenario
def constant_base_becomes_differentiable(L: Any) -> Any:
    x = leaf(L, 2)
    y = L.zeros(4, dtype=L.float64)
    v = y[::2]
    v.copy_(x * 4)
    (y * y).sum().backward()
    return y.requires_grad, y, x.grad


@scenario
def transposed_view_in_place(L: Any) -> Any:
    x, w = leaf(L, 2, 3), leaf(L, 3, 2)
    y = x * 1
    y.t().mul_(w)
    y.sum().backward()
    return y, x.grad, w.grad


@scenario
def unsqueeze_in_place(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 1
    y.unsqueeze_(0)
    y.mul_(2)
    y.sum().backward()
    return y, x.grad


@scenario
def output_of_unbind_in_place(L: Any) -> Any:
    a, _ = (leaf(L, 2, 3) * 1).unbind(0)
    return a.mul_(2)


@scenario
def output_of_split_in_place(L: Any) -> Any:
    a, _ = (leaf(L, 4) * 1).split(2)
    return a.add_(1)


@scenario
def view_made_without_grad_mode_in_place(L: Any) -> Any:
    y = leaf(L, 4) * 1
    with L.no_grad():
        v = y[:2]
    return v.mul_(2)


@scenario
def expanded_in_place(L: Any) -> Any:
    return (leaf(L, 1) * 1).expand(3).add_(1)


@scenario
def masked_writes(L: Any) -> Any:
    x, value = leaf(L, 4), leaf(L, 2)
    y = x * 1
    y[x > 2] = value
    y.masked_fill_(x < 2, 9.0)
    (y * y).sum().backward()
    return y, x.grad, value.grad


@scenario
def index_writes(L: Any) -> Any:
    x, value = leaf(L, 4), leaf(L, 2)
    y = x * 1
    at = L.tensor([0, 2])
    y.index_add_(0, at, value)
    y.index_copy_(0, at, value * 2)
    y.scatter_(0, at, value * 3)
    y.index_fill_(0, L.tensor([3]), 1.0)
    (y * y).sum().backward()
    return y, x.grad, value.grad


@scenario
def copy_between_dtypes(L: Any) -> Any:
    x = leaf(L, 3)
    y = L.zeros(3, dtype=L.float32)
    y.copy_(x)
    (y * y).sum().backward()
    return x.grad


@scenario
def fill_cuts_the_gradient(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 2
    y[:2].fill_(7)
    y.sum().backward()
    return y, x.grad


@scenario
def second_derivative_through_in_place(L: Any) -> Any:
    x = leaf(L, 3)
    y = x.clone()
    y[1:].pow_(3)
    (g,) = L.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = L.autograd.grad(g.sum(), x)
    return g, h


@pytest.mark.parametrize("program", SCENARIOS.values(), ids=SCENARIOS)
def test_outcome_of_writing_into_views_is_torchs(program: Any) -> None:
    check_scenario(program)
