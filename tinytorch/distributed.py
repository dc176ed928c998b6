"""Training by several processes, which this version does not have: programs may ask."""

from __future__ import annotations

from tinytorch._later import later


def is_available() -> bool:
    """Return whether processes can work together."""
    return False


def is_initialized() -> bool:
    """Return whether a group of processes was started."""
    return False


def is_torchelastic_launched() -> bool:
    """Return whether PyTorch's launcher started this process."""
    return False


__getattr__, __dir__ = later(__name__)
