"""Tools around the library: data loading, checkpointing, files, trees of tensors."""

from __future__ import annotations

from tinytorch._later import later as _later

_MODULES = (
    "checkpoint", "data", "dlpack", "hooks", "npz", "progress", "reporting", "resume",
    "safetensors", "tensorboard",
)
__all__ = [*_MODULES]

__getattr__, __dir__ = _later(__name__, *_MODULES)
