"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.gamma import Gamma
from tinytorch.distributions.parameters import refuse_both
from tinytorch.distributions.utils import (
    broadcast_all,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)
from tinytorch.nn import functional as F

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Distribution):
    """The successes, of probability `probs`, before `total_count` failures."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Tensor | float,
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

    def expand(self, batch_shape: Any, _instance: Any = None) -> NegativeBinomial:
        """Return the distribution with a larger batch shape."""
        return self._expanded(NegativeBinomial, batch_shape, _instance, "_param")

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)

    @property
    def mean(self) -> Tensor:
        """r p / (1 - p)"""
        return self.total_count * torch.exp(self.logits)

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        """r p / (1 - p)^2"""
        return self.mean / torch.sigmoid(-self.logits)

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

    @lazy_property
    def _gamma(self) -> Gamma:
        """Of the rates: a negative binomial number is Poisson of a gamma rate."""
        return Gamma(
            concentration=self.total_count,
            rate=torch.exp(-self.logits),
            validate_args=False,
        )

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return numbers of successes."""
        with torch.no_grad():
            return torch.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log probability."""
        if self._validate_args:
            self._validate_sample(value)
        r, logits = self.total_count, self.logits
        power = r * F.logsigmoid(-logits) + value * F.logsigmoid(logits)
        ways = torch.lgamma(r + value) - torch.lgamma(1.0 + value) - torch.lgamma(r)
        return power + ways.masked_fill(r + value == 0.0, 0.0)
