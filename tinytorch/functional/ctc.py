"""The CTC loss with its reductions and the forms in which lengths are given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

from tinytorch._core.ops.compare import eq
from tinytorch._core.ops.ctc import _ctc_losses
from tinytorch._core.ops.data import tensor
from tinytorch._core.ops.division import div
from tinytorch._core.ops.reduce import mean, sum
from tinytorch._core.ops.select import clamp_min, where
from tinytorch._core.ops.views import contiguous, squeeze, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import int64

__all__ = ["ctc_loss"]
METHODS: list[str] = []
FUNCTIONAL = ["ctc_loss"]

Lengths: TypeAlias = "Tensor | Sequence[int] | int"


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str | int = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return the negative log-probability of targets under all their alignments.

    Args:
        log_probs: (T, N, C) or (T, C), logarithms of the probabilities of classes.
        targets: (N, S), or all targets one after the other; without blanks.
        input_lengths, target_lengths: N each.
        reduction: "mean" divides each loss by its target's length first.
        zero_infinity: let losses of inputs that are too short for their target be 0.
    """
    if isinstance(reduction, int):
        reduction = ("none", "mean", "sum")[reduction]
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    batched = log_probs.dim() == 3
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(
            f"ctc_loss: log_probs has {log_probs.dim()} dimensions, not 2 or 3"
        )
    if not batched:
        log_probs = unsqueeze(log_probs, 1)
    steps, batch, classes = log_probs.shape
    lengths = _numbers(input_lengths), _numbers(target_lengths)
    _check(lengths, steps, batch, blank, classes)
    places = _places(targets, lengths[1], batched)
    device = log_probs.device
    operands = (
        contiguous(targets.to(int64)),
        *(tensor(list(n), dtype=int64, device=device) for n in (*lengths, places)),
    )
    loss = _ctc_losses(
        log_probs, operands, max(lengths[1], default=0), blank, zero_infinity
    )
    if zero_infinity:
        loss = where(eq(loss, float("inf")), 0.0, loss)
    if reduction == "mean":
        return mean(div(loss, clamp_min(operands[2], 1).to(loss.dtype)))
    if reduction == "sum":
        return sum(loss)
    return loss if batched else squeeze(loss, 0)


def _numbers(lengths: Lengths) -> list[int]:
    if isinstance(lengths, Tensor):
        if lengths.is_floating_point():
            raise RuntimeError("input_lengths and target_lengths must be integral")
        return [int(n) for n in lengths.reshape(-1).tolist()]
    return [lengths] if isinstance(lengths, int) else [int(n) for n in lengths]


def _check(
    lengths: tuple[list[int], list[int]],
    steps: int,
    batch: int,
    blank: int,
    classes: int,
) -> None:
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    for name, numbers in zip(("input_lengths", "target_lengths"), lengths, strict=True):
        if len(numbers) != batch:
            raise RuntimeError(f"{name} must be of size batch_size")
        if min(numbers, default=0) < 0:
            raise RuntimeError(f"{name} must be non-negative")
    if max(lengths[0], default=0) > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value "
            f"{max(lengths[0])} (while checking arguments for ctc_loss_cpu)"
        )


def _places(targets: Tensor, lengths: list[int], batched: bool) -> list[int]:
    """Where each target begins among the elements of `targets`."""
    if targets.dim() == 1 or not batched:
        if sum_of(lengths) > targets.numel():
            raise RuntimeError(
                f"Expected targets to have at least {sum_of(lengths)} elements, but "
                f"got {targets.numel()}"
            )
        return [0, *accumulate(lengths)][: len(lengths)]
    if targets.dim() != 2 or targets.shape[0] != len(lengths):
        raise RuntimeError(
            f"Expected targets of {len(lengths)} rows, but got size "
            f"{list(targets.shape)} (while checking arguments for ctc_loss_cpu)"
        )
    width = targets.shape[1]
    if max(lengths, default=0) > width:
        raise RuntimeError(
            f"Expected tensor to have size at least {max(lengths)} at dimension 1, but "
            f"got size {list(targets.shape)} for argument #2 'targets' (while checking "
            "arguments for ctc_loss_cpu)"
        )
    return [i * width for i in range(len(lengths))]


def sum_of(lengths: list[int]) -> int:
    """Return the sum of Python numbers; `sum` is the op here."""
    return list(accumulate(lengths))[-1] if lengths else 0
