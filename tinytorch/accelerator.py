"""``torch.accelerator`` on a machine without one."""

from __future__ import annotations

from tinytorch import cuda
from tinytorch._typing import Any


def is_available() -> bool:
    """Return whether there is an accelerator."""
    return cuda.is_available()


def device_count() -> int:
    """Return the number of accelerators."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> None:
    """Return the device type of the accelerator: None."""
    return None


def set_device_index(device: Any) -> None:
    """Refuse: there is no accelerator."""
    cuda.set_device(device)


def synchronize(device: Any = None) -> None:
    """Refuse: there is no accelerator."""
    cuda.synchronize(device)
