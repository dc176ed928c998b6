"""The base of all constraints, and those that are intervals.

An interval answers `holds` with one kernel call, which is what makes validation
affordable for small tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinytorch._core.ops.sampling import all_within
from tinytorch._core.tensor import Tensor

__all__ = ["Constraint", "is_dependent"]

OURS = "tinytorch.distributions."


class Constraint:
    """A region of values; an event is what the last ``event_dim`` dimensions hold."""

    is_discrete = False
    event_dim = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # a class of the user: its `check` decides
        if not cls.__module__.startswith(OURS) and "holds" not in cls.__dict__:
            cls.holds = Constraint.holds  # type: ignore[method-assign]

    def check(self, value: Tensor) -> Tensor:
        """Return for each event whether it lies inside."""
        raise NotImplementedError

    def holds(self, value: Tensor) -> bool:
        """Return whether all events lie inside."""
        return bool(self.check(value).all())

    def __repr__(self) -> str:
        return self.__class__.__name__[1:] + "()"


# ---- regions that depend on other variables ----


class _Dependent(Constraint):
    def __init__(
        self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> None:
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether the region is discrete, if that is known without the variables."""
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return bool(self._is_discrete)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """Dimensions of an event, if that is known without the variables."""
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return int(self._event_dim)

    def __call__(
        self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> _Dependent:
        """Return one that knows more about itself."""
        if is_discrete is NotImplemented:
            is_discrete = self._is_discrete
        if event_dim is NotImplemented:
            event_dim = self._event_dim
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Tensor:
        """Refuse: the region is not known yet."""
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Constraint) -> bool:
    """Return whether a region depends on other variables."""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property of an object that computes its region; of a class it is dependent."""

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        *,
        is_discrete: Any = NotImplemented,
        event_dim: Any = NotImplemented,
    ) -> None:
        super().__init__(fn)
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    def __call__(  # type: ignore[override]
        self, fn: Callable[..., Any]
    ) -> _DependentProperty:
        """Decorate `fn` where the decorator was given arguments."""
        return _DependentProperty(
            fn, is_discrete=self._is_discrete, event_dim=self._event_dim
        )


# ---- intervals ----


class _Range(Constraint):
    """All numbers from `_least` to `_largest`, both included; not NaN."""

    _least = -math.inf
    _largest = math.inf
    _shown: tuple[str, ...] = ()  # attributes in the repr

    def holds(self, value: Tensor) -> bool:
        """Return whether all numbers lie inside."""
        if self._least == self._least:
            least, largest = self._least, self._largest
            return bool(all_within(value, least, largest, self.is_discrete))
        return bool(self.check(value).all())  # the bounds are tensors

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)
        return f"{self.__class__.__name__[1:]}({fields})"


class _Bounded(_Range):
    """A range whose bounds may be tensors, one for each element."""

    _open = False, False  # whether the lower, the upper bound is excluded

    def __init__(self, lower: Any, upper: Any) -> None:
        try:
            least = lower.item() if isinstance(lower, Tensor) else lower
            largest = upper.item() if isinstance(upper, Tensor) else upper
        except (RuntimeError, ValueError):
            self._least = math.nan
        else:
            below, above = self._open
            self._least = math.nextafter(least, math.inf) if below else least
            self._largest = math.nextafter(largest, -math.inf) if above else largest
        super().__init__()


class _Between(_Bounded):
    _shown = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        super().__init__(lower_bound, upper_bound)


class _From(_Bounded):
    _shown = ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound
        super().__init__(lower_bound, math.inf)


class _UpTo(_Bounded):
    _shown = ("upper_bound",)

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound
        super().__init__(-math.inf, upper_bound)


class _Real(_Range):
    def check(self, value: Tensor) -> Tensor:
        return value == value


class _Boolean(_Range):
    is_discrete = True
    _least, _largest = 0.0, 1.0

    def check(self, value: Tensor) -> Tensor:
        return (value == 0) | (value == 1)


class _IntegerInterval(_Between):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        whole = value % 1 == 0
        return whole & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerLessThan(_UpTo):
    """Integers up to the bound, which belongs to them."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value <= self.upper_bound)


class _IntegerGreaterThan(_From):
    """Integers from the bound on, which belongs to them."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound)


class _GreaterThan(_From):
    _open = True, False

    def check(self, value: Tensor) -> Tensor:
        return self.lower_bound < value


class _GreaterThanEq(_From):
    def check(self, value: Tensor) -> Tensor:
        return self.lower_bound <= value


class _LessThan(_UpTo):
    _open = False, True

    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class _Interval(_Between):
    def check(self, value: Tensor) -> Tensor:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Between):
    _open = False, True

    def check(self, value: Tensor) -> Tensor:
        return (self.lower_bound <= value) & (value < self.upper_bound)
