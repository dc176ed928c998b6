"""AdamW: Adam whose weight decay shrinks the parameters, apart from the gradient."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.adam import Adam
from tinytorch.optim.optimizer import ParamsT

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with w *= 1 - lr weight_decay before each step (Loshchilov, Hutter 2019).

    The options are those of Adam.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> AdamW([w], lr=0.25, weight_decay=1.0).step()
        >>> w.tolist()
        [0.5]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # AdamW always decouples it
            group["decoupled_weight_decay"] = True
