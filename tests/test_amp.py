"""Mixed precision: the scaler is PyTorch's; autocast is off, as there without CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from outcomes import warned

BOTH = pytest.mark.parametrize("L", [tt, torch], ids=["tinytorch", "torch"])


def same(program: Callable[[Any], Any]) -> None:
    """Assert that both libraries give or raise the same, and warn alike."""
    assert warned(program, tt) == warned(program, torch)


# ---- the scaler ----


def trained(L: Any, clip: bool = False, **options: Any) -> list[Any]:
    """Train, with a gradient that overflows in the third step; return what is seen."""
    L.manual_seed(0)
    w = L.arange(1.0, 4).requires_grad_()
    optimizer = L.optim.SGD([w], lr=0.125, momentum=0.5)
    scaler = L.amp.GradScaler("cpu", growth_interval=2, **options)
    seen: list[Any] = [scaler.is_enabled(), scaler.get_scale()]
    for step in range(8):
        optimizer.zero_grad()
        loss = (w * w).sum() * (float("inf") if step == 2 else 1.0)
        scaled = scaler.scale(loss)
        scaled.backward()
        if clip:
            scaler.unscale_(optimizer)
            L.nn.utils.clip_grad_value_([w], 1.0)
        returned = scaler.step(optimizer)
        scaler.update()
        seen += [scaled.item(), w.tolist(), returned, scaler.state_dict()]
    return seen


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("options", [
    {}, {"init_scale": 4.0, "growth_factor": 3.0, "backoff_factor": 0.25},
    {"enabled": False}, {"init_scale": 2.0**127},
])
def test_scaled_training(clip: bool, options: dict[str, Any]) -> None:
    seen, expected = (trained(L, clip, **options) for L in (tt, torch))
    assert repr(seen) == repr(expected)  # not a number equals itself


def test_scaler_of_several_outputs_and_dtypes() -> None:
    def program(L: Any) -> Any:
        scaler = L.GradScaler("cpu", init_scale=8.0)
        x = [L.ones(2), (L.ones((), dtype=L.float16), L.ones(1, dtype=L.float64))]
        a, (b, c) = scaler.scale(x)
        return [[y.tolist(), str(y.dtype)] for y in (a, b, c)]

    same(program)


def scaler_of(L: Any) -> tuple[Any, Any]:
    """Return a scaler, after a backward pass, and the optimizer."""
    w = L.ones(2, requires_grad=True)
    scaler = L.amp.GradScaler("cpu")
    scaler.scale(w.sum()).backward()
    return scaler, L.optim.SGD([w])


def twice(name: str) -> Callable[[Any], Any]:
    def program(L: Any) -> None:
        scaler, optimizer = scaler_of(L)
        getattr(scaler, name)(optimizer)
        getattr(scaler, name)(optimizer)

    return program


def unscaled_after_the_step(L: Any) -> None:
    scaler, optimizer = scaler_of(L)
    scaler.step(optimizer)
    scaler.unscale_(optimizer)


def of_half_gradients(L: Any) -> None:
    w = L.ones(2, dtype=L.float16, requires_grad=True)
    scaler = L.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(w.sum()).backward()
    scaler.step(L.optim.SGD([w]))


@pytest.mark.parametrize("program", [
    twice("unscale_"), twice("step"), unscaled_after_the_step, of_half_gradients,
    lambda L: scaler_of(L)[0].update(),
    lambda L: L.amp.GradScaler("cpu").update(),
    lambda L: L.amp.GradScaler("cpu").step(L.optim.SGD([L.ones(1)])),
    lambda L: scaler_of(L)[0].step(None, closure=None),
    lambda L: L.amp.GradScaler("cpu").scale(3),
    lambda L: L.amp.GradScaler("cpu", growth_factor=1.0),
    lambda L: L.amp.GradScaler("cpu", backoff_factor=1.0),
    lambda L: L.amp.GradScaler("cpu").load_state_dict({}),
    lambda L: L.amp.GradScaler().state_dict(),
    lambda L: L.cuda.amp.GradScaler().is_enabled(),
])  # fmt: skip
def test_scaler_says_what_pytorch_says(program: Callable[[Any], Any]) -> None:
    same(program)


def test_state_of_a_scaler_crosses_over() -> None:
    for source, target in ((tt, torch), (torch, tt)):
        scaler, _ = scaler_of(source)
        scaler.update(32.0)
        other = target.amp.GradScaler("cpu")
        other.load_state_dict(scaler.state_dict())
        assert other.state_dict() == scaler.state_dict()
        assert other.get_scale() == 32.0


# ---- autocast ----


def cast(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    def program(L: Any) -> str:
        options = {name: getattr(L, value) if name == "dtype" else value
                   for name, value in kwargs.items()}
        with L.autocast(*args, **options) as context:
            assert isinstance(context, L.amp.autocast)
            return str((L.ones(2, 2) @ L.ones(2, 2)).dtype)

    return program


@pytest.mark.parametrize("program", [
    cast("cuda"), cast("cuda", dtype="float16"), cast("cuda", enabled=False),
    cast("cpu", enabled=False), cast(device_type="cpu", enabled=False),
    cast("cpu", dtype="float32"), cast(3),
    lambda L: L.autocast("cuda")(lambda x: x + 1)(2), lambda L: L.autocast("cuda")(3),
    lambda L: L.cuda.amp.autocast(enabled=False)(lambda: 1)(),
    lambda L: [L.is_autocast_enabled(), L.is_autocast_enabled("cpu")],
    lambda L: [str(L.get_autocast_dtype(d)) for d in ("cpu", "cuda")],
    lambda L: L.amp.is_autocast_available("cpu"),
])
def test_autocast_is_off(program: Callable[[Any], Any]) -> None:
    same(program)


def test_autocast_that_would_cast_is_refused() -> None:
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'gpu'"):
        tt.autocast("gpu")
    for dtype in (None, tt.bfloat16, tt.float16):
        with pytest.raises(NotImplementedError, match="mixed precision"):
            tt.autocast("cpu", dtype=dtype)


@BOTH
def test_functions_for_autocast(L: Any) -> None:
    class Square(L.autograd.Function):
        @staticmethod
        @L.amp.custom_fwd(device_type="cuda", cast_inputs=L.float16)
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @L.amp.custom_bwd(device_type="cuda")
        def backward(ctx: Any, g: Any) -> Any:
            assert ctx._dtype == L.float16 and not ctx._fwd_used_autocast
            return 2 * ctx.saved_tensors[0] * g

    x = L.tensor([3.0], requires_grad=True)
    Square.apply(x).backward()
    assert x.grad.tolist() == [6.0]
