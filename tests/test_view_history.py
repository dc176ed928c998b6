"""Views and the history that their base gets later: what PyTorch shows, we show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt
from outcomes import outcome

torch = pytest.importorskip("torch")

SCENARIOS: dict[str, Callable[[Any], Any]] = {}


def scenario(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a program to the list; it returns plain Python objects."""
    SCENARIOS[function.__name__] = function
    return function


def weight(L: Any) -> Any:
    return L.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)


@scenario
def base_written_shows_in_view(L: Any) -> Any:
    x = L.zeros(4, 3)
    v, other, alone = x[1:3], x[0], L.zeros(4, 3)[0]
    x.add_(weight(L)[0])
    return [(y.requires_grad, y.is_leaf, y.grad_fn is None) for y in (v, other, alone)]


@scenario
def view_of_base_written_sends_gradient(L: Any) -> Any:
    w, x = weight(L), L.zeros(4, 3)
    v = x[1:3]
    x.add_(w[0])
    (v * 2).sum().backward()
    return w.grad.tolist()


@scenario
def other_view_written_shows_in_view(L: Any) -> Any:
    w, x = weight(L), L.zeros(4, 3)
    v, twin = x[1], x[1:3]
    twin.copy_(w)
    (v * v).sum().backward()
    return w.grad.tolist(), x.requires_grad


@scenario
def view_of_view_follows(L: Any) -> Any:
    w, x = weight(L), L.zeros(4, 3)
    v = x[1:].t()[0]
    x[2] = w[1] * 2
    v.sum().backward()
    return w.grad.tolist()


@scenario
def ops_of_all_kinds_see_it(L: Any) -> Any:
    x = L.zeros(4, 3)
    v = x[1:3]
    x.add_(weight(L)[0])
    results = [L.cat([v, v]), v + 1, v.exp(), v[0], v.view(6), v.sum(), v @ v.t()]
    return [y.requires_grad for y in [*results, v.detach(), v > 0]]


@scenario
def view_under_no_grad_is_refused(L: Any) -> Any:
    x = L.zeros(4, 3)
    with L.no_grad():
        v = x[1:3]
    x.add_(weight(L)[0])
    return (v * 2).sum().requires_grad


@scenario
def write_under_no_grad_gives_none(L: Any) -> Any:
    x = L.zeros(4, 3)
    v = x[1:3]
    with L.no_grad():
        x.add_(weight(L)[0])
    return v.requires_grad, v.tolist()


@scenario
def written_view_runs_once(L: Any) -> Any:
    w = weight(L)
    x = w * 1
    x[0].mul_(2.0)
    y = x.sum()
    y.backward()
    y.backward()


@scenario
def written_view_runs_again_if_retained(L: Any) -> Any:
    w = weight(L)
    x = w * 1
    x[0].mul_(2.0)
    y = x.sum()
    y.backward(retain_graph=True)
    y.backward()
    return w.grad.tolist()


@scenario
def saved_shape_of_high_rank_runs_once(L: Any) -> Any:
    x = L.ones(1, 2, 1, 2, 1, 2, requires_grad=True)
    y = x.flatten().exp().view(1, 2, 1, 2, 1, 2).repeat(1, 1, 2, 1, 1, 1).sum()
    y.backward()
    y.backward()


@scenario
def second_derivative_through_the_second_output(L: Any) -> Any:
    x = L.tensor([[2.0, 1.0], [0.5, 3.0], [1.0, 1.0]], requires_grad=True)
    _, r = L.linalg.qr(x)
    (g,) = L.autograd.grad((r * r * r).sum(), x, create_graph=True)
    (h,) = L.autograd.grad((g * g).sum(), x)
    return [round(v, 2) for v in h.flatten().tolist()]


@scenario
def out_with_coinciding_elements_is_refused(L: Any) -> Any:
    return L.add(L.ones(3, 4), 1, out=L.empty(1, 4).expand(3, 4))


@pytest.mark.parametrize("name", SCENARIOS)
def test_view_history(name: str) -> None:
    program = SCENARIOS[name]
    ours = outcome(program, tt, errors=RuntimeError)
    assert ours == outcome(program, torch, errors=RuntimeError)


def test_views_cost_no_registry() -> None:
    """Many views, one write: the one search finds them all, and later ones none."""
    x = tt.zeros(200, 3)
    views = [x[i] for i in range(200)]
    for i, v in enumerate(views):
        assert v.requires_grad == (i > 0)
        x[i] = tt.ones(3, requires_grad=True) * i
    assert all(v.requires_grad for v in views)
