"""The version of the package, and what it was built with."""

from __future__ import annotations

__all__ = ["__version__", "cuda", "debug", "git_version", "hip"]

__version__ = "0.1.0"

cuda: str | None = None  # the core is built without CUDA; tinytorch.gpu loads it
hip: str | None = None
git_version: str = "unknown"
debug: bool = False
