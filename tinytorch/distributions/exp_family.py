"""Exponential families: densities exp(t(x) . theta - F(theta) + k(x))."""

from __future__ import annotations

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions.distribution import Distribution
from tinytorch.distributions.utils import _sum_rightmost

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A distribution with natural parameters theta and a log normaliser F."""

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> float:
        """The mean of k(x)."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """Return F(theta) - theta . grad F(theta) - E k(x), by autograd."""
        theta = [p.detach().requires_grad_() for p in self._natural_params]
        with torch.enable_grad():
            normalizer = self._log_normalizer(*theta)
            gradients = torch.autograd.grad(normalizer.sum(), theta, create_graph=True)
        result = normalizer - self._mean_carrier_measure
        events = len(self._event_shape)
        for parameter, gradient in zip(theta, gradients, strict=True):
            result = result - _sum_rightmost(parameter * gradient, events)
        return result
