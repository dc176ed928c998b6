"""Views and grad mode: what requires a gradient, what may be written; as in PyTorch.

A view requires a gradient when its base does, whenever and in whichever mode it was
made.  One made under no_grad has no history and lets none be written into it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt
from outcomes import outcome

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")

SCENARIOS: dict[str, Callable[[Any], Any]] = {}


def scenario(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a program to the list."""
    SCENARIOS[function.__name__] = function
    return function


def leaf(L: Any, *shape: int) -> Any:
    """Return a leaf with the values 1, 2, 3, ..."""
    n = torch.Size(shape).numel()
    x = L.arange(1, n + 1, dtype=L.float64)
    return x.reshape(shape).clone().requires_grad_()


def zeros(L: Any, *shape: int) -> Any:
    return L.zeros(*shape, dtype=L.float64)


@scenario
def base_requires_grad_after_view(L: Any) -> Any:
    x = zeros(L, 4)
    v = x[1:3]
    x.requires_grad_()
    return (v.requires_grad, v.is_leaf, v.grad_fn is None)


@scenario
def base_requires_grad_after_view_used(L: Any) -> Any:
    x = zeros(L, 4) + 3
    v = x[1:3]
    x.requires_grad_()
    (v * v).sum().backward()
    return (x.grad, v.grad)


@scenario
def base_requires_grad_after_view_written(L: Any) -> Any:
    x = zeros(L, 4) + 3
    v = x[1:3]
    x.requires_grad_()
    v.mul_(2)
    return x


@scenario
def base_requires_grad_after_view_written_without_grad_mode(L: Any) -> Any:
    x = zeros(L, 4) + 3
    v = x[1:3]
    x.requires_grad_()
    with L.no_grad():
        v.mul_(2)
    (v * v).sum().backward()
    return (x, x.grad, v.grad)


@scenario
def base_requires_grad_view_of_view(L: Any) -> Any:
    x = zeros(L, 4) + 3
    v = x[1:3]
    x.requires_grad_()
    w = v[0]
    return (w.requires_grad, w.is_leaf, w.grad_fn is None)


@scenario
def no_grad_view_then_base_written(L: Any) -> Any:
    y = leaf(L, 4) * 1
    with L.no_grad():
        v = y[:2]
    a = (v.requires_grad, v.is_leaf)
    y.mul_(2)
    return (a, v.requires_grad)


@scenario
def no_grad_view_then_base_written_has_no_node(L: Any) -> Any:
    y = leaf(L, 4) * 1
    with L.no_grad():
        v = y[:2]
    y.mul_(2)
    return v.grad_fn is None


@scenario
def no_grad_view_then_base_written_used(L: Any) -> None:
    y = leaf(L, 4) * 1
    with L.no_grad():
        v = y[:2]
    y.mul_(2)
    (v * 2).sum().backward()


@scenario
def no_grad_view_flags(L: Any) -> Any:
    y = leaf(L, 4) * 1
    with L.no_grad():
        v = y[:2]
    return (v.requires_grad, v.is_leaf, v.grad_fn is None, v._base is y)


@scenario
def no_grad_view_of_leaf_written_without_grad_mode(L: Any) -> Any:
    y = leaf(L, 4)
    with L.no_grad():
        v = y[:2]
        v.mul_(2)
    return (y, v.requires_grad)


@scenario
def no_grad_view_used_as_saved_then_base_written(L: Any) -> Any:
    x = leaf(L, 4)
    w = leaf(L, 2)
    y = x * 1
    with L.no_grad():
        v = y[:2]
    z = v * w
    y.mul_(2)
    z.sum().backward()
    return (x.grad, w.grad)


