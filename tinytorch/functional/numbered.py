"""The ``torch.x`` forms of functions whose ``nn.functional.x`` takes other arguments.

Here a reduction is a number (0 none, 1 mean, 2 sum) and every argument has its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinytorch._core.ops.adaptive import adaptive_max_pool1d_with_indices
from tinytorch._core.ops.loss import kl_div as _kl_div
from tinytorch._core.tensor import Tensor
from tinytorch.functional import losses
from tinytorch.functional.normalization import instance_norm as _instance_norm

__all__ = [
    "adaptive_max_pool1d",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "instance_norm",
    "kl_div",
    "margin_ranking_loss",
    "poisson_nll_loss",
    "triplet_margin_loss",
]

_NAMES = ("none", "mean", "sum")


def _name(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return _NAMES[reduction]


def adaptive_max_pool1d(
    input: Tensor, output_size: int | Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the largest value of each of `output_size` parts, and where it was."""
    return adaptive_max_pool1d_with_indices(  # type: ignore[no-any-return]
        input, output_size
    )


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return `input` (N, C, ...) normalised per sample and channel."""
    return _instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:
    """Return the cross-entropy of ``sigmoid(input)`` against targets in [0, 1]."""
    return losses.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_name(reduction), pos_weight=pos_weight
    )


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: int = 1,
) -> Tensor:
    """Return ``1 - cos`` where the target is 1, ``max(0, cos - margin)`` where -1."""
    return losses.cosine_embedding_loss(
        input1, input2, target, margin, reduction=_name(reduction)
    )


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1
) -> Tensor:
    """Return `input` where the target is 1, ``max(0, margin - input)`` where -1."""
    return losses.hinge_embedding_loss(
        input, target, margin, reduction=_name(reduction)
    )


def kl_div(
    input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False
) -> Tensor:
    """Return ``target * (log(target) - input)``, `input` being logarithms."""
    name = _name(reduction)
    y: Tensor = _kl_div(
        input,
        target,
        reduction="none" if name == "mean" else name,  # whose mean comes with a warning
        log_target=log_target,
    )
    return y.mean() if name == "mean" else y


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: int = 1,
) -> Tensor:
    """Return ``max(0, margin - target * (input1 - input2))``, target being 1 or -1."""
    return losses.margin_ranking_loss(
        input1, input2, target, margin, reduction=_name(reduction)
    )


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool,
    full: bool,
    eps: float,
    reduction: int,
) -> Tensor:
    """Return the negative log-likelihood of counts under Poisson rates."""
    return losses.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_name(reduction)
    )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-06,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """Return by how much the positive is not nearer than the negative."""
    return losses.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_name(reduction)
    )
