"""The distribution of Lewandowski, Kurowicka and Joe of correlation matrices.

It is that of their Cholesky factors here, whose rows have the length 1.
"""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.beta import Beta
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices M, as dense as det(M)^(concentration-1).

    A concentration of 1 makes all correlation matrices equally likely.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(
        self,
        dim: int,
        concentration: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        if dim < 2:
            raise ValueError(
                "Expected dim to be an integer greater than or equal to 2. "
                f"Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        event_shape = Size((dim, dim))
        # The onion grows by a layer a row: the squared length of row i (from 0) left of
        # the diagonal is Beta(i - 1/2, b_i), as PyTorch draws it; the authors' is
        # Beta(i / 2, b_i), which differs from the third row on.  Row 0 is a dummy.
        like = self.concentration
        row = torch.arange(dim, dtype=like.dtype, device=like.device).clamp(min=1)
        layers = like.unsqueeze(-1) + 0.5 * (dim - 1 - row)
        self._beta = Beta(row - 0.5, layers)
        super().__init__(like.shape, event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LKJCholesky:
        """Return the distribution with a larger batch shape."""
        new = self._get_checked_instance(LKJCholesky, _instance)
        batch_shape = Size(batch_shape)
        new.dim = self.dim
        new.concentration = self.concentration.expand(batch_shape)
        new._beta = self._beta.expand(batch_shape + (self.dim,))
        super(LKJCholesky, new).__init__(
            batch_shape, self._event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new  # type: ignore[no-any-return]

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return factors: a random direction and a random length for each row."""
        squares = self._beta.sample(sample_shape).unsqueeze(-1)
        like = self.concentration
        shape = self._extended_shape(sample_shape)
        normal = torch.randn(shape, dtype=like.dtype, device=like.device).tril(-1)
        below = squares.sqrt() * torch.nn.functional.normalize(normal, dim=-1, eps=0)
        below[..., 0, :] = 0
        rest = 1 - below.square().sum(-1)
        diagonal = rest.clamp(min=torch.finfo(like.dtype).tiny).sqrt()
        return below + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density with respect to the elements below the diagonal."""
        if self._validate_args:
            self._validate_sample(value)
        n = self.dim
        eta = self.concentration.unsqueeze(-1)
        diagonal = value.diagonal(dim1=-2, dim2=-1)[..., 1:]
        k = torch.arange(1, n, dtype=eta.dtype, device=eta.device)
        unnormalised = ((n - 1 - k + 2 * (eta - 1)) * diagonal.log()).sum(-1)
        # The sphere of dimension k that row k + 1 lies on, weighted by the density.
        spheres = torch.lgamma(eta + 0.5 * (n - 1 - k)) - torch.lgamma(
            eta + 0.5 * (n - 1)
        )
        constant = 0.25 * n * (n - 1) * math.log(math.pi)
        return unnormalised - spheres.sum(-1) - constant
