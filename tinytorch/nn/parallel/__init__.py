"""Modules on several GPUs."""

from __future__ import annotations

from tinytorch._later import later as _later
from tinytorch.nn.parallel.data_parallel import DataParallel, data_parallel

__all__ = ["DataParallel", "data_parallel"]

__getattr__, __dir__ = _later(__name__)
