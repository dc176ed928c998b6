"""Another order in memory for the weights of convolutions."""

from __future__ import annotations

from typing import Any

__all__ = [
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
]


def _convert(module: Any, memory_format: Any, dims: int) -> Any:
    from tinytorch.nn import modules

    kinds = (
        getattr(modules, f"Conv{dims}d"),
        getattr(modules, f"ConvTranspose{dims}d"),
    )
    for part in module.modules():
        if isinstance(part, kinds):
            weight = part.weight.detach().clone()
            part.weight.data = weight.contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Give the weights of all two-dimensional convolutions a memory format."""
    return _convert(module, memory_format, 2)


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Give the weights of all three-dimensional convolutions a memory format."""
    return _convert(module, memory_format, 3)
