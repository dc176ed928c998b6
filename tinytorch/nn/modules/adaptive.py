"""The adaptive softmax: frequent classes in full, rare ones through small matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinytorch._core.ops.creation import empty
from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.modules.container import ModuleList, Sequential
from tinytorch.nn.modules.linear import Linear
from tinytorch.nn.modules.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    """Log-probabilities of the targets, and their negative mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A log-softmax over classes that are sorted by frequency, in clusters.

    The head scores the classes below the first cutoff and each cluster of rarer ones;
    the tail of a cluster scores its classes in fewer dimensions.

    Args:
        cutoffs: first classes of the clusters, increasing.
        div_value: by which the dimensions shrink from cluster to cluster.
        head_bias: whether the head has a bias.
    """

    in_features: int
    n_classes: int
    cutoffs: list[int]
    div_value: float
    head_bias: bool
    head: Linear
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_cutoffs(list(cutoffs), n_classes)
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            project = Linear(in_features, hidden, False, device, dtype)
            score = Linear(hidden, size, False, device, dtype)
            self.tail.append(Sequential(project, score))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for project, score in self.tail:
            project.reset_parameters()
            score.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Return the log-probabilities of the targets, and the loss.

        Args:
            input_: (N, in_features) or (in_features).
            target_: (N) or () class indices.
        """
        _check_sizes(input_, target_)
        batched = target_.dim() > 0
        x = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        # Each target's place in the head: its own, or that of its cluster.
        place = target
        found = []
        low = self.cutoffs[0]
        count = int(((target >= 0) & (target < low)).sum())
        for i, high in enumerate(self.cutoffs[1:]):
            inside = (target >= low) & (target < high)
            rows = inside.nonzero().squeeze(1)
            if rows.numel():
                count += rows.numel()
                place = place.masked_fill(inside, self.shortlist_size + i)
                found.append((i, low, rows))
            low = high
        if count != target.numel():
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in "
                f"range [{target.min().item()}, {target.max().item()}] were found. "
            )
        scores = F.log_softmax(self.head(x), 1)
        output = scores.gather(1, place.unsqueeze(1)).squeeze(1)
        for i, first, rows in found:
            local = F.log_softmax(self.tail[i](x.index_select(0, rows)), 1)
            column = (target.index_select(0, rows) - first).unsqueeze(1)
            output = output.index_add(0, rows, local.gather(1, column).squeeze(1))
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        """Return the log-probabilities (N, n_classes), given the head's scores."""
        shape = (head_output.shape[0], self.n_classes)
        out = empty(shape, dtype=head_output.dtype, device=head_output.device)
        head = F.log_softmax(head_output, 1)
        first = self.shortlist_size
        out[:, :first] = head[:, :first]
        for i, (low, high) in enumerate(
            zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True)
        ):
            local = F.log_softmax(self.tail[i](input), 1)
            out[:, low:high] = local + head[:, first + i].unsqueeze(1)
        return out

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities (N, n_classes) of all classes."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of each row; tails are asked only if needed."""
        scores = self.head(input)
        best = scores.argmax(1)
        beyond = best >= self.shortlist_size
        if not beyond.any():
            return best
        if beyond.all():
            return self._get_full_log_prob(input, scores).argmax(1)
        rows = beyond.nonzero().squeeze(1)
        full = self._get_full_log_prob(
            input.index_select(0, rows), scores.index_select(0, rows)
        )
        best[rows] = full.argmax(1)
        return best


def _check_cutoffs(cutoffs: list[int], n_classes: int) -> None:
    if not cutoffs:
        raise ValueError("cutoffs should be a sequence of length larger than 0")
    if (
        cutoffs != sorted(set(cutoffs))
        or cutoffs[0] <= 0
        or cutoffs[-1] > n_classes - 1
        or any(int(c) != c for c in cutoffs)
    ):
        raise ValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an "
            "increasing order, where each value is between 1 and n_classes-1"
        )


def _check_sizes(input: Tensor, target: Tensor) -> None:
    dims = target.dim()
    if dims == 1:
        if input.shape[0] != target.shape[0]:
            raise RuntimeError(
                "Input and target should have the same size in the batch dimension."
            )
        if input.dim() != 2:
            raise RuntimeError(
                "1D target tensor expects 2D input tensors, but found inputs with size "
                f"{input.shape}"
            )
    elif dims == 0:
        if input.dim() != 1:
            raise RuntimeError(
                "0D target tensor expects 1D input tensors, but found inputs with size "
                f"{input.shape}"
            )
    else:
        raise RuntimeError(
            "0D or 1D target tensor expected, multi-target not supported"
        )
