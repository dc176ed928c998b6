"""Rprop: steps of their own size for each element, by the signs of its gradients."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.multi_tensor import (
    Call,
    MultiTensorOptimizer,
    _check_lr,
    _check_switches,
    _filled_beside,
    _number_beside,
    _zeros_beside,
)
from tinytorch.optim.optimizer import Group, ParamsT

__all__ = ["Rprop"]


class Rprop(MultiTensorOptimizer):
    """Resilient propagation: only the signs of gradients count.

    An element's step grows while its gradient keeps the sign and shrinks when it turns;
    in a step in which it has turned, the element stays where it is.

    Args:
        params: tensors or groups of them.
        lr: the first step of every element.
        etas: factors by which a step shrinks and grows.
        step_sizes: the smallest and the largest step.
        maximize: whether to ascend.
        foreach, capturable: accepted; each group is one kernel call.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Rprop([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    _later = {"foreach": None, "maximize": False, "differentiable": False,
              "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        _check_switches("Rprop", differentiable)
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _call(self, group: Group) -> Call:
        return "rprop", (
            -1.0 if group["maximize"] else 1.0,
            0.0,
            0.0,  # the step size is a state
            *group["etas"],
            *group["step_sizes"],
        )

    def _start(self, p: Tensor, group: Group) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        own["step"] = _number_beside(p)
        own["prev"] = _zeros_beside(p)
        own["step_size"] = _filled_beside(p, float(group["lr"]))
        return own
