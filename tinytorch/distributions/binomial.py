"""The binomial distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.parameters import along_first, refuse_both
from tinytorch.distributions.utils import (
    broadcast_all,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)
from tinytorch.nn import functional as F

__all__ = ["Binomial"]


class Binomial(Distribution):
    """The number of successes in `total_count` trials of probability `probs`."""

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True

    def __init__(
        self,
        total_count: Tensor | int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        refuse_both(probs, logits)
        given = probs if probs is not None else logits
        count, self._param = broadcast_all(total_count, given)
        self.total_count = count.type_as(self._param)
        if probs is not None:
            self.probs = self._param
        else:
            self.logits = self._param
        super().__init__(self._param.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Binomial:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Binomial, batch_shape, _instance, "_param")

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The integers from 0 to the number of trials."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        """n p"""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        """n p (1 - p)"""
        return self.total_count * self.probs * (1 - self.probs)

    @lazy_property
    def logits(self) -> Tensor:
        """log(p / (1 - p))"""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The probability of a success."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._param.size()

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return numbers of successes."""
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.binomial(
                self.total_count.expand(shape), self.probs.expand(shape)
            )

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log probability of a number of successes."""
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        ways = (
            torch.lgamma(n + 1)
            - torch.lgamma(value + 1)
            - torch.lgamma(n - value + 1)
        )
        return value * logits + ways + n * F.logsigmoid(-logits)

    def entropy(self) -> Tensor:
        """Return the entropy, by summing over the support."""
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(torch.exp(log_prob) * log_prob).sum(0)

    def _one_count(self, what: str) -> int:
        count = int(self.total_count.max())
        if not self.total_count.min() == count:
            raise NotImplementedError(
                f"Inhomogeneous total count not supported by `{what}`."
            )
        return count

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return 0 to the number of trials along a new first dimension."""
        count = self._one_count("enumerate_support")
        values = torch.arange(
            1 + count, dtype=self._param.dtype, device=self._param.device
        )
        return along_first(values, self._batch_shape, expand)
