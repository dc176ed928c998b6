"""The Laplace distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import (
    broadcast_all,
)

__all__ = ["Laplace"]


class Laplace(Distribution):
    """The Laplace distribution: exponential on both sides of `loc`."""

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

    def expand(self, batch_shape: Any, _instance: Any = None) -> Laplace:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Laplace, batch_shape, _instance)

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Twice the square of `scale`."""
        return 2 * self.scale.pow(2)

    @property
    def stddev(self) -> Tensor:
        """sqrt(2) times `scale`."""
        return 2**0.5 * self.scale

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with `loc` and `scale`."""
        loc = self.loc
        shape = self._extended_shape(sample_shape)
        # from just above -1: log1p(-1) would be infinite
        u = torch.empty(shape, dtype=loc.dtype, device=loc.device)
        u.uniform_(torch.finfo(loc.dtype).eps - 1, 1)
        return loc - self.scale * u.sign() * torch.log1p(-u.abs())

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -log(2 scale) - |value - loc| / scale."""
        if self._validate_args:
            self._validate_sample(value)
        return -torch.log(2 * self.scale) - torch.abs(value - self.loc) / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        if self._validate_args:
            self._validate_sample(value)
        z = value - self.loc
        return 0.5 - 0.5 * z.sign() * torch.expm1(-z.abs() / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * torch.log1p(-2 * term.abs())

    def entropy(self) -> Tensor:
        """Return 1 + log(2 scale)."""
        return 1 + torch.log(2 * self.scale)
