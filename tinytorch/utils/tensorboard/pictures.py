"""Images as PNG bytes: from tensors, arrays and matplotlib's figures, no dependency."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor

__all__ = ["as_bytes_image", "image_grid", "png", "figure_image", "draw_boxes"]


def as_tensor(value: Any) -> Tensor:
    """Return a tensor of a tensor, an array or nested lists, without gradient."""
    x = value if isinstance(value, Tensor) else torch.as_tensor(value)
    return x.detach().cpu()


def image_grid(images: Tensor, columns: int = 8) -> Tensor:
    """Return images (N, C, H, W) side by side as one (C, rows H, columns W)."""
    n, c, h, w = images.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    if rows * columns > n:
        blank = images.new_zeros((rows * columns - n, c, h, w))
        images = torch.cat([images, blank])
    tiles = images.reshape(rows, columns, c, h, w)
    return tiles.permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)


def as_bytes_image(value: Any, dataformats: str) -> Tensor:
    """Return an image as uint8 (H, W, C), with C of 1, 3 or 4.

    The letters of `dataformats` say what the dimensions are: N images, C channels, H
    rows, W columns.  Floating-point images go from 0 to 1, integer ones from 0 to 255.
    """
    x = as_tensor(value)
    letters = dataformats.upper()
    if len(set(letters)) != len(letters) or not set(letters) <= set("NCHW"):
        raise AssertionError(
            f"The input shape is not a valid format: {dataformats!r}; "
            "expected letters of N, C, H and W"
        )
    if x.dim() != len(letters):
        raise AssertionError(
            "size of input tensor and input format are different. "
            f"tensor shape: {tuple(x.shape)}, input_format: {dataformats}"
        )
    if "C" not in letters:
        x, letters = x.unsqueeze(0), "C" + letters
    if "N" in letters:
        x = image_grid(x.permute([letters.index(d) for d in "NCHW"]))
        letters = "CHW"
    x = x.permute([letters.index(d) for d in "HWC"])
    if x.shape[2] == 2 or x.shape[2] > 4:
        raise ValueError(f"expected 1, 3 or 4 channels, got {x.shape[2]}")
    if x.is_floating_point():
        x = (x * 255).clamp(0, 255)
    elif x.dtype == torch.bool:
        x = x.to(torch.uint8) * 255
    return x.to(torch.uint8).contiguous()


def draw_boxes(image: Tensor, boxes: Any, labels: Any = None) -> Tensor:
    """Return an image (H, W, C) with red frames: rows of (x0, y0, x1, y1)."""
    if labels is not None:
        raise NotImplementedError("labels of boxes need a font, which is not supported")
    image = image.expand(-1, -1, 3).clone() if image.shape[2] == 1 else image.clone()
    red = torch.tensor([255, 0, 0, 255][: image.shape[2]], dtype=torch.uint8)
    height, width = image.shape[:2]
    for x0, y0, x1, y1 in as_tensor(boxes).round().long().tolist():
        left, right = sorted((min(max(x0, 0), width - 1), min(max(x1, 0), width - 1)))
        top, low = sorted((min(max(y0, 0), height - 1), min(max(y1, 0), height - 1)))
        for row in (top, low):
            image[row, left : right + 1] = red
        for column in (left, right):
            image[top : low + 1, column] = red
    return image


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(image: Tensor) -> bytes:
    """Return a uint8 image (H, W, C) as a PNG file."""
    height, width, channels = image.shape
    color = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    # every row begins with the number of its filter, 0 for none
    flat = image.reshape(height, width * channels)
    rows = torch.cat([flat.new_zeros((height, 1)), flat], 1)
    data = zlib.compress(bytes(memoryview(rows.contiguous().numpy())), 6)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def figure_image(figure: Any, close: bool) -> Tensor:
    """Return a matplotlib figure as a uint8 image (H, W, 4)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    image = torch.as_tensor(memoryview(canvas.buffer_rgba()).tolist())
    if close:
        import matplotlib.pyplot

        matplotlib.pyplot.close(figure)
    return image.to(torch.uint8)
