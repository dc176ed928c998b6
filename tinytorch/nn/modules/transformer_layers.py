"""Layers of transformers: attention and feed-forward blocks, with residues around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tinytorch._core.ops.addition import add
from tinytorch._core.tensor import Tensor
from tinytorch.functional.multi_head_attention import added_mask
from tinytorch.nn import functional as F
from tinytorch.nn.modules.dropout import Dropout
from tinytorch.nn.modules.linear import Linear
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.multi_head_attention import MultiheadAttention
from tinytorch.nn.modules.normalization import LayerNorm

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer", "with_infinities"]

Function = Callable[[Tensor], Tensor]


def _get_activation_fn(activation: str) -> Function:
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return cast(Function, getattr(F, activation))


def with_infinities(
    padding: Tensor | None, mask: Tensor | None, x: Tensor, names: tuple[str, str]
) -> tuple[Tensor | None, Tensor | None]:
    """Both masks with -inf for true."""
    if padding is not None:
        other = None if mask is None else mask.dtype
        padding = added_mask(padding, names[0], x.dtype, other, names[1])
    if mask is not None:
        mask = added_mask(mask, names[1], x.dtype, None)
    return padding, mask


class _Layer(Module):
    """What both kinds of layers share: self-attention, and the feed-forward block."""

    __constants__ = ["norm_first"]
    activation: Function

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "activation"):  # PyTorch's old files lack it
            self.activation = F.relu

    def _self_attended(
        self, x: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool
    ) -> Tensor:
        x = self.self_attn(
            x,
            x,
            x,
            attn_mask=mask,
            key_padding_mask=padding,
            is_causal=causal,
            need_weights=False,
        )[0]
        return cast(Tensor, self.dropout1(x))

    def _fed_forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.activation(self.linear1(x)))
        return cast(Tensor, self.linear2(x))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward block, each added to its input.

    Args:
        d_model: features.
        nhead: heads of attention.
        dim_feedforward: units between the two linear layers of the block.
        dropout: probability, in attention, in the block and behind both.
        activation: of the block; "relu", "gelu" or a function.
        layer_norm_eps: epsilon of the normalisations.
        batch_first: take and return (batch, steps, features).
        norm_first: normalise what enters a sublayer instead of the sum behind it.
        bias: whether linear layers and normalisations have one.

    Example:
        >>> y = TransformerEncoderLayer(16, 2)(randn(10, 4, 16))
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Function = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, batch_first=batch_first, **common
        )
        self.linear1 = Linear(d_model, dim_feedforward, **common)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **common)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, **common)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, **common)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        if isinstance(activation, str):
            activation = _get_activation_fn(activation)
        self.activation = activation

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's result.

        Args:
            src: (steps, batch, d_model), (steps, d_model), or batch first.
            src_mask: (steps, steps), true (or -inf) where not to attend.
            src_key_padding_mask: (batch, steps), true (or -inf) where there is nothing.
            is_causal: the hint that src_mask is the causal one.
        """
        padding, mask = with_infinities(
            src_key_padding_mask, src_mask, src, ("src_key_padding_mask", "src_mask")
        )
        x = src
        if self.norm_first:
            x = add(x, self._sa_block(self.norm1(x), mask, padding, is_causal))
            return add(x, self._ff_block(self.norm2(x)))
        x = self.norm1(add(x, self._sa_block(x, mask, padding, is_causal)))
        return cast(Tensor, self.norm2(add(x, self._ff_block(x))))

    def _sa_block(
        self,
        x: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        return self._self_attended(x, attn_mask, key_padding_mask, is_causal)

    def _ff_block(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.dropout2(self._fed_forward(x)))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the memory, then a feed-forward block.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
        batch_first, norm_first, bias: as of `TransformerEncoderLayer`.

    Example:
        >>> layer = TransformerDecoderLayer(16, 2)
        >>> y = layer(randn(7, 4, 16), randn(10, 4, 16))
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Function = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        attention: dict[str, Any] = {"dropout": dropout, "batch_first": batch_first}
        self.self_attn = MultiheadAttention(d_model, nhead, **attention, **common)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **attention, **common)
        self.linear1 = Linear(d_model, dim_feedforward, **common)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **common)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, **common)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, **common)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, **common)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        if isinstance(activation, str):
            activation = _get_activation_fn(activation)
        self.activation = activation

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the layer's result.

        Args:
            tgt, memory: (steps, batch, d_model), (steps, d_model), or batch first.
            tgt_mask, memory_mask: (target's steps, steps attended to), true (or -inf)
                where not to attend.
            ..._key_padding_mask: (batch, steps), true (or -inf) where there is nothing.
            ..._is_causal: the hint that the mask is the causal one.
        """
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = add(x, self._sa_block(self.norm1(x), *own))
            x = add(x, self._mha_block(self.norm2(x), memory, *other))
            return add(x, self._ff_block(self.norm3(x)))
        x = self.norm1(add(x, self._sa_block(x, *own)))
        x = self.norm2(add(x, self._mha_block(x, memory, *other)))
        return cast(Tensor, self.norm3(add(x, self._ff_block(x))))

    def _sa_block(
        self,
        x: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        return self._self_attended(x, attn_mask, key_padding_mask, is_causal)

    def _mha_block(
        self,
        x: Tensor,
        mem: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        x = self.multihead_attn(
            x,
            mem,
            mem,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )[0]
        return cast(Tensor, self.dropout2(x))

    def _ff_block(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.dropout3(self._fed_forward(x)))
