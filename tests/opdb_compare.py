"""Comparing derivatives, and asking which of two results is nearer to the exact one."""

from __future__ import annotations

from typing import Any

import torch

import tinytorch as tt
from oracle import difference, to_tiny, to_torch
from tolerances import GRADIENT_FACTOR

__all__ = [
    "compare_gradients",
    "is_nearer",
    "line",
    "seeds_for",
    "widened",
    "widened_leaf",
]


def line(error: BaseException) -> str:
    """Return an exception as one line."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:300]


def compare_gradients(
    tiny: tuple[list[Any], list[Any]],
    reference: tuple[list[Any], list[Any]],
    factor: float,
    second: bool,
) -> tuple[str, str] | None:
    """Compare first, and on demand second, derivatives of (outputs, inputs)."""
    outs, inputs = reference
    keep = [i for i, y in enumerate(outs) if y.requires_grad]
    outs, tiny_outs = [outs[i] for i in keep], [tiny[0][i] for i in keep]
    tiny_inputs = tiny[1]
    if not outs or not inputs:
        return None
    if len(inputs) != len(tiny_inputs):
        return "conversion", "the inputs that require a gradient do not match"
    seeds = seeds_for(outs)
    if second:
        for weight in seeds:
            weight.requires_grad_()
    tiny_seeds = to_tiny(seeds)
    options = {"allow_unused": True, "create_graph": second}
    try:
        expected = torch.autograd.grad(outs, inputs, seeds, **options)
    except Exception:
        return None  # PyTorch has no derivative here; its message is not compared
    try:
        actual = tt.autograd.grad(tiny_outs, tiny_inputs, tiny_seeds, **options)
    except Exception as error:
        return "grad2" if second else "grad", line(error)
    for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
        found = _gradient_difference(one, other, inputs[i], factor)
        if found:
            return "grad", f"of input {i}: {found[1]}"
    if not second:
        return None
    pairs = [
        (one, other)
        for one, other in zip(actual, expected, strict=True)
        if other is not None and other.requires_grad
    ]
    if any(one is None or not one.requires_grad for one, _ in pairs):
        return "grad2", "the gradient does not require a gradient"
    found = compare_gradients(
        ([one for one, _ in pairs], [*tiny_inputs, *tiny_seeds]),
        ([other for _, other in pairs], [*inputs, *seeds]),
        factor * GRADIENT_FACTOR,
        second=False,
    )
    return ("grad2", found[1]) if found else None


def seeds_for(outs: list[Any]) -> list[torch.Tensor]:
    """Return random incoming gradients, the same for equal shapes."""
    random = torch.Generator().manual_seed(11)
    kinds = [torch.float64 if "64" in str(y.dtype) else torch.float32 for y in outs]
    return [
        torch.randn(tuple(y.shape), dtype=kind, generator=random)
        for y, kind in zip(outs, kinds, strict=True)
    ]


def _gradient_difference(
    actual: Any, expected: Any, x: torch.Tensor, factor: float
) -> tuple[str, str] | None:
    """Compare gradients; an absent one counts as zeros."""
    if actual is None and expected is None:
        return None
    one = torch.zeros_like(x) if actual is None else to_torch(actual)
    other = torch.zeros_like(x) if expected is None else expected
    return difference(one, other, factor)


def is_nearer(
    actual: torch.Tensor, expected: torch.Tensor, exact: torch.Tensor
) -> bool:
    """Return whether the largest error is at most that of ``expected``."""
    if not actual.dtype.is_floating_point or actual.shape != exact.shape:
        return torch.equal(actual, expected)
    errors = []
    for x in (actual, expected):
        error = (x.double() - exact).abs() / (1 + exact.abs())
        same = (x.double() == exact) | (x.isnan() & exact.isnan())
        error[same] = 0.0
        errors.append(error.max().item() if error.numel() else 0.0)
    return errors[0] <= errors[1]


def widened(value: Any) -> Any:
    """Return float64 in place of a narrower floating dtype."""
    if isinstance(value, torch.dtype):
        return torch.float64 if value.is_floating_point else value
    return value.double() if value.dtype.is_floating_point else value


def widened_leaf(value: Any) -> Any:
    """Widen, and keep asking for the gradient."""
    wide = widened(value)
    if isinstance(value, torch.Tensor) and value.requires_grad:
        wide = wide.detach().requires_grad_()
    return wide
