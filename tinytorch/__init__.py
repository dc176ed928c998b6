"""PyTorch's API and PyTorch's numbers in a few megabytes."""

from __future__ import annotations

from tinytorch import _registry
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import (
    Size,
    bfloat16,
    device,
    dtype,
    float16,
    float32,
    float64,
    get_default_device,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_device,
    set_default_dtype,
    uint8,
)
from tinytorch._core.types import bool_ as bool
from tinytorch.version import __version__

float, double, half = float32, float64, float16
long, int, short = int64, int32, int16

_registry.bind_methods()
globals().update(_registry.collect("__all__"))
