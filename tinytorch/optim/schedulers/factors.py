"""Schedules that multiply the rate by a factor, at milestones or always."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tinytorch.optim.optimizer import Optimizer
from tinytorch.optim.schedulers.scheduler import LRScheduler, state_of_callable

__all__ = [
    "ExponentialLR",
    "LambdaLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "StepLR",
]

Factor = Callable[[int], float]


class _ByFunction(LRScheduler):
    """A factor from a function of the epoch, or from one for each group."""

    lr_lambdas: list[Factor]

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Factor | list[Factor],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, (list, tuple)):
            self.lr_lambdas = [lr_lambda] * groups
        else:
            if len(lr_lambda) != groups:
                raise ValueError(
                    f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}"
                )
            self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state; of functions only what callable objects hold."""
        state = {key: value for key, value in self.__dict__.items()
                 if key not in ("optimizer", "lr_lambdas")}
        state["lr_lambdas"] = [state_of_callable(f) for f in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; functions stay, callable objects get theirs back."""
        state = dict(state_dict)
        held = state.pop("lr_lambdas")
        self.__dict__.update(state)
        for function, own in zip(self.lr_lambdas, held, strict=True):
            if own is not None:
                function.__dict__.update(own)


class LambdaLR(_ByFunction):
    """The initial rate times lr_lambda(epoch).

    Args:
        optimizer: whose groups get the learning rates.
        lr_lambda: a function of the epoch, or a list of one for each group.
        last_epoch: the epoch to go on after.
    """

    def get_lr(self) -> list[Any]:
        """Return the initial rates times the factors of this epoch."""
        self._rates()
        return [
            base * factor(self.last_epoch)
            for factor, base in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]


class MultiplicativeLR(_ByFunction):
    """The last rate times lr_lambda(epoch).

    Args:
        optimizer: whose groups get the learning rates.
        lr_lambda: a function of the epoch, or a list of one for each group.
        last_epoch: the epoch to go on after.
    """

    def get_lr(self) -> list[Any]:
        """Return the present rates times the factors of this epoch."""
        rates = self._rates()
        if self._is_initial:
            return rates
        return [
            rate * factor(self.last_epoch)
            for factor, rate in zip(self.lr_lambdas, rates, strict=True)
        ]


class StepLR(LRScheduler):
    """Multiply the rate by gamma every step_size epochs.

    Args:
        optimizer: whose groups get the learning rates.
        step_size: epochs from one fall to the next.
        gamma: the factor.
        last_epoch: the epoch to go on after.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        step_size: int,
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, lessened if it is time."""
        rates = self._rates()
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return rates
        return [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        factor = self.gamma ** (self.last_epoch // self.step_size)
        return [base * factor for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiply the rate by gamma at each milestone.

    Args:
        optimizer: whose groups get the learning rates.
        milestones: epochs; one that occurs twice counts twice.
        gamma: the factor.
        last_epoch: the epoch to go on after.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, lessened at a milestone."""
        rates = self._rates()
        if self.last_epoch not in self.milestones:
            return rates
        factor = self.gamma ** self.milestones[self.last_epoch]
        return [rate * factor for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiply the rate by gamma every epoch.

    Args:
        optimizer: whose groups get the learning rates.
        gamma: the factor.
        last_epoch: the epoch to go on after.
    """

    def __init__(
        self, optimizer: Optimizer, gamma: float, last_epoch: int = -1
    ) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates times gamma."""
        rates = self._rates()
        if self._is_initial:
            return rates
        return [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]
