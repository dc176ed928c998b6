"""Transformers: stacks of layers that encode and decode."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from tinytorch._core.executor import is_capturing
from tinytorch._core.ops.creation import full
from tinytorch._core.ops.triangle import triu
from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn import init
from tinytorch.nn.modules.container import ModuleList
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.normalization import LayerNorm
from tinytorch.nn.modules.transformer_layers import (
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    with_infinities,
)

__all__ = [
    "Transformer",
    "TransformerEncoder",
    "TransformerDecoder",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
]

Function = Callable[[Tensor], Tensor]


def _generate_square_subsequent_mask(
    sz: int, device: Any = None, dtype: Any = None
) -> Tensor:
    return triu(full((sz, sz), -math.inf, dtype=dtype, device=device), diagonal=1)


def _get_clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _is_causal(mask: Tensor | None, hint: bool | None, steps: int) -> bool:
    """Return the hint, or, without one, whether the mask is the causal one."""
    if hint is not None or mask is None:
        return bool(hint)
    if mask.shape != (steps, steps) or is_capturing():  # a recording reads no values
        return False
    expected = _generate_square_subsequent_mask(steps, mask.device, mask.dtype)
    return bool(mask.eq(expected).all())


def _steps(x: Tensor, batch_first: bool) -> int:
    return int(x.size(1 if batch_first and x.dim() == 3 else 0))


class Transformer(Module):
    """An encoder of the source, and a decoder of the target that attends to it.

    Args:
        d_model: features of both.
        nhead: heads of each attention.
        num_encoder_layers, num_decoder_layers: how many layers.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
        bias: as of `TransformerEncoderLayer`.
        custom_encoder, custom_decoder: modules to take instead.

    Example:
        >>> y = Transformer(16, 2, 1, 1, 32)(randn(10, 4, 16), randn(7, 4, 16))
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Function = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        common: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}

        def layer(kind: type[Module]) -> Any:
            return kind(
                d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                batch_first, norm_first, **common,
            )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, **common)

        self.encoder = custom_encoder
        if custom_encoder is None:
            first = layer(TransformerEncoderLayer)
            self.encoder = TransformerEncoder(first, num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            first = layer(TransformerDecoderLayer)
            self.decoder = TransformerDecoder(first, num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoded target.

        Args:
            src, tgt: (steps, batch, d_model), (steps, d_model), or batch first.
            src_mask, tgt_mask, memory_mask: (steps, steps attended to), true (or -inf)
                where not to attend.
            ..._key_padding_mask: (batch, steps), true (or -inf) where there is nothing.
            ..._is_causal: hints that the mask is the causal one; None: look at it.
        """
        side = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(side) != tgt.size(side):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError(
                "the feature number of src and tgt must be equal to d_model"
            )
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        y: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return y

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: Any = None
    ) -> Tensor:
        """Return (sz, sz) with -inf above the diagonal, else 0: the causal mask."""
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.dim() > 1:
                init.xavier_uniform_(p)


class TransformerEncoder(Module):
    """A stack of copies of one layer.

    Args:
        encoder_layer: the layer that is copied.
        num_layers: how many copies.
        norm: a module for the result, or None.
        enable_nested_tensor, mask_check: of a fast path of PyTorch; here the layers
            always do the same, whatever these say.

    Example:
        >>> y = TransformerEncoder(TransformerEncoderLayer(16, 2), 2)(randn(10, 4, 16))
    """

    __constants__ = ["norm"]

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = False
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the source, encoded; arguments are those of a layer."""
        padding, mask = with_infinities(
            src_key_padding_mask, mask, src, ("src_key_padding_mask", "mask")
        )
        attention = getattr(self.layers[0], "self_attn", None)
        steps = _steps(src, getattr(attention, "batch_first", False))
        is_causal = _is_causal(mask, is_causal, steps)
        y = src
        for layer in self.layers:
            y = layer(
                y, src_mask=mask, is_causal=is_causal, src_key_padding_mask=padding
            )
        return y if self.norm is None else self.norm(y)


class TransformerDecoder(Module):
    """A stack of copies of one layer.

    Args:
        decoder_layer: the layer that is copied.
        num_layers: how many copies.
        norm: a module for the result, or None.

    Example:
        >>> decoder = TransformerDecoder(TransformerDecoderLayer(16, 2), 2)
        >>> y = decoder(randn(7, 4, 16), randn(10, 4, 16))
    """

    __constants__ = ["norm"]

    def __init__(
        self,
        decoder_layer: TransformerDecoderLayer,
        num_layers: int,
        norm: Module | None = None,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the target, decoded; arguments are those of a layer."""
        attention = getattr(self.layers[0], "self_attn", None)
        steps = _steps(tgt, getattr(attention, "batch_first", False))
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal, steps)
        y = tgt
        for layer in self.layers:
            y = layer(
                y,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )
        return y if self.norm is None else self.norm(y)


# A pickle names the module of a class: the one where PyTorch's readers look for it.
for _class in (TransformerDecoderLayer, TransformerEncoderLayer):
    _class.__module__ = __name__
