"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.multi_tensor import (
    Call,
    MultiTensorOptimizer,
    _check_lr,
    _check_positive,
    _check_switches,
    _number_beside,
    _zeros_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["ASGD"]


class ASGD(MultiTensorOptimizer):
    """Descend with a falling step size, and keep the average of the parameters.

    w = (1 - lambd eta) w - eta g, with eta = lr / (1 + lambd lr t)^alpha; the average,
    ``state[p]["ax"]``, begins with step t0.

    Args:
        params: tensors or groups of them.
        lr: the first step size.
        lambd: how fast the step size and the parameters decay.
        alpha: power of the step size's fall.
        t0: the step from which on parameters are averaged.
        weight_decay: what share of the parameter is added to the gradient.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> ASGD([w], lr=0.25, lambd=0.0).step()
        >>> w.tolist()
        [0.25]
    """

    _later = {"foreach": None, "maximize": False, "differentiable": False,
              "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive(weight_decay=weight_decay)
        _check_switches("ASGD", differentiable)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        return "asgd", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            group["lambd"],
            group["alpha"],
            group["t0"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["eta"] = _number_beside(p, float(group["lr"]))
        own["mu"] = _number_beside(p, 1.0)
        own["ax"] = _zeros_beside(p)
        return own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for p, own in self.state.items():
            for name in ("eta", "mu"):
                if name in own and not isinstance(own[name], Tensor):
                    own[name] = _number_beside(p, float(own[name]))
