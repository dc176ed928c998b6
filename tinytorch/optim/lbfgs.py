"""L-BFGS: a quasi-Newton method that evaluates its function several times a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core.ops.join import cat
from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import enable_grad, no_grad
from tinytorch.optim.line_search import Point, strong_wolfe
from tinytorch.optim.multi_tensor import _check_lr, _refuse_capture
from tinytorch.optim.optimizer import Optimizer, ParamsT

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Descend along H g, where H approximates the inverse Hessian by recent steps.

    Args:
        params: tensors, all in one group.
        lr: step size, or where the line search begins.
        max_iter: directions in one step.
        max_eval: evaluations in one step; None: max_iter * 5 / 4.
        tolerance_grad: stop when no gradient is larger.
        tolerance_change: stop when parameters or loss change less.
        history_size: how many steps H is made of.
        line_search_fn: "strong_wolfe", or None for steps of lr.

    Example:
        >>> w = tensor([3.0], requires_grad=True)
        >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - 1) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item(), w.tolist()
        (4.0, [1.0])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        _check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                "LBFGS doesn't support per-parameter options (parameter groups)"
            )
        self._params: list[Tensor] = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    # ---- all parameters as one vector ----

    def _gather_flat_grad(self) -> Tensor:
        return cat([
            p.detach().new_zeros(p.numel()) if p.grad is None
            else p.grad.detach().reshape(-1)
            for p in self._params
        ])

    def _add_grad(self, step: float, direction: Tensor) -> None:
        """Move the parameters by a multiple of a vector."""
        offset = 0
        for p in self._params:
            size = p.numel()
            part = direction[offset : offset + size].view_as(p)
            p.detach().add_(part, alpha=step)
            offset += size

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[float, Tensor]:
        """Return the loss and the gradient at the present parameters."""
        with enable_grad():
            loss = float(closure())
        return loss, self._gather_flat_grad()

    # ---- the step ----

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Take up to max_iter steps; return the loss before the first.

        Args:
            closure: computes the loss and its gradients anew.
        """
        _refuse_capture("LBFGS")
        with no_grad():
            return self._minimize(closure)

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr, search = float(group["lr"]), group["line_search_fn"]
        if search not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first_loss = closure()
        loss, gradient = float(first_loss), self._gather_flat_grad()
        evaluations = 1
        state["func_evals"] += 1
        if self._is_flat(gradient):
            return first_loss
        d, t = state.get("d"), state.get("t")
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = self._direction(gradient, d, t)
            previous = state.get("prev_flat_grad")
            if previous is None:
                state["prev_flat_grad"] = gradient.clone()
            else:
                previous.copy_(gradient)
            state["prev_loss"] = previous_loss = loss
            t = lr
            if state["n_iter"] == 1:  # nothing is known of the scale yet
                t = float(min(1.0, 1.0 / gradient.abs().sum()) * lr)
            slope = float(gradient.dot(d))
            state["d"], state["t"] = d, t
            if slope > -group["tolerance_change"]:
                break
            spent = 0
            if search is not None:
                at = Point(0.0, loss, gradient, slope)
                found, spent = self._search(closure, at, t, d)
                loss, gradient, t = found.loss, found.gradient, found.step
                state["t"] = t
                self._add_grad(t, d)
            else:
                self._add_grad(t, d)
                if iteration != group["max_iter"]:  # else nobody would use it
                    loss, gradient = self._evaluate(closure)
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent
            if (
                evaluations >= group["max_eval"]
                or self._is_flat(gradient)
                or float(d.mul(t).abs().max()) <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _is_flat(self, gradient: Tensor) -> bool:
        largest: float = gradient.abs().max().item()
        tolerance: float = self.param_groups[0]["tolerance_grad"]
        return largest <= tolerance

    def _direction(self, gradient: Tensor, d: Tensor | None, t: Any) -> Tensor:
        """Return -H g by the two-loop recursion, after taking the last step into H."""
        state = self.state[self._params[0]]
        if state["n_iter"] == 1 or d is None:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return gradient.neg()
        size = self.param_groups[0]["history_size"]
        changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = gradient.sub(state["prev_flat_grad"]), d.mul(t)
        ys = y.dot(s)
        if ys > 1e-10:
            if len(changes) == size:
                for history in (changes, steps, ro):
                    history.pop(0)
            changes.append(y)
            steps.append(s)
            ro.append(1.0 / ys)
            state["H_diag"] = ys / y.dot(y)
        weights = state.setdefault("al", [None] * size)
        q = gradient.neg()
        for i in range(len(changes) - 1, -1, -1):
            weights[i] = steps[i].dot(q) * ro[i]
            q.sub_(changes[i] * weights[i])
        q.mul_(state["H_diag"])
        for i in range(len(changes)):
            q.add_(steps[i] * (weights[i] - changes[i].dot(q) * ro[i]))
        return q

    def _search(
        self, closure: Callable[[], Any], at: Point, t: float, d: Tensor
    ) -> tuple[Point, int]:
        """Search along d from the present parameters, which stay where they are."""
        before = [p.detach().clone() for p in self._params]

        def evaluate(step: float) -> Point:
            self._add_grad(step, d)
            loss, gradient = self._evaluate(closure)
            for p, x in zip(self._params, before, strict=True):
                p.detach().copy_(x)
            return Point(step, loss, gradient, float(gradient.dot(d)))

        return strong_wolfe(evaluate, at, t, float(d.abs().max()))