@scenario
def no_grad_view_written_in_without_grad_mode(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    with L.no_grad():
        v = y[:2]
        v.mul_(5)
    y.sum().backward()
    return (y, x.grad, v.requires_grad)


@scenario
def no_grad_view_constant_written_with_grad(L: Any) -> Any:
    w = leaf(L, 2)
    x = zeros(L, 4)
    with L.no_grad():
        v = x[:2]
    v.mul_(w)
    return x


@scenario
def no_grad_view_constant_value_after_error(L: Any) -> Any:
    w = leaf(L, 2)
    x = zeros(L, 4) + 1
    with L.no_grad():
        v = x[:2]
    with contextlib.suppress(RuntimeError):
        v.add_(w)
    return (x.tolist(), x._version)


@scenario
def no_grad_view_other_view_written(L: Any) -> Any:
    w = leaf(L, 2)
    x = zeros(L, 4)
    with L.no_grad():
        v = x[:2]
    u = x[2:]
    u.mul_(w)
    return (v.requires_grad, u.requires_grad, x.requires_grad)


@scenario
def grad_view_of_no_grad_view(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    with L.no_grad():
        u = y[:3]
    v = u[:2]
    return (v.requires_grad, v.is_leaf)


@scenario
def grad_view_of_no_grad_view_written(L: Any) -> None:
    x = leaf(L, 4)
    y = x * 1
    with L.no_grad():
        u = y[:3]
    v = u[:2]
    v.mul_(2)


@scenario
def unbind_of_constant_written(L: Any) -> Any:
    w = leaf(L, 2)
    x = zeros(L, 2, 2)
    a, b = x.unbind(0)
    a.copy_(w)
    return (x.requires_grad, b.requires_grad)


@scenario
def sibling_of_view_as_float_written(L: Any) -> Any:
    x = zeros(L, 2)
    s = x[0]
    f = x.view(L.float32)
    w = L.ones(4, requires_grad=True)
    f.copy_(w)
    return s.requires_grad


@scenario
def inference_mode_view_of_normal_written(L: Any) -> None:
    x = leaf(L, 4) * 1
    with L.inference_mode():
        v = x[:2]
    v.add_(1)


@scenario
def requires_grad_on_view_written(L: Any) -> None:
    x = zeros(L, 4)
    v = x[:2].requires_grad_()
    v.add_(1)


@scenario
def base_requires_grad_after_no_grad_view(L: Any) -> Any:
    x = zeros(L, 4)
    with L.no_grad():
        v = x[:2]
    x.requires_grad_()
    return (v.requires_grad, v.is_leaf, v.grad_fn is None)


@scenario
def no_grad_view_index_put(L: Any) -> None:
    x = leaf(L, 4) * 1
    with L.no_grad():
        v = x[:2]
    v[0] = 5.0


@scenario
def no_grad_view_of_constant_filled(L: Any) -> Any:
    x = zeros(L, 4)
    with L.no_grad():
        v = x[:2]
    v.zero_()
    v[0] = 3.0
    return x


@scenario
def gradient_of_a_view_that_inherits(L: Any) -> Any:
    x = zeros(L, 4)
    v = x[:2]
    x.requires_grad_()
    return L.autograd.grad((v * v).sum(), v, allow_unused=True)


@scenario
def backward_from_a_view_that_inherits(L: Any) -> None:
    x = zeros(L, 4)
    v = x[0]
    x.requires_grad_()
    v.backward()


@scenario
def view_that_inherits_is_asked_itself(L: Any) -> Any:
    x = zeros(L, 4) + 1
    v = x[:2]
    x.requires_grad_()
    v.requires_grad_()
    (v * v).sum().backward()
    return (x.grad, v.grad)


@scenario
def view_that_inherits_cannot_refuse(L: Any) -> Any:
    x = zeros(L, 4)
    v = x[:2]
    x.requires_grad_()
    v.requires_grad_(False)
    first = v.requires_grad
    x.requires_grad_(False)
    return (first, v.requires_grad)


@scenario
def unbind_of_base_that_gets_a_history(L: Any) -> Any:
    w = leaf(L, 4)
    x = zeros(L, 2, 2)
    a, b = x.unbind(0)
    x.copy_(w.reshape(2, 2))
    return a.grad_fn is None


@scenario
def view_of_one_of_several_outputs_after_a_write(L: Any) -> Any:
    x = leaf(L, 2, 2) * 1
    a, b = x.unbind(0)
    a = a[:1]
    x.mul_(2)
    return a.grad_fn is None


@scenario
def view_of_no_grad_view_after_a_write(L: Any) -> Any:
    x = leaf(L, 4) * 1
    with L.no_grad():
        v = x[:2]
    w = v[:1]
    x.mul_(2)
    return w.grad_fn is None


@scenario
def numpy_of_a_view_without_grad_mode(L: Any) -> Any:
    p = leaf(L, 4)
    with L.no_grad():
        return p[:2].numpy().tolist()


@scenario
def bits_of_a_leaf_require_nothing(L: Any) -> Any:
    x = leaf(L, 4)
    with L.no_grad():
        a = x.view(L.int64)
    return a.requires_grad


@scenario
def unsafe_parts_are_no_views(L: Any) -> Any:
    x = leaf(L, 4)
    with L.no_grad():
        a, b = x.unsafe_split(2)
    return (a.requires_grad, a._base is None)


@scenario
def gradient_with_respect_to_a_view_of_a_written_base(L: Any) -> Any:
    w = leaf(L, 2)
    x = zeros(L, 2)
    v = x[:1]
    x.copy_(w)
    return L.autograd.grad((v * 3).sum(), v)


# Where the words differ, and how.
DIFFERENT = {"inference_mode_view_of_normal_written": "names no_grad as the mode"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_view_and_grad_mode(name: str) -> None:
    program = SCENARIOS[name]
    ours = outcome(program, tt, errors=RuntimeError)
    theirs = outcome(program, torch, errors=RuntimeError)
    assert (ours == theirs) == (name not in DIFFERENT), ours
