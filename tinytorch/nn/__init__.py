"""Building blocks of networks."""

from __future__ import annotations

from tinytorch.nn import functional, modules, parameter
from tinytorch.nn.modules import *
from tinytorch.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    *modules.__all__,
]
