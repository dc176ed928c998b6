"""Transforms that combine others, and those between images and tensors."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.nn import Module
from tinytorch.vision.transforms import _functional_convert as F

__all__ = [
    "Compose",
    "ConvertImageDtype",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "RandomApply",
    "RandomChoice",
    "RandomOrder",
    "ToPILImage",
    "ToTensor",
]


class Compose:
    """Transforms one after another.

    Example:
        >>> Compose([ToTensor(), Normalize((0.5,), (0.5,))])
        Compose(
            ToTensor()
            Normalize(mean=(0.5,), std=(0.5,))
        )
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class ToTensor:
    """An image or an array (H, W, C) as a tensor (C, H, W), bytes as 0 ... 1."""

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)

    def _pointwise(self, pixels: Tensor) -> Tensor:
        return pixels.to(tinytorch.get_default_dtype()).div_(255)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """An image as a tensor (C, H, W) of the same type."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ConvertImageDtype(Module):
    """Another type of numbers, from white to white."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class ToPILImage:
    """A tensor (C, H, W) or an array (H, W, C) as an image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        mode = f"mode={self.mode}" if self.mode is not None else ""
        return f"{type(self).__name__}({mode})"


class Normalize(Module):
    """Subtract a mean and divide by a deviation, per channel.

    Args:
        mean: One per channel.
        std: One per channel.
        inplace: Write into the tensor itself.
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], inplace: bool = False
    ) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace
        self._moments: Any = None

    def _constants(self, dtype: Any) -> tuple[Tensor, Tensor]:
        """Return mean and deviation as tensors, made once."""
        key = (self.mean, self.std, dtype)
        if not all(isinstance(part, (tuple, list)) for part in key[:2]):
            return F.moments(*key)
        known = self._moments
        # Lists may be changed in place, so it is their values that are compared.
        if known is None or known[0] != key:
            frozen = (_frozen(self.mean), _frozen(self.std), dtype)
            known = self._moments = (frozen, F.moments(*key))
        made: tuple[Tensor, Tensor] = known[1]
        return made

    def forward(self, tensor: Tensor) -> Tensor:
        if (
            type(tensor) is not Tensor
            or not tensor.is_floating_point()
            or tensor.dim() < 3
        ):
            return F.normalize(tensor, self.mean, self.std, self.inplace)
        shift, scale = self._constants(tensor.dtype)
        if self.inplace:
            return tensor.sub_(shift).div_(scale)
        return tensor.sub(shift).div_(scale)

    def _pointwise(self, pixels: Tensor) -> Tensor:
        shift, scale = self._constants(pixels.dtype)
        return pixels.sub_(shift).div_(scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


def _frozen(values: Any) -> Any:
    return list(values) if isinstance(values, list) else values


class Lambda:
    """A function as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(
                "Argument lambd should be callable, got " + repr(type(lambd).__name__)
            )
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _nested(name: str, inner: Any) -> str:
    return f"{name}(" + "".join(f"\n    {transform}" for transform in inner) + "\n)"


class RandomApply(Module):
    """Transforms one after another, with a probability; else none of them."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if self.p < tinytorch.rand(1).item():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        inner = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{inner}\n)"


class RandomOrder:
    """Transforms in random order, drawn from ``random``."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms)


class RandomChoice:
    """One of several transforms, drawn from ``random``."""

    def __init__(
        self, transforms: Sequence[Callable[[Any], Any]], p: Any = None
    ) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.transforms = transforms
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms) + f"(p={self.p})"
