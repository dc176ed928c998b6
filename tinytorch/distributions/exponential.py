"""The exponential distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.utils import (
    broadcast_all,
)

__all__ = ["Exponential"]


class Exponential(ExponentialFamily):
    """The exponential distribution of the given rate."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self, rate: Tensor | float, validate_args: bool | None = None
    ) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Exponential:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Exponential, batch_shape, _instance)

    @property
    def mean(self) -> Tensor:
        """The reciprocal of the rate."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        """Zero."""
        return torch.zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        """The reciprocal of the rate."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        """The reciprocal of the squared rate."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with the rate."""
        rate = self.rate
        shape = self._extended_shape(sample_shape)
        unit = torch.empty(shape, dtype=rate.dtype, device=rate.device)
        return unit.exponential_() / rate

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log rate - rate value."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """Return 1 - exp(-rate value)."""
        if self._validate_args:
            self._validate_sample(value)
        return 1 - torch.exp(-self.rate * value)

    def icdf(self, value: Tensor) -> Tensor:
        """Return -log(1 - value) / rate."""
        return -torch.log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        """Return 1 - log rate."""
        return 1.0 - torch.log(self.rate)

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (-self.rate,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return -torch.log(-x)
