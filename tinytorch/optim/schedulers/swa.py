"""SWALR: anneal to the constant rate at which weights are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from tinytorch.optim.optimizer import Optimizer
from tinytorch.optim.schedulers.scheduler import LRScheduler, one_for_each

__all__ = ["SWALR"]


def linear(t: float) -> float:
    return t


def cosine(t: float) -> float:
    return (1 - math.cos(math.pi * t)) / 2


class SWALR(LRScheduler):
    """Go from the present rates to swa_lr within anneal_epochs, and stay there.

    Args:
        optimizer: whose groups get the learning rates.
        swa_lr: the last rate, or one for each group.
        anneal_epochs: how many steps the way takes.
        anneal_strategy: "cos" or "linear".
        last_epoch: the epoch to go on after.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = one_for_each("swa_lr", optimizer, swa_lr)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                "anneal_strategy must be one of 'cos' or 'linear', instead got "
                f"{anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(
                f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}"
            )
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rates one step nearer to swa_lr, whatever set the present ones."""
        rates = self._rates()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        values = []
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            last = group["swa_lr"]
            first = last if before == 1 else (rate - before * last) / (1 - before)
            values.append(last * now + first * (1 - now))
        return values

    def _share(self, step: int) -> float:
        """Return how much of the way is done."""
        shape: Callable[[float], float] = (
            cosine if self._anneal_strategy == "cos" else linear
        )
        return shape(max(0, min(1, step / max(1, self.anneal_epochs))))
