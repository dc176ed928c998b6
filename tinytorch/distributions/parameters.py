"""What the distributions share that take either probabilities or logits."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions.utils import broadcast_all

__all__ = ["set_one", "set_vector", "along_first"]


def refuse_both(probs: Any, logits: Any) -> None:
    """Raise ValueError unless exactly one of the two is given."""
    if (probs is None) == (logits is None):
        raise ValueError(
            "Either `probs` or `logits` must be specified, but not both."
        )


def set_one(self: Any, probs: Any, logits: Any) -> None:
    """Set `probs` or `logits`, whichever is given, and `_param` to the same."""
    refuse_both(probs, logits)
    if probs is not None:
        (self.probs,) = broadcast_all(probs)
        self._param = self.probs
    else:
        (self.logits,) = broadcast_all(logits)
        self._param = self.logits


def set_vector(self: Any, probs: Tensor | None, logits: Tensor | None) -> None:
    """The same for weights of categories, which are scaled to a sum of one."""
    refuse_both(probs, logits)
    if probs is not None:
        if probs.dim() < 1:
            raise ValueError("`probs` parameter must be at least one-dimensional.")
        self.probs = probs / probs.sum(-1, keepdim=True)
        self._param = probs
    elif logits is not None:
        if logits.dim() < 1:
            raise ValueError("`logits` parameter must be at least one-dimensional.")
        self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._param = logits


def along_first(values: Tensor, batch_shape: Size, expand: bool) -> Tensor:
    """Return values along a new first dimension, in front of the batch's."""
    values = values.view((-1,) + (1,) * len(batch_shape))
    return values.expand((-1, *batch_shape)) if expand else values
