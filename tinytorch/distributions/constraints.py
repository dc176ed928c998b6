"""Regions that parameters and samples must lie in.

``check(value)`` says which events of a tensor are inside, one bool for each;
``holds(value)`` whether all are.  The regions that are intervals answer the latter with
one kernel call, which is what makes validation affordable for small tensors.
"""

from __future__ import annotations

import math
from typing import Any

import tinytorch as torch
from tinytorch._core.ops.sampling import all_within
from tinytorch._core.tensor import Tensor
from tinytorch.distributions.regions import (
    Constraint,
    _Boolean,
    _Dependent,
    _DependentProperty,
    _GreaterThan,
    _GreaterThanEq,
    _HalfOpenInterval,
    _IntegerGreaterThan,
    _IntegerInterval,
    _Interval,
    _LessThan,
    _Real,
    is_dependent,
)

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "independent", "integer_interval", "interval",
    "half_open_interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "MixtureSameFamilyConstraint", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_semidefinite",
    "positive_definite", "positive_integer", "real", "real_vector", "simplex", "square",
    "stack", "symmetric", "unit_interval",
]


# ---- vectors ----


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        zeros_and_ones = (value == 0) | (value == 1)
        return zeros_and_ones.all(-1) & value.sum(-1).eq(1)


class _Simplex(Constraint):
    event_dim = 1
    _tolerance = 1e-6

    def check(self, value: Tensor) -> Tensor:
        near_one = (value.sum(-1) - 1).abs() < self._tolerance
        return torch.all(value >= 0, dim=-1) & near_one

    def holds(self, value: Tensor) -> bool:
        """Return whether all vectors are shares of one."""
        near = self._tolerance
        return bool(
            all_within(value, 0, math.inf)
            and all_within(value.sum(-1), 1 - near, 1 + near)
        )


class _Multinomial(Constraint):
    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return (x >= 0).all(dim=-1) & (x.sum(dim=-1) <= self.upper_bound)


# ---- matrices ----


class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return (value.tril() == value).flatten(-2).all(-1)


class _LowerCholesky(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        triangular = (value.tril() == value).flatten(-2).all(-1)
        return triangular & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        # ten roundings for each number that a row's length adds up
        room = torch.finfo(value.dtype).eps * value.size(-1) * 10
        lengths = torch.linalg.norm(value.detach(), dim=-1)
        unit = (lengths - 1).abs().le(room).all(-1)
        return unit & lower_cholesky.check(value)


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        square = value.shape[-2] == value.shape[-1]
        return torch.full(
            value.shape[:-2], square, dtype=torch.bool, device=value.device
        )


class _Symmetric(_Square):
    def check(self, value: Tensor) -> Tensor:
        square = super().check(value)
        if not square.all():
            return square
        return torch.isclose(value, value.mT, atol=1e-6).all(-2).all(-1)


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        symmetric = super().check(value)
        if not symmetric.all():
            return symmetric
        return torch.linalg.eigvalsh(value).ge(0).all(-1)


class _PositiveDefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        symmetric = super().check(value)
        if not symmetric.all():
            return symmetric
        return torch.linalg.cholesky_ex(value).info.eq(0)


# ---- regions made of others ----


class _IndependentConstraint(Constraint):
    """`base_constraint`, where some batch dimensions count as part of the event."""

    def __init__(
        self, base_constraint: Constraint, reinterpreted_batch_ndims: int
    ) -> None:
        if not isinstance(base_constraint, Constraint):
            raise AssertionError(
                f"base_constraint must be a Constraint, got {type(base_constraint)}"
            )
        if not isinstance(reinterpreted_batch_ndims, int):
            raise AssertionError(
                "reinterpreted_batch_ndims must be int, got "
                f"{type(reinterpreted_batch_ndims)}"
            )
        if reinterpreted_batch_ndims < 0:
            raise AssertionError(
                "reinterpreted_batch_ndims must be >= 0, got "
                f"{reinterpreted_batch_ndims}"
            )
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether the base region is discrete."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The base region's dimensions and the reinterpreted ones."""
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        inside = self.base_constraint.check(value)
        kept = inside.dim() - self.reinterpreted_batch_ndims
        if kept < 0:
            self._refuse(value)
        return inside.reshape(*inside.shape[:kept], -1).all(-1)

    def holds(self, value: Tensor) -> bool:
        """Return whether the base region holds all of the value."""
        if value.dim() < self.event_dim:
            self._refuse(value)
        return self.base_constraint.holds(value)

    def _refuse(self, value: Tensor) -> None:
        raise ValueError(
            f"Expected value.dim() >= {self.event_dim} but got {value.dim()}"
        )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__[1:]}({self.base_constraint!r}, "
            f"{self.reinterpreted_batch_ndims})"
        )


class MixtureSameFamilyConstraint(Constraint):
    """The support of a mixture: that of its components, for every one of them."""

    def __init__(self, base_constraint: Constraint) -> None:
        if not isinstance(base_constraint, Constraint):
            raise AssertionError(
                f"base_constraint must be a Constraint, got {type(base_constraint)}"
            )
        self.base_constraint = base_constraint
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether the components' region is discrete."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """Dimensions of a component's event."""
        return self.base_constraint.event_dim

    def check(self, value: Tensor) -> Tensor:
        at = -1 - self.event_dim
        inside = self.base_constraint.check(value.unsqueeze(at))
        kept = value.dim() - self.event_dim
        if kept < 0:
            raise ValueError(
                f"Expected value.dim() >= {self.event_dim} but got {value.dim()}"
            )
        return inside.reshape(*inside.shape[:kept], -1).all(-1)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.base_constraint!r})"


class _Pieces(Constraint):
    """Several regions, each for its slice of one dimension."""

    def __init__(self, cseq: Any, dim: int) -> None:
        self.cseq = list(cseq)
        self.dim = dim
        if not all(isinstance(c, Constraint) for c in self.cseq):
            raise AssertionError("All elements of cseq must be Constraint instances")
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether any of the regions is discrete."""
        return any(c.is_discrete for c in self.cseq)


class _Cat(_Pieces):
    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(
                f"lengths must have same length as cseq: {len(self.lengths)} vs "
                f"{len(self.cseq)}"
            )

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The largest of the regions' event dimensions."""
        return int(max(c.event_dim for c in self.cseq))

    def check(self, value: Tensor) -> Tensor:
        if not -value.dim() <= self.dim < value.dim():
            raise AssertionError(f"dim {self.dim} out of range for {value.dim()}-d")
        parts = value.split(self.lengths, self.dim)
        inside = [c.check(v) for c, v in zip(self.cseq, parts, strict=True)]
        return torch.cat(inside, self.dim)


class _Stack(_Pieces):
    def __init__(self, cseq: Any, dim: int = 0) -> None:
        super().__init__(cseq, dim)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The regions' event dimensions, and the stacked one if it lies among them."""
        inner = int(max(c.event_dim for c in self.cseq))
        return inner + 1 if self.dim + inner < 0 else inner

    def check(self, value: Tensor) -> Tensor:
        if not -value.dim() <= self.dim < value.dim():
            raise AssertionError(f"dim {self.dim} out of range for {value.dim()}-d")
        parts = value.unbind(self.dim)
        inside = [c.check(v) for c, v in zip(self.cseq, parts, strict=True)]
        return torch.stack(inside, self.dim)


# ---- the public names ----

dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
