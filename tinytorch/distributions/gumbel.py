"""The Gumbel distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.transform import (
    AffineTransform,
    ExpTransform,
)
from tinytorch.distributions.transformed_distribution import TransformedDistribution
from tinytorch.distributions.uniform import Uniform
from tinytorch.distributions.utils import (
    broadcast_all,
    euler_constant,
)

__all__ = ["Gumbel"]


class Gumbel(TransformedDistribution):
    """The Gumbel distribution: that of the largest of many numbers."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        info = torch.finfo(self.loc.dtype)  # log(-log(u)) is finite in between
        base = Uniform(
            torch.full_like(self.loc, info.tiny),
            torch.full_like(self.loc, 1 - info.eps),
            validate_args=validate_args,
        )
        transforms = [
            ExpTransform().inv,
            AffineTransform(loc=0, scale=-torch.ones_like(self.scale)),
            ExpTransform().inv,
            AffineTransform(loc=self.loc, scale=-self.scale),
        ]
        super().__init__(base, transforms, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Gumbel:
        """Return the distribution with a larger batch shape."""
        return self._rebuilt(Gumbel, batch_shape, _instance, "loc", "scale")

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -z - exp(-z) - log scale, for z = (value - loc) / scale."""
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    @property
    def mean(self) -> Tensor:
        """`loc` and Euler's constant times `scale`."""
        return self.loc + self.scale * euler_constant

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """pi / sqrt(6) times `scale`."""
        return (math.pi / math.sqrt(6)) * self.scale

    @property
    def variance(self) -> Tensor:
        """pi^2 / 6 times the squared `scale`."""
        return self.stddev.pow(2)

    def entropy(self) -> Tensor:
        """Return log scale + 1 + Euler's constant."""
        return self.scale.log() + (1 + euler_constant)
