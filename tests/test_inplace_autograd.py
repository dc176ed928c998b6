"""In-place ops and the graph: versions, views, rebased history; outcomes as PyTorch's.

A scenario is a small program over a library.  Both run it: the results must be equal,
or both must raise the same exception with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt

SCENARIOS: dict[str, Callable[[Any], Any]] = {}
# What must be in both messages, because programs and people look for it.
WORDS = re.compile(
    "modified by an inplace operation|a view of a leaf|a leaf Variable that requires"
    "|second time|does not require grad|implicitly created only|output of a function"
    "|no_grad|[Ii]nference|support automatic differentiation|detach views in-place"
    "|floating point|refers to a single memory location|not have been used|Mismatch in"
)


def scenario(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a program to the list."""
    SCENARIOS[function.__name__] = function
    return function


def leaf(L: Any, *shape: int) -> Any:
    """Return a leaf with the values 1, 2, 3, ..."""
    size = 1
    for n in shape:
        size *= n
    values = [float(i + 1) for i in range(size)]
    x = L.tensor(values, dtype=L.float64).reshape(shape)
    return x.clone().requires_grad_()


def outcome(program: Callable[[Any], Any], library: Any) -> tuple[str, Any]:
    """Return ("value", numbers) or (exception's name, the words in it)."""
    try:
        result = program(library)
    except (RuntimeError, TypeError, ValueError) as error:
        words = WORDS.search(str(error))
        return type(error).__name__, words.group() if words else None
    return "value", plain(result)


