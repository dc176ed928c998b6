"""PyTorch's API and PyTorch's numbers in a few megabytes.

``import tinytorch as torch`` is meant to be enough for a PyTorch program.  Nothing of
NumPy or CUDA is imported before it is used.
"""

from __future__ import annotations

import math as _math

from tinytorch import _registry
from tinytorch._core.executor import is_capturing
from tinytorch._core.rng import Generator, default_generator
from tinytorch._core.tensor import Tensor
from tinytorch._core.threads import get_num_threads, set_num_threads
from tinytorch._core.types import (
    Size,
    bfloat16,
    channels_last,
    channels_last_3d,
    contiguous_format,
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
    layout,
    memory_format,
    preserve_format,
    promote_types,
    set_default_device,
    set_default_dtype,
    strided,
    uint8,
)
from tinytorch._core.types import bool_ as bool
from tinytorch._later import later as _later
from tinytorch.version import __version__

float, double, half = float32, float64, float16
long, int, short = int64, int32, int16
inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
newaxis = None

_registry.bind_methods()
globals().update(_registry.collect("__all__"))

from tinytorch import (
    accelerator,
    autograd,
    cuda,
    linalg,
    methods,
    profiler,
    random,
    special,
)
from tinytorch._core.modes import (
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
)
from tinytorch.autograd import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from tinytorch.capture import capture
from tinytorch.limits import finfo, iinfo
from tinytorch.printing import set_printoptions
from tinytorch.random import (
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from tinytorch.switches import *  # noqa: F403

__getattr__, __dir__ = _later(
    __name__,
    "amp", "backends", "distributed", "distributions", "fft", "func", "nn", "optim",
    "serialization", "testing", "utils", "vision", "viz",
    load="serialization", save="serialization", summary="summarize",
    to_dlpack="utils.dlpack", GradScaler="amp", autocast="amp",
    get_autocast_dtype="amp.autocast_mode", is_autocast_available="amp",
    is_autocast_enabled="amp.autocast_mode",
)
