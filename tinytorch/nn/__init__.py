"""Building blocks of networks."""

from __future__ import annotations

from tinytorch.nn import functional, init, modules, parameter, utils
from tinytorch.nn.modules import *  # noqa: F403
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
    "init",
    "utils",
    *modules.__all__,
]
