"""RAdam: Adam whose adaptive steps begin once their variance can be rectified."""

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

__all__ = ["RAdam"]


class RAdam(MultiTensorOptimizer):
    """Adam with a rectified step size (Liu et al. 2020).

    Its first steps use the mean alone; later ones are scaled by what is known of the
    variance of the running square.

    Args:
        params: tensors or groups of them.
        lr: step size.
        betas: how much of mean and square is kept from step to step.
        eps: added to the root, so that it is never zero.
        weight_decay: what share of the parameter is added to the gradient.
        decoupled_weight_decay: whether weight decay shrinks the parameter instead.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> RAdam([w], lr=0.25).step()
        >>> w.tolist()
        [0.25]
    """

    _later = {"foreach": None, "maximize": False, "differentiable": False,
              "decoupled_weight_decay": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive(eps=eps)
        _check_betas(betas)
        _check_positive(weight_decay=weight_decay)
        _check_switches("RAdam", differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        beta1, beta2 = group["betas"]
        return "radam", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["decoupled_weight_decay"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["exp_avg"] = _zeros_beside(p)
        own["exp_avg_sq"] = _zeros_beside(p)
        return own
