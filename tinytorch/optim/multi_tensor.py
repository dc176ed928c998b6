"""Optimizers whose step is one kernel call for each parameter group.

A subclass says which kernel a group needs with which numbers (`_call`), and what state
a parameter begins with (`_start`).  Counting steps and what follows from the count,
bias corrections for instance, happens inside the kernel, so a captured step goes on
counting when it is replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.executor import before_replay, is_capturing
from tinytorch._core.ops.creation import empty, empty_like, full, zeros_like
from tinytorch._core.ops.optim import _optimizer_step, _write_scalars
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import float32, float64, get_default_dtype
from tinytorch.autograd.grad_mode import enable_grad
from tinytorch.optim.optimizer import (
    Group,
    Optimizer,
    _global_post_hooks,
    _global_pre_hooks,
    _with_hooks,
)

__all__ = ["MultiTensorOptimizer"]

Call = tuple[str, tuple[Any, ...]]


class MultiTensorOptimizer(Optimizer):
    """The base of optimizers that have a kernel."""

    # Options that groups of older state dicts may lack.
    _later: dict[str, Any] = {}

    def _call(self, group: Group) -> Call:
        """Return the kernel's name and its numbers (optim_schedules.h lists them)."""
        raise NotImplementedError

    def _start(self, p: Tensor, group: Group) -> dict[str, Any] | None:
        """Make the state of a parameter that has none; return it."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; its value is returned.
        """
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_pre_hooks
            or _global_post_hooks
        ):
            if closure is None:
                return _hooked_update(self)
            return _hooked_update(self, closure)
        if closure is not None or is_capturing():
            return self._update(closure)
        for group in self.param_groups:
            kind, numbers = self._call(group)
            _optimizer_step(kind, group, self.state, numbers, self._start)
        return None

    step.hooked = True  # type: ignore[attr-defined]

    def _update(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if is_capturing():
            for i in range(len(self.param_groups)):
                self._record_group(i)
            return loss
        for group in self.param_groups:
            kind, numbers = self._call(group)
            _optimizer_step(kind, group, self.state, numbers, self._start)
        return loss

    def _record_group(self, i: int) -> None:
        """Step with numbers in memory, which each replay first reads from the group."""
        group = self.param_groups[i]
        kind, numbers = self._call(group)
        held = empty(len(numbers), dtype=float64)  # by no kernel: not recorded

        def refresh() -> None:
            _write_scalars(held, self._call(self.param_groups[i])[1])

        refresh()
        before_replay(refresh)
        _optimizer_step(kind, group, self.state, held, self._start)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for option, value in self._later.items():
                group.setdefault(option, value)
            for p in group["params"]:
                own = self.state.get(p)
                if own and "step" in own and not isinstance(own["step"], Tensor):
                    own["step"] = _number_beside(p, float(own["step"]))


def _update(self: MultiTensorOptimizer, closure: Any = None) -> Any:
    return self._update(closure)


_update.__qualname__ = "MultiTensorOptimizer.step"
_hooked_update = _with_hooks(_update)


# ---- what states begin with ----


def _number_beside(p: Tensor, value: float = 0.0) -> Tensor:
    """Return a 0-d tensor for what a parameter counts."""
    dtype = float64 if get_default_dtype() == float64 else float32
    return full((), value, dtype=dtype, device=p.device)


def _zeros_beside(p: Tensor) -> Tensor:
    """Return zeros laid out as p is."""
    return zeros_like(p.detach())


def _filled_beside(p: Tensor, value: float) -> Tensor:
    """Return a tensor like p with one value."""
    return empty_like(p.detach()).fill_(value)


# ---- checks of options ----


def _refuse_capture(name: str) -> None:
    if is_capturing():
        raise RuntimeError(
            f"{name}.step depends on the values of a tensor and cannot be captured"
        )


def _check_lr(lr: float | Tensor) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def _check_betas(betas: tuple[Any, Any]) -> None:
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def _check_positive(**options: Any) -> None:
    """Raise for the first option below zero."""
    for name, value in options.items():
        if not value >= 0.0:
            name = "epsilon" if name == "eps" else name
            raise ValueError(f"Invalid {name} value: {value}")


def _check_switches(
    name: str, differentiable: bool, fused: bool | None = None,
    foreach: bool | None = None
) -> None:
    """`foreach` and `fused` choose among ways that are one and the same here."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(
            f"{name}: differentiable=True is not supported; a step records no graph"
        )
