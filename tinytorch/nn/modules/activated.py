"""The argument ``activation=`` of linear and convolution layers: ours, not PyTorch's.

A layer with an activation is that layer followed by the function.  It is fixed when the
layer is made; a module given as the activation becomes the child ``activation``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.modules.module import Module

__all__ = ["Activation", "activate", "activation_repr"]

Activation: TypeAlias = "str | Callable[[Tensor], Tensor]"

NAMES = (
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
)


def activate(layer: Module, activation: Activation | None) -> None:
    """Let a layer apply `activation`: a name of ours, "linear" for none, a callable."""
    if isinstance(activation, str):
        activation = _named(activation)
    if activation is None:
        return
    if not callable(activation):
        raise TypeError(
            "activation: expected a name or a callable, got "
            f"{type(activation).__name__}"
        )
    if isinstance(activation, Module):
        layer.add_module("activation", activation)
    # Beside the registry, so that forward finds modules and functions in one place.
    layer.__dict__["_activation"] = activation


def _named(name: str) -> Callable[[Tensor], Tensor] | None:
    known = name.lower()
    if known in ("linear", "identity"):
        return None
    if known not in NAMES:
        choice = ", ".join(("linear", *NAMES))
        raise ValueError(f"activation: expected one of {choice}; got {name!r}")
    function: Callable[[Tensor], Tensor] = getattr(F, known)
    return function


def activation_repr(activation: Callable[[Tensor], Tensor] | None) -> str:
    """Return what a layer's repr adds; a module prints itself, as a child."""
    if activation is None or isinstance(activation, Module):
        return ""
    return f", activation={getattr(activation, '__name__', repr(activation))}"
