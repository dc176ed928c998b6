"""Transforms as functions of an image: a tensor (..., C, H, W) or one of Pillow's.

Where Pillow is not installed its place is taken by :class:`RawImage`, whose pixels go
through the functions for tensors.
"""

from __future__ import annotations

from tinytorch.vision.transforms._dispatch import (
    get_dimensions,
    get_image_num_channels,
    get_image_size,
)
from tinytorch.vision.transforms._functional_color import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    gaussian_blur,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from tinytorch.vision.transforms._functional_convert import (
    convert_image_dtype,
    erase,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from tinytorch.vision.transforms._functional_place import (
    center_crop,
    crop,
    five_crop,
    hflip,
    pad,
    resize,
    resized_crop,
    ten_crop,
    vflip,
)
from tinytorch.vision.transforms._functional_warp import (
    affine,
    perspective,
    rotate,
)
from tinytorch.vision.transforms._interpolation import (
    InterpolationMode,
)

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]
