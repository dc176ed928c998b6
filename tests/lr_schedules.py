"""Schedules of learning rates, built alike for tinytorch and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import tinytorch as tt
import tinytorch.optim.lr_scheduler
from tinytorch.optim.schedulers import swa as swa_schedule

LIBRARIES = (tt, torch)

# What PyTorch keeps in optim.swa_utils, by lr_scheduler module.
SWA = {tt.optim.lr_scheduler: swa_schedule,
       torch.optim.lr_scheduler: torch.optim.swa_utils}

# What is built, of (lr_scheduler module, optimizer).
SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda L, o: L.LambdaLR(o, lambda e: 0.95**e),
    "lambdas": lambda L, o: L.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "multiplicative": lambda L, o: L.MultiplicativeLR(o, lambda e: 1 - 1 / (e + 2)),
    "step": lambda L, o: L.StepLR(o, 7, 0.3),
    "step-default": lambda L, o: L.StepLR(o, 30),
    "multi-step": lambda L, o: L.MultiStepLR(o, [3, 50, 50, 80], 0.3),
    "constant": lambda L, o: L.ConstantLR(o),
    "constant-60": lambda L, o: L.ConstantLR(o, 0.7, 60),
    "linear": lambda L, o: L.LinearLR(o),
    "linear-77": lambda L, o: L.LinearLR(o, 0.1, 0.3, 77),
    "linear-down": lambda L, o: L.LinearLR(o, 1.0, 0.0, 90),
    "exponential": lambda L, o: L.ExponentialLR(o, 0.97),
    "polynomial": lambda L, o: L.PolynomialLR(o, 100),
    "polynomial-2.5": lambda L, o: L.PolynomialLR(o, 60, 2.5),
    "cosine": lambda L, o: L.CosineAnnealingLR(o, 10),
    "cosine-min": lambda L, o: L.CosineAnnealingLR(o, 33, 1e-3),
    "restarts": lambda L, o: L.CosineAnnealingWarmRestarts(o, 10),
    "restarts-mult": lambda L, o: L.CosineAnnealingWarmRestarts(o, 7, 2, 1e-4),
    "cyclic": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 9),
    "cyclic-down": lambda L, o: L.CyclicLR(o, [0.01, 0.02], [0.1, 0.2], 9, 5),
    "cyclic-2": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 9, mode="triangular2"),
    "cyclic-exp": lambda L, o: L.CyclicLR(
        o, 0.01, 0.1, 9, 11, mode="exp_range", gamma=0.99
    ),
    "cyclic-own": lambda L, o: L.CyclicLR(
        o, 0.01, 0.1, 9, scale_fn=lambda x: 1 / (5**(x * 0.0001)),
        scale_mode="iterations", base_momentum=[0.5, 0.6], max_momentum=0.9
    ),
    "cyclic-bare": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 9, cycle_momentum=False),
    "one-cycle": lambda L, o: L.OneCycleLR(o, 0.1, total_steps=130),
    "one-cycle-epochs": lambda L, o: L.OneCycleLR(
        o, [0.1, 0.3], epochs=13, steps_per_epoch=10, pct_start=0.4,
        anneal_strategy="linear", div_factor=10, final_div_factor=100
    ),
    "one-cycle-three": lambda L, o: L.OneCycleLR(
        o, 0.1, total_steps=130, three_phase=True, base_momentum=0.7,
        max_momentum=[0.8, 0.9]
    ),
    "one-cycle-bare": lambda L, o: L.OneCycleLR(
        o, 0.1, total_steps=121, cycle_momentum=False
    ),
    "sequential": lambda L, o: L.SequentialLR(
        o, [L.ConstantLR(o, 0.1, 20), L.ExponentialLR(o, 0.9)], [20]
    ),
    "sequential-warmup": lambda L, o: L.SequentialLR(
        o, [L.LinearLR(o, 0.01, 1.0, 10), L.CosineAnnealingLR(o, 60),
            L.MultiplicativeLR(o, lambda e: 0.99)], [10, 70]
    ),
    "sequential-rest": lambda L, o: L.SequentialLR(
        o, [L.StepLR(o, 3), L.CosineAnnealingWarmRestarts(o, 9),
            L.PolynomialLR(o, 20), L.MultiStepLR(o, [2, 7])], [15, 40, 65]
    ),
    "sequential-nested": lambda L, o: L.SequentialLR(
        o, [L.SequentialLR(o, [L.LinearLR(o), L.ConstantLR(o, 0.5)], [6]),
            L.ExponentialLR(o, 0.9)], [30]
    ),
    "chained": lambda L, o: L.ChainedScheduler(
        [L.ConstantLR(o, 0.1, 20), L.ExponentialLR(o, 0.9)]
    ),
    "chained-many": lambda L, o: L.ChainedScheduler(
        [L.LinearLR(o, 0.2, 0.9, 40), L.StepLR(o, 9, 0.8), L.CosineAnnealingLR(o, 25),
         L.MultiStepLR(o, [5, 40], 0.9)], optimizer=o
    ),
}
SCHEDULES |= {
    "swa": lambda L, o: SWA[L].SWALR(o, 0.05),
    "swa-linear": lambda L, o: SWA[L].SWALR(o, [0.05, 0.5], 30, "linear"),
    "swa-at-once": lambda L, o: SWA[L].SWALR(o, 0.05, 0),
}
NESTED = "ignore:Detected call of"  # PyTorch warns of a part within a part as well
PARTED = [n for n in SCHEDULES if n.startswith(("sequential", "chained"))]
# Those that are made anew with last_epoch; the cycles keep more in their groups.
RESUMED = [n for n in SCHEDULES
           if n not in PARTED and not n.startswith(("cyclic", "one-cycle", "swa"))]


def optimizer(m: Any, name: str = "SGD", lr: Any = 0.1, **options: Any) -> Any:
    """Return an optimizer of two groups."""
    if name == "SGD":
        options.setdefault("momentum", 0.9)
    groups = [{"params": [m.ones(2, requires_grad=True)]},
              {"params": [m.ones(1, requires_grad=True)], "lr": 0.37}]
    return getattr(m.optim, name)(groups, lr=lr, **options)


def numbers(opt: Any, schedule: Any) -> list[Any]:
    """Return what a schedule has set: rates, momenta, and what it says of them."""
    groups = opt.param_groups
    return [
        [float(g["lr"]) for g in groups],
        [float(g["betas"][0] if "betas" in g else g["momentum"]) for g in groups],
        [float(lr) for lr in schedule.get_last_lr()],
    ]


def advance(opt: Any, schedule: Any, steps: int) -> list[Any]:
    """Return the numbers of so many steps."""
    seen = []
    for _ in range(steps):
        opt.step()
        schedule.step()
        seen.append(numbers(opt, schedule))
    return seen
