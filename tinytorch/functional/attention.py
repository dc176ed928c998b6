"""Scaled dot-product attention with all its options."""

from __future__ import annotations

import math

from tinytorch._core.ops.addition import add
from tinytorch._core.ops.attention import _attention, _plain_attention
from tinytorch._core.ops.creation import ones
from tinytorch._core.ops.mask import masked_fill
from tinytorch._core.ops.matmul import matmul
from tinytorch._core.ops.multiplication import mul
from tinytorch._core.ops.softmax import softmax
from tinytorch._core.ops.views import (
    broadcast_to,
    expand,
    reshape,
    transpose,
    unsqueeze,
)
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, dtype
from tinytorch.functional.dropout import dropout

__all__: list[str] = []
METHODS: list[str] = []
FUNCTIONAL = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return ``softmax(scale * query @ key.T + attn_mask) @ value``.

    Args:
        query: (..., H, L, E).
        key, value: (..., H, S, E) and (..., H, S, V).
        attn_mask: to be broadcast to (..., H, L, S); added to the scores, or, of dtype
            bool, true where a query attends to a key.
        is_causal: let query i attend to keys 0 ... i only.
        scale: 1 / sqrt(E) unless given.
        enable_gqa: let groups of heads share the keys and values of one.
    """
    if attn_mask is None and dropout_p == 0:
        y = _plain_attention(query, key, value, is_causal, scale, enable_gqa)
        if y is not None:
            return y
    _check(query, key, value, attn_mask, is_causal)
    if not 0 <= dropout_p <= 1:
        raise ValueError(
            f"dropout probability has to be between 0 and 1, but got {dropout_p}"
        )
    width = query.shape[-1]
    if scale is None:
        scale = 1 / math.sqrt(width) if width else 1.0
    if enable_gqa:
        _check_groups(query, key, value)
    if dropout_p > 0 or attn_mask is not None and attn_mask.requires_grad:
        return _step_by_step(
            query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
        )
    if attn_mask is not None and attn_mask.dtype not in (bool_, query.dtype):
        attn_mask = attn_mask.to(query.dtype)
    heads = [query, key, value]
    shapes = [x.shape[:-2] for x in heads]
    if query.dim() == 4 and (enable_gqa or shapes[0] == shapes[1] == shapes[2]):
        if attn_mask is not None:
            scores = (*shapes[0], query.shape[-2], key.shape[-2])
            attn_mask = broadcast_to(attn_mask, scores)
        return _attention(query, key, value, attn_mask, is_causal, scale)
    return _of_any_rank(heads, attn_mask, is_causal, scale, enable_gqa)


def _of_any_rank(
    heads: list[Tensor],
    mask: Tensor | None,
    causal: bool,
    scale: float,
    gqa: bool,
) -> Tensor:
    """Bring all to four dimensions, and the result back."""
    if gqa:
        share = heads[0].shape[-3] // heads[1].shape[-3]
        heads[1:] = [_repeated(x, share) for x in heads[1:]]
    lead = _common_shape([x.shape[:-2] for x in heads])
    batch = (math.prod(lead[:-1]), lead[-1]) if lead else (1, 1)
    q, k, v = (
        reshape(expand(x, (*lead, *x.shape[-2:])), (*batch, *x.shape[-2:]))
        for x in heads
    )
    if mask is not None:
        scores = (q.shape[-2], k.shape[-2])
        mask = reshape(broadcast_to(mask, (*lead, *scores)), (*batch, *scores))
    y = _attention(q, k, v, mask, causal, scale)
    return reshape(y, (*lead, *y.shape[-2:]))


def _common_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    columns = zip(*[(1,) * (rank - len(s)) + tuple(s) for s in shapes], strict=True)
    return tuple([max(sizes) if min(sizes) else 0 for sizes in columns])


def _repeated(x: Tensor, times: int) -> Tensor:
    """Repeat each head of (..., G, S, E) so often."""
    *lead, groups, rows, cols = x.shape
    x = expand(unsqueeze(x, -3), (*lead, groups, times, rows, cols))
    return reshape(x, (*lead, groups * times, rows, cols))


def _step_by_step(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    dropout_p: float,
    causal: bool,
    scale: float,
    gqa: bool,
) -> Tensor:
    """Keep the probabilities: for dropout, and for the gradient of a mask."""
    if gqa:
        share = q.shape[-3] // k.shape[-3]
        k, v = _repeated(k, share), _repeated(v, share)
    if causal:
        mask = ones(q.shape[-2], k.shape[-2], dtype=bool_, device=q.device).tril()
    root = math.sqrt(scale)
    scores = matmul(mul(q, root), transpose(mul(k, root), -2, -1))
    if mask is not None:
        if mask.dtype == bool_:
            scores = masked_fill(scores, ~mask, -math.inf)
        else:
            scores = add(scores, mask)
    p = softmax(scores, -1)
    if mask is not None:  # a query that attends to nothing
        p = masked_fill(p, (scores == -math.inf).all(-1, keepdim=True), 0.0)
    return matmul(dropout(p, dropout_p) if dropout_p > 0 else p, v)


def _check(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool
) -> None:
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"query.dtype: {_cpp_name(query.dtype)} key.dtype: {_cpp_name(key.dtype)} "
            f"and value.dtype: {_cpp_name(value.dtype)} instead."
        )
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"query.dim: {query.dim()}, key.dim: {key.dim()} and value.dim: "
            f"{value.dim()} instead."
        )
    if not query.dtype.is_floating_point:
        raise NotImplementedError(
            f"attention is not implemented for {_cpp_name(query.dtype)}"
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            "The size of query, key and value do not fit: "
            f"{list(query.shape)}, {list(key.shape)}, {list(value.shape)}"
        )
    if mask is None:
        return
    if causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if mask.dtype != bool_ and not mask.dtype.is_floating_point:
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but "
            f"got attn_mask.dtype: {_cpp_name(mask.dtype)} and  query.dtype: "
            f"{_cpp_name(query.dtype)} instead."
        )


def _check_groups(query: Tensor, key: Tensor, value: Tensor) -> None:
    if min(query.dim(), key.dim(), value.dim()) < 3:
        raise RuntimeError("enable_gqa needs queries, keys and values with heads")
    heads, groups = query.shape[-3], key.shape[-3]
    if groups != value.shape[-3] or not groups or heads % groups:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in "
            f"query: got {groups} and {value.shape[-3]} for {heads}"
        )


_cpp_names = {
    "float32": "float",
    "float64": "double",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
}


def _cpp_name(of: dtype) -> str:
    name = str(of).rpartition(".")[2]
    return _cpp_names.get(name, name)
