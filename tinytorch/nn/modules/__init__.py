"""The modules that networks are built from, one family per file."""

from __future__ import annotations

from tinytorch.nn.modules.container import (
    Container,
    ModuleDict,
    ModuleList,
    ParameterDict,
    ParameterList,
    Sequential,
)
from tinytorch.nn.modules.lazy import LazyModuleMixin
from tinytorch.nn.modules.module import Module

__all__ = [
    "Container",
    "LazyModuleMixin",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "Sequential",
]
