"""Adam, with weight decay in the gradient (Adam) or apart from it (AdamW)."""

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

__all__ = ["Adam"]


class Adam(MultiTensorOptimizer):
    """Step by the gradient's running mean over the root of its running square.

    m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
    w -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).

    Args:
        params: tensors or groups of them.
        lr: step size.
        betas: how much of mean and square is kept from step to step.
        eps: added to the root, so that it is never zero.
        weight_decay: what share of the parameter is added to the gradient.
        amsgrad: whether the largest v so far takes the place of v.
        maximize: whether to ascend.
        foreach, fused, capturable: accepted; each group is one kernel call, which can
            be captured.
        decoupled_weight_decay: whether weight decay shrinks the parameter instead, as
            in AdamW.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Adam([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    _later = {"amsgrad": False, "maximize": False, "foreach": None, "capturable": False,
              "differentiable": False, "decoupled_weight_decay": False, "fused": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        _check_lr(lr)
        _check_positive(eps=eps)
        _check_betas(betas)
        _check_positive(weight_decay=weight_decay)
        _check_tensor_betas(betas, bool(foreach and not capturable))
        _check_switches(type(self).__name__, differentiable, fused, foreach)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        beta1, beta2 = group["betas"]
        return "adam_amsgrad" if group["amsgrad"] else "adam", (
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
        if not own:
            own["step"] = _number_beside(p)
            own["exp_avg"] = _zeros_beside(p)
            own["exp_avg_sq"] = _zeros_beside(p)
        if group["amsgrad"] and own.get("max_exp_avg_sq") is None:
            own["max_exp_avg_sq"] = _zeros_beside(p)
        return own


def _check_tensor_betas(betas: tuple[Any, Any], refused: bool) -> None:
    tensors = [isinstance(beta, Tensor) for beta in betas]
    if tensors[0] != tensors[1]:
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if not tensors[i]:
            continue
        if refused:
            raise ValueError(
                f"betas[{i}] as a Tensor is not supported for capturable=False and "
                "foreach=True"
            )
        if beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")
