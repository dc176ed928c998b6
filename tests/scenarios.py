"""Small programs over a library, whose outcomes are to be PyTorch's.

Both libraries run a scenario: the results must be equal, or both must raise the same
exception with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import tinytorch as tt
from outcomes import outcome

__all__ = ["check_scenario", "leaf", "scenarios"]

Scenario = Callable[[Any], Any]
# What must be in both messages, because programs and people look for it.
WORDS = re.compile(
    "modified by an inplace operation|a view of a leaf|a leaf Variable that requires"
    "|second time|does not require grad|implicitly created only|output of a function"
    "|no_grad|[Ii]nference|support automatic differentiation|detach views in-place"
    "|floating point|refers to a single memory location|not have been used|Mismatch in"
)


def scenarios() -> tuple[dict[str, Scenario], Callable[[Scenario], Scenario]]:
    """Return an empty list of programs, and the decorator that adds one."""
    found: dict[str, Scenario] = {}

    def add(program: Scenario) -> Scenario:
        found[program.__name__] = program
        return program

    return found, add


def leaf(L: Any, *shape: int) -> Any:
    """Return a leaf with the values 1, 2, 3, ..."""
    size = 1
    for n in shape:
        size *= n
    values = [float(i + 1) for i in range(size)]
    x = L.tensor(values, dtype=L.float64).reshape(shape)
    return x.clone().requires_grad_()


def seen(program: Scenario, library: Any) -> tuple[str, Any]:
    """Return ("value", numbers) or (exception's name, those of the words)."""
    errors = (RuntimeError, TypeError, ValueError)
    kind, result = outcome(program, library, errors=errors)
    if kind == "value":
        return kind, result
    words = WORDS.search(result)
    return kind, words.group() if words else None


def near(actual: Any, expected: Any) -> bool:
    """Compare nested lists and tuples; numbers within a few ulp of float64."""
    if isinstance(expected, (list, tuple)):
        same = type(actual) is type(expected) and len(actual) == len(expected)
        return same and all(map(near, actual, expected))
    return bool(actual == (expected if expected is None else pytest.approx(expected)))


def check_scenario(program: Scenario) -> None:
    """Run a program over both libraries and compare."""
    torch = pytest.importorskip("torch")
    kind, expected = seen(program, torch)
    found, actual = seen(program, tt)
    assert (found, type(actual)) == (kind, type(expected)), actual
    if kind == "value":
        assert near(actual, expected), (actual, expected)
    else:
        assert actual == expected
