"""Transforms of size and place. What is random draws as torchvision does."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import tinytorch
from tinytorch.nn import Module
from tinytorch.vision.transforms import functional as F
from tinytorch.vision.transforms._interpolation import InterpolationMode, as_mode
from tinytorch.vision.transforms._options import angle_range, as_pair

__all__ = [
    "CenterCrop",
    "FiveCrop",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
]

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR
_TWO = "Please provide only two dimensions (h, w) for size."


def _uniform(low: float, high: float) -> float:
    return float(tinytorch.empty(1).uniform_(float(low), float(high)).item())


def _below(bound: int) -> int:
    return int(tinytorch.randint(0, bound, size=(1,)).item())


def _chance(p: float) -> bool:
    return bool(tinytorch.rand(1).item() < p)


class Resize(Module):
    """Resample to (height, width), or to a length of the shorter edge.

    Args:
        size: One number, or two.
        interpolation: How.
        max_size: Upper bound of the longer edge.
        antialias: Smooth tensors before they are made smaller; images always are.
    """

    def __init__(
        self,
        size: Any,
        interpolation: Any = BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = as_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(
            img, self.size, self.interpolation, self.max_size, self.antialias
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, "
            f"interpolation={self.interpolation.value}, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


class CenterCrop(Module):
    """Cut out the middle."""

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = as_pair(size, _TWO)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(Module):
    """Pad all sides, or (left and right, top and bottom), or each one."""

    def __init__(
        self, padding: Any, fill: Any = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        if not isinstance(padding, (numbers.Number, tuple, list)):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, (numbers.Number, str, tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                "Padding mode should be either constant, edge, reflect or symmetric"
            )
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                f"{len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, "
            f"padding_mode={self.padding_mode})"
        )


class RandomCrop(Module):
    """Cut out a box at a random place, from the padded image if wanted.

    Args:
        size: Of the box.
        padding: Before, on all sides, (left and right, top and bottom), or each.
        pad_if_needed: Also pad what is smaller than the box.
        fill: Colour of the padding.
        padding_mode: ``"constant"``, ``"edge"``, ``"reflect"`` or ``"symmetric"``.
    """

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Draw top, left, height and width."""
        _, h, w = F.get_dimensions(img)
        rows, cols = output_size
        if h < rows or w < cols:
            raise ValueError(
                f"Required crop size {(rows, cols)} is larger than input image size "
                f"{(h, w)}"
            )
        if w == cols and h == rows:
            return 0, 0, h, w
        top = _below(h - rows + 1)
        return top, _below(w - cols + 1), rows, cols

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = as_pair(size, _TWO)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(Module):
    """Swap left and right with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if _chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(Module):
    """Swap top and bottom with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if _chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomResizedCrop(Module):
    """Cut out a box of random size and place and resample it.

    Args:
        size: Of the result.
        scale: Bounds of the box's share of the area.
        ratio: Bounds of its width by its height.
        interpolation: How to resample.
        antialias: As in :class:`Resize`.
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = as_pair(size, _TWO)
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        self.interpolation = as_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """Draw top, left, height and width."""
        _, height, width = F.get_dimensions(img)
        area = height * width
        bounds = tinytorch.log(tinytorch.tensor(ratio)).tolist()
        for _ in range(10):
            wanted = area * _uniform(scale[0], scale[1])
            drawn = tinytorch.empty(1).uniform_(bounds[0], bounds[1])
            aspect = float(tinytorch.exp(drawn).item())
            w = round(math.sqrt(wanted * aspect))
            h = round(math.sqrt(wanted / aspect))
            if 0 < w <= width and 0 < h <= height:
                top = _below(height - h + 1)
                return top, _below(width - w + 1), h, w
        # No luck: the middle, as large as the bounds allow.
        h, w = height, width
        if width / height < min(ratio):
            h = round(width / min(ratio))
        elif width / height > max(ratio):
            w = round(height * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(
            img, *box, self.size, self.interpolation, antialias=self.antialias
        )

    def __repr__(self) -> str:
        scale = tuple(round(s, 4) for s in self.scale)
        ratio = tuple(round(r, 4) for r in self.ratio)
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class FiveCrop(Module):
    """Cut out the four corners and the middle."""

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = as_pair(size, _TWO)

    def forward(self, img: Any) -> Any:
        return F.five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(Module):
    """Cut out the four corners and the middle of the image and its mirror image."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = as_pair(size, _TWO)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> Any:
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, "
            f"vertical_flip={self.vertical_flip})"
        )


