"""Distances and similarities of vectors, and the bilinear form."""

from __future__ import annotations

from tinytorch._core.modes import no_grad
from tinytorch._core.ops.addition import add, sub
from tinytorch._core.ops.along import index_select
from tinytorch._core.ops.compare import gt
from tinytorch._core.ops.creation import triu_indices
from tinytorch._core.ops.division import div
from tinytorch._core.ops.matmul import matmul
from tinytorch._core.ops.multiplication import mul
from tinytorch._core.ops.norms import vector_norm
from tinytorch._core.ops.pointwise import sqrt
from tinytorch._core.ops.reduce import sum
from tinytorch._core.ops.select import where
from tinytorch._core.ops.views import (
    broadcast_tensors,
    permute,
    reshape,
    transpose,
    unsqueeze,
)
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16, float16, promote_types
from tinytorch.functional.dtype_words import type_word

__all__ = ["bilinear", "cdist", "cosine_similarity", "pairwise_distance", "pdist"]
METHODS: list[str] = []
FUNCTIONAL = ["bilinear", "cosine_similarity", "pairwise_distance", "pdist"]


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of ``x1 - x2 + eps`` along the last dimension.

    Example:
        >>> pairwise_distance(tensor([3.0, 4.0]), tensor([0.0, 0.0]), eps=0.0).item()
        5.0
    """
    return vector_norm(add(sub(x1, x2), eps), p, -1, keepdim)


def cosine_similarity(
    x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8
) -> Tensor:
    """Return the cosine of the angle of x1 and x2 along `dim`.

    Args:
        eps: what the length of either counts as at least; gradients pass as if without.
    """
    common = promote_types(x1.dtype, x2.dtype)
    if not common.is_floating_point:
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{type_word(common)}"
        )
    x1, x2 = broadcast_tensors(x1.to(common), x2.to(common))
    return sum(mul(_unit(x1, dim, eps), _unit(x2, dim, eps)), dim)


def _unit(x: Tensor, dim: int, eps: float) -> Tensor:
    length = vector_norm(x, 2, dim, keepdim=True).clone()
    with no_grad():
        length.clamp_(min=eps)
    return div(x, length)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norm distances of all pairs of rows: (0, 1), (0, 2), ..., (1, 2), ..

    Args:
        input: (N, D).
    """
    if input.dim() != 2:
        raise RuntimeError(
            f"pdist only supports 2D tensors, got: {input.dim()}D tensor"
        )
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    n = input.shape[0]
    i, j = triu_indices(n, n, 1, device=input.device).unbind(0)
    return vector_norm(sub(index_select(input, 0, i), index_select(input, 0, j)), p, -1)


_modes = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)
_MANY = 25  # rows from which on a product costs less than all differences


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """Return the p-norm distances of all rows of x1 from all rows of x2.

    Args:
        x1, x2: (..., P, M) and (..., R, M); the result is (..., P, R).
        compute_mode: whether Euclidean distances may be made of a matrix product, which
            is faster and less exact; by default for more than 25 rows.
    """
    if compute_mode not in _modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for k, x in enumerate((x1, x2)):
        if not x.is_floating_point():
            raise RuntimeError(
                "cdist only supports floating-point dtypes, "
                f"X{k + 1} got: {type_word(x.dtype)}"
            )
        if x.dim() < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, X{k + 1} got: {x.dim()}D"
            )
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            "X1 and X2 must have the same number of columns. X1: "
            f"{x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    many = x1.shape[-2] > _MANY or x2.shape[-2] > _MANY
    if p == 2 and (compute_mode == _modes[1] or many and compute_mode == _modes[0]):
        return _euclidean(x1, x2)
    return vector_norm(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), p, -1)


def _euclidean(x1: Tensor, x2: Tensor) -> Tensor:
    """|a|^2 - 2 a b + |b|^2, whose root has the gradient 0 at 0"""
    squares = sum(mul(x1, x1), -1, keepdim=True), sum(mul(x2, x2), -1, keepdim=True)
    both = sub(squares[0], mul(matmul(x1, transpose(x2, -2, -1)), 2))
    both = add(both, transpose(squares[1], -2, -1))
    apart = gt(both, 0)
    return where(apart, sqrt(where(apart, both, 1.0)), 0.0)


def bilinear(
    input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return ``y_k = input1 @ weight[k] @ input2 + bias[k]`` over the last dimension.

    Args:
        input1: (..., in1).
        input2: (..., in2), with the same leading sizes.
        weight: (out, in1, in2).
        bias: (out).
    """
    if input1.dim() != input2.dim():
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.dim()} and "
            f"{input2.dim()}"
        )
    if input1.shape[:-1] != input2.shape[:-1]:
        d = next(
            d
            for d, (m, n) in enumerate(zip(input1.shape, input2.shape, strict=True))
            if m != n
        )
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match at dim {d}: got "
            f"{input1.shape[d]} and {input2.shape[d]}"
        )
    out, in1, in2 = weight.shape
    for k, (x, size) in enumerate(((input1, in1), (input2, in2))):
        if x.shape[-1] != size:
            raise RuntimeError(
                f"bilinear(): input{k + 1} size does not match weight size: got "
                f"{x.shape[-1]} but expected {size}"
            )
    if bias is not None and bias.shape[0] != out:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} "
            f"but expected {out}"
        )
    if input1.dtype in (float16, bfloat16):  # one rounding, at the end
        x1, x2, w = input1.float(), input2.float(), weight.float()
        b = None if bias is None else bias.float()
        return bilinear(x1, x2, w, b).to(input1.dtype)
    lead = input1.shape[:-1]
    left = matmul(
        reshape(input1, (-1, in1)), reshape(permute(weight, (1, 0, 2)), (in1, -1))
    )  # (rows, out * in2)
    left = reshape(left, (-1, out, in2))
    y = sum(mul(left, unsqueeze(reshape(input2, (-1, in2)), 1)), -1)
    if bias is not None:
        y = add(y, bias)
    return reshape(y, (*lead, out))
