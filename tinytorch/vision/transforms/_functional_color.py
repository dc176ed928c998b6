"""Brightness, contrast and colours of images; smoothing."""

from __future__ import annotations

from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.vision.transforms import _functional_pil as on_pil
from tinytorch.vision.transforms import _functional_tensor as on_tensor
from tinytorch.vision.transforms._dispatch import dispatch
from tinytorch.vision.transforms._functional_convert import (
    pil_to_tensor,
    to_pil_image,
)

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "autocontrast",
    "equalize",
    "gaussian_blur",
    "invert",
    "posterize",
    "rgb_to_grayscale",
    "solarize",
    "to_grayscale",
]


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Make brighter; 0 is black, 1 changes nothing."""
    return dispatch(
        img,
        lambda x: on_tensor.adjust_brightness(x, brightness_factor),
        lambda p: on_pil.enhance(p, "Brightness", brightness_factor),
    )


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Change the contrast; 0 is grey, 1 changes nothing."""
    return dispatch(
        img,
        lambda x: on_tensor.adjust_contrast(x, contrast_factor),
        lambda p: on_pil.enhance(p, "Contrast", contrast_factor),
    )


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Change how colourful it is; 0 is grey, 1 changes nothing."""
    return dispatch(
        img,
        lambda x: on_tensor.adjust_saturation(x, saturation_factor),
        lambda p: on_pil.enhance(p, "Color", saturation_factor),
    )


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn the circle of colours by -0.5 ... 0.5 of it."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return dispatch(
        img,
        lambda x: on_tensor.adjust_hue(x, hue_factor),
        lambda p: on_pil.adjust_hue(p, hue_factor),
    )


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """Return ``gain * img ** gamma``."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return dispatch(
        img,
        lambda x: on_tensor.adjust_gamma(x, gamma, gain),
        lambda p: on_pil.adjust_gamma(p, gamma, gain),
    )


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Sharpen; 0 is smooth, 1 changes nothing."""
    if sharpness_factor < 0:
        raise ValueError(f"sharpness_factor ({sharpness_factor}) is not non-negative.")
    return dispatch(
        img,
        lambda x: on_tensor.adjust_sharpness(x, sharpness_factor),
        lambda p: on_pil.enhance(p, "Sharpness", sharpness_factor),
    )


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return the brightness of an image of Pillow's."""
    if isinstance(img, Tensor):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return the brightness, as one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    return dispatch(
        img,
        lambda x: on_tensor.to_grayscale(x, num_output_channels),
        lambda p: on_pil.to_grayscale(p, num_output_channels),
    )


def invert(img: Any) -> Any:
    """Return the negative."""
    return dispatch(img, on_tensor.invert, lambda p: on_pil.operate(p, "invert"))


def posterize(img: Any, bits: int) -> Any:
    """Keep the highest bits of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return dispatch(
        img,
        lambda x: on_tensor.posterize(x, bits),
        lambda p: on_pil.operate(p, "posterize", bits),
    )


def solarize(img: Any, threshold: float) -> Any:
    """Invert what is at least as bright as the threshold."""
    return dispatch(
        img,
        lambda x: on_tensor.solarize(x, threshold),
        lambda p: on_pil.operate(p, "solarize", threshold),
    )


def autocontrast(img: Any) -> Any:
    """Stretch each channel from black to white."""
    return dispatch(
        img, on_tensor.autocontrast, lambda p: on_pil.operate(p, "autocontrast")
    )


def equalize(img: Any) -> Any:
    """Spread the brightness of each channel evenly."""
    return dispatch(img, on_tensor.equalize, lambda p: on_pil.operate(p, "equalize"))


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Smooth with a normal distribution.

    Args:
        img: The image.
        kernel_size: Odd size of the window, or (width, height).
        sigma: Deviation in pixels, or (x, y); default: by the size.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    sizes = sizes * 2 if len(sizes) == 1 else sizes
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(
            f"kernel_size should have odd and positive integers. Got {sizes}"
        )
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else list(sigma)
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if any(value <= 0.0 for value in sigmas):
        raise ValueError(f"sigma should have positive values. Got {sigmas}")

    def blur(x: Tensor) -> Tensor:
        return on_tensor.gaussian_blur(x, sizes, sigmas)

    return dispatch(img, blur, lambda p: to_pil_image(blur(pil_to_tensor(p)), p.mode))
