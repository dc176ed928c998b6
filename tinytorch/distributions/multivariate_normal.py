"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.distribution import EMPTY, Distribution
from tinytorch.distributions.utils import (
    _standard_normal,
    lazy_property,
)

__all__ = ["MultivariateNormal"]


LOG_2_PI = math.log(2 * math.pi)


def _batch_mv(matrix: Tensor, vector: Tensor) -> Tensor:
    """Multiply batches of matrices and vectors, which broadcast."""
    return torch.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def _batch_mahalanobis(root: Tensor, x: Tensor) -> Tensor:
    """Return x' (L L')^-1 x for lower triangular L: the squared length of L^-1 x."""
    if root.dim() == 2:  # one L for all: a single solve
        n = x.shape[-1]
        solved = torch.linalg.solve_triangular(root, x.reshape(-1, n).mT, upper=False)
        return solved.square().sum(0).reshape(x.shape[:-1])
    shape = torch.broadcast_shapes(root.shape[:-1], x.shape)
    column = x.expand(shape).unsqueeze(-1)
    solved = torch.linalg.solve_triangular(root, column, upper=False)
    return solved.squeeze(-1).square().sum(-1)


def _precision_to_scale_tril(precision: Tensor) -> Tensor:
    """Return the Cholesky factor of the inverse, without inverting.

    With J the reversal of rows: chol(J P J) = J U J where P = U U', so the inverse's
    factor is the inverse of U transposed.
    """
    upper = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    lower = torch.flip(upper, (-2, -1)).mT
    eye = torch.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return torch.linalg.solve_triangular(lower, eye.expand(lower.shape), upper=False)


def _half_log_det(root: Tensor) -> Tensor:
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


class MultivariateNormal(Distribution):
    """The normal distribution of mean `loc` and a covariance.

    The covariance is given as such, as its inverse, or as its Cholesky factor
    `scale_tril`, which is what the computations use.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        if sum(matrix is not None for matrix in given.values()) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril "
                "may be specified."
            )
        for name, matrix in given.items():
            if matrix is None:
                continue
            if matrix.dim() < 2:
                what = "scale_tril matrix" if name == "scale_tril" else name
                raise ValueError(
                    f"{what} must be at least two-dimensional, with optional leading "
                    "batch dimensions"
                )
            batch_shape = torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
            setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        self.loc = loc.expand(batch_shape + (-1,))
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)
        if scale_tril is not None:
            self._unbroadcasted_scale_tril = scale_tril
        elif covariance_matrix is not None:
            self._unbroadcasted_scale_tril = torch.linalg.cholesky(covariance_matrix)
        elif precision_matrix is not None:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(precision_matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> MultivariateNormal:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(MultivariateNormal, batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new  # type: ignore[no-any-return]

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._square_shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        root = self._unbroadcasted_scale_tril
        return torch.matmul(root, root.mT).expand(self._square_shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        inverse = torch.cholesky_inverse(self._unbroadcasted_scale_tril)
        return inverse.expand(self._square_shape())

    def _square_shape(self) -> Size:
        return self._batch_shape + self._event_shape + self._event_shape

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
        variance = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return variance.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that move with `loc` and the covariance."""
        shape = self._extended_shape(sample_shape)
        eps = _standard_normal(shape, self.loc.dtype, self.loc.device)
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        root = self._unbroadcasted_scale_tril
        distance = _batch_mahalanobis(root, value - self.loc)
        constant = self._event_shape[0] * LOG_2_PI
        return -0.5 * (constant + distance) - _half_log_det(root)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        half_log_det = _half_log_det(self._unbroadcasted_scale_tril)
        entropy = 0.5 * self._event_shape[0] * (1.0 + LOG_2_PI) + half_log_det
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy
