"""What the tests of optimizers share: parameters, gradients, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinytorch as tt
import tinytorch.optim

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


def assert_same(params: list[Any], others: list[Any]) -> None:
    for x, y in zip(values(params), values(others), strict=True):
        assert (x == y).all()


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
