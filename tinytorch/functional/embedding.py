"""Embeddings in the form of torch.nn.functional."""

from __future__ import annotations

import warnings

from tinytorch._core.ops.embedding import embedding as _embedding
from tinytorch._core.ops.embedding import embedding_renorm_
from tinytorch._core.ops.embedding_bag import _embedding_bag
from tinytorch._core.ops.ranges import arange
from tinytorch._core.ops.views import contiguous, reshape
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import int64

METHODS: list[str] = []
FUNCTIONAL = ["embedding", "embedding_bag"]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of `weight` at `input`, as an additional last dimension.

    Args:
        input: indices, of any shape.
        weight: (rows, D).
        padding_idx: a row that receives no gradient.
        max_norm: scale rows with a larger norm down to it, in place, before.
        norm_type: order of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.

    Example:
        >>> embedding(tensor([1, 0]), tensor([[1.0], [2.0]])).tolist()
        [[2.0], [1.0]]
    """
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = weight.shape[0]
    if padding_idx is None:
        padding_idx = -1
    else:
        if not -rows <= padding_idx < max(rows, 1):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows or 1
    if max_norm is not None:
        input = contiguous(input)
        embedding_renorm_(weight.detach(), input, max_norm, norm_type)
    return _embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


_modes = {"sum": 0, "mean": 1, "max": 2}


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return sums, means or maxima of bags of rows of `weight`.

    Args:
        input: indices, (bags, n), or (N) in bags that begin at `offsets`.
        weight: (rows, D).
        max_norm, norm_type: as in `embedding`.
        mode: "sum", "mean" or "max".
        per_sample_weights: like `input`; for sums only.
        include_last_offset: whether the last offset is the end of the last bag.
        padding_idx: a row that is left out.
    """
    if weight.dtype == int64 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not "
            f"None, then it must have the same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a "
                "mini-batch of fixed length sequences. However, found offsets of type "
                f"{type(offsets)}"
            )
        each = input.shape[1]
        offsets = arange(0, input.numel(), each, dtype=input.dtype, device=input.device)
        include_last_offset = False
        input = reshape(input, (-1,))
        if per_sample_weights is not None:
            per_sample_weights = reshape(per_sample_weights, (-1,))
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    else:
        raise ValueError(
            "input has to be 1D or 2D Tensor, but got Tensor of dimension "
            f"{input.dim()}"
        )
    if mode not in _modes:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError(
            "max mode does not support scaling the gradient by the frequency"
        )
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if sparse:
        raise NotImplementedError("sparse gradients are not supported")
    if max_norm is not None:
        embedding_renorm_(weight.detach(), input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is "
            f"only supported for mode='sum' (got mode='{mode}'). Please open a feature "
            "request on GitHub."
        )
    if padding_idx is not None and padding_idx < 0:
        padding_idx += weight.shape[0]
    return _embedding_bag(
        weight,
        input,
        offsets,
        _modes[mode],
        per_sample_weights,
        include_last_offset,
        -1 if padding_idx is None else padding_idx,
        scale_grad_by_freq,
    )
