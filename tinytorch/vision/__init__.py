"""Images: data sets, transforms, files; in the form of torchvision.

Pillow is needed only to read and write image files: ``pip install
'tinytorch[vision]'``.
"""

from __future__ import annotations

from tinytorch.version import __version__
from tinytorch.vision import datasets, io, transforms, utils

__all__ = ["datasets", "io", "transforms", "utils"]
