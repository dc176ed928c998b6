"""The Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import (
    broadcast_all,
)

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """The Cauchy distribution: `scale` is half its width at half the height."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Cauchy:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Cauchy, batch_shape, _instance)

    @property
    def mean(self) -> Tensor:
        """NaN: the integral does not exist."""
        return torch.full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return torch.full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with `loc` and `scale`."""
        loc = self.loc
        shape = self._extended_shape(sample_shape)
        standard = torch.empty(shape, dtype=loc.dtype, device=loc.device).cauchy_()
        return loc + standard * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -log(pi scale (1 + ((value - loc) / scale)^2))."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - z.square().log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        if self._validate_args:
            self._validate_sample(value)
        return torch.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile."""
        return torch.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        """Return log(4 pi scale)."""
        return math.log(4 * math.pi) + self.scale.log()
