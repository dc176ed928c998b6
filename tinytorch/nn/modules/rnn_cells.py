"""Recurrent cells: one step, for those who write the loop themselves."""

from __future__ import annotations

import math
from typing import Any

from tinytorch._core.modes import no_grad
from tinytorch._core.ops.creation import empty
from tinytorch._core.tensor import Tensor
from tinytorch.functional.recurrent import cell
from tinytorch.nn.modules.module import Module
from tinytorch.nn.parameter import Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


def draw_weights(module: Module, hidden_size: int) -> None:
    """Draw all weights from U(-k, k) with k = 1 / sqrt(hidden_size)."""
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    with no_grad():
        for weight in module.parameters():
            weight.uniform_(-bound, bound)


class RNNCellBase(Module):
    """What the cells share.

    Args:
        input_size, hidden_size: features of input and state.
        bias: whether products with weights have a bias added.
        num_chunks: how many parts the gates have.
    """

    __constants__ = ["input_size", "hidden_size", "bias"]
    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size

        def weight(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        self.weight_ih = weight(rows, input_size)
        self.weight_hh = weight(rows, hidden_size)
        self.register_parameter("bias_ih", weight(rows) if bias else None)
        self.register_parameter("bias_hh", weight(rows) if bias else None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        kind = getattr(self, "nonlinearity", "tanh")
        return text if kind == "tanh" else f"{text}, nonlinearity={kind}"

    def reset_parameters(self) -> None:
        """Draw new weights from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        draw_weights(self, self.hidden_size)

    def _check(self, input: Tensor, states: tuple[Tensor, ...], names: str) -> None:
        rank = input.dim()
        if rank not in (1, 2):
            raise ValueError(
                f"{self._get_name()}: Expected input to be 1D or 2D, got {rank}D "
                "instead"
            )
        for i, state in enumerate(states):
            if state.dim() not in (1, 2):
                raise ValueError(
                    f"{self._get_name()}: Expected {names.format(i)} to be 1D or 2D, "
                    f"got {state.dim()}D instead"
                )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(-1)} expected "
                f"{self.input_size}"
            )
        for i, state in enumerate(states):
            # As PyTorch sees them: the state of a single input gains a batch of one.
            shape = (1, *state.shape) if rank == 1 else state.shape
            batch = 1 if rank == 1 else input.size(0)
            if shape[0] != batch:
                raise RuntimeError(
                    f"Input batch size {batch} doesn't match hidden{i} batch size "
                    f"{shape[0]}"
                )
            if len(shape) != 2 or shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {shape[1]}, expected "
                    f"{self.hidden_size}"
                )

    def _step(
        self, mode: str, input: Tensor, h: Tensor | None, c: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        return cell(
            mode, input, h, c, self.weight_ih, self.weight_hh, self.bias_ih,
            self.bias_hh,
        )  # fmt: skip


class RNNCell(RNNCellBase):
    """One step of `RNN`:  h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size, hidden_size, bias: as of `RNNCellBase`.
        nonlinearity: "tanh" or "relu".

    Example:
        >>> h = RNNCell(10, 20)(randn(3, 10))
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]
    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state, from inputs (batch, n) or (n) and a state."""
        self._check(input, () if hx is None else (hx,), "hidden")
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step("RNN_" + self.nonlinearity.upper(), input, hx, None)[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`.

    Args:
        input_size, hidden_size, bias: as of `RNNCellBase`.

    Example:
        >>> h, c = LSTMCell(10, 20)(randn(3, 10))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next state and cell, from inputs (batch, n) or (n) and a pair."""
        self._check(input, () if hx is None else (hx[0], hx[1]), "hx[{}]")
        h, c = (None, None) if hx is None else hx
        made: Any = self._step("LSTM", input, h, c)
        return made  # type: ignore[no-any-return]


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    Args:
        input_size, hidden_size, bias: as of `RNNCellBase`.

    Example:
        >>> h = GRUCell(10, 20)(randn(3, 10))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state, from inputs (batch, n) or (n) and a state."""
        self._check(input, () if hx is None else (hx,), "hidden")
        return self._step("GRU", input, hx, None)[0]
