"""Optimizers' steps: which parameters, which memory, closures, capture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytorch as tt
import tinytorch.optim
from optim_cases import (
    KERNELS,
    NAMES,
    advance,
    assert_close,
    give_gradients,
    make,
    parameters,
    values,
)

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
