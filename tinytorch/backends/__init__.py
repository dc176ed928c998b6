"""Switches of PyTorch's back ends: programs may set them; none acts here.

Whoever asks what is there learns that no back end of PyTorch's is.
"""

from __future__ import annotations

from tinytorch._later import later

_MODULES = ("cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum")
__all__ = [*_MODULES]

__getattr__, __dir__ = later(__name__, *_MODULES)
