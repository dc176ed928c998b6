"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.utils import (
    _standard_normal,
    broadcast_all,
)

__all__ = ["Normal"]


LOG_SQRT_2_PI = 0.5 * math.log(2 * math.pi)


class Normal(ExponentialFamily):
    """The normal distribution of mean `loc` and standard deviation `scale`.

    Example:
        >>> Normal(torch.tensor(0.0), torch.tensor(1.0)).log_prob(torch.tensor(0.0))
        tensor(-0.9189)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Normal:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Normal, batch_shape, _instance)

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, `scale`."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The square of `scale`."""
        return self.stddev.pow(2)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples through which no gradient flows."""
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            if shape == self._batch_shape:
                return torch.normal(self.loc, self.scale)
            return torch.normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with `loc` and `scale`."""
        shape = self._extended_shape(sample_shape)
        loc = self.loc
        return loc + _standard_normal(shape, loc.dtype, loc.device) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density: -z^2 / 2 - log scale - log sqrt(2 pi)."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        return -LOG_SQRT_2_PI - torch.addcmul(self.scale.log(), z, z, value=0.5)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / (self.scale * math.sqrt(2))
        return 0.5 * (1 + torch.erf(z))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile."""
        return self.loc + self.scale * torch.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        """Return the entropy: 1/2 + log sqrt(2 pi) + log scale."""
        return 0.5 + LOG_SQRT_2_PI + torch.log(self.scale)

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        variance = self.scale.pow(2)
        return self.loc / variance, -0.5 * variance.reciprocal()

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return -0.25 * x.pow(2) / y + 0.5 * torch.log(-math.pi / y)
