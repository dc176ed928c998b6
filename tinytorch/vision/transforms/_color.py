"""Transforms of colour, smoothing, and boxes of noise."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any, cast

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.nn import Module
from tinytorch.vision.transforms import functional as F
from tinytorch.vision.transforms._geometry import _below, _chance, _uniform
from tinytorch.vision.transforms._options import as_pair

__all__ = [
    "ColorJitter",
    "GaussianBlur",
    "Grayscale",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


class ColorJitter(Module):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Args:
        brightness: Bounds of the factor; a number ``b`` means 1 - b ... 1 + b.
        contrast: The same.
        saturation: The same.
        hue: Bounds of the turn; a number ``h`` means -h ... h, at most 0.5.
    """

    def __init__(
        self,
        brightness: Any = 0,
        contrast: Any = 0,
        saturation: Any = 0,
        hue: Any = 0,
    ) -> None:
        super().__init__()
        self.brightness = self._bounds(brightness, "brightness")
        self.contrast = self._bounds(contrast, "contrast")
        self.saturation = self._bounds(saturation, "saturation")
        self.hue = self._bounds(hue, "hue", 0, (-0.5, 0.5), False)

    @staticmethod
    def _bounds(
        value: Any,
        name: str,
        center: float = 1,
        bound: tuple[float, float] = (0, float("inf")),
        clip_first_on_zero: bool = True,
    ) -> tuple[float, float] | None:
        if isinstance(value, numbers.Number):
            spread = float(value)  # type: ignore[arg-type]
            if spread < 0:
                raise ValueError(
                    f"If {name} is a single number, it must be non negative."
                )
            low, high = center - spread, center + spread
            if clip_first_on_zero:
                low = max(low, 0.0)
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            low, high = float(value[0]), float(value[1])
        else:
            raise TypeError(
                f"{name} should be a single number or a list/tuple with length 2."
            )
        if not bound[0] <= low <= high <= bound[1]:
            raise ValueError(
                f"{name} values should be between {bound}, but got {[low, high]}."
            )
        return None if low == high == center else (low, high)

    @staticmethod
    def get_params(
        brightness: Any, contrast: Any, saturation: Any, hue: Any
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """Draw the order and the four factors."""
        order = tinytorch.randperm(4)
        drawn = [
            None if bounds is None else _uniform(bounds[0], bounds[1])
            for bounds in (brightness, contrast, saturation, hue)
        ]
        return order, drawn[0], drawn[1], drawn[2], drawn[3]

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(
            self.brightness, self.contrast, self.saturation, self.hue
        )
        changes = (
            F.adjust_brightness,
            F.adjust_contrast,
            F.adjust_saturation,
            F.adjust_hue,
        )
        for i in order.tolist():
            if factors[i] is not None:
                img = changes[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, "
            f"contrast={self.contrast}, saturation={self.saturation}, hue={self.hue})"
        )


class Grayscale(Module):
    """Only the brightness, as one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(Module):
    """Only the brightness, with probability ``p``; the channels stay as many."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        channels = F.get_dimensions(img)[0]
        return F.rgb_to_grayscale(img, channels) if _chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class GaussianBlur(Module):
    """Smooth with a normal distribution of random deviation."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = as_pair(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError(
                "sigma values should be positive and of the form (min, max). Got "
                f"{sigma}"
            )
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draw the deviation."""
        return _uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"
        )


class RandomErasing(Module):
    """Overwrite a random box of a tensor, with probability ``p``.

    Args:
        p: How often.
        scale: Bounds of the box's share of the area.
        ratio: Bounds of its height by its width.
        value: A number, one per channel, or ``"random"`` for noise.
        inplace: Write into the tensor itself.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError(
                "Argument value should be either a number or str or a sequence"
            )
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: list[float] | None = None,
    ) -> tuple[int, int, int, int, Tensor]:
        """Draw top, left, height, width and content of the box."""
        channels, rows, cols = img.shape[-3:]
        area = rows * cols
        bounds = tinytorch.log(tinytorch.tensor(ratio)).tolist()
        for _ in range(10):
            wanted = area * _uniform(scale[0], scale[1])
            drawn = tinytorch.empty(1).uniform_(bounds[0], bounds[1])
            aspect = float(tinytorch.exp(drawn).item())
            h = round(math.sqrt(wanted * aspect))
            w = round(math.sqrt(wanted / aspect))
            if not (h < rows and w < cols):
                continue
            if value is None:
                v = tinytorch.empty([channels, h, w]).normal_()
            else:
                v = tinytorch.tensor(value)[:, None, None]
            top = _below(rows - h + 1)
            return top, _below(cols - w + 1), h, w, v
        return 0, 0, rows, cols, img

    def forward(self, img: Tensor) -> Tensor:
        if not _chance(self.p):
            return img
        value: list[float] | None
        if isinstance(self.value, (int, float)):
            value = [float(self.value)]
        elif isinstance(self.value, str):
            value = None
        else:
            value = [float(part) for part in cast("Sequence[float]", self.value)]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)"
            )
        i, j, h, w, v = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, i, j, h, w, v, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, "
            f"ratio={self.ratio}, value={self.value}, inplace={self.inplace})"
        )


class _WithChance(Module):
    """A change that happens with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def _change(self, img: Any) -> Any:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        return self._change(img) if _chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomInvert(_WithChance):
    """The negative, with probability ``p``."""

    def _change(self, img: Any) -> Any:
        return F.invert(img)


class RandomAutocontrast(_WithChance):
    """Each channel from black to white, with probability ``p``."""

    def _change(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(_WithChance):
    """The brightness spread evenly, with probability ``p``."""

    def _change(self, img: Any) -> Any:
        return F.equalize(img)


class RandomPosterize(_WithChance):
    """The highest bits only, with probability ``p``."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _change(self, img: Any) -> Any:
        return F.posterize(img, self.bits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(_WithChance):
    """What is bright inverted, with probability ``p``."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _change(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAdjustSharpness(_WithChance):
    """Sharper or smoother, with probability ``p``."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _change(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(sharpness_factor={self.sharpness_factor},p={self.p})"
