"""Recurrent networks: stacks of layers over whole sequences."""

from __future__ import annotations

import warnings
from typing import Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.ops.views import squeeze, transpose, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch.functional.recurrent import recurrent
from tinytorch.nn.modules.module import Module
from tinytorch.nn.modules.rnn_cells import (
    GRUCell,
    LSTMCell,
    RNNCell,
    RNNCellBase,
    draw_weights,
)
from tinytorch.nn.parameter import Parameter
from tinytorch.nn.utils.rnn import PackedSequence

__all__ = [
    "RNNBase",
    "RNN",
    "LSTM",
    "GRU",
    "RNNCellBase",
    "RNNCell",
    "LSTMCell",
    "GRUCell",
]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _reordered(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else state.index_select(1, order)


class RNNBase(Module):
    """What RNN, LSTM and GRU share.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers, each of which reads the outputs of the one before.
        bias: whether products with weights have a bias added.
        batch_first: take and return (batch, steps, features).
        dropout: probability with which outputs of all layers but the last are dropped.
        bidirectional: read each sequence from both ends.
        proj_size: features that an LSTM's state is projected to, if not 0.
    """

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]
    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_flags(bias=bias, batch_first=batch_first)
        _check_sizes(mode, input_size, hidden_size, num_layers, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        state = proj_size or hidden_size
        rows = _GATES[mode] * hidden_size
        for layer in range(num_layers):
            features = input_size if layer == 0 else state * (1 + bidirectional)
            for suffix in ("", "_reverse") if bidirectional else ("",):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, features),
                    "weight_hh": (rows, state),
                }
                if bias:
                    shapes["bias_ih"] = shapes["bias_hh"] = (rows,)
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    weight = empty(shape, device=device, dtype=dtype)
                    self.register_parameter(name, Parameter(weight))
                self._all_weights.append(names)
        self._flat_weights_names = [n for names in self._all_weights for n in names]
        self.reset_parameters()

    # ---- weights ----

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, n) for n in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: only libraries for GPUs want all weights in one piece."""

    def reset_parameters(self) -> None:
        """Draw new weights from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        draw_weights(self, self.hidden_size)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # What PyTorch keeps beside the parameters, and what its old files lack.
        for name in ("_flat_weights", "_flat_weight_refs"):
            self.__dict__.pop(name, None)
        self.__dict__.setdefault("proj_size", 0)
        names = [n for group in self._all_weights for n in group]
        self.__dict__.setdefault("_flat_weights_names", names)

    # ---- checks ----

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless the input has the dtype, dimensions and features expected."""
        weight: Tensor = getattr(self, self._flat_weights_names[0])
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype "
                f"({weight.dtype}). Convert input: input.to({weight.dtype}), or "
                f"convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise RuntimeError(
                f"input must have {expected} dimensions, got {input.dim()}"
            )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return (layers * directions, batch, features) of the state."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0) if self.batch_first else input.size(1)
        layers = self.num_layers * (1 + self.bidirectional)
        return layers, batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise unless the state has the size expected."""
        if hx.shape != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(
        self, input: Tensor, hidden: Any, batch_sizes: Tensor | None
    ) -> None:
        """Raise unless input and state fit."""
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden, expected)

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return the state with its batch reordered."""
        return _reordered(hx, permutation)

    def _check_rank(self, input: Tensor, hx: Any) -> None:
        """Raise unless input is 2-D or 3-D, and the state has as many dimensions."""
        rank = input.dim()
        if rank not in (2, 3):
            kind = " tensor" if self.mode.startswith("RNN") else ""
            raise ValueError(
                f"{self._get_name()}: Expected input to be 2D or 3D, got {rank}D{kind} "
                "instead"
            )
        if hx is None:
            return
        kind = "batched 3-D" if rank == 3 else "unbatched 2-D"
        if self.mode != "LSTM":
            if hx.dim() != rank:
                raise RuntimeError(
                    f"For {kind} input, hx should also be {rank}-D but got "
                    f"{hx.dim()}-D tensor"
                )
        elif hx[0].dim() != rank or hx[1].dim() != rank:
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {rank}-D but got "
                f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    # ---- forward ----

    def _states(self, hx: Any) -> tuple[Tensor | None, Tensor | None]:
        return (hx, None) if self.mode != "LSTM" else hx

    def _run(
        self, x: Tensor, hx: Any, sizes: list[int] | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        states, cells = (None, None) if hx is None else self._states(hx)
        return recurrent(
            self.mode,
            x,
            states,
            cells,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout if self.training else 0.0,
            self.bidirectional,
            sizes,
        )

    def _on_packed(self, packed: PackedSequence, hx: Any) -> tuple[Any, Any]:
        x, batch_sizes, order, inverse = packed
        if hx is not None:
            hx = self.permute_hidden(hx, order)
            self.check_forward_args(x, hx, batch_sizes)
        else:
            self.check_input(x, batch_sizes)
        y, h, c = self._run(x, hx, batch_sizes.tolist())
        last = h if c is None else (h, c)
        made = PackedSequence(y, batch_sizes, order, inverse)
        return made, self.permute_hidden(last, inverse)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Return the outputs of the last layer, and the last state of all layers.

        Args:
            input: (steps, batch, input_size), (steps, input_size), or packed.
            hx: (layers * directions, batch, n), or without the batch; zeros unless
                given.  Of an LSTM: a pair of them, state and cell.
        """
        if isinstance(input, PackedSequence):
            return self._on_packed(input, hx)
        self._check_rank(input, hx)
        batched = input.dim() == 3
        x = input if batched else unsqueeze(input, 0 if self.batch_first else 1)
        if hx is None:
            self.check_input(x, None)
        else:
            if not batched:
                states, cells = self._states(hx)
                h = unsqueeze(states, 1)
                hx = h if cells is None else (h, unsqueeze(cells, 1))
            self.check_forward_args(x, hx, None)
        if self.batch_first:
            x = transpose(x, 0, 1)
        if x.size(0) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        y, h, c = self._run(x, hx, None)
        if self.batch_first:
            y = transpose(y, 0, 1)
        if not batched:
            y = squeeze(y, 0 if self.batch_first else 1)
            h, c = squeeze(h, 1), None if c is None else squeeze(c, 1)
        return y, h if c is None else (h, c)

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        usual = (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        )
        for name, value in usual:
            if getattr(self, name) != value:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


