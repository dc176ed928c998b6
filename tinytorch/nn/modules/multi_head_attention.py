"""Attention of several heads, with the projections around it."""

from __future__ import annotations

from typing import Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.ops.views import transpose
from tinytorch._core.tensor import Tensor
from tinytorch.functional.multi_head_attention import multi_head_attention_forward
from tinytorch.nn import init
from tinytorch.nn.modules.linear import NonDynamicallyQuantizableLinear
from tinytorch.nn.modules.module import Module
from tinytorch.nn.parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Let each query gather values, weighted by how well their keys fit.

    Queries, keys and values are projected, cut into heads, attended to head by head,
    joined and projected once more.

    Args:
        embed_dim: features of queries and of the result.
        num_heads: heads of embed_dim / num_heads features each.
        dropout: probability with which weights are dropped.
        bias: whether projections have one.
        add_bias_kv: append a learnt key and value.
        add_zero_attn: append a key and a value of zeros.
        kdim, vdim: features of keys and values; embed_dim unless given.
        batch_first: take and return (batch, steps, features).

    Example:
        >>> x = randn(5, 3, 8)
        >>> y, weights = MultiheadAttention(8, 2)(x, x, x)
    """

    __constants__ = ["batch_first"]
    in_proj_weight: Tensor | None
    q_proj_weight: Tensor | None
    k_proj_weight: Tensor | None
    v_proj_weight: Tensor | None
    in_proj_bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def weight(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        together = self._qkv_same_embed_dim
        shapes = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if together else None,
            "q_proj_weight": None if together else (embed_dim, embed_dim),
            "k_proj_weight": None if together else (embed_dim, self.kdim),
            "v_proj_weight": None if together else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else weight(*shape))
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        for name in ("bias_k", "bias_v"):
            extra = weight(1, 1, embed_dim) if add_bias_kv else None
            self.register_parameter(name, extra)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        ):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state.setdefault("_qkv_same_embed_dim", True)  # PyTorch's old files lack it
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the result and the weights, or None for these.

        Args:
            query: (steps, batch, features), (steps, features), or batch first.
            key, value: likewise, with steps of their own.
            key_padding_mask: (batch, keys), true (or -inf) where a key is ignored.
            need_weights: whether the weights are wanted; without, it is faster.
            attn_mask: (queries, keys), or (batch * heads, queries, keys), true (or
                -inf) where a query must not attend to a key.
            average_attn_weights: return the mean over the heads.
            is_causal: the hint that attn_mask is the causal one.
        """
        swap = self.batch_first and query.dim() == 3
        if swap:  # one tensor stays one: it is then projected by one product
            query, key, value = _swapped(query, key, value)
        together = self._qkv_same_embed_dim
        y, weights = multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not together,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return transpose(y, 0, 1) if swap else y, weights


def _swapped(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    q = transpose(query, 0, 1)
    k = q if key is query else transpose(key, 0, 1)
    v = k if value is key else q if value is query else transpose(value, 0, 1)
    return q, k, v
