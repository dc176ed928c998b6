"""Clipping of gradients, by their norm or by their values."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import tinytorch
from tinytorch._core.ops.optim import (
    _multi_tensor_clamp,
    _multi_tensor_norm,
    _multi_tensor_scale,
)
from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import no_grad

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]

Tensors = Tensor | Iterable[Tensor]


def _list(tensors: Any) -> list[Any]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Any) -> list[Any]:
    """Return the gradients that exist."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    elif isinstance(parameters, GeneratorType):
        parameters = list(parameters)
        if not parameters:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=3,
            )
    grads = [p.grad for p in parameters]
    return [g for g in grads if g is not None]


def get_total_norm(
    tensors: Any,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of the vector of the norms of all tensors.

    Args:
        tensors: one tensor or several.
        norm_type: the order; ``inf`` for the largest absolute value.
        error_if_nonfinite: raise if the norm is not a finite number.
        foreach: without effect, one call sees all tensors in any case.
    """
    with no_grad():
        return _total_norm(_list(tensors), float(norm_type), error_if_nonfinite)


def _total_norm(tensors: list[Any], order: float, error_if_nonfinite: bool) -> Any:
    if not tensors:
        return tinytorch.tensor(0.0)
    if order == -math.inf or order == 0:
        # these are not the norm of all elements: they go tensor by tensor
        norm = tinytorch.linalg.vector_norm
        total = norm(tinytorch.stack([norm(x, order) for x in tensors]), order)
    else:
        total = _multi_tensor_norm([x.detach() for x in tensors], order)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is "
            "non-finite, so it cannot be clipped. To disable this error and scale the "
            "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def _scale(grads: list[Any], max_norm: float, total: Tensor) -> None:
    if grads:
        # the factor stays a tensor: reading it would wait for the device
        factor = (float(max_norm) / (total + 1e-6)).clamp(max=1.0)
        _multi_tensor_scale([g.detach() for g in grads], factor)


def clip_grads_with_norm_(
    parameters: Any,
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale gradients, in place, by which `total_norm` exceeds `max_norm`."""
    with no_grad():
        _scale(_grads(parameters), max_norm, total_norm)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`.

    Args:
        parameters: one parameter or several; those without gradient are skipped.
        norm_type: the order; ``inf`` for the largest absolute value.
        error_if_nonfinite: raise if the norm is not a finite number.
        foreach: without effect, one call sees all gradients in any case.

    Returns:
        The norm that the gradients had.
    """
    with no_grad():
        grads = _grads(parameters)
        total = _total_norm(grads, float(norm_type), error_if_nonfinite)
        _scale(grads, max_norm, total)
    return total  # type: ignore[no-any-return]


@functools.wraps(clip_grad_norm_)
def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


clip_grad_norm.__name__ = "clip_grad_norm"


def clip_grad_value_(
    parameters: Any, clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp each element of all gradients to [-clip_value, clip_value], in place."""
    limit = float(clip_value)
    with no_grad():
        _multi_tensor_clamp([g.detach() for g in _grads(parameters)], -limit, limit)
