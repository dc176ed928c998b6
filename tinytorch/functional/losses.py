"""Losses that are compositions of other ops."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

from tinytorch._core.executor import is_capturing
from tinytorch._core.modes import no_grad
from tinytorch._core.ops.activation import logsigmoid
from tinytorch._core.ops.addition import add, rsub, sub
from tinytorch._core.ops.along import index_select
from tinytorch._core.ops.binary import minimum
from tinytorch._core.ops.compare import eq, ge, le, lt, ne
from tinytorch._core.ops.creation import full_like, zeros
from tinytorch._core.ops.division import div
from tinytorch._core.ops.fold import any
from tinytorch._core.ops.gather import gather, scatter
from tinytorch._core.ops.loss import _bce_with_logits
from tinytorch._core.ops.multiplication import mul, neg
from tinytorch._core.ops.pointwise import exp, log, sqrt
from tinytorch._core.ops.power import pow
from tinytorch._core.ops.ranges import arange
from tinytorch._core.ops.reduce import mean, sum
from tinytorch._core.ops.scan import cumprod
from tinytorch._core.ops.select import clamp_min, where
from tinytorch._core.ops.views import flatten, reshape, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import int64
from tinytorch.functional.distance import pairwise_distance
from tinytorch.functional.dtype_words import type_word

FUNCTIONAL = [
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


# ---- reductions ----


def _named(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> str:
    """Return the reduction's name, which used to be given by two truth values."""
    if size_average is not None or reduce is not None:
        each, total = reduce is False, size_average is False
        reduction = "none" if each else "sum" if total else "mean"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=3,
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _check_name(reduction: str) -> None:
    """Raise, in the words of the losses that PyTorch writes in Python."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return mean(loss) if reduction == "mean" else sum(loss)


# ---- probabilities ----


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy of ``sigmoid(input)`` against targets between 0 and 1.

    Args:
        weight: of each element, broadcast to `input`.
        pos_weight: of the positive part of each element, broadcast to `input`.
    """
    how = _named(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size "
            f"({input.shape})"
        )
    if pos_weight is None:
        if weight is None:
            return _bce_with_logits(input, target, how)
        return _reduced(mul(_bce_with_logits(input, target, "none"), weight), how)
    share = add(mul(sub(pos_weight, 1), target), 1)
    loss = sub(mul(rsub(target, 1), input), mul(share, logsigmoid(input)))
    return _reduced(loss if weight is None else mul(loss, weight), how)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of counts under Poisson rates.

    Args:
        log_input: whether `input` is the logarithm of the rate.
        full: add Stirling's approximation of log(target!).
        eps: keeps log(input) finite where `log_input` is off.
    """
    how = _named(reduction, size_average, reduce)
    if log_input:
        loss = sub(exp(input), mul(target, input))
    else:
        loss = sub(input, mul(target, log(add(input, eps))))
    if full:
        rest = mul(log(mul(target, 2 * math.pi)), 0.5)
        stirling = add(sub(mul(target, log(target)), target), rest)
        loss = add(loss, where(le(target, 1), 0.0, stirling))
    return _reduced(loss, how)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of `target` under normal distributions.

    Args:
        input, var: means and variances; `var` may lack or share the last dimension.
        full: add the constant log(2 pi) / 2.
        eps: the least variance; its gradient passes as if it were not there.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = full_like(input, var)
    elif not is_capturing() and any(lt(var, 0)):
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = unsqueeze(var, -1)
        elif not _differ_once(input, var):
            raise ValueError("var is of incorrect size")
    _check_name(reduction)
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = mul(add(log(var), div(pow(sub(input, target), 2), var)), 0.5)
    if full:
        loss = add(loss, 0.5 * math.log(2 * math.pi))
    return _reduced(loss, reduction)


def _differ_once(x: Tensor, var: Tensor) -> bool:
    """Whether var is to be broadcast along exactly one dimension."""
    pairs = zip(x.shape, var.shape, strict=False)
    return x.dim() == var.dim() and [n for m, n in pairs if m != n] == [1]


# ---- margins ----


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``max(0, margin - target * (input1 - input2))``, target being 1 or -1."""
    how = _named(reduction, size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but "
            f"got sizes: input1: {input1.shape}, input2: {input2.shape}, target: "
            f"{target.shape} "
        )
    gap = mul(neg(target), sub(input1, input2))
    return _reduced(clamp_min(add(gap, margin), 0), how)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `input` where the target is 1, and ``max(0, margin - input)`` where -1."""
    how = _named(reduction, size_average, reduce)
    apart = where(ne(target, 1), clamp_min(rsub(input, margin), 0), 0.0)
    return _reduced(add(apart, where(ne(target, -1), input, 0.0)), how)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``1 - cos`` where the target is 1, and ``max(0, cos - margin)`` where -1.

    Args:
        input1, input2: (N, D) or (D).
        target: (N) or ().
    """
    how = _named(reduction, size_average, reduce)
    dim = target.dim()
    if dim > 1:
        raise RuntimeError(
            "0D or 1D target tensor expected, multi-target not supported"
        )
    if input1.dim() != dim + 1 or input2.dim() != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs "
            f"with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    squares = (add(sum(mul(x, x), dim), 1e-12) for x in (input1, input2))
    cosine = div(sum(mul(input1, input2), dim), sqrt(mul(*squares)))
    near = where(eq(target, 1), rsub(cosine, 1), 0.0)
    far = where(eq(target, -1), clamp_min(sub(cosine, margin), 0), 0.0)
    return _reduced(add(near, far), how)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``sum_j w_t max(0, margin - x_t + x_j)^p / C`` over the classes j but t.

    Args:
        input: (N, C) or (C).
        target: (N) or (), class numbers t.
        weight: (C).
    """
    how = _named(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    _check_classes(input)
    lead = input.shape[:-1]
    if target.numel() != math.prod(lead) or target.dim() > 1:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the "
            "number of input samples (batch size). Expected target size "
            f"{[math.prod(lead)]}, but got {list(target.shape)}. Input has shape "
            f"{list(input.shape)}."
        )
    if weight is not None and weight.numel() != (input.shape or (1,))[-1]:
        raise RuntimeError(
            f"inconsistent weight size, expected {(input.shape or (1,))[-1]} but got "
            f"{list(weight.shape)}"
        )
    if target.dtype != int64:
        raise RuntimeError(
            f"expected scalar type Long but found {type_word(target.dtype)}"
        )
    if input.dim() == 0:
        input = unsqueeze(input, 0)
    classes = input.shape[-1]
    index = unsqueeze(reshape(target, lead), -1)
    z = clamp_min(add(sub(input, gather(input, -1, index)), margin), 0)
    if p == 2:
        z = mul(z, z)
    if weight is not None:
        z = mul(z, reshape(index_select(weight, 0, flatten(index)), index.shape))
    others = ne(arange(classes, device=input.device), index)
    return _reduced(div(sum(where(others, z, 0.0), -1), classes), how)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``sum_ij max(0, 1 - x_i + x_j) / C`` over targets i and the others j.

    Args:
        input: (N, C) or (C).
        target: like `input`, class numbers up to the first -1.
    """
    how = _named(reduction, size_average, reduce)
    _check_classes(input)
    if target.shape != input.shape and (input.dim(), target.shape) != (0, (1,)):
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: "
            f"{list(input.shape)}"
        )
    if input.dim() == 0:
        input, target = unsqueeze(input, 0), reshape(target, (1,))
    given = cumprod(ge(target, 0).to(input.dtype), -1)
    index = where(eq(given, 1), target, 0)
    chosen = zeros(input.shape, dtype=input.dtype, device=input.device)
    chosen = scatter(chosen, -1, index, given, reduce="add")
    gap = sub(unsqueeze(input, -2), unsqueeze(gather(input, -1, index), -1))
    pairs = mul(unsqueeze(given, -1), unsqueeze(eq(chosen, 0).to(input.dtype), -2))
    loss = mul(clamp_min(add(gap, 1), 0), pairs)
    return _reduced(div(sum(loss, (-2, -1)), input.shape[-1]), how)


