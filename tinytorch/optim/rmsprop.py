"""RMSprop: the gradient over the root of its running square."""

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

__all__ = ["RMSprop"]


class RMSprop(MultiTensorOptimizer):
    """Step by the gradient over the root of its running square.

    v = alpha v + (1 - alpha) g^2;  w -= lr g / (sqrt(v) + eps).  Centered, v is less
    the square of the running mean; with momentum, the quotient enters a buffer.

    Args:
        params: tensors or groups of them.
        lr: step size.
        alpha: how much of the running square is kept.
        eps: added to the root, so that it is never zero.
        weight_decay: what share of the parameter is added to the gradient.
        momentum: which share of the buffer is kept.
        centered: whether to divide by the deviation instead of the root mean square.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> RMSprop([w]).step()
        >>> round(w.item(), 5)
        0.9
    """

    _later = {"momentum": 0, "centered": False, "foreach": None, "maximize": False,
              "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive(
            eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha
        )
        _check_switches("RMSprop", differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        alpha, momentum = group["alpha"], group["momentum"]
        kind = "rmsprop_centered" if group["centered"] else "rmsprop"
        numbers = (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            alpha,
            1.0 - alpha,
            group["eps"],
        )
        if momentum > 0:
            return kind + "_momentum", (*numbers, momentum)
        return kind, numbers

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        if not own:
            own["step"] = _number_beside(p)
            own["square_avg"] = _zeros_beside(p)
        if group["momentum"] > 0 and own.get("momentum_buffer") is None:
            own["momentum_buffer"] = _zeros_beside(p)
        if group["centered"] and own.get("grad_avg") is None:
            own["grad_avg"] = _zeros_beside(p)
        return own
