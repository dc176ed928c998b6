"""The convolution layers under the name that they have in PyTorch."""

from __future__ import annotations

from tinytorch.nn.modules.conv_transpose import (
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvTransposeNd,
)
from tinytorch.nn.modules.convnd import _ConvNd
from tinytorch.nn.modules.convolution import Conv1d, Conv2d, Conv3d
from tinytorch.nn.modules.lazy_conv import (
    LazyConv1d,
    LazyConv2d,
    LazyConv3d,
    LazyConvTranspose1d,
    LazyConvTranspose2d,
    LazyConvTranspose3d,
    _LazyConvXdMixin,
)

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

# A pickle names the module of a class: the one where PyTorch's readers look for it.
for _class in (_ConvNd, _ConvTransposeNd, _LazyConvXdMixin):
    _class.__module__ = __name__
for _name in __all__:
    globals()[_name].__module__ = __name__
