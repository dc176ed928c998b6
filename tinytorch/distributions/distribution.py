"""The base of all distributions: shapes, validation of parameters and samples."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size
from tinytorch.distributions import constraints
from tinytorch.distributions.utils import lazy_property

__all__ = ["Distribution"]

EMPTY = Size(())
D = TypeVar("D", bound="Distribution")


class Distribution:
    """A distribution over events, one for each element of the batch shape.

    The shape of a sample is ``sample_shape + batch_shape + event_shape``.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether parameters and samples are checked unless told otherwise."""
        if value not in [True, False]:
            raise ValueError
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Size = EMPTY,
        event_shape: Size = EMPTY,
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = batch_shape
        self._event_shape = event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            arg_constraints = {}
            warnings.warn(
                f"{self.__class__} does not define `arg_constraints`. "
                "Please set `arg_constraints = {}` or initialize the distribution "
                "with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
        given = self.__dict__
        for param, constraint in arg_constraints.items():
            if constraints.is_dependent(constraint):
                continue
            if param not in given:
                if isinstance(getattr(type(self), param), lazy_property):
                    continue  # it follows from one that is checked
                value = getattr(self, param)
            else:
                value = given[param]
            if constraint.holds(value):
                continue
            raise ValueError(
                f"Expected parameter {param} "
                f"({type(value).__name__} of shape {tuple(value.shape)}) "
                f"of distribution {self!r} "
                f"to satisfy the constraint {constraint!r}, "
                f"but found invalid values:\n{value}"
            )

    # ---- shapes ----

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with a larger batch shape, without copying."""
        raise NotImplementedError

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """Return a new object of this class whose parameters `expand` then sets."""
        own = type(self).__init__  # type: ignore[misc]
        if _instance is None and own != cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a "
                "custom __init__ method must also define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def _expanded(
        self, cls: type[D], batch_shape: Any, instance: Any, *names: str
    ) -> D:
        """Return a copy with a larger batch shape of what `cls` is made of.

        Parameters are the attributes named in its ``arg_constraints`` and in `names`;
        those that were never computed stay lazy.
        """
        own: Any = cls.arg_constraints
        if isinstance(own, property):
            own = self.arg_constraints
        new: D = self._get_checked_instance(cls, instance)
        batch_shape = Size(batch_shape)
        given = self.__dict__
        for name in (*own, *names):
            if name in given:
                value = given[name]
                event = value.shape[len(self._batch_shape) :]
                setattr(new, name, value.expand(batch_shape + event))
        super(cls, new).__init__(  # type: ignore[call-arg]
            batch_shape, self._event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters: how many distributions there are."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one event of one distribution."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = EMPTY) -> Size:
        if not sample_shape:
            if not self._event_shape:
                return self._batch_shape
            return self._batch_shape + self._event_shape
        return Size(sample_shape) + self._batch_shape + self._event_shape

    # ---- what a distribution defines ----

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The region of each parameter."""
        raise NotImplementedError

    @property
    def support(self) -> constraints.Constraint | None:
        """The region of the samples."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The event of the highest density."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples through which no gradient flows."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        """Return samples that are differentiable functions of the parameters."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """Return n samples; ``sample((n,))`` is the name to use."""
        warnings.warn(
            "sample_n(n) will be deprecated. Use .sample((n,)) instead",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample(Size((n,)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of a sample that is at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile: where ``cdf`` is `value`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all events along a new first dimension."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """Return the exponential of the entropy."""
        return torch.exp(self.entropy())

    # ---- validation ----

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ValueError unless log_prob and its like are defined at `value`."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape = value.shape
        if shape != self._batch_shape or self._event_shape:
            self._validate_shape(shape)
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `support` to enable "
                "sample validation. Please initialize the distribution with "
                "`validate_args=False` to turn off validation.",
                stacklevel=2,
            )
            return
        if support is None:
            raise AssertionError("support is None")
        if not support.holds(value):
            raise ValueError(
                "Expected value argument "
                f"({type(value).__name__} of shape {tuple(shape)}) "
                f"to be within the support ({support!r}) "
                f"of the distribution {self!r}, "
                f"but found invalid values:\n{value}"
            )

    def _validate_shape(self, actual: Size) -> None:
        event_dim = len(self._event_shape)
        if actual[len(actual) - event_dim :] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{actual} vs {self._event_shape}."
            )
        expected = self._batch_shape + self._event_shape
        for i, j in zip(reversed(actual), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{actual} vs {expected}."
                )

    def __repr__(self) -> str:
        given = self.__dict__
        shown = []
        for name in self.arg_constraints:
            if name in given:
                value = given[name]
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return self.__class__.__name__ + "(" + ", ".join(shown) + ")"
