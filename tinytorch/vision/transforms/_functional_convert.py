"""From images and arrays to tensors and back; types and scales of tensors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image
from tinytorch.vision._image import RawImage
from tinytorch.vision.transforms import _functional_tensor as on_tensor

__all__ = [
    "convert_image_dtype",
    "erase",
    "normalize",
    "pil_to_tensor",
    "to_pil_image",
    "to_tensor",
]

_PIL_DTYPES = {"I": "int32", "I;16": "uint16", "F": "float32"}


def _pixels(pic: Any) -> Tensor:
    """Return the pixels of an image of Pillow's as (C, H, W) of its own type."""
    if pic.mode == "1":
        pic = pic.convert("L")  # 0 and 255
    name = _PIL_DTYPES.get(pic.mode, "uint8")
    if name == "uint16":
        import numpy

        x = tinytorch.from_numpy(numpy.asarray(pic).astype(numpy.int32))
    else:
        raw = bytearray(pic.tobytes())
        x = tinytorch.frombuffer(raw, dtype=getattr(tinytorch, name))
    x = x.view(pic.height, pic.width, len(pic.getbands()))
    return x.permute(2, 0, 1).contiguous()


def to_tensor(pic: Any) -> Tensor:
    """Return an image or array (H, W, C) as a tensor (C, H, W); bytes in 0 ... 1."""
    if isinstance(pic, RawImage):
        x = pic.pixels
    elif _image.is_pil(pic):
        x = _pixels(pic)
    else:
        numpy = sys.modules.get("numpy")
        if numpy is None or not isinstance(pic, numpy.ndarray):
            raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
        if pic.ndim not in (2, 3):
            raise ValueError(
                f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions."
            )
        array = pic[:, :, None] if pic.ndim == 2 else pic
        array = numpy.ascontiguousarray(array.transpose(2, 0, 1))
        if array.base is not None or array is pic:
            array = array.copy()  # a tensor of its own, writable
        x = tinytorch.from_numpy(array)
    if x.dtype is tinytorch.uint8:
        return x.to(tinytorch.get_default_dtype()).div(255)
    return x


def pil_to_tensor(pic: Any) -> Tensor:
    """Return an image as a tensor (C, H, W) of the same type."""
    if isinstance(pic, RawImage):
        return pic.pixels.clone()
    if not _image.is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return _pixels(pic)


def convert_image_dtype(image: Tensor, dtype: Any = tinytorch.float32) -> Tensor:
    """Convert between bytes, other integers and floats, from white to white."""
    if image.dtype is dtype:
        return image
    white = on_tensor.largest(image)
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        if dtype is tinytorch.int64 or (
            dtype is tinytorch.int32 and image.dtype is tinytorch.float32
        ):
            raise RuntimeError(
                f"The cast from {image.dtype} to {dtype} cannot be performed safely."
            )
        most = tinytorch.iinfo(dtype).max
        return image.mul(most + 1.0 - 1e-3).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / white
    most = tinytorch.iinfo(dtype).max
    if white > most:
        return (image // (int(white + 1) // (most + 1))).to(dtype)
    return image.to(dtype) * ((most + 1) // int(white + 1))


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Return a tensor (C, H, W) or an array (H, W, C) as an image.

    Floats in 0 ... 1 become bytes.
    """
    if isinstance(pic, Tensor):
        if pic.dim() not in (2, 3):
            raise ValueError(
                f"pic should be 2/3 dimensional. Got {pic.dim()} dimensions."
            )
        x = pic.detach().cpu()
        x = x[None] if x.dim() == 2 else x
        if x.is_floating_point() and mode != "F":
            x = x.mul(255).to(tinytorch.uint8)
        x = x.permute(1, 2, 0)
    else:
        numpy = sys.modules.get("numpy")
        if numpy is None or not isinstance(pic, numpy.ndarray):
            raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
        if pic.ndim not in (2, 3):
            raise ValueError(
                f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions."
            )
        x = tinytorch.from_numpy(numpy.ascontiguousarray(pic))
        x = x[:, :, None] if x.dim() == 2 else x
    if x.size(2) > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {x.size(2)} channels.")
    if x.dtype is tinytorch.uint8 and mode in (None, "L", "LA", "RGB", "RGBA"):
        image = _image.from_pixels(x[:, :, 0] if x.size(2) == 1 else x)
        return image if mode in (None, image.mode) else image.convert(mode)
    module = _image.require_pillow(f"an image of {x.dtype}")
    array = x.contiguous().numpy()
    made = module.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    return made if mode in (None, made.mode) else made.convert(mode)


def normalize(
    tensor: Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    inplace: bool = False,
) -> Tensor:
    """Subtract a mean and divide by a deviation, per channel of (..., C, H, W)."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.dim() < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got "
            f"tensor.size() = {tensor.size()}"
        )
    shift, scale = moments(mean, std, tensor.dtype)
    y = tensor if inplace else tensor.clone()
    return y.sub_(shift).div_(scale)


def moments(mean: Any, std: Any, dtype: Any) -> tuple[Tensor, Tensor]:
    """Return mean and deviation per channel in the shape that broadcasts."""
    shift = tinytorch.as_tensor(mean, dtype=dtype)
    scale = tinytorch.as_tensor(std, dtype=dtype)
    if (scale == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division "
            "by zero."
        )
    if shift.dim() == 1:
        shift = shift.view(-1, 1, 1)
    if scale.dim() == 1:
        scale = scale.view(-1, 1, 1)
    return shift, scale


def erase(
    img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False
) -> Tensor:
    """Write ``v`` over a box of a tensor."""
    y = img if inplace else img.clone()
    y[..., i : i + h, j : j + w] = v
    return y
