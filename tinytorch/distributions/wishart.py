"""The Wishart distribution of positive definite matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.chi2 import Chi2
from tinytorch.distributions.distribution import EMPTY
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.multivariate_normal import (
    _half_log_det,
    _precision_to_scale_tril,
)
from tinytorch.distributions.utils import lazy_property

__all__ = ["Wishart"]

LOG_2 = math.log(2)
TRIES = 10  # to replace singular samples


def _mvdigamma(x: Tensor, p: int) -> Tensor:
    """Return the derivative of the log gamma function of p dimensions."""
    steps = torch.arange(p, dtype=x.dtype, device=x.device) / 2
    return torch.digamma(x.unsqueeze(-1) - steps).sum(-1)


class Wishart(ExponentialFamily):
    """The sum of `df` outer products x x' of normal vectors x of a covariance.

    The covariance is given as such, as its inverse, or as its Cholesky factor; `df` may
    be any number above the dimension less 1.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The region of each parameter."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Tensor | float,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [(k, matrix) for k, matrix in matrices.items() if matrix is not None]
        if len(given) != 1:
            raise AssertionError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril "
                "may be specified."
            )
        ((name, matrix),) = given
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading "
                "batch dimensions"
            )
        batch_shape, event_shape = matrix.shape[:-2], matrix.shape[-2:]
        if isinstance(df, Tensor):
            batch_shape = torch.broadcast_shapes(batch_shape, df.shape)
            self.df = df.expand(batch_shape)
        else:
            self.df = torch.tensor(df, dtype=matrix.dtype, device=matrix.device)
        least = event_shape[-1] - 1
        if (self.df <= least).any():
            raise ValueError(
                f"Value of df={df} expected to be greater than ndim - 1 = {least}."
            )
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        if (self.df < event_shape[-1]).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur "
                "for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch_shape, event_shape, validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = torch.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Wishart:
        """Return the distribution with a larger batch shape."""
        new = self._expanded(Wishart, batch_shape, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _square_shape(self) -> Size:
        return self._batch_shape + self._event_shape

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._square_shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the vectors."""
        root = self._unbroadcasted_scale_tril
        return torch.matmul(root, root.mT).expand(self._square_shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        inverse = torch.cholesky_inverse(self._unbroadcasted_scale_tril)
        return inverse.expand(self._square_shape())

    # ---- samples ----

    def _bartlett(self, sample_shape: Size) -> Tensor:
        """Return L A A' L' for random triangular A.

        Bartlett: A's diagonal are the roots of chi-squared numbers of df, df - 1, ...
        degrees of freedom, and standard normal numbers lie below.
        """
        root = self._unbroadcasted_scale_tril
        n = self._event_shape[-1]
        steps = torch.arange(n, dtype=root.dtype, device=root.device)
        freedom = (self.df.unsqueeze(-1) - steps).expand(self._batch_shape + (n,))
        lengths = Chi2(freedom).rsample(sample_shape).sqrt()
        triangle = lengths.clamp(min=torch.finfo(root.dtype).eps).diag_embed()
        shape = sample_shape + self._batch_shape + (n * (n - 1) // 2,)
        rows, cols = torch.tril_indices(n, n, -1)
        triangle[..., rows, cols] = torch.randn(
            shape, dtype=root.dtype, device=root.device
        )
        root = torch.matmul(root, triangle)
        return torch.matmul(root, root.mT)

    def rsample(
        self, sample_shape: Any = EMPTY, max_try_correction: int | None = None
    ) -> Tensor:
        """Return samples that move with the parameters.

        Low `df` make singular ones likely; they are drawn anew up to
        `max_try_correction` times (10 unless said otherwise).
        """
        tries = TRIES if max_try_correction is None else max_try_correction
        sample = self._bartlett(Size(sample_shape))
        regular = self._regular(sample)
        # PyTorch's first check takes regular samples for singular ones: they are drawn
        # twice, singular ones are kept.  Only so are the streams the same.
        again = regular.any(0)
        kept = not bool(regular.all())
        for _ in range(tries):
            if not again.any():
                break
            drawn = self._bartlett(again[again].shape)
            sample[again] = drawn
            again[again.clone()] = (~self._regular(drawn)).any(0)
        if kept or tries and again.any():
            warnings.warn("Singular sample detected.", stacklevel=2)
        return sample

    def _regular(self, sample: Tensor) -> Tensor:
        """Whether samples are positive definite, with the batch's in dimension 0."""
        inside = self.support.check(sample)
        batch = len(self._batch_shape)
        leading = inside.dim() - batch
        return inside.reshape((*inside.shape[:leading], -1)).movedim(-1, 0)

    # ---- densities and moments ----

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        p = self._event_shape[-1]
        root = self._unbroadcasted_scale_tril
        traces = torch.cholesky_solve(value, root).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (
            0.5 * (self.df - p - 1) * torch.linalg.slogdet(value).logabsdet
            - 0.5 * traces
            - self._log_constant()
        )

    def _log_constant(self) -> Tensor:
        """log(2^(df p / 2) det(V)^(df / 2) Gamma_p(df / 2))"""
        p = self._event_shape[-1]
        half_log_det = _half_log_det(self._unbroadcasted_scale_tril)
        power = self.df * (0.5 * p * LOG_2 + half_log_det)
        return power + torch.mvlgamma(self.df / 2, p)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        p = self._event_shape[-1]
        half_log_det = _half_log_det(self._unbroadcasted_scale_tril)
        half = self.df / 2
        return (
            (p + 1) * (0.5 * p * LOG_2 + half_log_det)
            + torch.mvlgamma(half, p)
            - (half - 0.5 * (p + 1)) * _mvdigamma(half, p)
            + half * p
        )

    @property
    def mean(self) -> Tensor:
        """The mean, `df` times the covariance."""
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """The densest matrix; NaN up to a `df` of the dimension plus 1."""
        factor = self.df - self._event_shape[-1] - 1
        factor = torch.where(factor > 0, factor, math.nan)
        return factor[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        """The variance of each element: df (v_ij^2 + v_ii v_jj)."""
        matrix = self.covariance_matrix
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        products = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self.df[..., None, None] * (matrix.square() + products)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        p = self._event_shape[-1]
        return -0.5 * self.precision_matrix, 0.5 * (self.df - p - 1)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        x, y = natural_params
        p = self._event_shape[-1]
        half = y + 0.5 * (p + 1)
        log_det = torch.linalg.slogdet(-2 * x).logabsdet
        return half * (p * LOG_2 - log_det) + torch.mvlgamma(half, p)
