"""The gamma distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.ops.sampling import _standard_gamma
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.utils import (
    broadcast_all,
)

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """The gamma distribution of shape `concentration` and of the given rate."""

    arg_constraints = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        concentration: Tensor | float,
        rate: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Gamma:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Gamma, batch_shape, _instance)

    @property
    def mean(self) -> Tensor:
        """The concentration over the rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """The concentration less 1, over the rate; 0 if that is negative."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """The concentration over the squared rate."""
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with both parameters at a constant quantile."""
        shape = self._extended_shape(sample_shape)
        unit = _standard_gamma(self.concentration.expand(shape))
        value = unit / self.rate.expand(shape)
        # samples that underflow must not be where the density is 0 or infinite
        value.detach().clamp_(min=torch.finfo(value.dtype).tiny)
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        rate = self.rate
        value = torch.as_tensor(value, dtype=rate.dtype, device=rate.device)
        if self._validate_args:
            self._validate_sample(value)
        alpha = self.concentration
        return (
            torch.xlogy(alpha, rate)
            + torch.xlogy(alpha - 1, value)
            - rate * value
            - torch.lgamma(alpha)
        )

    def entropy(self) -> Tensor:
        """Return the entropy."""
        alpha = self.concentration
        return (
            alpha
            - torch.log(self.rate)
            + torch.lgamma(alpha)
            + (1.0 - alpha) * torch.digamma(alpha)
        )

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return torch.lgamma(x + 1) + (x + 1) * torch.log(-y.reciprocal())

    def cdf(self, value: Tensor) -> Tensor:
        """Return the regularised incomplete gamma function at rate * value."""
        if self._validate_args:
            self._validate_sample(value)
        return torch.special.gammainc(self.concentration, self.rate * value)
