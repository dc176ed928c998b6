"""The von Mises distribution on the circle."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import (
    broadcast_all,
    lazy_property,
)

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles around `loc`: the density is in proportion to exp(k cos(x - loc)).

    k is the `concentration`.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(
        self,
        loc: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMises:
        """Return the distribution with a larger batch shape."""
        return self._expanded(VonMises, batch_shape, _instance)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density; the Bessel function scaled so as not to overflow."""
        if self._validate_args:
            self._validate_sample(value)
        k = self.concentration
        height = math.log(2 * math.pi) + torch.special.i0e(k).log()
        return k * (torch.cos(value - self.loc) - 1) - height

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return angles in [-pi, pi), by Best and Fisher's rejection (1979)."""
        shape = self._extended_shape(sample_shape)
        dtype = self.loc.dtype
        with torch.no_grad():
            k = self.concentration.double()
            tau = 1 + (1 + 4 * k**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            r = (1 + rho**2) / (2 * rho)
            r = torch.where(k < 1e-5, 1 / k + k, r)  # its series near 0
            x = self._proposals(shape, k, r)
            loc = self.loc.double()
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(dtype)

    def _proposals(self, shape: Size, k: Tensor, r: Tensor) -> Tensor:
        """Draw angles around 0 until all of them are accepted."""
        k, r = k.expand(shape), r.expand(shape)
        x = torch.zeros(shape, dtype=torch.double, device=k.device)
        done = torch.zeros(shape, dtype=torch.bool, device=k.device)
        while not done.all():
            u = torch.rand((3, *shape), dtype=torch.double, device=k.device)
            u1, u2, u3 = u.unbind()
            z = torch.cos(math.pi * u1)
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            accept = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
            if accept.any():
                x = torch.where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
        return x

    @property
    def mean(self) -> Tensor:
        """The mean direction, `loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The circular variance, 1 - I1(k) / I0(k)."""
        k = self.concentration
        return 1 - torch.special.i1e(k) / torch.special.i0e(k)
