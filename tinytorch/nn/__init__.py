"""Building blocks of networks."""

from __future__ import annotations

from typing import Any

from tinytorch._later import later as _later
from tinytorch.nn import functional, init, modules, parameter, utils
from tinytorch.nn.modules import *  # noqa: F403
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
    "factory_kwargs",
    "functional",
    "init",
    "utils",
    *modules.__all__,
]


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Return where and of which dtype a module's parameters are to be made.

    Args:
        kwargs: `device`, `dtype` or `memory_format`, or ``factory_kwargs``, a dict of
            them.
    """
    if kwargs is None:
        return {}
    known = {"device", "dtype", "memory_format"}
    if not kwargs.keys() <= known | {"factory_kwargs"}:
        raise TypeError(f"unexpected kwargs {kwargs.keys() - known}")
    made = dict(kwargs.get("factory_kwargs", {}))
    for name in known & kwargs.keys():
        if name in made:
            raise TypeError(f"{name} is given twice, also in factory_kwargs")
        made[name] = kwargs[name]
    return made


__getattr__, __dir__ = _later(
    __name__, "attention", "grad", "parallel", DataParallel="parallel"
)
