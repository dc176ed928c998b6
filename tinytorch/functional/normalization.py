"""Normalisations in the form of torch.nn.functional, and those made of other ops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinytorch._core.ops.addition import add
from tinytorch._core.ops.batch_norm import (
    batch_norm as _batch_norm,
)
from tinytorch._core.ops.batch_norm import (
    group_norm as _group_norm,
)
from tinytorch._core.ops.division import div
from tinytorch._core.ops.multiplication import mul
from tinytorch._core.ops.norms import vector_norm
from tinytorch._core.ops.pad import pad
from tinytorch._core.ops.pool import avg_pool2d, avg_pool3d
from tinytorch._core.ops.power import pow
from tinytorch._core.ops.reduce import mean
from tinytorch._core.ops.select import clamp_min
from tinytorch._core.ops.views import (
    contiguous,
    expand,
    reshape,
    squeeze,
    unsqueeze,
    view,
)
from tinytorch._core.tensor import Tensor

__all__ = ["norm_except_dim"]
METHODS: list[str] = []
FUNCTIONAL = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "local_response_norm",
    "normalize",
]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Return `input` (N, C, ...) normalised per channel.

    Args:
        running_mean, running_var: (C), updated in place if `training`, else used.
        momentum: the share of the batch in what the running averages become.
    """
    if training:
        if input.dim() > 1 and input.numel() == input.shape[1]:
            _check_batch(math.prod(input.shape[2:], start=input.shape[0]), input.shape)
        if eps <= 0:
            raise ValueError(
                f"batch_norm eps must be positive during training, but got {eps}"
            )
    elif eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return _batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """Return `input` (N, C, ...) normalised per sample and group of channels."""
    shape = input.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    if num_groups > 0:
        rows = shape[0] * shape[1] // num_groups
        _check_batch(rows * math.prod(shape[2:]), [rows, num_groups, *shape[2:]])
    return _group_norm(input, num_groups, weight, bias, eps)


def _check_batch(count: int, shape: Sequence[int]) -> None:
    if count == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"{shape}"
        )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Return `input` (N, C, ...) normalised per sample and channel.

    It is the batch norm of one sample with N * C channels; the running averages
    receive the mean over the samples.
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.shape}"
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats "
            "is false"
        )
    n, c, *rest = input.shape

    def repeated(p: Tensor | None) -> Tensor | None:
        return None if p is None else reshape(expand(p, (n, p.numel())), (-1,))

    averages = repeated(running_mean), repeated(running_var)
    y = _batch_norm(
        reshape(contiguous(input), (1, n * c, *rest)),
        repeated(weight),
        repeated(bias),
        *averages,
        use_input_stats,
        momentum,
        eps,
    )
    if use_input_stats:
        for kept, several in zip((running_mean, running_var), averages, strict=True):
            if kept is not None and several is not None:
                kept.detach().copy_(mean(view(several, (n, c)), 0))
    return reshape(y, input.shape)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return ``input / (k + alpha * m) ** beta``, m the mean square of near channels.

    Args:
        input: (N, C, ...).
        size: over how many neighbouring channels the mean goes.
    """
    shape = input.shape
    if len(shape) < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input (got "
            f"{len(shape)} dimensions)"
        )
    if input.numel() == 0:
        return input
    square = mul(input, input)
    around = (size // 2, (size - 1) // 2)
    if len(shape) == 3:
        square = pad(unsqueeze(square, 1), (0, 0, *around))
        square = squeeze(avg_pool2d(square, (size, 1), stride=1), 1)
    else:
        square = reshape(square, (shape[0], 1, shape[1], shape[2], -1))
        square = pad(square, (0, 0, 0, 0, *around))
        square = avg_pool3d(square, (size, 1, 1), stride=1)
        square = reshape(square, shape)
    return div(input, pow(add(mul(square, alpha), k), beta))


def normalize(
    input: Tensor,
    p: float = 2.0,
    dim: int | Sequence[int] = 1,
    eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:
    """Return `input` over its p-norm along `dim`, which counts at least as `eps`."""
    length = clamp_min(vector_norm(input, p, dim, keepdim=True), eps)
    return div(input, expand(length, input.shape), out=out)


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """Return `v` with the norms of its slices along `dim` replaced by `g`."""
    return mul(v, div(g, norm_except_dim(v, 2, dim)))


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Return the norms of the slices of `v` along `dim`, with v's number of dimensions.

    Args:
        dim: -1 takes the norm of all of `v`.
    """
    if dim == -1:
        return vector_norm(v, pow)
    if not 0 <= dim < v.dim():
        raise RuntimeError(f"norm_except_dim: no dimension {dim} in {v.dim()}")
    others = [d for d in range(v.dim()) if d != dim]
    return (
        vector_norm(v, pow, others, keepdim=True)
        if others
        else vector_norm(unsqueeze(v, 1), pow, 1)
    )
