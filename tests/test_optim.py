"""Optimizers around their steps: state dicts, hooks, groups, closures, capture."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
import tinytorch.optim
from tinytorch.optim import optimizer as optimizer_module

NAMES = ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam",
         "RAdam", "ASGD", "Rprop", "Adafactor", "Lion"]
KERNELS = [name for name in NAMES if name != "Adafactor"]
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Adam": {"lr": 0.01, "amsgrad": True},
    "ASGD": {"lr": 0.1, "t0": 2},
}


def parameters(m: Any = tt, dtype: str = "float32") -> list[Any]:
    rng = np.random.default_rng(3)
    return [m.tensor(rng.standard_normal(s).tolist(), dtype=getattr(m, dtype))
            .requires_grad_() for s in ((4, 3), (4,), (2, 4), (2,))]


def make(name: str, params: list[Any], m: Any = tt) -> Any:
    return getattr(m.optim, name)(params, **OPTIONS.get(name, {}))


def give_gradients(params: list[Any], step: int) -> None:
    for k, p in enumerate(params):
        p.grad = (p.detach() * 0.3 + 0.1 * (k + 1)).cos() * (step % 5 - 1.5)


def advance(optimizer: Any, params: list[Any], steps: range) -> None:
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


def values(params: list[Any]) -> list[Any]:
    return [p.detach().numpy().copy() for p in params]


def assert_close(a: list[Any], b: list[Any], tolerance: float = 2e-6) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def exchanged(value: Any, to: Any) -> Any:
    """Return a state dict with the tensors of one library as those of another."""
    if hasattr(value, "detach"):
        dtype = getattr(to, str(value.dtype).rpartition(".")[2])
        return to.tensor(value.detach().tolist(), dtype=dtype)
    if isinstance(value, dict):
        return {key: exchanged(item, to) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(exchanged(item, to) for item in value)
    return value


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
        assert all((x == y).all() for x, y in zip(values(own), values(params)))
    fresh = [tt.tensor(x).requires_grad_() for x in now]
    resumed = make(name, fresh)
    resumed.load_state_dict(saved)
    advance(resumed, fresh, range(5, 12))
    assert all((x == y).all() for x, y in zip(values(fresh), values(params)))


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


# ---- steps ----


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_gradient_stay(name: str) -> None:
    """Each parameter counts its own steps."""
    torch = pytest.importorskip("torch")
    libraries = (tt, torch) if name != "Lion" else (tt,)
    seen = []
    for m in libraries:
        params = parameters(m)
        optimizer = make(name, params, m)
        for step in range(9):
            give_gradients(params, step)
            for k in range(4):
                if (step + k) % 3 == 0:
                    params[k].grad = None
            before = values(params)
            optimizer.step()
            for p, x in zip(params, before, strict=True):
                assert p.grad is not None or (p.detach().numpy() == x).all()
        seen.append(values(params))
    assert_close(seen[0], seen[-1])


@pytest.mark.parametrize("name", NAMES)
def test_layouts_do_not_matter(name: str) -> None:
    """Transposed, expanded and offset memory gives what contiguous memory gives."""
    plain = parameters()
    strided = [p.detach().t().contiguous().t().requires_grad_() if p.dim() == 2
               else tt.stack([p.detach(), p.detach()], 1)[:, 0].requires_grad_()
               for p in plain]
    assert not any(p.is_contiguous() for p in strided)
    one, two = make(name, plain), make(name, strided)
    for step in range(6):
        give_gradients(plain, step)
        for p, q in zip(plain, strided, strict=True):
            q.grad = p.grad.clone() if step % 2 else p.grad.t().contiguous().t()
        one.step()
        two.step()
    assert_close(values(plain), values(strided), 1e-6)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_types_step_in_float32(name: str, dtype: str) -> None:
    """One step from the same values: rounded once, from float32 arithmetic."""
    narrow = [p.detach().to(getattr(tt, dtype)).requires_grad_() for p in parameters()]
    wide = [p.detach().float().requires_grad_() for p in narrow]
    one, two = make(name, narrow), make(name, wide)
    for p, q in zip(narrow, wide, strict=True):
        p.grad = (p.detach() * 0.5 + 0.2).to(p.dtype)
        q.grad = p.grad.float()
    one.step()
    two.step()
    for p, q in zip(narrow, wide, strict=True):
        assert p.dtype == getattr(tt, dtype)
        assert (p.detach() == q.detach().to(p.dtype)).all()


def test_dtypes_share_a_group() -> None:
    for name in KERNELS:
        mixed = [p if k % 2 else p.detach().double().requires_grad_()
                 for k, p in enumerate(parameters())]
        alone = parameters()
        one, two = make(name, mixed), make(name, alone)
        advance(one, mixed, range(4))
        advance(two, alone, range(4))
        assert [p.dtype for p in mixed[:2]] == [tt.float64, tt.float32]
        assert_close(values(mixed), values(alone), 1e-5)


def test_many_and_empty_parameters() -> None:
    torch = pytest.importorskip("torch")
    seen = []
    for m in (tt, torch):
        params = [m.full((k % 7, 3), 0.5, requires_grad=True) for k in range(60)]
        params.append(m.full((50000,), 0.5, requires_grad=True))
        optimizer = m.optim.AdamW(params, lr=0.1)
        for _ in range(3):
            for p in params:
                p.grad = p.detach() * 2
            optimizer.step()
        seen.append(values(params))
    assert_close(*seen)


def test_state_may_be_exchanged_between_steps() -> None:
    """As programs do that prune or grow a parameter in place."""
    params = parameters()
    optimizer = make("Adam", params)
    advance(optimizer, params, range(2))
    old = params[0]
    state = optimizer.state.pop(old)
    half = old.detach()[:2].clone().requires_grad_()
    for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        state[key] = state[key][:2].clone()
    optimizer.state[half] = state
    optimizer.param_groups[0]["params"][0] = params[0] = half
    advance(optimizer, params, range(2, 4))
    assert state["step"].item() == 4
    assert state["exp_avg"].shape == (2, 3)


def test_wrong_states_are_refused() -> None:
    params = parameters()
    optimizer = make("Adam", params)
    advance(optimizer, params, range(1))
    own = optimizer.state[params[0]]
    own["exp_avg"] = tt.zeros(2)
    with pytest.raises(RuntimeError, match="exp_avg has size"):
        advance(optimizer, params, range(1))
    own["exp_avg"], own["step"] = tt.zeros(4, 3), tt.zeros(2)
    with pytest.raises(RuntimeError, match="step must be one"):
        advance(optimizer, params, range(1))


def test_step_counts_as_a_write() -> None:
    """A graph that saved a parameter notices that it has been stepped."""
    w = tt.ones(3, requires_grad=True)
    loss = (w * w).sum()
    w.grad = tt.ones(3)
    tt.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_rates_of_tensors_and_changed_options() -> None:
    torch = pytest.importorskip("torch")
    seen = []
    for m in (tt, torch):
        params = parameters(m)
        lr = m.tensor(0.1)
        optimizer = m.optim.SGD(params, lr=lr, momentum=0.0)
        advance(optimizer, params, range(2))
        lr.fill_(0.3)
        optimizer.param_groups[0]["momentum"] = 0.8
        advance(optimizer, params, range(2, 4))
        optimizer.param_groups[0]["nesterov"] = True
        optimizer.param_groups[0]["maximize"] = True
        advance(optimizer, params, range(4, 6))
        seen.append(values(params))
    assert_close(*seen)


def test_lion_is_what_its_formula_says() -> None:
    params, w = parameters(), values(parameters())
    optimizer = tt.optim.Lion(params, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    means = [np.zeros_like(x) for x in w]
    for step in range(6):
        give_gradients(params, step)
        grads = [p.grad.numpy() for p in params]
        optimizer.step()
        for x, m, g in zip(w, means, grads, strict=True):
            x *= 1 - 0.01 * 0.1
            x -= 0.01 * np.sign(0.9 * m + 0.1 * g)
            m *= 0.99
            m += 0.01 * g
    assert_close(values(params), w)


# ---- closures and gradients ----


@pytest.mark.parametrize("name", [*NAMES, "LBFGS"])
def test_closure_runs_with_gradients(name: str) -> None:
    w = tt.ones(3, 3, requires_grad=True)
    optimizer = make(name, [w])

    def closure() -> Any:
        optimizer.zero_grad()
        assert tt.is_grad_enabled()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tt.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert not (w == 1).any()


def test_zero_grad() -> None:
    params = parameters()
    optimizer = tt.optim.SGD(params)
    give_gradients(params[:3], 0)
    kept = params[0].grad
    params[1].grad = (params[1] * 2).cos()
    assert params[1].grad.requires_grad
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad is kept and not kept.any()
    assert not params[1].grad.requires_grad and not params[1].grad.any()
    assert params[3].grad is None
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


# ---- LBFGS ----


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_rosenbrock_s_minimum(search: str | None) -> None:
    torch = pytest.importorskip("torch")
    ends = []
    for m in (tt, torch):
        x = m.tensor([-1.5, 2.0], dtype=m.float64, requires_grad=True)
        lr = 1.0 if search else 1e-3
        optimizer = m.optim.LBFGS([x], lr=lr, max_iter=40, line_search_fn=search)
        calls = 0

        def closure(m: Any = m, x: Any = x, optimizer: Any = optimizer) -> Any:
            nonlocal calls
            calls += 1
            optimizer.zero_grad()
            loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        state = optimizer.state[x]
        ends.append((calls, state["func_evals"], state["n_iter"], len(state["ro"])))
        ends.append(x.detach().tolist())
    assert ends[0] == ends[2]
    assert ends[1] == pytest.approx(ends[3], rel=1e-7)
    if search:
        assert ends[1] == pytest.approx([1.0, 1.0], abs=1e-5)


def test_lbfgs_refuses() -> None:
    w = [tt.ones(1, requires_grad=True) for _ in range(2)]
    with pytest.raises(ValueError, match="per-parameter options"):
        tt.optim.LBFGS([{"params": w[:1]}, {"params": w[1:]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        tt.optim.LBFGS(w, line_search_fn="armijo").step(lambda: (w[0] * 1).sum())


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


# ---- capture ----


@pytest.mark.parametrize("name", KERNELS)
def test_captured_steps_equal_eager(name: str) -> None:
    """Counts, bias corrections and changed learning rates reach a replay."""
    ends = []
    for captured in (False, True):
        params = parameters()
        optimizer = make(name, params)

        def step(x: Any, params: Any = params, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            y = (x @ params[0].t() + params[1]).relu() @ params[2].t() + params[3]
            loss = (y * y).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = tt.capture(step) if captured else step
        losses = []
        for i in range(12):
            if i == 6:
                optimizer.param_groups[0]["lr"] *= 0.5
            losses.append(run(tt.full((5, 3), 0.1 * (i + 1))).item())
        ends.append((losses, [x.tobytes() for x in values(params)]))
    assert ends[0] == ends[1]


def test_capture_refuses_what_looks_at_values() -> None:
    w = tt.ones(2, 2, requires_grad=True)
    for name in ("Adafactor", "LBFGS"):
        optimizer = make(name, [w])
        w.grad = tt.ones(2, 2)
        with pytest.raises(RuntimeError, match=f"{name}.step depends on the values"):
            tt.capture(lambda o=optimizer: o.step(lambda: (w * w).sum()))()


def test_first_captured_step_starts_states_once() -> None:
    """States made while recording are not made again by a replay."""
    w = tt.ones(2, requires_grad=True)
    w.grad = tt.ones(2)
    optimizer = tt.optim.Adam([w])
    step = tt.capture(lambda: optimizer.step())
    for _ in range(5):
        step()
    assert optimizer.state[w]["step"].item() == 5


def test_state_dict_survives_pickling_in_memory() -> None:
    params = parameters()
    optimizer = make("NAdam", params)
    advance(optimizer, params, range(2))
    file = io.BytesIO()
    pickle.dump(optimizer.state_dict(), file)
    loaded = pickle.loads(file.getvalue())
    optimizer.load_state_dict(loaded)
    assert optimizer.state[params[0]]["mu_product"].shape == ()
