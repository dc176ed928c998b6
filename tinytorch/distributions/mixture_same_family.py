"""Mixtures of distributions of one family."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.categorical import Categorical
from tinytorch.distributions.distribution import EMPTY, Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A component, drawn from a categorical distribution, then a sample of it.

    The components are the last batch dimension of `component_distribution`.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of "
                "torch.distributions.Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of "
                "torch.distributions.Distribution"
            )
        mixture_batch = mixture_distribution.batch_shape
        batch_shape = component_distribution.batch_shape[:-1]
        for n, m in zip(reversed(mixture_batch), reversed(batch_shape), strict=False):
            if n != 1 and m != 1 and n != m:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixture_batch}) is not "
                    "compatible with `component_distribution."
                    f"batch_shape`({batch_shape})"
                )
        km = mixture_distribution.logits.shape[-1]
        kc = component_distribution.batch_shape[-1]
        if km != kc:
            raise ValueError(
                f"`mixture_distribution component` ({km}) does not"
                f" equal `component_distribution.batch_shape[-1]` ({kc})"
            )
        self._num_component = km
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> MixtureSameFamily:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        batch_shape = Size(batch_shape)
        new._component_distribution = self._component_distribution.expand(
            batch_shape + (self._num_component,)
        )
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component = self._num_component
        new._event_ndims = self._event_ndims
        super(MixtureSameFamily, new).__init__(
            batch_shape, self._event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new  # type: ignore[no-any-return]

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """The support of the components."""
        return constraints.MixtureSameFamilyConstraint(
            self._component_distribution.support  # type: ignore[arg-type]
        )

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution of the components' indices."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    def _pad(self, x: Tensor) -> Tensor:
        """Insert the dimension of the components."""
        return x.unsqueeze(-1 - self._event_ndims)

    def _weighted(self, x: Tensor) -> Tensor:
        """Return the sum over the components of what belongs to each."""
        weights = self._mixture_distribution.probs
        weights = weights.reshape(weights.shape + (1,) * self._event_ndims)
        return torch.sum(weights * x, dim=-1 - self._event_ndims)

    @property
    def mean(self) -> Tensor:
        """The mean of the components' means."""
        return self._weighted(self._component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances and the variance of the means."""
        components = self._component_distribution
        spread = (components.mean - self._pad(self.mean)).pow(2.0)
        return self._weighted(components.variance) + self._weighted(spread)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        parts = self._component_distribution.cdf(self._pad(value))
        return torch.sum(parts * self._mixture_distribution.probs, dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        parts = self._component_distribution.log_prob(self._pad(value))
        weights = torch.log_softmax(self._mixture_distribution.logits, dim=-1)
        return torch.logsumexp(parts + weights, dim=-1)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples."""
        with torch.no_grad():
            index = self._mixture_distribution.sample(sample_shape)
            samples = self._component_distribution.sample(sample_shape)
            at = samples.dim() - self._event_ndims - 1  # the components' dimension
            index = index.reshape(index.shape + (1,) * (self._event_ndims + 1))
            index = index.expand(samples.shape[:at] + (1,) + self._event_shape)
            return torch.gather(samples, at, index).squeeze(at)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self._mixture_distribution},\n  "
            f"{self._component_distribution})"
        )
