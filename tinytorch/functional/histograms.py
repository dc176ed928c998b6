"""Histograms of one and of several dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.ranges import linspace
from tinytorch._core.ops.search import bincount, searchsorted
from tinytorch._core.ops.select import where
from tinytorch._core.return_types import named_result
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import float32, float64
from tinytorch._typing import Any

__all__ = ["histogram", "histogramdd"]
METHODS = ["histogram"]

_Histogram = named_result("histogram", "hist bin_edges")
_HistogramDD = named_result("histogramdd", "hist bin_edges")


def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """Return how many elements fall between edges, and the edges.

    Args:
        bins: the number of equal parts of `range`, or the edges themselves.
        weight: what each element counts.
        density: whether the result is divided so that its integral is 1.

    Example:
        >>> histogram(tensor([1.0, 2.0, 3.0]), 2).hist.tolist()
        [1.0, 2.0]
    """
    points = input.detach().reshape(-1, 1)
    flat = None if weight is None else weight.detach().flatten()
    if weight is not None and weight.shape != input.shape:
        _refuse_weight(points, weight)
    edges = _edges(points, [bins], range)
    hist = _count(points, edges, flat, density)
    if out is None:
        return _Histogram(hist, edges[0])
    return _Histogram(delivered(hist, out[0]), delivered(edges[0], out[1]))


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return how many points, the rows of the last dimension, fall into boxes.

    Args:
        bins: the parts along each coordinate: a number for all, or for each a number or
            its edges.
        range: least and most of each coordinate, one after the other.

    Example:
        >>> histogramdd(tensor([[0.0, 1.0], [1.0, 0.0]]), 2).hist.tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    if input.ndim == 0:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    dims = input.shape[-1]
    parts = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(parts) != dims:
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost "
            "dimension of the input."
        )
    points = input.detach().reshape(-1, dims)
    if weight is not None and weight.shape != input.shape[:-1]:
        _refuse_weight(input, weight)
    edges = _edges(points, parts, range)
    flat = None if weight is None else weight.detach().flatten()
    return _HistogramDD(_count(points, edges, flat, density), tuple(edges))


def _refuse_weight(x: Tensor, weight: Tensor) -> None:
    raise RuntimeError(
        "torch.histogramdd: if weight tensor is provided it should have the same shape "
        "as the input tensor excluding its innermost dimension, but got input with "
        f"shape {list(x.shape)} and weight with shape {list(weight.shape)}"
    )


def _count(
    points: Tensor, edges: list[Tensor], weight: Tensor | None, density: bool
) -> Tensor:
    """The points (n, dims) or their weights, counted by boxes."""
    sizes = [one.shape[0] - 1 for one in edges]
    boxes = math.prod(sizes)
    place: Any = 0
    inside: Any = True
    for d, one in enumerate(edges):
        x = points[:, d].contiguous()
        # The last part includes its upper edge.
        at = (searchsorted(one, x, right=True) - 1).clamp(max=sizes[d] - 1)
        inside = (x >= one[0]) & (x <= one[sizes[d]]) & inside
        place = place * sizes[d] + at
    weight = None if weight is None else weight.to(points.dtype)
    hist = bincount(where(inside, place, boxes), weight, boxes + 1)[:boxes]
    hist = hist.to(points.dtype).reshape(sizes)
    if density:
        hist = hist / hist.sum()
        for d, one in enumerate(edges):
            shape = [1] * len(edges)
            shape[d] = -1
            hist = hist / (one[1:] - one[:-1]).reshape(shape)
    return hist


# ---- edges ----


def _edges(
    points: Tensor, bins: list[Any], limits: Sequence[float] | None
) -> list[Tensor]:
    """Those that are given, and equal parts of the limits for the others."""
    if points.dtype not in (float32, float64):
        word = points.dtype.name.replace("int64", "Long").replace("int32", "Int")
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{word}'")
    dims = len(bins)
    if limits is not None and len(limits) != 2 * dims:
        raise RuntimeError(
            f"torch.histogramdd: for a {dims}-dimensional histogram range should have "
            f"{2 * dims} elements, but got {len(limits)}"
        )
    edges = []
    for d, one in enumerate(bins):
        if isinstance(one, Tensor):
            edges.append(_given(points, one, d))
            continue
        if one <= 0:
            raise RuntimeError(
                f"torch.histogram(): bins must be > 0, but got {one} for dimension {d}"
            )
        pair = None if limits is None else (limits[2 * d], limits[2 * d + 1])
        least, most = _limits(points[:, d], pair, d)
        edges.append(linspace(least, most, one + 1, dtype=points.dtype))
    return edges


def _given(points: Tensor, edges: Tensor, d: int) -> Tensor:
    if edges.ndim != 1:
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have one dimension, but got "
            f"{edges.ndim} dimensions in the bins tensor for dimension {d}"
        )
    if edges.numel() == 0:
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have at least 1 element, but got 0 "
            f"elements in the bins tensor for dimension {d}"
        )
    if edges.numel() == 1:
        raise RuntimeError(
            f"torch.histogram(): bins must be > 0, but got 0 for dimension {d}"
        )
    if edges.dtype != points.dtype:
        words = ["double" if x.dtype == float64 else "float" for x in (points, edges)]
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same "
            f"dtype, but got input with dtype {words[0]} and bins for dimension {d} "
            f"with dtype {words[1]}"
        )
    return edges.detach().clone()


def _limits(x: Tensor, given: Sequence[float] | None, d: int) -> tuple[float, float]:
    if given is not None:
        least, most = float(given[0]), float(given[1])
    elif x.numel() == 0:
        least, most = 0.0, 1.0
    else:
        least, most = float(x.min()), float(x.max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise RuntimeError(
            f"torch.histogramdd: dimension {d}'s range [{least:g}, "
            f"{most:g}] is not finite"
        )
    if least > most:
        raise RuntimeError(
            "torch.histogramdd: min should not exceed max, but got min "
            f"{least:g} max {most:g} for dimension {d}"
        )
    return (least - 0.5, most + 0.5) if least == most else (least, most)
