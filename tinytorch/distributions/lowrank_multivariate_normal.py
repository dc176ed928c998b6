"""The normal distribution of vectors whose covariance is a diagonal and a low rank."""

from __future__ import annotations

from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.multivariate_normal import (
    LOG_2_PI,
    _batch_mv,
    _half_log_det,
)
from tinytorch.distributions.utils import _standard_normal, lazy_property

__all__ = ["LowRankMultivariateNormal"]


def _capacitance_root(factor: Tensor, diagonal: Tensor) -> Tensor:
    """Return the Cholesky factor of I + W' D^-1 W, which is as small as the rank."""
    weighted = factor / diagonal.unsqueeze(-1)
    eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return torch.linalg.cholesky(torch.matmul(factor.mT, weighted) + eye)


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of the covariance W W' + D.

    W is `cov_factor`, with few columns, and D the diagonal `cov_diag`.  Densities cost
    no more than the rank asks for: by Woodbury, (W W' + D)^-1 = D^-1 - A' A, with A
    of `_reduced`.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading "
                "batch dimensions"
            )
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(
                "cov_factor must be a batch of matrices with shape "
                f"{event_shape[0]} x m"
            )
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(
                f"cov_diag must be a batch of vectors with shape {event_shape}"
            )
        try:
            batch_shape = torch.broadcast_shapes(
                loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
            )
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor "
                f"{cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc = loc.expand(batch_shape + event_shape)
        self.cov_factor = cov_factor.expand(batch_shape + cov_factor.shape[-2:])
        self.cov_diag = cov_diag.expand(batch_shape + event_shape)
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = _capacitance_root(cov_factor, cov_diag)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)

    def expand(
        self, batch_shape: Any, _instance: Any = None
    ) -> LowRankMultivariateNormal:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(LowRankMultivariateNormal, batch_shape, _instance)
        new._unbroadcasted_cov_factor = self._unbroadcasted_cov_factor
        new._unbroadcasted_cov_diag = self._unbroadcasted_cov_diag
        new._capacitance_tril = self._capacitance_tril
        return new

    def _square_shape(self) -> Size:
        return self._batch_shape + self._event_shape + self._event_shape

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        factor = self._unbroadcasted_cov_factor
        diagonal = self._unbroadcasted_cov_diag.diag_embed()
        return (torch.matmul(factor, factor.mT) + diagonal).expand(self._square_shape())

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return torch.linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        reduced = self._reduced()
        inverse = self._unbroadcasted_cov_diag.reciprocal().diag_embed()
        return (inverse - torch.matmul(reduced.mT, reduced)).expand(
            self._square_shape()
        )

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The mode, `loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        variance = self._unbroadcasted_cov_factor.square().sum(-1)
        variance = variance + self._unbroadcasted_cov_diag
        return variance.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with `loc` and the covariance."""
        shape = self._extended_shape(sample_shape)
        rank = self.cov_factor.shape[-1:]
        common = _standard_normal(shape[:-1] + rank, self.loc.dtype, self.loc.device)
        own = _standard_normal(shape, self.loc.dtype, self.loc.device)
        common = _batch_mv(self._unbroadcasted_cov_factor, common)
        return self.loc + common + self._unbroadcasted_cov_diag.sqrt() * own

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        constant = self._event_shape[0] * LOG_2_PI
        distance = self._distance(value - self.loc)
        return -0.5 * (constant + self._log_det() + distance)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        entropy = 0.5 * (self._event_shape[0] * (1.0 + LOG_2_PI) + self._log_det())
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy

    # ---- the inverse and the determinant of the covariance ----

    def _reduced(self) -> Tensor:
        """A = C^-1 W' D^-1, where C C' = I + W' D^-1 W"""
        weighted = self._unbroadcasted_cov_factor / (
            self._unbroadcasted_cov_diag.unsqueeze(-1)
        )
        root = self._capacitance_tril
        return torch.linalg.solve_triangular(root, weighted.mT, upper=False)

    def _distance(self, x: Tensor) -> Tensor:
        """x' (W W' + D)^-1 x = |D^-1/2 x|^2 - |A x|^2"""
        plain = (x.square() / self._unbroadcasted_cov_diag).sum(-1)
        return plain - _batch_mv(self._reduced(), x).square().sum(-1)

    def _log_det(self) -> Tensor:
        """log det(W W' + D) = log det D + log det C C'"""
        of_diagonal = self._unbroadcasted_cov_diag.log().sum(-1)
        return of_diagonal + 2 * _half_log_det(self._capacitance_tril)
