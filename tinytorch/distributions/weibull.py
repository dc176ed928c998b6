"""The Weibull distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.exponential import Exponential
from tinytorch.distributions.transform import (
    AffineTransform,
    PowerTransform,
)
from tinytorch.distributions.transformed_distribution import TransformedDistribution
from tinytorch.distributions.utils import (
    broadcast_all,
    euler_constant,
)

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """An exponential number to the power 1 / `concentration`, times `scale`."""

    arg_constraints = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    support = constraints.positive

    def __init__(
        self,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(torch.ones_like(self.scale), validate_args=validate_args)
        transforms = [
            PowerTransform(exponent=self.concentration_reciprocal),
            AffineTransform(loc=0, scale=self.scale),
        ]
        super().__init__(base, transforms, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Weibull:
        """Return the distribution with a larger batch shape."""
        return self._rebuilt(Weibull, batch_shape, _instance, "scale", "concentration")

    @property
    def mean(self) -> Tensor:
        """scale Gamma(1 + 1 / concentration)"""
        return self.scale * torch.exp(torch.lgamma(1 + self.concentration_reciprocal))

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        base = (self.concentration - 1) / self.concentration
        return self.scale * base**self.concentration_reciprocal

    @property
    def variance(self) -> Tensor:
        """The variance."""
        log_first = torch.lgamma(1 + self.concentration_reciprocal)
        second = torch.exp(torch.lgamma(1 + 2 * self.concentration_reciprocal))
        return self.scale.pow(2) * (second - torch.exp(2 * log_first))

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return (
            euler_constant * (1 - self.concentration_reciprocal)
            + torch.log(self.scale * self.concentration_reciprocal)
            + 1
        )
