"""Lion (Chen et al. 2023): steps of one size, in the direction of the momentum's sign.

PyTorch has no Lion; the options have the names that its other optimizers use.
"""

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
    _zeros_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["Lion"]


class Lion(MultiTensorOptimizer):
    """Step by ``lr`` times the sign of the gradient, smoothed.

    w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w);
    m = beta2 m + (1 - beta2) g.

    Args:
        params: tensors or groups of them.
        lr: step size, three to ten times smaller than for AdamW.
        betas: the mean's share in the direction, and in the next mean.
        weight_decay: decoupled from the gradient, as in AdamW.
        maximize: whether to ascend.
        foreach, fused, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Lion([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_lr(lr)
        _check_betas(betas)
        _check_positive(weight_decay=weight_decay)
        _check_switches("Lion", differentiable, fused, foreach)
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        sign = -1.0 if group["maximize"] else 1.0
        beta1, beta2 = group["betas"]
        lr = float(group["lr"])
        shrink = 1.0 - lr * group["weight_decay"]
        return "lion", (
            sign, 0.0, lr, 1.0 - beta1, beta2, 1.0 - beta2, beta1, shrink
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["exp_avg"] = _zeros_beside(p)
        return own
