"""Adadelta: step sizes from the running squares of gradients and of steps."""

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

__all__ = ["Adadelta"]


class Adadelta(MultiTensorOptimizer):
    """Scale the gradient by the root of past squared steps over squared gradients.

    v = rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) g;
    u = rho u + (1 - rho) d^2;  w -= lr d.

    Args:
        params: tensors or groups of them.
        lr: factor of the step d.
        rho: how much of the running squares is kept.
        eps: added under both roots.
        weight_decay: what share of the parameter is added to the gradient.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Adadelta([w]).step()
        >>> round(w.item(), 5)
        0.99684
    """

    _later = {"foreach": None, "maximize": False, "differentiable": False,
              "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        _check_positive(eps=eps, weight_decay=weight_decay)
        _check_switches("Adadelta", differentiable)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        rho = group["rho"]
        return "adadelta", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            rho,
            1.0 - rho,
            group["eps"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["square_avg"] = _zeros_beside(p)
        own["acc_delta"] = _zeros_beside(p)
        return own
