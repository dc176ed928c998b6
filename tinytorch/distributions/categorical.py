"""The categorical distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.parameters import along_first, set_vector
from tinytorch.distributions.utils import (
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)

__all__ = ["Categorical"]


class Categorical(Distribution):
    """An index of the last dimension, in proportion to `probs` or ``exp(logits)``.

    Example:
        >>> Categorical(torch.tensor([0.0, 1.0, 0.0])).sample()
        tensor(1)
    """

    arg_constraints = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    has_enumerate_support = True
    _param: Tensor

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        set_vector(self, probs, logits)
        shape = self._param.shape
        self._num_events = shape[-1]
        batch_shape = shape[:-1] if len(shape) > 1 else EMPTY
        super().__init__(batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Categorical:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(Categorical, batch_shape, _instance, "_param")
        new._num_events = self._num_events
        return new  # type: ignore[no-any-return]

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The indices from 0 up."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities, of sum one."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter, the categories last."""
        return self._param.size()

    @property
    def mean(self) -> Tensor:
        """NaN: indices have no mean."""
        return torch.full(
            self._extended_shape(),
            math.nan,
            dtype=self.probs.dtype,
            device=self.probs.device,
        )

    @property
    def mode(self) -> Tensor:
        """The most likely index."""
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Tensor:
        """NaN: indices have no variance."""
        return self.mean

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return indices."""
        with torch.no_grad():
            probs = self.probs
            if not sample_shape and probs.dim() <= 2:
                return torch.multinomial(probs, 1, True).squeeze(-1)
            sample_shape = Size(sample_shape)
            rows = probs.reshape(-1, self._num_events)
            drawn = torch.multinomial(rows, sample_shape.numel(), True)
            return drawn.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logits of the indices."""
        if self._validate_args:
            self._validate_sample(value)
        logits, index = self.logits, value.long()
        if index.shape != self._batch_shape:
            shape = torch.broadcast_shapes(index.shape, logits.shape[:-1])
            index = index.expand(shape)
            logits = logits.expand((*shape, self._num_events))
        return logits.gather(-1, index.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Return -sum p log p, where 0 log 0 is 0."""
        logits = self.logits.clamp(min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all indices along a new first dimension."""
        values = torch.arange(
            self._num_events, dtype=torch.long, device=self._param.device
        )
        return along_first(values, self._batch_shape, expand)
