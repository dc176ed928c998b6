"""The generalised Pareto distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What lies beyond a high threshold `loc`, in units of `scale`.

    A `concentration` above 0 gives a tail of powers, 0 an exponential one, and one
    below 0 an end at ``loc - scale / concentration``.
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(
            loc, scale, concentration
        )
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> GeneralizedPareto:
        """Return the distribution with a larger batch shape."""
        return self._expanded(GeneralizedPareto, batch_shape, _instance)

    def _exponential(self) -> tuple[Tensor, Tensor]:
        """Return where the tail is exponential, and a concentration to divide by."""
        flat = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        return flat, self.concentration.masked_fill(flat, 1)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with the parameters."""
        shape = self._extended_shape(sample_shape)
        return self.icdf(
            torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device)
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        flat, k = self._exponential()
        log_survival = self.log_survival_function(value)
        kz = k * self._units(value)
        power = (1 + 1 / k) * torch.log1p(kz)
        # a uniform density is the same beyond the end, as PyTorch has it
        power = power.masked_fill((k == -1) & (kz <= -1), 0)
        return torch.where(flat, log_survival, -power) - self.scale.log()

    def log_survival_function(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of more than `value`."""
        if self._validate_args:
            self._validate_sample(value)
        flat, k = self._exponential()
        z = self._units(value)
        return torch.where(flat, -z, -torch.log1p(k * z) / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """Return the logarithm of `cdf`."""
        return torch.log1p(-self.log_survival_function(value).exp())

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most `value`."""
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles."""
        flat, k = self._exponential()
        log_survival = torch.log1p(-value)
        z = torch.where(flat, -log_survival, torch.expm1(-k * log_survival) / k)
        return self.loc + self.scale * z

    def _units(self, value: Tensor) -> Tensor:
        return (value - self.loc) / self.scale

    @property
    def mean(self) -> Tensor:
        """The mean, NaN for a concentration of 1 and more."""
        k = self.concentration
        mean = self.loc + self.scale / (1 - k)
        return torch.where(k < 1, mean, math.nan)

    @property
    def variance(self) -> Tensor:
        """The variance, NaN for a concentration of 1/2 and more."""
        k = self.concentration
        variance = (self.scale / (1 - k)).square() / (1 - 2 * k)
        return torch.where(k < 0.5, variance, math.nan)

    @property
    def mode(self) -> Tensor:
        """The threshold, `loc`."""
        return self.loc

    def entropy(self) -> Tensor:
        """Return the entropy."""
        entropy = self.scale.log() + self.concentration + 1
        return entropy.expand(self._batch_shape)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From `loc` to the end, if there is one."""
        flat, k = self._exponential()
        end = torch.where(flat | (k >= 0), math.inf, self.loc - self.scale / k)
        return constraints.interval(self.loc, end)
