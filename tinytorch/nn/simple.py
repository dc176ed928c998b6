"""Networks in one line: neurons, layers of them, and stacks of layers.

PyTorch has none of these.  A `Layer` is a `Linear` with an activation, so weights start
as PyTorch's do, and a network made here is one made of `Linear` and functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeAlias

from tinytorch._core.tensor import Tensor
from tinytorch.nn.modules.activated import Activation as Function
from tinytorch.nn.modules.container import Sequential
from tinytorch.nn.modules.linear import Linear

__all__ = ["Activation", "Layer", "MLP", "Neuron"]


class Activation(Enum):
    """What a neuron applies to its sum."""

    RELU = "relu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    LINEAR = "linear"


Choice: TypeAlias = "Activation | Function | None"


class Layer(Linear):
    """Neurons that read the same inputs:  y = activation(x W' + b).

    Args:
        n_input: features of the input.
        n_neurons: how many neurons, the features of the result.
        activation: an `Activation`, its name or that of another, a function, or None.
        bias: whether neurons have one.

    Example:
        >>> y = Layer(3, 8, Activation.RELU)(randn(5, 3))
    """

    def __init__(
        self,
        n_input: int,
        n_neurons: int,
        activation: Choice = Activation.LINEAR,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(activation, Activation):
            activation = activation.value
        super().__init__(n_input, n_neurons, bias, device, dtype, activation=activation)

    def flush_grads(self) -> None:
        """Forget all gradients: `zero_grad` by another name."""
        self.zero_grad()


class Neuron(Layer):
    """One neuron:  y = activation(w x + b), a number for each row of inputs.

    Args:
        n_input: features of the input.
        activation, bias: as of `Layer`.

    Example:
        >>> Neuron(3, Activation.TANH)(randn(5, 3)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        n_input: int,
        activation: Choice = Activation.LINEAR,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(n_input, 1, activation, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Return the neuron's answer to `input`, (..., n_input)."""
        return super().forward(input).squeeze(-1)


class MLP(Sequential):
    """Layers one after the other, each fully connected to the one before.

    Two spellings say the same: all layers with their activations, or the sizes of the
    hidden ones, the size of the output, and an activation for either.

    Args:
        n_input: features of the input.
        layers: the size of each layer, or pairs of size and activation.
        n_output: features of the result; None if `layers` has the output layer too.
        activation: of those of `layers` that do not name their own.
        output_activation: of the layer that n_output adds.
        bias: whether neurons have one.

    Example:
        >>> a = MLP(2, layers=[(4, Activation.RELU), (1, Activation.SIGMOID)])
        >>> b = MLP(2, [4], 1, "relu", "sigmoid")
    """

    def __init__(
        self,
        n_input: int,
        layers: Sequence[int | tuple[int, Choice]] = (),
        n_output: int | None = None,
        activation: Choice = Activation.RELU,
        output_activation: Choice = Activation.LINEAR,
        *,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = [x if isinstance(x, tuple) else (x, activation) for x in layers]
        if n_output is not None:
            sizes.append((n_output, output_activation))
        if not sizes:
            raise ValueError("MLP: expected at least one layer, or n_output")
        made = []
        for size, function in sizes:
            made.append(Layer(n_input, size, function, bias, device, dtype))
            n_input = size
        super().__init__(*made)

    @property
    def layers(self) -> list[Layer]:
        """The layers, from the first to the one of the output."""
        return [layer for layer in self if isinstance(layer, Layer)]

    def flush_grads(self) -> None:
        """Forget all gradients: `zero_grad` by another name."""
        self.zero_grad()
