"""nn.utils.prune: masks, random draws, state dicts and errors are PyTorch's."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import tinytorch as tt
from outcomes import outcome, renamed

torch = pytest.importorskip("torch")


def tools(t: Any) -> Any:
    return import_module(f"{t.__name__}.nn.utils.prune")


def alike(program: Callable[[Any, Any], Any]) -> Any:
    """Run a program with both libraries from one seed; return what both found."""
    done = []
    for t in (tt, torch):
        state = t.get_rng_state()
        t.manual_seed(3)
        found = outcome(lambda t: (program(t, tools(t)), t.rand(2)), t)
        done.append(renamed(found))
        t.set_rng_state(state)
    assert done[0] == done[1]
    return done[1]


def conv(t: Any) -> Any:
    return t.nn.Conv2d(2, 4, 3)


def linear(t: Any) -> Any:
    return t.nn.Linear(4, 3)


def pruned(module: Any) -> Any:
    """Return what the state dict holds, to the last bit, and what is plain."""
    hooks = [type(hook).__name__ for hook in module._forward_pre_hooks.values()]
    state = {name: x.tolist() for name, x in module.state_dict().items()}
    return state, hooks, module.weight.tolist(), type(module.weight).__name__


METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "identity": lambda p, m: p.identity(m, "weight"),
    "random_unstructured": lambda p, m: p.random_unstructured(m, "weight", 0.3),
    "l1_unstructured": lambda p, m: p.l1_unstructured(m, "weight", amount=7),
    "random_structured": lambda p, m: p.random_structured(m, "weight", 1, -4),
    "random_structured last": lambda p, m: p.random_structured(m, "weight", 0.4, 3),
    "ln_structured": lambda p, m: p.ln_structured(m, "weight", 0.25, 2, 0),
    "ln_structured inf": lambda p, m: p.ln_structured(m, "weight", 1, math.inf, dim=2),
}


def checkered(t: Any, shape: Any) -> Any:
    return (t.arange(math.prod(shape)) % 3 > 0).view(shape)


@pytest.mark.parametrize("second", [*METHODS, "custom_from_mask", None])
@pytest.mark.parametrize("first", METHODS)
def test_methods_alone_and_after_one_another(first: str, second: str | None) -> None:
    def program(t: Any, p: Any) -> Any:
        m = conv(t)
        assert METHODS[first](p, m) is m
        if second == "custom_from_mask":
            p.custom_from_mask(m, "weight", checkered(t, m.weight.shape))
        elif second is not None:
            METHODS[second](p, m)
        return pruned(m)

    _, ((state, *_), _) = alike(program)
    assert list(state) == ["bias", "weight_orig", "weight_mask"]


def test_a_chain_keeps_its_methods() -> None:
    def program(t: Any, p: Any) -> Any:
        m = conv(t)
        for name in ("l1_unstructured", "random_structured", "ln_structured"):
            METHODS[name](p, m)
        container = p.RandomUnstructured.apply(m, "weight", 5)
        kinds = [type(method).__name__ for method in container]
        return kinds, len(container), type(container[0]).__name__, pruned(m)

    _, ((kinds, *_), _) = alike(program)
    assert kinds == ["L1Unstructured", "RandomStructured", "LnStructured",
                     "RandomUnstructured"]


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_masks_have_the_dtype_of_the_parameter(dtype: str) -> None:
    def program(t: Any, p: Any) -> Any:
        m = linear(t).to(getattr(t, dtype))
        p.ln_structured(m, "weight", 1, 2, 0)
        p.random_unstructured(m, "bias", 1)
        names = [str(x.dtype).rpartition(".")[2] for x in m.state_dict().values()]
        return names, m.weight_mask.tolist(), m.bias_mask.tolist()

    _, ((names, *_), _) = alike(program)
    assert set(names) == {dtype}


@pytest.mark.parametrize("method", ["l1", "ln"])
def test_importance_scores(method: str) -> None:
    def program(t: Any, p: Any) -> Any:
        m, scores = linear(t), t.arange(12.0).view(3, 4)
        if method == "l1":
            p.l1_unstructured(m, "weight", 3, importance_scores=scores)
            p.l1_unstructured(m, "weight", 2, importance_scores=-scores)
        else:
            p.ln_structured(m, "weight", 2, 1, 1, importance_scores=scores)
        return pruned(m)

    alike(program)


def test_training_and_removal() -> None:
    def program(t: Any, p: Any) -> Any:
        m = linear(t)
        orig = m.weight
        p.ln_structured(m, "weight", 1, 2, 0)
        assert m.weight_orig is orig and p.is_pruned(m)
        assert p.is_pruned(t.nn.Sequential(t.nn.ReLU(), m))
        optimizer = t.optim.SGD(m.parameters(), lr=0.5)
        m(t.ones(2, 4)).sum().backward()
        optimizer.step()
        y = m(t.ones(1, 4)).shape  # the hook sees the updated weight
        grad = m.weight_orig.grad.tolist()
        p.remove(m, "weight")
        assert m.weight is orig and not p.is_pruned(m)
        return grad, tuple(y), pruned(m)

    _, ((grad, _, (state, hooks, *_)), _) = alike(program)
    assert 0 in [sum(row) for row in grad] and hooks == []
    assert list(state) == ["bias", "weight"] and [0.0] * 4 in state["weight"]


def test_state_dicts_travel(tmp_path: Any) -> None:
    """A pruned module's file is loaded by the other library."""
    m, theirs = linear(tt), linear(torch)
    tools(tt).random_unstructured(m, "weight", 5)
    tools(torch).identity(theirs, "weight")
    tt.save(m.state_dict(), tmp_path / "x.pt")
    theirs.load_state_dict(torch.load(tmp_path / "x.pt"))
    x = [[1.0, 2.0, 3.0, 4.0]]
    expected = theirs(torch.tensor(x)).tolist()[0]
    assert m(tt.tensor(x)).tolist()[0] == pytest.approx(expected, rel=1e-6)
    again = pickle.loads(pickle.dumps(tools(tt).PruningContainer))
    assert again is tools(tt).PruningContainer


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("method", ["L1Unstructured", "RandomUnstructured"])
def test_global_pruning(method: str, scores: bool) -> None:
    def program(t: Any, p: Any) -> Any:
        m, n = linear(t), linear(t)
        p.l1_unstructured(m, "weight", 0.25)
        given = {(n, "bias"): t.zeros(3)} if scores else None
        p.global_unstructured(
            [(m, "weight"), (n, "weight"), (n, "bias")], getattr(p, method),
            importance_scores=given, amount=9)
        return pruned(m), pruned(n), n.bias_mask.tolist()

    alike(program)


