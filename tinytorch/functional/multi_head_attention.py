"""Attention with the projections around it, as nn.MultiheadAttention computes it."""

from __future__ import annotations

import math
import warnings

from tinytorch._core.ops.addition import add
from tinytorch._core.ops.creation import zeros, zeros_like
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.linear import linear
from tinytorch._core.ops.mask import masked_fill
from tinytorch._core.ops.matmul import bmm
from tinytorch._core.ops.multiplication import mul
from tinytorch._core.ops.pad import pad
from tinytorch._core.ops.reduce import mean
from tinytorch._core.ops.softmax import softmax
from tinytorch._core.ops.split import chunk, split
from tinytorch._core.ops.views import (
    expand,
    permute,
    reshape,
    squeeze,
    transpose,
    unsqueeze,
    view,
)
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, dtype
from tinytorch.functional.attention import scaled_dot_product_attention
from tinytorch.functional.dropout import dropout

__all__: list[str] = []
METHODS: list[str] = []
FUNCTIONAL = ["multi_head_attention_forward"]


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return the projected attention and its weights, or None for these.

    Args:
        query: (L, N, E), or (L, E) without a batch.
        key, value: (S, N, E), or (S, E).
        key_padding_mask: (N, S), true (or -inf) where a key is to be ignored.
        attn_mask: (L, S) or (N * num_heads, L, S), true (or -inf) where not to attend.
        need_weights: whether the probabilities are asked for, which costs their memory.
    """
    batched = _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (unsqueeze(x, 1) for x in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = unsqueeze(key_padding_mask, 0)
    length, batch, width = query.shape
    if key_padding_mask is not None:
        other = None if attn_mask is None else attn_mask.dtype
        key_padding_mask = added_mask(
            key_padding_mask, "key_padding_mask", query.dtype, other
        )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the "
            "Transformer module method `generate_square_subsequent_mask` to create "
            "this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the hint says the same
    else:
        if attn_mask is not None:
            attn_mask = added_mask(attn_mask, "attn_mask", query.dtype, None)
        if key_padding_mask is not None:
            is_causal = False
    _require(
        width == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}",
    )
    head = width // num_heads
    _require(
        head * num_heads == width,
        f"embed_dim {width} not divisible by num_heads {num_heads}",
    )
    if use_separate_proj_weight:
        _require(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's "
            f"{value.shape[:2]}",
        )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _projected(query, key, value, weights, in_proj_bias)
    else:
        _require(
            key.shape == value.shape,
            f"key shape {key.shape} does not match value shape {value.shape}",
        )
        q, k, v = _projected_together(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        attn_mask = _mask_of_heads(attn_mask, length, key.shape[0], batch * num_heads)

    masks = [attn_mask, key_padding_mask]
    if bias_k is not None and bias_v is not None:
        _require(static_k is None, "bias cannot be added to static key.")
        _require(static_v is None, "bias cannot be added to static value.")
        k = cat([k, expand(bias_k, (1, batch, bias_k.shape[-1]))])
        v = cat([v, expand(bias_v, (1, batch, bias_v.shape[-1]))])
        masks = [m if m is None else pad(m, (0, 1)) for m in masks]
    else:
        _require(bias_k is None, "bias_k is set but bias_v is None")
        _require(bias_v is None, "bias_v is set but bias_k is None")

    def split_heads(x: Tensor) -> Tensor:  # (N * heads, rows, head)
        return transpose(view(x, (x.shape[0], batch * num_heads, head)), 0, 1)

    q = split_heads(q)
    k = split_heads(k) if static_k is None else _static("k", static_k, q)
    v = split_heads(v) if static_v is None else _static("v", static_v, q)
    if add_zero_attn:
        nothing = zeros((batch * num_heads, 1, head), dtype=k.dtype, device=k.device)
        k, v = cat([k, nothing], 1), cat([v, nothing], 1)
        masks = [m if m is None else pad(m, (0, 1)) for m in masks]
    attn_mask = _joined_mask(masks[0], masks[1], batch, num_heads, k.shape[1])
    if not training:
        dropout_p = 0.0

    weights_out: Tensor | None = None
    if need_weights:
        _require(
            not is_causal or attn_mask is not None,
            "FIXME: is_causal not implemented for need_weights",
        )
        scores = bmm(mul(q, math.sqrt(1.0 / head)), transpose(k, -2, -1))
        if attn_mask is not None:
            scores = add(scores, attn_mask)
        p = softmax(scores, -1)
        if dropout_p > 0:
            p = dropout(p, dropout_p)
        joined = reshape(transpose(bmm(p, v), 0, 1), (length * batch, width))
        weights_out = view(p, (batch, num_heads, length, k.shape[1]))
        if average_attn_weights:
            weights_out = mean(weights_out, 1)
        if not batched:
            weights_out = squeeze(weights_out, 0)
    else:
        if attn_mask is not None:
            attn_mask = (
                unsqueeze(attn_mask, 0)
                if attn_mask.shape[0] == 1
                else view(attn_mask, (batch, num_heads, -1, k.shape[1]))
            )
        q, k, v = (view(x, (batch, num_heads, x.shape[1], head)) for x in (q, k, v))
        y = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
        joined = reshape(permute(y, (2, 0, 1, 3)), (batch * length, width))
    y = linear(joined, out_proj_weight, out_proj_bias)
    y = view(y, (length, batch, y.shape[1]))
    return y if batched else squeeze(y, 1), weights_out


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _is_batched(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    padding: Tensor | None,
    mask: Tensor | None,
    num_heads: int,
) -> bool:
    rank = query.dim()
    _require(
        rank in (2, 3),
        "query should be unbatched 2D or batched 3D tensor but received "
        f"{rank}-D query tensor",
    )
    kind = "batched (3-D)" if rank == 3 else "unbatched (2-D)"
    _require(
        key.dim() == rank and value.dim() == rank,
        f"For {kind} `query`, expected `key` and `value` to be {rank}-D but found "
        f"{key.dim()}-D and {value.dim()}-D tensors respectively",
    )
    if padding is not None:
        _require(
            padding.dim() == rank - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or "
            f"{rank - 1}-D but found {padding.dim()}-D tensor instead",
        )
    if mask is not None:
        _require(
            mask.dim() in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but "
            f"found {mask.dim()}-D tensor instead",
        )
        expected = (num_heads, query.shape[0], key.shape[0])
        _require(
            rank == 3 or mask.dim() == 2 or mask.shape == expected,
            f"Expected `attn_mask` shape to be {expected} but got {mask.shape}",
        )
    return bool(rank == 3)


def added_mask(
    mask: Tensor,
    name: str,
    target: dtype,
    other: dtype | None,
    other_name: str = "attn_mask",
) -> Tensor:
    """Turn true into -inf; a mask of a float dtype stays as it is."""
    _require(
        mask.dtype == bool_ or mask.dtype.is_floating_point,
        f"only bool and floating types of {name} are supported",
    )
    if other is not None and mask.dtype != other:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same "
            "type for both instead.",
            stacklevel=3,
        )
    if mask.dtype != bool_:
        return mask
    return masked_fill(zeros_like(mask, dtype=target), mask, -math.inf)


def _mask_of_heads(mask: Tensor, length: int, keys: int, heads: int) -> Tensor:
    expected = (length, keys) if mask.dim() == 2 else (heads, length, keys)
    if mask.shape != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be "
            f"{expected}."
        )
    return unsqueeze(mask, 0) if mask.dim() == 2 else mask


def _joined_mask(
    mask: Tensor | None, padding: Tensor | None, batch: int, heads: int, keys: int
) -> Tensor | None:
    if padding is None:
        return mask
    _require(
        padding.shape[0] == batch,
        f"Expected key_padded_mask.shape[0] to be {batch}, but got {padding.shape[0]}",
    )
    _require(
        padding.shape[1] == keys,
        f"Expected key_padded_mask.shape[1] to be {keys}, but got {padding.shape[1]}",
    )
    padding = expand(view(padding, (batch, 1, 1, keys)), (batch, heads, 1, keys))
    padding = reshape(padding, (batch * heads, 1, keys))
    return padding if mask is None else add(mask, padding)


def _static(name: str, x: Tensor, q: Tensor) -> Tensor:
    for dim in (0, 2):
        _require(
            x.shape[dim] == q.shape[dim],
            f"expecting static_{name}.size({dim}) of {q.shape[dim]}, but got "
            f"{x.shape[dim]}",
        )
    return x


def _projected_together(
    q: Tensor, k: Tensor, v: Tensor, weight: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Project by the three parts of one weight; equal inputs in one product.

    Args:
        weight: (3 * E, E).
        bias: (3 * E).
    """
    if weight is None:
        raise AssertionError(
            "use_separate_proj_weight is False but in_proj_weight is None"
        )
    width = q.shape[-1]
    if q is k and k is v:
        a, b, c = chunk(linear(q, weight, bias), 3, -1)
        return a.contiguous(), b.contiguous(), c.contiguous()
    if k is v:
        first, rest = split(weight, [width, 2 * width])
        b_first, b_rest = (None, None)
        if bias is not None:
            b_first, b_rest = split(bias, [width, 2 * width])
        b, c = chunk(linear(k, rest, b_rest), 2, -1)
        return linear(q, first, b_first), b.contiguous(), c.contiguous()
    weights = chunk(weight, 3)
    biases = (None, None, None) if bias is None else chunk(bias, 3)
    a, b, c = map(linear, (q, k, v), weights, biases)
    return a, b, c


def _projected(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    weights: tuple[Tensor | None, ...],
    bias: Tensor | None,
) -> tuple[Tensor, ...]:
    """Project each by its own weight."""
    width = q.shape[-1]
    biases = (None, None, None) if bias is None else chunk(bias, 3)
    names = (("q", "query"), ("k", "key"), ("v", "value"))
    projected = []
    for x, w, b, (short, name) in zip((q, k, v), weights, biases, names, strict=True):
        if w is None:
            raise AssertionError(
                f"use_separate_proj_weight is True but {short}_proj_weight is None"
            )
        expected = (width, x.shape[-1])
        _require(
            w.shape == expected,
            f"expecting {name} weights shape of {expected}, but got {w.shape}",
        )
        projected.append(linear(x, w, b))
    return tuple(projected)
