"""CUDA: this version has no GPU path yet, and says so.

Questions are answered as on a machine without a GPU; what needs one raises an error
with the reason.  Nothing here touches a driver.
"""

from __future__ import annotations

from tinytorch._later import later
from tinytorch._typing import Any, NoReturn

REASON = "tinytorch has no CUDA support in this version"


def is_available() -> bool:
    """Return whether tensors can live on a GPU."""
    return False


def why_not_available() -> str:
    """Return why `is_available` is false."""
    return REASON


def device_count() -> int:
    """Return the number of GPUs."""
    return 0


def is_initialized() -> bool:
    """Return whether CUDA has been used in this process."""
    return False


def is_bf16_supported() -> bool:
    """Return whether the GPU calculates in bfloat16."""
    return False


def manual_seed(seed: int) -> None:
    """Seed the GPU's generator: there is none."""


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all GPUs: there is none."""


def empty_cache() -> None:
    """Give cached GPU memory back: there is none."""


def memory_allocated(device: Any = None) -> int:
    """Return the bytes that tensors hold on the GPU."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return the largest value that `memory_allocated` has had."""
    return 0


def _refuse() -> NoReturn:
    raise RuntimeError(REASON)


def current_device() -> int:
    """Refuse: there is no GPU."""
    _refuse()


def set_device(device: Any) -> None:
    """Refuse: there is no GPU."""
    _refuse()


def get_device_name(device: Any = None) -> str:
    """Refuse: there is no GPU."""
    _refuse()


def synchronize(device: Any = None) -> None:
    """Refuse: there is no GPU."""
    _refuse()


def get_rng_state(device: Any = "cuda") -> Any:
    """Refuse: there is no GPU."""
    _refuse()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Refuse: there is no GPU."""
    _refuse()


__getattr__, __dir__ = later(__name__, "amp")
