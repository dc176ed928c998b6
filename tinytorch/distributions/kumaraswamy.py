"""The Kumaraswamy distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.transform import (
    AffineTransform,
    PowerTransform,
)
from tinytorch.distributions.transformed_distribution import TransformedDistribution
from tinytorch.distributions.uniform import Uniform
from tinytorch.distributions.utils import (
    broadcast_all,
    euler_constant,
)

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """Like the beta distribution, with a distribution function in closed form.

    With a = `concentration1`, b = `concentration0`: F(x) = 1 - (1 - x^a)^b.
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        concentration1: Tensor | float,
        concentration0: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(
            concentration1, concentration0
        )
        base = Uniform(
            torch.full_like(self.concentration0, 0),
            torch.full_like(self.concentration0, 1),
            validate_args=validate_args,
        )
        transforms = [
            PowerTransform(exponent=self.concentration0.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=self.concentration1.reciprocal()),
        ]
        super().__init__(base, transforms, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Kumaraswamy:
        """Return the distribution with a larger batch shape."""
        return self._rebuilt(
            Kumaraswamy, batch_shape, _instance, "concentration1", "concentration0"
        )

    def _moment(self, n: int) -> Tensor:
        """E x^n = b B(1 + n / a, b)"""
        b = self.concentration0
        first = 1 + n / self.concentration1
        beta = torch.lgamma(first) + torch.lgamma(b) - torch.lgamma(first + b)
        return b * torch.exp(beta)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """((a - 1) / (a b - 1))^(1 / a); NaN where a or b is below 1."""
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)).pow(a.reciprocal())
        return mode.masked_fill((a < 1) | (b < 1), math.nan)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self._moment(2) - self._moment(1).pow(2)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a, b = self.concentration1, self.concentration0
        harmonic = torch.digamma(b + 1) + euler_constant
        return (
            (1 - b.reciprocal())
            + (1 - a.reciprocal()) * harmonic
            - torch.log(a)
            - torch.log(b)
        )
