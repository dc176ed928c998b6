"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.parameters import set_one
from tinytorch.distributions.utils import (
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)
from tinytorch.nn import functional as F

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ExponentialFamily):
    """On [0, 1], with a density in proportion to p^x (1 - p)^(1 - x).

    Near p = 1/2, between `lims`, the closed forms lose their digits and the first terms
    of their Taylor series are used.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _param: Tensor

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        set_one(self, probs, logits)
        if probs is not None:
            check = Distribution._validate_args
            if check if validate_args is None else validate_args:
                allowed = self.arg_constraints["probs"]
                if not allowed.check(self.probs).all():
                    raise ValueError("The parameter probs has invalid values")
            self.probs = self._param = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(self._param.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> ContinuousBernoulli:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(ContinuousBernoulli, batch_shape, _instance, "_param")
        new._lims = self._lims
        return new  # type: ignore[no-any-return]

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)

    def _outside_unstable_region(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut_probs(self) -> Tensor:
        """The probabilities, those near 1/2 replaced by one that is not."""
        return torch.where(self._outside_unstable_region(), self.probs, self._lims[0])

    def _cont_bern_log_norm(self) -> Tensor:
        """The log of the normaliser, 2 atanh(1 - 2p) / (1 - 2p)."""
        cut = self._cut_probs()
        numerator = torch.log(torch.abs(torch.log1p(-cut) - torch.log(cut)))
        log_norm = numerator - torch.log(torch.abs(1 - 2 * cut))
        x = (self.probs - 0.5).square()
        taylor = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return torch.where(self._outside_unstable_region(), log_norm, taylor)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        cut = self._cut_probs()
        closed = cut / (2 * cut - 1) + 1 / (torch.log1p(-cut) - torch.log(cut))
        x = self.probs - 0.5
        taylor = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.square()) * x
        return torch.where(self._outside_unstable_region(), closed, taylor)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return torch.sqrt(self.variance)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        cut = self._cut_probs()
        slope = torch.log1p(-cut) - torch.log(cut)
        closed = cut * (cut - 1) / (1 - 2 * cut).square() + 1 / slope.square()
        x = (self.probs - 0.5).square()
        taylor = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return torch.where(self._outside_unstable_region(), closed, taylor)

    @lazy_property
    def logits(self) -> Tensor:
        """log(p / (1 - p))"""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The parameter p."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._param.size()

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples through which no gradient flows."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with the parameter."""
        shape = self._extended_shape(sample_shape)
        probs = self.probs
        return self.icdf(torch.rand(shape, dtype=probs.dtype, device=probs.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        bits = F.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return self._cont_bern_log_norm() - bits

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut_probs()
        rise = torch.pow(cut, value) * torch.pow(1.0 - cut, 1.0 - value) + cut - 1.0
        closed = rise / (2.0 * cut - 1.0)
        inside = torch.where(self._outside_unstable_region(), closed, value)
        return torch.where(value <= 0, 0.0, torch.where(value >= 1, 1.0, inside))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile."""
        cut = self._cut_probs()
        rise = torch.log1p(-cut + value * (2.0 * cut - 1.0)) - torch.log1p(-cut)
        closed = rise / (torch.log(cut) - torch.log1p(-cut))
        return torch.where(self._outside_unstable_region(), closed, value)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        log_zero = torch.log1p(-self.probs)
        log_one = torch.log(self.probs)
        return (
            self.mean * (log_zero - log_one) - self._cont_bern_log_norm() - log_zero
        )

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        away = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = torch.where(away, x, (self._lims[0] - 0.5) * torch.ones_like(x))
        closed = torch.log(torch.abs(torch.special.expm1(cut))) - torch.log(cut.abs())
        taylor = 0.5 * x + x.square() / 24.0 - x.pow(4) / 2880.0
        return torch.where(away, closed, taylor)
