"""In-place ops and the graph: saved tensors, leaves, passes; outcomes as PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest

import tinytorch as tt
from scenarios import check_scenario, leaf, scenarios

SCENARIOS, scenario = scenarios()


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


@pytest.mark.parametrize("program", SCENARIOS.values(), ids=SCENARIOS)
def test_in_place_outcome_is_torchs(program: Any) -> None:
    check_scenario(program)


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
