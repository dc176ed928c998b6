"""Adamax: Adam with the largest gradient in the place of the running square."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.multi_tensor import (
    Call,
    MultiTensorOptimizer,
    _check_betas,
    _check_lr,
    _check_positive,
    _check_switches,
    _number_beside,
    _zeros_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["Adamax"]


class Adamax(MultiTensorOptimizer):
    """Step by the gradient's running mean over its largest recent size.

    m += (1 - beta1) (g - m);  u = max(beta2 u, |g| + eps);
    w -= lr / (1 - beta1^t) m / u.

    Args:
        params: tensors or groups of them.
        lr: step size.
        betas: how much of the mean and of u is kept from step to step.
        eps: added to the size of the gradient, so that u is never zero.
        weight_decay: what share of the parameter is added to the gradient.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Adamax([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    _later = {"foreach": None, "maximize": False, "differentiable": False,
              "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive(eps=eps)
        _check_betas(betas)
        _check_positive(weight_decay=weight_decay)
        _check_switches("Adamax", differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        beta1, beta2 = group["betas"]
        return "adamax", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["exp_avg"] = _zeros_beside(p)
        own["exp_inf"] = _zeros_beside(p)
        return own
