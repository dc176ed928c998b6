"""Muon: momentum whose matrices are made orthogonal, for the hidden layers' weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinytorch._core.ops.addmm import addmm
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16
from tinytorch.autograd.grad_mode import enable_grad, no_grad
from tinytorch.optim.multi_tensor import _check_lr, _zeros_beside
from tinytorch.optim.optimizer import Group, Optimizer, ParamsT

__all__ = ["Muon"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """Step by the orthogonal factor of the momentum (Jordan et al. 2024).

    A few Newton-Schulz steps in bfloat16 bring all singular values near one.  Only for
    matrices; other parameters are AdamW's.

    Args:
        params: matrices or groups of them.
        lr: step size.
        weight_decay: decoupled from the gradient.
        momentum: which share of the buffer is kept.
        nesterov: whether to look one step of momentum ahead.
        ns_coefficients: a, b, c of x = a x + (b A + c A^2) x with A = x x^T.
        eps: the least norm that is divided by.
        ns_steps: Newton-Schulz steps.
        adjust_lr_fn: how the step size follows the shape: "original" (or None), the
            root of rows over columns; "match_rms_adamw", as large as AdamW's steps.

    Example:
        >>> w = eye(2).requires_grad_()
        >>> (2 * w).sum().backward()
        >>> Muon([w], lr=0.0).step()
        >>> w.tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor):
            _check_lr(lr)
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Adjust learning rate function {adjust_lr_fn} is not supported"
            )
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter "
                        f"with size: {p.size()}"
                    )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; its value is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._step_one(p, group)
        return loss

    def _step_one(self, p: Tensor, group: Group) -> None:
        own = self.state[p]
        if "momentum_buffer" not in own:
            own["momentum_buffer"] = _zeros_beside(p)
        buffer, momentum = own["momentum_buffer"], group["momentum"]
        w, g = p.detach(), p.grad.detach()
        buffer.lerp_(g, 1 - momentum)
        update = g.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = orthogonal(
            update, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        lr = float(group["lr"])
        w.mul_(1 - lr * group["weight_decay"])
        w.add_(update, alpha=-lr * shape_factor(group["adjust_lr_fn"], p))


def orthogonal(
    g: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return g with its singular values near one, in bfloat16."""
    if steps >= 100:
        raise ValueError(
            "Number of steps must be less than 100 for computational efficiency"
        )
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x = g.to(bfloat16)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.t()  # the smaller of the two Gram matrices
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.t()
        x = addmm(x, addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.t() if tall else x


def shape_factor(name: str | None, p: Tensor) -> float:
    """Return what the step size of a matrix is multiplied by."""
    rows, cols = p.shape
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, cols))
    return math.sqrt(max(1, rows / cols))
