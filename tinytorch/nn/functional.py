"""Functions on tensors that networks are made of: what the families declare as such."""

from __future__ import annotations

from tinytorch._registry import collect

globals().update(collect("FUNCTIONAL"))