def test_global_pruning_takes_an_iterator() -> None:
    p, m = tools(tt), linear(tt)
    pairs = iter([(m, "weight"), (m, "bias")])
    p.global_unstructured(pairs, p.L1Unstructured, amount=4)
    assert m.weight_mask.sum() + m.bias_mask.sum() == 11


def test_tensors_are_pruned_without_a_module() -> None:
    def program(t: Any, p: Any) -> Any:
        x = t.arange(6.0)
        mask = t.tensor([0, 0, 1.0, 1, 1, 1])
        return [y.tolist() for y in (
            p.L1Unstructured(3).prune(x), p.L1Unstructured(2).prune(x, mask),
            p.L1Unstructured(3).prune(x, importance_scores=-x),
            p.LnStructured(1, 2, 0).prune(x.view(2, 3)), p.Identity().prune(x),
            p.RandomStructured(1).prune(x.view(2, 3)),
            p.CustomFromMask(t.tensor([1, 0] * 3)).prune(x))]

    alike(program)


def test_a_method_of_ones_own() -> None:
    def program(t: Any, p: Any) -> Any:
        class Below(p.BasePruningMethod):  # type: ignore[misc, name-defined]
            PRUNING_TYPE = "unstructured"

            def __init__(self, limit: float) -> None:
                self.limit = limit

            def compute_mask(self, x: Any, default_mask: Any) -> Any:
                return default_mask * (x.abs() > self.limit)

        m = linear(t)
        Below.apply(m, "weight", limit=0.2)
        Below.apply(m, "weight", 0.3)
        return pruned(m)

    alike(program)


def twice(p: Any, m: Any, kind: Any) -> None:
    """Apply a method with another behind it, which looks at its type."""
    kind.PRUNING_TYPE = "odd"
    p.identity(m, "weight")
    kind.apply(m, "weight")


ERRORS: dict[str, Callable[[Any, Any], Any]] = {
    "abstract": lambda t, p: p.BasePruningMethod(),
    "amount below zero": lambda t, p: p.L1Unstructured(-1),
    "fraction over one": lambda t, p: p.RandomUnstructured(1.5),
    "amount of no number": lambda t, p: p.RandomStructured("x"),
    "too many": lambda t, p: p.l1_unstructured(linear(t), "weight", 13),
    "too many channels": lambda t, p: p.random_structured(linear(t), "weight", 4, 0),
    "no such dim": lambda t, p: p.ln_structured(linear(t), "weight", 1, 2, 2),
    "vector": lambda t, p: p.ln_structured(linear(t), "bias", 1, 2, 0),
    "no such name": lambda t, p: p.identity(linear(t), "nothing"),
    "shape of scores": lambda t, p: p.l1_unstructured(
        linear(t), "weight", 1, importance_scores=t.ones(2, 2)),
    "shape of scores of a tensor": lambda t, p: p.Identity().prune(
        t.ones(2), importance_scores=t.ones(3)),
    "shape of mask": lambda t, p: p.custom_from_mask(
        linear(t), "weight", t.ones(2, 2)),
    "not pruned": lambda t, p: p.remove(linear(t), "weight"),
    "no method": lambda t, p: p.PruningContainer().add_pruning_method(3),
    "pruning type": lambda t, p: twice(
        p, linear(t), type("Odd", (p.Identity,), {})),
    "no pairs": lambda t, p: p.global_unstructured(3, p.L1Unstructured, amount=1),
    "no dict": lambda t, p: p.global_unstructured(
        [(linear(t), "weight")], p.L1Unstructured, importance_scores=3, amount=1),
    "global and structured": lambda t, p: p.global_unstructured(
        [(linear(t), "weight")], p.LnStructured, amount=1, n=2),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    kind, text = alike(ERRORS[case])
    assert kind.endswith("Error") and text


def test_a_failure_changes_nothing() -> None:
    p, m = tools(tt), linear(tt)
    p.l1_unstructured(m, "weight", 3)
    before = pruned(m)
    with pytest.raises(ValueError, match="smaller than"):
        p.l1_unstructured(m, "weight", 99)
    assert pruned(m) == before
    with pytest.raises(ValueError, match="smaller than"):
        p.l1_unstructured(m, "bias", 4)
    assert pruned(m) == before


def test_a_container_is_for_one_parameter() -> None:
    p, m = tools(tt), linear(tt)
    one, other = p.Identity.apply(m, "weight"), p.Identity.apply(m, "bias")
    with pytest.raises(ValueError, match="named 'weight'.*Found 'bias'"):
        p.PruningContainer(one, other)
