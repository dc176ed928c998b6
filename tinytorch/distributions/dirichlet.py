"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.ops.sampling import _dirichlet_grad, _sample_dirichlet
from tinytorch._core.tensor import Tensor
from tinytorch.autograd.function import Function, once_differentiable
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.nn import functional as F

__all__ = ["Dirichlet"]


class _Dirichlet(Function):
    """Samples of a Dirichlet distribution, with the gradient at constant quantiles."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        """Draw the samples."""
        x = _sample_dirichlet(concentration)
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gy: Tensor) -> Tensor:
        """Move each share by its own slope; the others give way in proportion."""
        x, concentration = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        slope = _dirichlet_grad(x, concentration, total)
        return slope * (gy - (x * gy).sum(-1, True))


class Dirichlet(ExponentialFamily):
    """The Dirichlet distribution: shares that sum to one."""

    arg_constraints = {
        "concentration": constraints.independent(constraints.positive, 1)
    }
    support = constraints.simplex
    has_rsample = True

    def __init__(
        self, concentration: Tensor, validate_args: bool | None = None
    ) -> None:
        if concentration.dim() < 1:
            raise ValueError(
                "`concentration` parameter must be at least one-dimensional."
            )
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Dirichlet:
        """Return the distribution with a larger batch shape."""
        return self._expanded(Dirichlet, batch_shape, _instance)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with the concentrations."""
        shape = self._extended_shape(sample_shape)
        concentration = self.concentration.expand(shape)
        if concentration.requires_grad and torch.is_grad_enabled():
            return _Dirichlet.apply(concentration)  # type: ignore[no-any-return]
        return _sample_dirichlet(concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        alpha = self.concentration
        return (
            torch.xlogy(alpha - 1.0, value).sum(-1)
            + torch.lgamma(alpha.sum(-1))
            - torch.lgamma(alpha).sum(-1)
        )

    @property
    def mean(self) -> Tensor:
        """The shares of the concentrations."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        """The most likely shares; a corner where no concentration is above 1."""
        excess = (self.concentration - 1).clamp(min=0.0)
        mode = excess / excess.sum(-1, True)
        corner = (self.concentration < 1).all(dim=-1)
        mode[corner] = F.one_hot(
            mode[corner].argmax(dim=-1), self.concentration.shape[-1]
        ).to(mode)
        return mode

    @property
    def variance(self) -> Tensor:
        """The variance of each share."""
        total = self.concentration.sum(-1, True)
        alpha = self.concentration
        return alpha * (total - alpha) / (total.pow(2) * (total + 1))

    def entropy(self) -> Tensor:
        """Return the entropy."""
        k = self.concentration.size(-1)
        total = self.concentration.sum(-1)
        alpha = self.concentration
        return (
            torch.lgamma(alpha).sum(-1)
            - torch.lgamma(total)
            - (k - total) * torch.digamma(total)
            - ((alpha - 1.0) * torch.digamma(alpha)).sum(-1)
        )

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.concentration,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.lgamma().sum(-1) - torch.lgamma(x.sum(-1))
