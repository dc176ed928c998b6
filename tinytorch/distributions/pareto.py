"""The Pareto distribution."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.exponential import Exponential
from tinytorch.distributions.transform import (
    AffineTransform,
    ExpTransform,
)
from tinytorch.distributions.transformed_distribution import TransformedDistribution
from tinytorch.distributions.utils import (
    broadcast_all,
)

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """The Pareto distribution: from `scale` on, with a tail of the power `alpha`."""

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(
        self,
        scale: Tensor | float,
        alpha: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        transforms = [ExpTransform(), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, transforms, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Pareto:
        """Return the distribution with a larger batch shape."""
        return self._rebuilt(Pareto, batch_shape, _instance, "scale", "alpha")

    @property
    def mean(self) -> Tensor:
        """The mean, infinite for `alpha` up to 1."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        """The least number, `scale`."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The variance, infinite for `alpha` up to 2."""
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From `scale` on."""
        return constraints.greater_than_eq(self.scale)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
