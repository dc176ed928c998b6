"""Adagrad: the gradient over the root of the sum of all its squares."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.multi_tensor import (
    Call,
    MultiTensorOptimizer,
    _check_lr,
    _check_positive,
    _check_switches,
    _filled_beside,
    _number_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["Adagrad"]


class Adagrad(MultiTensorOptimizer):
    """Step by the gradient over the root of the sum of its squares so far.

    s += g^2;  w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps).

    Args:
        params: tensors or groups of them.
        lr: step size.
        lr_decay: how fast the step size falls.
        weight_decay: what share of the parameter is added to the gradient.
        initial_accumulator_value: what s begins with.
        eps: added to the root, so that it is never zero.
        maximize: whether to ascend.
        foreach, fused: accepted; each group is one kernel call in any case.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Adagrad([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    _later = {"maximize": False, "foreach": None, "differentiable": False,
              "fused": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_lr(lr)
        _check_positive(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        _check_switches("Adagrad", differentiable, fused, foreach)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # as in PyTorch, the state is there at once
            for p in group["params"]:
                self._start(p, group)

    def _call(self, group: Group) -> Call:
        return "adagrad", (
            -1.0 if group["maximize"] else 1.0,
            group["weight_decay"],
            group["lr"],
            group["lr_decay"],
            group["eps"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["sum"] = _filled_beside(p, group["initial_accumulator_value"])
        return own

    def share_memory(self) -> None:
        """Move the state to memory that other processes see; memory here is private.
        """
        raise NotImplementedError("Adagrad: memory cannot be shared among processes")
