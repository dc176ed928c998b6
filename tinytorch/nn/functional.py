"""Functions on tensors that networks are made of: what the families declare as such."""

from __future__ import annotations

from tinytorch._later import later as _later
from tinytorch._registry import collect

globals().update(collect("FUNCTIONAL"))

__getattr__, __dir__ = _later(__name__)
