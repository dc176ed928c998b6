"""Special functions, under PyTorch's names."""

from __future__ import annotations

from tinytorch._registry import collect

globals().update(collect("SPECIAL"))