def plain(value: Any) -> Any:
    """Return tensors inside containers as lists."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def near(actual: Any, expected: Any) -> bool:
    """Compare nested lists; numbers within a few ulp of float64."""
    if isinstance(expected, list):
        same = isinstance(actual, list) and len(actual) == len(expected)
        return same and all(map(near, actual, expected))
    return bool(actual == (expected if expected is None else pytest.approx(expected)))


# ---- saved tensors ----


@scenario
def saved_input_changed(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 1
    z = y * y
    y.add_(1)
    z.sum().backward()
    return x.grad


@scenario
def saved_output_changed(L: Any) -> Any:
    x = leaf(L, 3)
    y = x.exp()
    y.mul_(2)
    y.sum().backward()
    return x.grad


@scenario
def what_is_not_saved_may_change(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 2
    z = y + 1
    y.add_(5)
    (z * 1).sum().backward()
    return x.grad


@scenario
def saved_tensor_changed_through_a_view(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    z = y.sin()
    y[1:3].zero_()
    z.sum().backward()
    return x.grad


@scenario
def saved_view_changed_through_its_base(L: Any) -> Any:
    x = leaf(L, 4)
    y = x * 1
    z = y[1:3] ** 2
    y.mul_(3)
    z.sum().backward()
    return x.grad


@scenario
def weight_changed_before_backward(L: Any) -> Any:
    x, w = leaf(L, 2, 3), leaf(L, 3, 2)
    y = x @ w
    with L.no_grad():
        w -= 0.1
    y.sum().backward()
    return x.grad


@scenario
def data_changes_escape_the_version(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * x
    x.data.mul_(2)
    y.sum().backward()
    return x.grad


@scenario
def detached_shares_the_version(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 1
    z = y * y
    y.detach().zero_()
    z.sum().backward()
    return x.grad


@scenario
def relu_in_place_saves_its_result(L: Any) -> Any:
    x = leaf(L, 3)
    y = (x - 2).relu_()
    y.sum().backward()
    return x.grad


@scenario
def chain_of_in_place_ops(L: Any) -> Any:
    x = leaf(L, 3)
    y = x.clone()
    y.mul_(2).add_(1).sin_().exp_()
    y.sum().backward()
    return y, x.grad


@scenario
def in_place_with_itself(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 1
    y.mul_(y)
    y.sum().backward()
    return x.grad


@scenario
def versions_count_writes(L: Any) -> Any:
    x = L.zeros(4)
    seen = [x._version]
    for write in (
        lambda: x.add_(1),
        lambda: x[0].fill_(2),
        lambda: x.copy_(L.ones(4)),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.detach().zero_(),
        lambda: x + 1,
        lambda: x.view(2, 2).t_(),
    ):
        write()
        seen.append(x._version)
    return seen


# ---- leaves ----


@scenario
def leaf_in_place(L: Any) -> Any:
    return leaf(L, 3).add_(1)


@scenario
def view_of_leaf_in_place(L: Any) -> Any:
    return leaf(L, 3)[0].zero_()


@scenario
def leaf_set_item(L: Any) -> Any:
    x = leaf(L, 3)
    x[0] = 1.0
    return x


@scenario
def leaf_in_place_without_grad_mode(L: Any) -> Any:
    x = leaf(L, 3)
    with L.no_grad():
        x.add_(1)
    (x * x).sum().backward()
    return x, x.grad


@scenario
def leaf_as_operand_of_in_place(L: Any) -> Any:
    x = leaf(L, 3)
    y = L.zeros(3, dtype=L.float64)
    y.add_(x)
    y.mul_(x)
    y.sum().backward()
    return y.requires_grad, y.is_leaf, x.grad


@scenario
def out_refuses_gradients(L: Any) -> Any:
    return L.add(leaf(L, 3), 1, out=L.zeros(3, dtype=L.float64))


@scenario
def detach_in_place_cuts(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 2
    y.detach_()
    return y.requires_grad, y.is_leaf, y.grad_fn is None


@scenario
def detach_in_place_of_a_view(L: Any) -> Any:
    return (leaf(L, 3) * 1)[0].detach_()


@scenario
def requires_grad_of_non_leaf_cannot_be_cleared(L: Any) -> Any:
    y = leaf(L, 3) * 1
    y.requires_grad = False
    return y


@scenario
def integers_cannot_require_grad(L: Any) -> Any:
    return L.ones(2, dtype=L.int64).requires_grad_()


# ---- views and their bases ----


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


# ---- passes backward ----


@scenario
def backward_twice(L: Any) -> Any:
    x = leaf(L, 3)
    y = (x * x).sum()
    y.backward()
    y.backward()
    return x.grad


@scenario
def backward_twice_with_the_graph_kept(L: Any) -> Any:
    x = leaf(L, 3)
    y = (x * x).exp().sum()
    for _ in range(3):
        y.backward(retain_graph=True)
    return x.grad


@scenario
def backward_of_many_elements(L: Any) -> Any:
    (leaf(L, 3) * 1).backward()


@scenario
def backward_of_a_constant(L: Any) -> Any:
    L.ones(1).backward()


@scenario
def unused_input(L: Any) -> Any:
    return L.autograd.grad(leaf(L, 1).sum(), leaf(L, 2))


@scenario
def gradient_of_wrong_shape(L: Any) -> Any:
    (leaf(L, 3) * 1).backward(L.ones(2, dtype=L.float64))


@scenario
def retained_gradient_of_rebased_tensor(L: Any) -> Any:
    x = leaf(L, 3)
    y = x * 1
    y.retain_grad()
    y.mul_(4)
    y.sum().backward()
    return y.grad, x.grad


@scenario
def hook_sees_the_gradient_of_the_value_it_was_set_on(L: Any) -> Any:
    seen: list[Any] = []
    x = leaf(L, 3)
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    z = y * 2
    z.sum().backward()
    return seen, x.grad


@scenario
def inference_tensor_cannot_be_saved(L: Any) -> Any:
    with L.inference_mode():
        w = L.ones(3, dtype=L.float64)
    (leaf(L, 3) * w).sum().backward()


@scenario
def inference_tensor_cannot_change_outside(L: Any) -> Any:
    with L.inference_mode():
        w = L.ones(3)
    return w.add_(1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_in_place_outcome_is_torchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    kind, expected = outcome(SCENARIOS[name], torch)
    found, actual = outcome(SCENARIOS[name], tt)
    assert (found, type(actual)) == (kind, type(expected)), actual
    if kind == "value":
        assert near(actual, expected), (actual, expected)
    else:
        assert actual == expected


def test_error_names_the_versions() -> None:
    x = leaf(tt, 3)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"is at version 1; expected version 0"):
        z.sum().backward()


def test_n_passes_give_n_times_the_gradient() -> None:
    x = leaf(tt, 4)
    y = (x.sin() * x.exp() + x[1:].sum()).sum()
    y.backward(retain_graph=True)
    once = x.grad.clone()
    for times in range(2, 6):
        y.backward(retain_graph=True)
        assert x.grad.tolist() == pytest.approx((once * times).tolist(), rel=1e-14)


def test_failed_in_place_op_changes_nothing() -> None:
    x = tt.arange(6, dtype=tt.float64).reshape(2, 3)
    version = x._version
    for wrong in (
        lambda: x.add_(tt.ones(4, dtype=tt.float64)),
        lambda: x.copy_(tt.ones(5)),
        lambda: x.index_add_(0, tt.tensor([2]), tt.ones(1, 3, dtype=tt.float64)),
        lambda: x.scatter_(0, tt.tensor([[5]]), 1.0),
        lambda: x.masked_fill_(tt.ones(4) > 0, 1.0),
    ):
        with pytest.raises((RuntimeError, IndexError)):
            wrong()
        assert x.flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert x._version == version
