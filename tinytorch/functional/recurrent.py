"""Stacks of recurrent layers in one or two directions, and single cells."""

from __future__ import annotations

from collections.abc import Sequence

from tinytorch._core.ops.join import cat, stack
from tinytorch._core.ops.recurrent import _recurrent_cell, _recurrent_layer
from tinytorch._core.ops.split import unbind
from tinytorch._core.ops.views import squeeze, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16, float16, float32
from tinytorch.functional.dropout import dropout as drop

__all__: list[str] = []

_HALVES = (float16, bfloat16)


def recurrent(
    mode: str,
    x: Tensor,
    states: Tensor | None,
    cells: Tensor | None,
    weights: Sequence[Tensor],
    biased: bool,
    num_layers: int,
    dropout: float,
    bidirectional: bool,
    sizes: list[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the outputs of the last layer, and all layers' last states and cells.

    Args:
        mode: LSTM, GRU, RNN_TANH or RNN_RELU.
        x: (steps, batch, features), or packed rows with the `sizes` of the steps.
        states: (num_layers * directions, batch, n); zeros unless given.
        cells: the same of an LSTM.
        weights: those of each layer and direction, one after the other.
        dropout: probability, between layers.
    """
    if x.dtype in _HALVES:  # one rounding, at the end
        wide = [None if t is None else t.to(float32) for t in (states, cells)]
        full = [w.to(float32) for w in weights]
        y, h, c = recurrent(
            mode, x.to(float32), wide[0], wide[1], full, biased, num_layers, dropout,
            bidirectional, sizes,
        )  # fmt: skip
        return y.to(x.dtype), h.to(x.dtype), None if c is None else c.to(x.dtype)
    directions = 2 if bidirectional else 1
    passes = num_layers * directions
    per_pass = len(weights) // passes
    h0 = [None] * passes if states is None else unbind(states)
    c0 = [None] * passes if cells is None else unbind(cells)
    last_h, last_c = [], []
    for layer in range(num_layers):
        outputs = []
        for k in range(layer * directions, (layer + 1) * directions):
            y, h, c = _recurrent_layer(
                mode, x, weights[k * per_pass : (k + 1) * per_pass], biased,
                k % directions == 1, sizes, h0[k], c0[k],
            )  # fmt: skip
            outputs.append(y)
            last_h.append(h)
            last_c.append(c)
        x = cat(outputs, -1) if bidirectional else outputs[0]
        if dropout and layer < num_layers - 1:
            x = drop(x, dropout)
    if passes == 1:
        c = last_c[0]
        return x, unsqueeze(last_h[0], 0), None if c is None else unsqueeze(c, 0)
    return x, stack(last_h), stack(last_c) if mode == "LSTM" else None


def cell(
    mode: str,
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """Return state and cell after one step.

    Args:
        x: (batch, features), or (features).
        h, c: (batch, n), or (n); zeros unless given.
    """
    if x.dim() == 1:
        h, c = (None if t is None else unsqueeze(t, 0) for t in (h, c))
        y, c = cell(mode, unsqueeze(x, 0), h, c, w_ih, w_hh, b_ih, b_hh)
        return squeeze(y, 0), None if c is None else squeeze(c, 0)
    if x.dtype in _HALVES:
        tensors = (x, w_ih, w_hh, b_ih, b_hh, h, c)
        y, c = _recurrent_cell(
            mode, *(None if t is None else t.to(float32) for t in tensors)
        )
        return y.to(x.dtype), None if c is None else c.to(x.dtype)
    made: tuple[Tensor, Tensor | None] = _recurrent_cell(
        mode, x, w_ih, w_hh, b_ih, b_hh, h, c
    )
    return made