def _check_flags(**flags: Any) -> None:
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeError(
                f"{name} should be of type bool, got: {type(flag).__name__}"
            )


def _check_sizes(
    mode: str,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    proj_size: int,
) -> None:
    if (
        not isinstance(dropout, (int, float))
        or isinstance(dropout, bool)
        or not 0 <= dropout <= 1
    ):
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability "
            "of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so "
            "non-zero dropout expects num_layers greater than 1, but got "
            f"dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(size, int):
            raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
    for name, size in (
        ("input_size", input_size),
        ("hidden_size", hidden_size),
        ("num_layers", num_layers),
    ):
        if size <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError(
            "proj_size should be a positive integer or zero to disable projections"
        )
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if mode not in _GATES:
        raise ValueError(f"Unrecognized RNN mode: {mode}")


class RNN(RNNBase):
    """Layers of  h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size, hidden_size, num_layers: as of `RNNBase`.
        nonlinearity: "tanh" or "relu".
        bias, batch_first, dropout, bidirectional: as of `RNNBase`.

    Example:
        >>> y, h = RNN(10, 20)(randn(5, 3, 10))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(
                "proj_size argument is only supported for LSTM, not RNN or GRU"
            )
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or "
                "'relu'."
            )
        super().__init__("RNN_" + self.nonlinearity.upper(), *args, **kwargs)


class LSTM(RNNBase):
    """Layers of long short-term memory.

    i, f, o = sigmoid and g = tanh of the four parts of W_ih x + b_ih + W_hh h + b_hh;
    c' = f c + i g;  h' = o tanh(c').

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
        proj_size: as of `RNNBase`.

    Example:
        >>> y, (h, c) = LSTM(10, 20, 2)(randn(5, 3, 10))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return (layers * directions, batch, hidden_size)."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(
        self, input: Tensor, hidden: Any, batch_sizes: Tensor | None
    ) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0],
            self.get_expected_hidden_size(input, batch_sizes),
            "Expected hidden[0] size {}, got {}",
        )
        self.check_hidden_size(
            hidden[1],
            self.get_expected_cell_size(input, batch_sizes),
            "Expected hidden[1] size {}, got {}",
        )

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return _reordered(hx[0], permutation), _reordered(hx[1], permutation)


class GRU(RNNBase):
    """Layers of gated recurrent units.

    r, z = sigmoid of parts of W_ih x + b_ih + W_hh h + b_hh;
    m = tanh(W_im x + b_im + r (W_hm h + b_hm));  h' = (1 - z) m + z h.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional:
            as of `RNNBase`.

    Example:
        >>> y, h = GRU(10, 20, 2)(randn(5, 3, 10))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(
                "proj_size argument is only supported for LSTM, not RNN or GRU"
            )
        super().__init__("GRU", *args, **kwargs)


# A pickle names the module of a class: the one where PyTorch's readers look for it.
for _class in (GRUCell, LSTMCell, RNNCell, RNNCellBase):
    _class.__module__ = __name__