def _check_classes(input: Tensor) -> None:
    if input.dim() > 2 or input.dim() and input.shape[-1] == 0:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but "
            f"got: {list(input.shape)}"
        )


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over the classes of the cross-entropies of ``sigmoid(input)``."""
    if size_average is not None or reduce is not None:
        reduction = _named(reduction, size_average, reduce)
    yes = mul(target, logsigmoid(input))
    loss = neg(add(yes, mul(rsub(target, 1), logsigmoid(neg(input)))))
    if weight is not None:
        loss = mul(loss, weight)
    loss = div(sum(loss, -1), input.shape[-1])
    _check_name(reduction)
    return _reduced(loss, reduction)


# ---- triplets ----


def _check_triplet(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, p, n = anchor.dim(), positive.dim(), negative.dim()
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same "
            f"number of dimensions, but got: anchor {a}D, positive {p}D, and negative "
            f"{n}D inputs"
        )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``max(0, margin + |anchor - positive| - |anchor - negative|)``.

    Args:
        p: order of the norm.
        swap: let the positive stand for the anchor where it is nearer to the negative.
    """
    how = _named(reduction, size_average, reduce)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, how)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return `triplet_margin_loss` with any distance of pairs."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    distance = distance_function or pairwise_distance
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    _check_triplet(anchor, positive, negative, margin)
    near = distance(anchor, positive)
    far = distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _reduced(clamp_min(sub(add(near, margin), far), 0), reduction)
