"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.multi_tensor import (
    Call,
    MultiTensorOptimizer,
    _check_lr,
    _check_positive,
    _check_switches,
    _zeros_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["SGD"]


class SGD(MultiTensorOptimizer):
    """Descend by ``lr`` times the gradient, or times its running sum, the momentum.

    b = momentum b + (1 - dampening) g, where the first b is g;  w -= lr b
    (nesterov: w -= lr (g + momentum b)).

    Args:
        params: tensors or groups of them.
        lr: step size.
        momentum: which share of the buffer b is kept.
        dampening: which share of a gradient does not enter the buffer.
        weight_decay: what share of the parameter is added to the gradient.
        nesterov: whether to look one step of momentum ahead.
        maximize: whether to ascend.
        foreach, fused: accepted; each group is one kernel call in any case.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> SGD([w], lr=0.1).step()
        >>> w.tolist()
        [0.699999988079071]
    """

    _later = {"nesterov": False, "maximize": False, "foreach": None,
              "differentiable": False, "fused": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_lr(lr)
        _check_positive(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        _check_switches("SGD", differentiable, fused, foreach)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        sign = -1.0 if group["maximize"] else 1.0
        momentum = group["momentum"]
        if momentum == 0:
            return "sgd", (sign, group["weight_decay"], group["lr"])
        return "sgd_momentum", (
            sign,
            group["weight_decay"],
            group["lr"],
            momentum,
            1.0 - group["dampening"],
            group["nesterov"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        """Begin with the buffer that makes the first one the whole gradient."""
        own: dict[str, Any] = self.state[p]
        if group["dampening"] == 0:
            own["momentum_buffer"] = _zeros_beside(p)
            return own
        g = p.grad.detach()
        g = -g if group["maximize"] else g
        g = g.add(p.detach(), alpha=float(group["weight_decay"]))
        own["momentum_buffer"] = g * (group["dampening"] / group["momentum"])
        return own
