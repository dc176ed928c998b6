"""The cross-entropy of a linear layer's results, in one call."""

from __future__ import annotations

from typing import Any

from tinytorch._core.ops.cross_entropy import cross_entropy
from tinytorch._core.ops.gemm import linear
from tinytorch._core.ops.views import reshape
from tinytorch._core.tensor import Tensor

FUNCTIONAL = ["linear_cross_entropy"]


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Return ``cross_entropy(linear(input, linear_weight, linear_bias), target)``.

    Args:
        input: (N, in_features) or (in_features).
        linear_weight: (C, ..., in_features); the dimensions between are those of the
            targets (N, ...).
        linear_bias: (C, ...).
        weight: of each class.
        ignore_index: a target that does not count; None is -100.
        options: None; PyTorch's computation in chunks is refused.
    """
    if options is not None:
        raise NotImplementedError(
            "linear_cross_entropy: options (computation in chunks) are not supported"
        )
    _check(input, linear_weight, target, linear_bias, ignore_index)
    classes, *inner, features = linear_weight.shape
    if inner:
        linear_weight = reshape(linear_weight, (-1, features))
        if linear_bias is not None:
            linear_bias = reshape(linear_bias, (-1,))
    logits = linear(input, linear_weight, linear_bias)
    if inner:
        logits = reshape(logits, (input.shape[0], classes, *inner))
    loss: Tensor = cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss


def _check(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None,
    ignore_index: int | None,
) -> None:
    dims = input.dim()
    if dims not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {dims}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            "expected linear_weight with dimensionality at least 2, got "
            f"{linear_weight.dim()}"
        )
    given, expected = input.shape[-1], linear_weight.shape[-1]
    if given != expected:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{given} and {expected}, respectively"
        )
    if linear_weight.dim() > 2 and dims == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape "
            f"{tuple(linear_weight.shape)} requires batched input, (N, {expected}), "
            f"got unbatched input with shape {tuple(input.shape)}"
        )
    shape = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != shape:
        raise RuntimeError(
            f"expected linear_bias shape {shape}, got {tuple(linear_bias.shape)}"
        )
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError(
            "ignore_index cannot be specified when target contains probabilities"
        )
