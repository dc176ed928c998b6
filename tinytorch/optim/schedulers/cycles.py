"""Schedules that move the momentum with the rate: CyclicLR and OneCycleLR."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from tinytorch.optim.optimizer import Group, Optimizer
from tinytorch.optim.schedulers.scheduler import (
    LRScheduler,
    check_optimizer,
    copied,
    one_for_each,
    set_value,
    state_of_callable,
)

__all__ = ["CyclicLR", "OneCycleLR"]


def set_momentum(group: Group, momentum: Any, use_beta1: bool) -> None:
    """Set the momentum, or the first beta of optimizers that have betas."""
    if use_beta1:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def uses_beta1(optimizer: Optimizer) -> bool:
    """Whether the first beta is the momentum; raise if there is neither."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError(
            "optimizer must support momentum or beta1 with `cycle_momentum` option "
            "enabled"
        )
    return "betas" in optimizer.defaults


class CyclicLR(LRScheduler):
    """Go up from base_lr to max_lr and down again, step by step of the optimizer.

    Args:
        optimizer: whose groups get the learning rates.
        base_lr: the lowest rate, or one for each group.
        max_lr: the highest rate, or one for each group.
        step_size_up: steps of the way up.
        step_size_down: steps of the way down; None: as many as up.
        mode: "triangular" keeps the height, "triangular2" halves it with each cycle,
            "exp_range" multiplies it by gamma with each step.
        gamma: for "exp_range".
        scale_fn: own factor of the height, in place of `mode`.
        scale_mode: what scale_fn is a function of, "cycle" or "iterations".
        cycle_momentum: whether the momentum goes the other way.
        base_momentum: the lowest momentum.
        max_momentum: the highest momentum.
        last_epoch: the step to go on after.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = one_for_each("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_value(group, "lr", lr)
        self.max_lrs = one_for_each("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in SCALES and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._choose_scale()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            self.base_momentums = one_for_each(
                "base_momentum", optimizer, base_momentum
            )
            self.max_momentums = one_for_each("max_momentum", optimizer, max_momentum)
            if last_epoch == -1:
                for high, low, group in zip(
                    self.max_momentums, self.base_momentums, optimizer.param_groups,
                    strict=True,
                ):
                    set_momentum(group, high, self.use_beta1)
                    group["max_momentum"] = high
                    group["base_momentum"] = low
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _choose_scale(self) -> None:
        self._scale_fn_ref: Any = None
        if self._scale_fn_custom is None:
            self._scale_fn_ref, scale_mode = SCALES[self.mode]
            self.scale_mode = scale_mode

    def scale_fn(self, x: float) -> float:
        """Return the height of the cycle as a share of max_lr - base_lr."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self._scale_fn_ref(self.gamma, x)  # type: ignore[no-any-return]

    def get_lr(self) -> list[Any]:
        """Return the rates of this step; set the momenta."""
        self._rates()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        if x <= self.step_ratio:
            share = x / self.step_ratio
        else:
            share = (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        rates = []
        for low, high in zip(self.base_lrs, self.max_lrs, strict=True):
            height = (high - low) * share
            rates.append(low + height * scale)
        if self.cycle_momentum:
            for low, high, group in zip(
                self.base_momentums, self.max_momentums, self.optimizer.param_groups,
                strict=True,
            ):
                set_momentum(
                    group, high - (high - low) * share * scale, self.use_beta1
                )
        return rates

    def state_dict(self) -> dict[str, Any]:
        """Return the state; of a scale_fn only what a callable object holds."""
        state = super().state_dict()
        state.pop("_scale_fn_ref", None)
        custom = state.pop("_scale_fn_custom")
        state["_scale_fn_custom"] = (
            None if custom is None else state_of_callable(custom)
        )
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; a scale_fn stays, a callable object gets its own back."""
        state = dict(state_dict)
        held = state.pop("_scale_fn_custom")
        super().load_state_dict(state)
        if held is not None:
            self._scale_fn_custom.__dict__.update(held)
        self._choose_scale()


def same_height(gamma: float, cycle: float) -> float:
    return 1.0


def half_height(gamma: float, cycle: float) -> float:
    return float(0.5 ** (cycle - 1))


def falling_height(gamma: float, step: float) -> float:
    return float(gamma**step)


SCALES: dict[str, tuple[Callable[[float, float], float], Any]] = {
    "triangular": (same_height, "cycle"),
    "triangular2": (half_height, "cycle"),
    "exp_range": (falling_height, "iterations"),
}


# ---- one cycle ----


def anneal_cos(start: float, end: float, pct: float) -> float:
    """Go from start to end along half a cosine."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)


def anneal_linear(start: float, end: float, pct: float) -> float:
    """Go from start to end along a line."""
    return (end - start) * pct + start


class OneCycleLR(LRScheduler):
    """Warm up to max_lr, then anneal far below where it began, in one training.

    Args:
        optimizer: whose groups get the learning rates.
        max_lr: the highest rate, or one for each group.
        total_steps: steps of the whole training; or give the next two.
        epochs: how many epochs.
        steps_per_epoch: how many steps in each.
        pct_start: the share of steps that go up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether the momentum goes the other way.
        base_momentum: the lowest momentum, or one for each group.
        max_momentum: the highest momentum, or one for each group.
        div_factor: max_lr over the first rate.
        final_div_factor: the first rate over the last.
        three_phase: whether to come down to the first rate before the last phase.
        last_epoch: the step to go on after.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = steps_of(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(
                f"Expected float between 0 and 1 pct_start, but got {pct_start}"
            )
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                "anneal_strategy must be one of 'cos' or 'linear', instead got "
                f"{anneal_strategy}"
            )
        self._schedule_phases = self._phases(pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = one_for_each("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = high / div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            highest = one_for_each("max_momentum", optimizer, max_momentum)
            lowest = one_for_each("base_momentum", optimizer, base_momentum)
            if last_epoch == -1:
                for low, high, group in zip(
                    lowest, highest, optimizer.param_groups, strict=True
                ):
                    set_momentum(group, high, self.use_beta1)
                    group["max_momentum"] = high
                    group["base_momentum"] = low
        super().__init__(optimizer, last_epoch)

    def _phases(self, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
        """Return the way as phases: to which step, between which values."""

        def phase(end: float, start_lr: str, end_lr: str, start: str, to: str) -> Any:
            return {"end_step": end, "start_lr": start_lr, "end_lr": end_lr,
                    "start_momentum": start, "end_momentum": to}

        up = float(pct_start * self.total_steps) - 1
        high, low = "max_momentum", "base_momentum"
        if not three_phase:
            return [
                phase(up, "initial_lr", "max_lr", high, low),
                phase(self.total_steps - 1, "max_lr", "min_lr", low, high),
            ]
        down = float(2 * pct_start * self.total_steps) - 2
        return [
            phase(up, "initial_lr", "max_lr", high, low),
            phase(down, "max_lr", "initial_lr", low, high),
            phase(self.total_steps - 1, "initial_lr", "min_lr", high, high),
        ]

    def get_lr(self) -> list[Any]:
        """Return the rates of this step; set the momenta."""
        self._rates()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        anneal = anneal_cos if self._anneal_func_type == "cos" else anneal_linear
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if step <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        pct = (step - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            at = partial(value_between, group, phase, anneal, pct)
            rates.append(at("lr"))
            if self.cycle_momentum:
                set_momentum(group, at("momentum"), self.use_beta1)
        return rates


def value_between(
    group: Group, phase: dict[str, Any], anneal: Callable[..., float], pct: float,
    what: str,
) -> float:
    """Return the rate or the momentum at a share of a phase."""
    start, end = group[phase["start_" + what]], group[phase["end_" + what]]
    return anneal(copied(start), copied(end), pct)


def steps_of(total: Any, epochs: Any, steps_per_epoch: Any) -> int:
    """Return the number of steps that OneCycleLR is given in one of two ways."""
    if total is not None:
        named = {"total_steps": total}
    elif epochs is not None and steps_per_epoch is not None:
        named = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    else:
        raise ValueError(
            "You must define either total_steps OR (epochs AND steps_per_epoch)"
        )
    product = 1
    for name, value in named.items():
        if value <= 0 or not isinstance(value, int):
            raise ValueError(f"Expected positive integer {name}, but got {value}")
        product *= value
    return product
