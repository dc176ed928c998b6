"""GradScaler: losses times a factor, so that gradients in float16 do not vanish."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from tinytorch._core.ops.creation import full
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import float16, float32, int32
from tinytorch._typing import Any
from tinytorch.autograd import no_grad

__all__ = ["GradScaler"]

_ABSENT_SCALE = (
    "Attempted {} but _scale is None.  This may indicate your script did not use "
    "scaler.scale(loss or outputs) earlier in the iteration.")


class GradScaler:
    """Scale the loss, take the scale out of the gradients, skip steps that overflow.

    Args:
        device: ``"cuda"``, which is not there, so that the scaler turns itself off; or
            ``"cpu"``.
        init_scale: the first factor.
        growth_factor: by what the factor grows after `growth_interval` finite steps.
        backoff_factor: by what it shrinks after a step that was not finite.
        growth_interval: how many steps that are.
        enabled: if false, `step` calls the optimizer's step and the rest does nothing.
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16,
        growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:
        if device == "cuda" and enabled:
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not "
                          "available.  Disabling.", stacklevel=2)
            enabled = False
        self._enabled = enabled
        if not enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._scale: Tensor | None = None  # made by the first scale()
        self._growth_tracker = full((), 0, dtype=int32)
        # Since the last update: optimizers whose gradients are without scale, with
        # whether one was not finite; and those that have made their step.
        self._overflow: dict[int, bool] = {}
        self._stepped: set[int] = set()

    # ---- a step ----

    def scale(self, outputs: Any) -> Any:
        """Return a tensor, or each of an iterable, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._scale = full((), self._init_scale, dtype=float32)
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            if isinstance(outputs, list | tuple):
                return type(outputs)(scaled)
            return scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the optimizer's gradients by the scale, to clip or look at them."""
        if not self._enabled:
            return
        inverse = self._scale_for("unscale_").double().reciprocal().float()
        if id(optimizer) in self._stepped:
            raise RuntimeError("unscale_() is being called after step().")
        if id(optimizer) in self._overflow:
            raise RuntimeError("unscale_() has already been called on this optimizer "
                               "since the last update().")
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]
                     if p.grad is not None]
        if any(g.dtype == float16 for g in gradients):
            raise ValueError("Attempting to unscale FP16 gradients.")
        with no_grad():
            self._overflow[id(optimizer)] = not all(
                g.isfinite().all().item() for g in gradients)
            for g in gradients:
                g.mul_(inverse)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the optimizer make its step, unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                "Closure use is not currently supported if GradScaler is enabled.")
        self._scale_for("step")
        if id(optimizer) in self._stepped:
            raise RuntimeError(
                "step() has already been called since the last update().")
        if id(optimizer) not in self._overflow:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        if self._overflow[id(optimizer)]:
            return None
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Set the scale for the next step: as given, or by how the last one went."""
        if not self._enabled:
            return
        scale, tracker = self._scale_for("update"), self._growth_tracker
        if new_scale is not None:
            if isinstance(new_scale, Tensor):
                scale.copy_(new_scale)
            else:
                scale.fill_(new_scale)
        elif not self._overflow:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif any(self._overflow.values()):
            scale.mul_(self._backoff_factor)
            tracker.zero_()
        elif tracker.add_(1).item() == self._growth_interval:
            grown = scale * self._growth_factor
            if grown.isfinite().item():
                scale.copy_(grown)
            tracker.zero_()
        self._overflow, self._stepped = {}, set()

    def _scale_for(self, method: str) -> Tensor:
        if self._scale is None:
            raise AssertionError(_ABSENT_SCALE.format(method))
        return self._scale

    # ---- settings ----

    def is_enabled(self) -> bool:
        """Return whether losses are scaled."""
        return self._enabled

    def get_scale(self) -> float:
        """Return the scale; 1 if it is not enabled."""
        if not self._enabled:
            return 1.0
        return float(self._init_scale if self._scale is None else self._scale.item())

    def get_growth_factor(self) -> float:
        """Return the factor of growth."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor of growth."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return the factor after a step that was not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set the factor after a step that was not finite."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return the number of steps between growths."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set the number of steps between growths."""
        self._growth_interval = new_interval

    # ---- files ----

    def state_dict(self) -> dict[str, Any]:
        """Return the state; empty if the scaler is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(self._growth_tracker.item()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; a scaler that is not enabled ignores it."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a "
                "disabled instance of GradScaler.")
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker.fill_(state_dict["_growth_tracker"])
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
