"""Linear algebra, under PyTorch's names."""

from __future__ import annotations

from tinytorch._later import later as _later
from tinytorch._registry import collect

globals().update(collect("LINALG"))

__getattr__, __dir__ = _later(__name__)
