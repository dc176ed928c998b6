"""Adafactor: running squares of matrices kept as their rows' and columns' means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import enable_grad, no_grad
from tinytorch.limits import finfo
from tinytorch.optim.multi_tensor import _check_lr, _number_beside, _refuse_capture
from tinytorch.optim.optimizer import Group, Optimizer, ParamsT

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Step relative to the parameter's size, with O(n + m) memory for an n x m matrix.

    Shazeer and Stern 2018.  A step's root mean square is at most d.

    Args:
        params: tensors or groups of them.
        lr: the largest step size relative to the parameter.
        beta2_decay: power of the step count by which new squares are weighed.
        eps: the least denominator (None: the dtype's epsilon), the least size of a
            parameter.
        d: the largest root mean square of a step.
        weight_decay: decoupled from the gradient.
        foreach: accepted; parameters are stepped one by one.
        maximize: whether to ascend.

    Example:
        >>> w = tensor([1.0], requires_grad=True)
        >>> (3 * w).sum().backward()
        >>> Adafactor([w], lr=0.25).step()
        >>> w.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor):
            _check_lr(lr)
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; its value is returned.
        """
        _refuse_capture("Adafactor")
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

    def _start(self, p: Tensor) -> dict[str, Any]:
        own: dict[str, Any] = self.state[p]
        if own:
            return own
        own["step"] = _number_beside(p)
        if p.dim() > 1:
            own["row_var"] = p.new_zeros((*p.shape[:-1], 1))
            own["col_var"] = p.new_zeros((*p.shape[:-2], 1, p.shape[-1]))
        else:
            own["variance"] = p.detach().clone().zero_()
        return own

    def _step_one(self, p: Tensor, group: Group) -> None:
        own = self._start(p)
        own["step"] += 1
        t = own["step"].item()
        w, g = p.detach(), p.grad.detach()
        g = -g if group["maximize"] else g
        least, smallest = group["eps"]
        if least is None:
            least = finfo(p.dtype).eps
        lr = float(group["lr"])
        size = w.norm(2).item() / w.numel() ** 0.5
        alpha = max(smallest, size) * min(lr, 1 / t**0.5)
        if group["weight_decay"] != 0:
            w.mul_(1 - lr * group["weight_decay"])
        square = self._square(own, g, t ** group["beta2_decay"], least)
        update = square.clamp_(min=least * least).rsqrt_().mul_(g)
        rms = update.norm(2).item() / update.numel() ** 0.5
        w.add_(update, alpha=-alpha / max(1.0, rms / group["d"]))

    @staticmethod
    def _square(own: dict[str, Any], g: Tensor, weight: float, least: float) -> Tensor:
        """Take g^2 into the running means; return the running square they stand for."""
        if g.dim() < 2:
            own["variance"].lerp_(g.square(), weight)
            return own["variance"].clone()
        row, col = own["row_var"], own["col_var"]
        rows, cols = g.shape[-2], g.shape[-1]
        row.lerp_(g.norm(dim=-1, keepdim=True).square_().div_(cols), weight)
        col.lerp_(g.norm(dim=-2, keepdim=True).square_().div_(rows), weight)
        total = row.mean(dim=-2, keepdim=True).clamp_(min=least)
        return (row @ col).div_(total)
