"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions import constraints
from tinytorch.distributions.chi2 import Chi2
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import (
    _standard_normal,
    broadcast_all,
)

__all__ = ["StudentT"]


class StudentT(Distribution):
    """Student's t distribution of `df` degrees of freedom, moved and scaled."""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        df: Tensor | float,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> StudentT:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(StudentT, batch_shape, _instance)
        new._chi2 = self._chi2.expand(new._batch_shape)
        return new  # type: ignore[no-any-return]

    @property
    def mean(self) -> Tensor:
        """`loc`; NaN for one degree of freedom or less."""
        return torch.where(self.df <= 1, math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance: infinite up to 2 degrees of freedom, NaN up to 1."""
        df = self.df
        finite = self.scale.pow(2) * df / (df - 2)
        result = torch.where(df > 2, finite, math.inf)
        return torch.where(df <= 1, math.nan, result)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with all parameters."""
        shape = self._extended_shape(sample_shape)
        x = _standard_normal(shape, self.df.dtype, self.df.device)
        z = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * (x * torch.rsqrt(z / self.df))

    def _log_height(self) -> Tensor:
        """The log density at `loc`, negated, for a scale of one."""
        return (
            0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + torch.lgamma(0.5 * self.df)
            - torch.lgamma(0.5 * (self.df + 1.0))
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        tail = torch.log1p(z.square() / self.df)
        return -0.5 * (self.df + 1.0) * tail - self.scale.log() - self._log_height()

    def entropy(self) -> Tensor:
        """Return the entropy."""
        half, more = 0.5 * self.df, 0.5 * (self.df + 1.0)
        slope = torch.digamma(more) - torch.digamma(half)
        return self.scale.log() + more * slope + self._log_height()
