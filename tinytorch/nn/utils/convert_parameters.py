"""Parameters as one long vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.nn.modules._registry import typename

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _same_device(parameters: Iterable[Any]) -> Iterable[Any]:
    """Yield the parameters and raise where the device changes."""
    device = None
    for param in parameters:
        if device is None:
            device = param.device
        elif param.device != device:
            raise TypeError(
                "Found two parameters on different devices, this is currently not "
                "supported."
            )
        yield param


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the elements of all parameters in one vector."""
    parts = [param.view(-1) for param in _same_device(parameters)]
    return tinytorch.cat(parts)  # type: ignore[no-any-return]


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters be the parts of a vector, in the order of the first."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for param in _same_device(parameters):
        n = param.numel()
        param.data = vec[start : start + n].view_as(param).data
        start += n
