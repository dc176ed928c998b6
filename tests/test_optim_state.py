"""Optimizers around their steps: state dicts, copies, groups, errors, hooks."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import pytest

import tinytorch as tt
import tinytorch.optim
from optim_cases import (
    NAMES,
    advance,
    assert_close,
    assert_same,
    exchanged,
    make,
    parameters,
    values,
)
from tinytorch.optim import optimizer as optimizer_module

# ---- state dicts ----


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Lion"])
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_state_dicts_go_both_ways(name: str, direction: str) -> None:
    torch = pytest.importorskip("torch")
    a, b = (torch, tt) if direction == "from torch" else (tt, torch)
    first, second = parameters(a), parameters(b)
    one = make(name, first, a)
    advance(one, first, range(7))
    two = make(name, second, b)
    with b.no_grad():
        for p, q in zip(second, first, strict=True):
            p.copy_(b.tensor(q.detach().tolist()))
    saved = one.state_dict()
    two.load_state_dict(exchanged(saved, b))
    again = two.state_dict()
    assert again["param_groups"] == saved["param_groups"]
    assert {k: list(v) for k, v in again["state"].items()} == {
        k: list(v) for k, v in saved["state"].items()
    }
    advance(one, first, range(7, 15))
    advance(two, second, range(7, 15))
    assert_close(values(first), values(second), 2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_copies_go_on_alike(name: str) -> None:
    params = parameters()
    optimizer = make(name, params)
    advance(optimizer, params, range(5))
    pickled = pickle.loads(pickle.dumps(optimizer))
    copied = copy.deepcopy(optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    now = values(params)
    advance(optimizer, params, range(5, 12))
    for other in (pickled, copied):
        own = other.param_groups[0]["params"]
        advance(other, own, range(5, 12))
        assert_same(own, params)
    fresh = [tt.tensor(x).requires_grad_() for x in now]
    resumed = make(name, fresh)
    resumed.load_state_dict(saved)
    advance(resumed, fresh, range(5, 12))
    assert_same(fresh, params)


def test_steps_of_old_state_dicts_become_tensors() -> None:
    params = parameters()
    optimizer = make("Adam", params)
    advance(optimizer, params, range(3))
    saved = optimizer.state_dict()
    for own in saved["state"].values():
        own["step"] = 3
        own["exp_avg"] = own["exp_avg"].double()
    del saved["param_groups"][0]["maximize"]
    saved["param_groups"][0]["note"] = "kept"
    optimizer.load_state_dict(saved)
    own = optimizer.state[params[0]]
    assert own["step"].dtype == tt.float32 and own["step"].item() == 3
    assert own["exp_avg"].dtype == tt.float32
    group = optimizer.param_groups[0]
    assert group["maximize"] is False and group["note"] == "kept"


def test_loading_another_layout_is_refused() -> None:
    optimizer = tt.optim.SGD(parameters())
    for groups, words in (([], "number of parameter groups"),
                          ([{"params": [0]}], "doesn't match the size")):
        with pytest.raises(ValueError, match=words):
            optimizer.load_state_dict({"state": {}, "param_groups": groups})


def test_state_dict_survives_pickling_in_memory() -> None:
    params = parameters()
    optimizer = make("NAdam", params)
    advance(optimizer, params, range(2))
    file = io.BytesIO()
    pickle.dump(optimizer.state_dict(), file)
    loaded = pickle.loads(file.getvalue())
    optimizer.load_state_dict(loaded)
    assert optimizer.state[params[0]]["mu_product"].shape == ()


def test_other_parameters_and_state_are_swapped_in() -> None:
    params = parameters()
    optimizer = make("Adam", params)
    advance(optimizer, params, range(3))
    copies = [p.detach().clone().requires_grad_() for p in params]
    state = copy.deepcopy(optimizer.state_dict())
    before = values(params)
    named = {str(k): p for k, p in enumerate(copies)}
    with tt.optim.swap_in_optimizer_params_and_state(optimizer, named, state):
        advance(optimizer, copies, range(3, 4))
    assert state["state"][0]["step"].item() == 4
    assert optimizer.state[params[0]]["step"].item() == 3
    assert all((p == q).all() for p, q in zip(before, values(params), strict=True))
    advance(optimizer, params, range(3, 4))
    assert_same(params, copies)


# ---- groups ----


def test_groups_have_options_and_names_of_their_own() -> None:
    torch = pytest.importorskip("torch")
    seen = []
    for m in (tt, torch):
        params = parameters(m)
        optimizer = m.optim.Adam(
            [{"params": [("a", params[0]), ("b", params[1])], "lr": 0.1},
             {"params": iter([("c", params[2])]), "weight_decay": 0.5}], lr=0.01)
        optimizer.add_param_group({"params": [("d", params[3])], "betas": (0.5, 0.5)})
        advance(optimizer, params, range(4))
        groups = [{k: v for k, v in g.items() if k != "params"}
                  for g in optimizer.param_groups]
        seen.append((groups, repr(optimizer), optimizer.state_dict()["param_groups"]))
        seen.append(values(params))
    assert seen[0] == seen[2]
    assert_close(seen[1], seen[3])


CALLS = """
m.optim.SGD(p)
m.optim.SGD([])
m.optim.SGD([1])
m.optim.SGD([p, p])
m.optim.SGD([{"params": {p}}])
m.optim.SGD([p * 1])
m.optim.SGD([("a", p), p])
m.optim.SGD([("a", p), ("a", q)]).param_groups[0]["param_names"]
m.optim.SGD([p]).add_param_group(1)
m.optim.SGD([p]).add_param_group({"params": [p]})
m.optim.SGD([p]).add_param_group({"params": [("x", q)]})
m.optim.SGD([("x", p)]).add_param_group({"params": [q]})
m.optim.SGD([p], lr=-1)
m.optim.SGD([p], lr=m.ones(2))
m.optim.SGD([p], nesterov=True)
m.optim.SGD([p], momentum=-1)
m.optim.SGD([p], weight_decay=-1)
m.optim.SGD([p], fused=True, foreach=True)
m.optim.SGD([p], fused=True, differentiable=True)
m.optim.Adam([p], eps=-1)
m.optim.Adam([p], fused=True, foreach=True)
m.optim.Adam([p], betas=(0.5, -1.0))
m.optim.Adagrad([p], initial_accumulator_value=-1)
m.optim.Adagrad([p], eps=-1)
m.optim.Adagrad([p], fused=True, foreach=True)
m.optim.RMSprop([p], alpha=-1)
m.optim.Rprop([p], etas=(0.5, 0.9))
m.optim.Adafactor([p], lr=-1)
m.optim.Adafactor([p], eps=(None, -1))
m.optim.Muon([p], lr=-1)
m.optim.Muon([p], momentum=-1)
m.optim.Muon([p])
m.optim.LBFGS([p]).step()
m.optim.Optimizer([p], {"lr": required[m]})
m.optim.Optimizer([p], {}).step()
m.optim.SGD([p]).register_step_pre_hook(lambda *a: 3) and 0
""".strip().splitlines()


@pytest.mark.parametrize("call", CALLS)
def test_errors_and_warnings_are_pytorch_s(call: str) -> None:
    torch = pytest.importorskip("torch")
    import torch.optim.optimizer as theirs

    outcomes = []
    for m in (tt, torch):
        names = {"m": m, "p": m.ones(2, requires_grad=True),
                 "q": m.ones(1, requires_grad=True),
                 "required": {tt: optimizer_module.required,
                              torch: theirs.required}}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = repr(eval(call, names))
                if "optim." in result:
                    result = ""
            except Exception as e:
                result = f"{type(e).__name__}: {e}"
        outcomes.append((result, [(w.category, str(w.message)) for w in caught]))
    assert outcomes[0] == outcomes[1]


# ---- hooks ----


def test_step_hooks_run_in_order() -> None:
    torch = pytest.importorskip("torch")
    import torch.optim.optimizer as theirs

    logs = []
    for m, module in ((tt, optimizer_module), (torch, theirs)):
        log: list[Any] = []

        class Own(m.optim.Optimizer):  # type: ignore[name-defined, misc]
            def __init__(self, params: Any) -> None:
                super().__init__(params, {"lr": 1.0})

            def step(self, factor: float = 1.0, log: Any = log) -> float:
                log.append(("step", factor))
                return factor

        def note(word: str, log: Any = log) -> Any:
            return lambda o, args, kwargs: log.append((word, len(args), list(kwargs)))

        w = m.ones(1, requires_grad=True)
        w.grad = m.ones(1)
        handles = [module.register_optimizer_step_pre_hook(note("all before")),
                   module.register_optimizer_step_post_hook(note("all after"))]
        for optimizer in (Own([w]), m.optim.SGD([w], lr=0.5)):
            optimizer.register_step_pre_hook(note("before"))
            optimizer.register_step_post_hook(note("after"))
            optimizer.step()
            log.append(w.item())
        own = Own([w])
        change = own.register_step_pre_hook(lambda o, a, k: ((o, 7.0), {}))
        log.append(own.step(factor=2.0))
        change.remove()
        for handle in handles:
            handle.remove()
        log.append(own.step(3.0))
        log.append(w.item())
        logs.append(log)
    assert logs[0] == logs[1]


def test_step_hooks_may_replace_arguments_of_kernels() -> None:
    w = tt.ones(1, requires_grad=True)
    w.grad = tt.ones(1)
    optimizer = tt.optim.SGD([w], lr=0.5)
    hook = optimizer.register_step_pre_hook(lambda o, a, k: ((o, lambda: 5), {}))
    assert optimizer.step() == 5
    hook.remove()
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimizer.step()


def test_state_dict_hooks() -> None:
    optimizer, log = tt.optim.SGD(parameters()), []
    register = optimizer.register_state_dict_pre_hook
    register(lambda o: log.append("second"))
    register(lambda o: log.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "more": 1})
    saved = optimizer.state_dict()
    assert log == ["first", "second"] and saved["more"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, d: {**d, "state": {}})
    optimizer.register_load_state_dict_post_hook(lambda o: log.append("loaded"))
    optimizer.load_state_dict({"param_groups": saved["param_groups"]})
    assert log[-1] == "loaded"
