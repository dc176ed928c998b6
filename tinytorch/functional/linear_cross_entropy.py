"""The cross-entropy of a linear layer's results, in one call."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinytorch._core.ops.cross_entropy import cross_entropy
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.linear import linear
from tinytorch._core.ops.views import reshape
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16, float16, float32
from tinytorch._typing import Any

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
        options: a `nn.LinearCrossEntropyOptions`, to compute in chunks of the batch.
    """
    _check(input, linear_weight, target, linear_bias, ignore_index)
    classes, *inner, features = linear_weight.shape
    if inner:
        linear_weight = reshape(linear_weight, (-1, features))
        if linear_bias is not None:
            linear_bias = reshape(linear_bias, (-1,))

    def loss_of(
        x: Tensor, w: Tensor, b: Tensor | None, t: Tensor, reduction: str
    ) -> Tensor:
        logits = linear(x, w, b)
        if inner:
            logits = reshape(logits, (x.shape[0], classes, *inner))
        loss: Tensor = cross_entropy(
            logits,
            t,
            weight,
            ignore_index=-100 if ignore_index is None else ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
        return loss

    parameters = (linear_weight, linear_bias)
    if options is None or input.dim() == 1 or target.dim() == 0:
        return loss_of(input, *parameters, target, reduction)
    n = input.shape[0]
    rows = options.rows(n, features, classes * math.prod(inner))
    if rows >= n or n != target.shape[0]:
        return loss_of(input, *parameters, target, reduction)
    how = "sum" if reduction == "mean" else reduction
    parts = _in_chunks(loss_of, input, parameters, target, how, rows)
    if how == "none":
        return cat(parts)
    total = _sum(parts, options.acc_dtype)
    if reduction == "mean":
        total = total / _count(target, weight, ignore_index, n * math.prod(inner))
    return total.to(parts[0].dtype)


def _in_chunks(
    loss_of: Callable[..., Tensor],
    input: Tensor,
    parameters: tuple[Tensor, Tensor | None],
    target: Tensor,
    how: str,
    rows: int,
) -> list[Tensor]:
    """Return the losses of chunks; a backward pass computes their scores again."""
    # Above this module in the order of imports, and rarely needed.
    from tinytorch.utils.checkpoint import checkpoint

    parts = []
    for start in range(0, input.shape[0], rows):
        x, t = input[start : start + rows], target[start : start + rows]
        part: Tensor = checkpoint(
            loss_of, x, *parameters, t, how, use_reentrant=False,
            preserve_rng_state=False,
        )
        parts.append(part)
    return parts


def _sum(parts: list[Tensor], dtype: Any) -> Tensor:
    if dtype is None:
        half = parts[0].dtype in (float16, bfloat16)
        dtype = float32 if half else parts[0].dtype
    total = parts[0].to(dtype)
    for part in parts[1:]:
        total = total + part.to(dtype)
    return total


def _count(
    target: Tensor, weight: Tensor | None, ignore_index: int | None, size: int
) -> Tensor | int:
    """Return what the mean divides by: the weights of the targets that count."""
    if target.is_floating_point():
        return size
    counts = target != (-100 if ignore_index is None else ignore_index)
    if weight is None:
        return counts.sum()
    return (weight[target.long() * counts] * counts).sum()


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
