"""Building blocks of networks."""

from __future__ import annotations

from tinytorch.nn import functional, modules, parameter, utils
from tinytorch.nn.modules import *
from tinytorch.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)
from tinytorch.nn.simple import MLP, Activation, Layer, Neuron

__all__ = [
    "Activation",
    "Buffer",
    "Layer",
    "MLP",
    "Neuron",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    *modules.__all__,
]