class RandomRotation(Module):
    """Turn by a random angle.

    Args:
        degrees: Bounds; a number means from -number to number.
        interpolation: How to resample.
        expand: Make the result as large as the turned image.
        center: What stays in place, (x, y); default: the middle.
        fill: Colour outside.
    """

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = NEAREST,
        expand: bool = False,
        center: Sequence[int] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.interpolation = as_mode(interpolation)
        self.degrees = angle_range(degrees, "degrees")
        self.center = center
        self.expand = expand
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draw the angle."""
        return _uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        return F.rotate(
            img,
            angle,
            self.interpolation,
            self.expand,
            self.center,
            self.fill,  # type: ignore[arg-type]
        )

    def __repr__(self) -> str:
        center = f", center={self.center}" if self.center is not None else ""
        fill = f", fill={self.fill}" if self.fill is not None else ""
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}"
            f"{center}{fill})"
        )


class RandomAffine(Module):
    """Turn, move, scale and shear at random, keeping the centre in place.

    Args:
        degrees: Bounds of the angle; a number means from -number to number.
        translate: The most to move, as shares of width and height.
        scale: Bounds of the factor.
        shear: Bounds of the angle across, or of both.
        interpolation: How to resample.
        fill: Colour outside.
        center: What stays in place, (x, y); default: the middle.
    """

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = NEAREST,
        fill: Any = 0,
        center: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.interpolation = as_mode(interpolation)
        self.degrees = angle_range(degrees, "degrees")
        if translate is not None and any(not 0.0 <= t <= 1.0 for t in translate):
            raise ValueError("translation values should be between 0 and 1")
        if scale is not None and any(s <= 0 for s in scale):
            raise ValueError("scale values should be positive")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else angle_range(shear, "shear", (2, 4))
        self.fill = 0 if fill is None else fill
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draw the angle, the move, the factor and the shear."""
        angle = _uniform(degrees[0], degrees[1])
        moves = [0, 0]
        if translate is not None:
            for i in range(2):
                most = float(translate[i] * img_size[i])
                moves[i] = round(_uniform(-most, most))
        scale = 1.0
        if scale_ranges is not None:
            scale = _uniform(scale_ranges[0], scale_ranges[1])
        across = down = 0.0
        if shears is not None:
            across = _uniform(shears[0], shears[1])
            if len(shears) == 4:
                down = _uniform(shears[2], shears[3])
        return angle, (moves[0], moves[1]), scale, (across, down)

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        return F.affine(img, *drawn, self.interpolation, self.fill, self.center)

    def __repr__(self) -> str:
        text = f"{type(self).__name__}(degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                text += f", {name}={getattr(self, name)}"
        if self.interpolation is not NEAREST:
            text += f", interpolation={self.interpolation.value}"
        if self.fill != 0:
            text += f", fill={self.fill}"
        if self.center is not None:
            text += f", center={self.center}"
        return text + ")"


class RandomPerspective(Module):
    """See the image from the side, with probability ``p``."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Any = BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = as_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = fill

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Draw where the corners go; return where they are and go."""
        across = int(distortion_scale * (width // 2)) + 1
        down = int(distortion_scale * (height // 2)) + 1
        far, low = width - across, height - down
        # Drawn corner by corner, clockwise from the upper left one, x before y.
        ends = [
            [left + _below(across), top + _below(down)]
            for left, top in ((0, 0), (far, 0), (far, low), (0, low))
        ]
        right, bottom = width - 1, height - 1
        return [[0, 0], [right, 0], [right, bottom], [0, bottom]], ends

    def forward(self, img: Any) -> Any:
        if not _chance(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        corners = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, *corners, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
