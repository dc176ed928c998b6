"""Tools around the library: data loading, checkpointing, files, trees of tensors."""

from __future__ import annotations

from typing import Any

_MODULES = (
    "checkpoint", "data", "npz", "progress", "reporting", "resume", "safetensors",
    "tensorboard",
)
__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    """Import a module when it is asked for."""
    if name in _MODULES:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
