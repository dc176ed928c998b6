"""A distribution whose samples went through transforms."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.composed_transforms import ComposeTransform
from tinytorch.distributions.distribution import EMPTY, D, Distribution
from tinytorch.distributions.independent import Independent
from tinytorch.distributions.transform import Transform
from tinytorch.distributions.utils import (
    _sum_rightmost,
)

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """Samples of `base_distribution`, mapped by the transforms in turn.

    The density follows from the Jacobians, so the transforms must be bijective for it.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            self.transforms = [transforms]
        elif isinstance(transforms, list):
            if not all(isinstance(t, Transform) for t in transforms):
                raise ValueError(
                    "transforms must be a Transform or a list of Transforms"
                )
            self.transforms = transforms
        else:
            raise ValueError(
                f"transforms must be a Transform or list, but was {transforms}"
            )
        chain = ComposeTransform(self.transforms)
        base = base_distribution
        base_shape = base.batch_shape + base.event_shape
        base_events = len(base.event_shape)
        need = chain.domain.event_dim
        made = chain.codomain.event_dim
        if len(base_shape) < need:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {need}, "
                f"but got {base_shape}."
            )
        shape = chain.forward_shape(base_shape)
        fitting = chain.inverse_shape(shape)
        if fitting != base_shape:
            base = base.expand(fitting[: len(fitting) - base_events])
        if need > base_events:
            base = Independent(base, need - base_events)
        self.base_dist = base
        events = max(made, base_events + made - need)
        cut = len(shape) - events
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(TransformedDistribution, _instance)
        batch_shape = Size(batch_shape)
        shape = batch_shape + self._event_shape
        for transform in reversed(self.transforms):
            shape = transform.inverse_shape(shape)
        base_batch = shape[: len(shape) - len(self.base_dist.event_shape)]
        new.base_dist = self.base_dist.expand(base_batch)
        new.transforms = self.transforms
        super(TransformedDistribution, new).__init__(
            batch_shape, self._event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    def _rebuilt(
        self, cls: type[D], batch_shape: Any, instance: Any, *names: str
    ) -> D:
        """Return a `cls` whose parameters, in the order of its __init__, are wider."""
        new: D = self._get_checked_instance(cls, instance)
        batch_shape = Size(batch_shape)
        wider = [getattr(self, name).expand(batch_shape) for name in names]
        cls.__init__(new, *wider, validate_args=False)  # type: ignore[misc]
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> constraints.Constraint:
        """The last transform's codomain."""
        if not self.transforms:
            return self.base_dist.support  # type: ignore[return-value]
        support = self.transforms[-1].codomain
        more = len(self._event_shape) - support.event_dim
        return constraints.independent(support, more) if more > 0 else support

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base distribution has differentiable samples."""
        return self.base_dist.has_rsample

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples through which no gradient flows."""
        with torch.no_grad():
            x = self.base_dist.sample(sample_shape)
            for transform in self.transforms:
                x = transform(x)
            return x

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with all parameters."""
        x = self.base_dist.rsample(sample_shape)
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the base's log density, less the logs of the Jacobians."""
        if self._validate_args:
            self._validate_sample(value)
        events = len(self._event_shape)
        jacobians: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            domain = transform.domain.event_dim
            events += domain - transform.codomain.event_dim
            term = transform.log_abs_det_jacobian(x, y)
            jacobians = jacobians + _sum_rightmost(term, events - domain)
            y = x
        density = self.base_dist.log_prob(y)
        return _sum_rightmost(density, events - len(self.base_dist.event_shape)) - (
            jacobians
        )

    def _monotonize_cdf(self, value: Tensor) -> Tensor:
        """Return 1 - value where the transforms turn the order around."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        if isinstance(sign, int) and sign == 1:
            return value
        return sign * (value - 0.5) + 0.5  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the base's, of what the value came from."""
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        if self.base_dist._validate_args:
            self.base_dist._validate_sample(value)
        return self._monotonize_cdf(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the base's quantile, mapped by the transforms."""
        value = self.base_dist.icdf(self._monotonize_cdf(value))
        for transform in self.transforms:
            value = transform(value)
        return value
