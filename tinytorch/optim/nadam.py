"""NAdam: Adam that looks one step of momentum ahead."""

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

__all__ = ["NAdam"]


class NAdam(MultiTensorOptimizer):
    """Adam with Nesterov momentum (Dozat 2016).

    The mean enters with the momentum of the next step,
    mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), the gradient with 1 - mu_t, both
    corrected by the product of all momenta.

    Args:
        params: tensors or groups of them.
        lr: step size.
        betas: how much of mean and square is kept from step to step.
        eps: added to the root, so that it is never zero.
        weight_decay: what share of the parameter is added to the gradient.
        momentum_decay: how fast the momentum grows towards beta1.
        decoupled_weight_decay: whether weight decay shrinks the parameter instead.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> NAdam([w], lr=0.25).step()
        >>> round(w.item(), 4)
        0.7359
    """

    _later = {"maximize": False, "foreach": None, "capturable": False,
              "differentiable": False, "decoupled_weight_decay": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        _check_positive(weight_decay=weight_decay, momentum_decay=momentum_decay)
        _check_switches("NAdam", differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        beta1, beta2 = group["betas"]
        return "nadam", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["decoupled_weight_decay"],
            group["momentum_decay"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["mu_product"] = _number_beside(p, 1.0)
        own["exp_avg"] = _zeros_beside(p)
        own["exp_avg_sq"] = _zeros_beside(p)
        return own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for p, own in self.state.items():
            product = own.get("mu_product")
            if product is not None and not isinstance(product, Tensor):
                own["mu_product"] = _number_beside(p, float(product))
