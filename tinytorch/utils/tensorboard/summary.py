"""Summary values: what TensorBoard's scalars, histograms, images and texts hold."""

from __future__ import annotations

import io
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.utils.tensorboard.messages import (
    blob,
    boolean,
    double,
    doubles,
    integer,
    single,
    text,
)
from tinytorch.utils.tensorboard.pictures import as_tensor, png

__all__ = [
    "scalar", "histogram", "histogram_raw", "image", "audio", "text_summary", "hparams",
    "pr_curve",
]


def number(value: Any) -> float:
    """Return a number of a number, a tensor or an array of one element."""
    if hasattr(value, "item"):
        value = value.item()
    return float(value)


def _value(tag: str, content: bytes, plugin: bytes = b"") -> bytes:
    """Return a summary's value: the tag, what is shown, and which plugin shows it."""
    metadata = blob(9, plugin) if plugin else b""
    return blob(1, text(1, tag) + metadata + content)


def _plugin(name: str, content: bytes = b"") -> bytes:
    data = text(1, name) + (blob(2, content) if content else b"")
    return blob(1, data)


# ---- scalars ----

FLOAT, DOUBLE, STRING = 1, 2, 7  # TensorFlow's dtypes


def scalar(
    tag: str, value: Any, new_style: bool = False, double_precision: bool = False
) -> bytes:
    """Return a scalar; `new_style` stores it as a tensor, in float32 or float64."""
    x = number(value)
    if not new_style:
        return _value(tag, single(2, x))
    if double_precision:
        tensor = integer(1, DOUBLE) + doubles(6, [x])
    else:
        tensor = integer(1, FLOAT) + single(5, x)
    return _value(tag, blob(8, tensor), _plugin("scalars"))


# ---- histograms ----


def default_limits() -> list[float]:
    """Return edges that grow by a tenth, from 1e-12 to 1e20, on both sides of zero."""
    positive = []
    edge = 1e-12
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return [-v for v in reversed(positive)] + [0.0] + positive


def _proto(
    low: float, high: float, n: float, total: float, squares: float,
    limits: list[float], counts: list[float],
) -> bytes:
    return (
        double(1, low) + double(2, high) + double(3, n) + double(4, total)
        + double(5, squares) + doubles(6, limits) + doubles(7, counts)
    )


def _bin_edges(x: Tensor, bins: Any) -> Tensor:
    if bins == "tensorflow":
        return torch.tensor(default_limits(), dtype=torch.float64)
    if isinstance(bins, int):
        low, high = x.min().item(), x.max().item()
        if low == high:
            low, high = low - 0.5, high + 0.5
        return torch.linspace(low, high, bins + 1, dtype=torch.float64)
    if isinstance(bins, str):  # a rule of NumPy: auto, fd, sturges, ...
        import numpy

        edges = numpy.histogram_bin_edges(x.numpy(), bins)
        return torch.as_tensor(edges, dtype=torch.float64)
    return torch.as_tensor(bins, dtype=torch.float64)


def histogram(
    tag: str, values: Any, bins: Any = "tensorflow", max_bins: int | None = None
) -> bytes:
    """Return a histogram of all elements.

    A bin holds what is at least its lower edge and below its upper one; the last also
    what equals its upper edge.  Empty bins at both ends are cut off.
    """
    x = as_tensor(values).reshape(-1).to(torch.float64)
    if x.numel() == 0:
        raise ValueError("The input has no element.")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("histogram: expected finite values, got nan or inf")
    edges = _bin_edges(x, bins)
    if max_bins is not None and edges.numel() - 1 > max_bins:
        step = (edges.numel() - 1) // max_bins
        edges = torch.cat([edges[:-1:step], edges[-1:]])
    n = edges.numel() - 1
    place = torch.searchsorted(edges, x, right=True) - 1
    place[x == edges[-1]] = n - 1
    inside = (place >= 0) & (place < n)
    counts = torch.bincount(place[inside], minlength=n)
    filled = counts.nonzero().reshape(-1)
    if filled.numel() == 0:
        raise ValueError("The histogram is empty, please file a bug report.")
    first, last = int(filled[0]), int(filled[-1]) + 1
    # one empty bin in front, so that the first one has a lower edge in the drawing
    upper = edges[first : last + 1].tolist()
    shown = [0.0, *counts[first:last].to(torch.float64).tolist()]
    proto = _proto(
        x.min().item(), x.max().item(), x.numel(), x.sum().item(),
        x.square().sum().item(), upper, shown,
    )
    return _value(tag, blob(5, proto))


def histogram_raw(
    tag: str, low: Any, high: Any, n: Any, total: Any, squares: Any,
    limits: Any, counts: Any,
) -> bytes:
    """Return a histogram that was counted already."""
    limits = [float(v) for v in limits]
    counts = [float(v) for v in counts]
    if len(limits) != len(counts):
        raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
    proto = _proto(
        number(low), number(high), number(n), number(total), number(squares),
        limits, counts,
    )
    return _value(tag, blob(5, proto))


# ---- images, sound, text ----


def image(tag: str, picture: Tensor) -> bytes:
    """Return a uint8 image (H, W, C)."""
    height, width, channels = picture.shape
    content = integer(1, height) + integer(2, width) + integer(3, channels)
    return _value(tag, blob(4, content + blob(4, png(picture))))


def audio(tag: str, samples: Any, rate: int) -> bytes:
    """Return sound, numbers between -1 and 1, as a 16-bit WAV file."""
    import wave

    x = as_tensor(samples).reshape(-1).to(torch.float64)
    if float(x.abs().max()) > 1:
        x = x.clamp(-1, 1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((x * 32767).to(torch.int16).contiguous().numpy().tobytes())
    content = (
        single(1, rate) + integer(2, 1) + integer(3, x.numel())
        + blob(4, file.getvalue()) + text(5, "audio/wav")
    )
    return _value(tag, blob(6, content))


def text_summary(tag: str, words: str) -> bytes:
    """Return a text, which TensorBoard reads as Markdown."""
    shape = blob(2, integer(1, 1))
    tensor = integer(1, STRING) + blob(2, shape) + text(8, words)
    return _value(f"{tag}/text_summary", blob(8, tensor), _plugin("text"))


# ---- hyperparameters ----

TYPE_STRING, TYPE_BOOL, TYPE_NUMBER = 1, 2, 3
SUCCESS = 1


def _json_value(value: Any) -> tuple[bytes, int]:
    """Return a google.protobuf.Value and the type of its column."""
    if isinstance(value, bool):
        return boolean(4, value), TYPE_BOOL
    if isinstance(value, str):
        return text(3, value), TYPE_STRING
    if isinstance(value, (int, float)) or hasattr(value, "item"):
        return double(2, number(value)), TYPE_NUMBER
    raise ValueError(
        "value should be one of int, float, str, bool, or torch.Tensor"
    )


def hparams(
    hparam_dict: dict[str, Any],
    metric_dict: dict[str, Any],
    hparam_domain_discrete: dict[str, list[Any]] | None = None,
    now: float = 0.0,
) -> tuple[bytes, bytes, bytes]:
    """Return the experiment, the start and the end of a session."""
    for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict)):
        if not isinstance(given, dict):
            raise TypeError(f"{name} should be a dictionary, nothing logged.")
    domains = hparam_domain_discrete or {}
    unknown = set(domains) - set(hparam_dict)
    if unknown:
        raise TypeError(
            f"parameter: hparam_domain_discrete: {sorted(unknown)} not in hparam_dict"
        )
    columns, start = b"", b""
    for name, value in hparam_dict.items():
        if value is None:
            continue
        encoded, kind = _json_value(value)
        start += blob(1, text(1, name) + blob(2, encoded))
        column = text(1, name) + integer(4, kind)
        if name in domains:
            choices = b"".join(blob(1, _json_value(v)[0]) for v in domains[name])
            column += blob(5, choices)
        columns += blob(4, column)
    metrics = b"".join(blob(5, blob(1, text(2, name))) for name in metric_dict)
    experiment = blob(2, columns + metrics)
    session_start = blob(3, start + double(5, now))
    session_end = blob(4, integer(1, SUCCESS) + double(2, now))
    tags = ("experiment", "session_start_info", "session_end_info")
    parts = (experiment, session_start, session_end)
    return tuple(  # type: ignore[return-value]
        _value(f"_hparams_/{tag}", b"", _plugin("hparams", part))
        for tag, part in zip(tags, parts, strict=True)
    )


# ---- precision and recall ----


def pr_curve(
    tag: str, labels: Any, predictions: Any, num_thresholds: int = 127,
    weights: Any = None,
) -> bytes:
    """Return precision and recall at evenly spaced thresholds."""
    y = as_tensor(labels).reshape(-1).to(torch.float64)
    p = as_tensor(predictions).reshape(-1).to(torch.float64)
    w = torch.ones_like(p) if weights is None else as_tensor(weights).reshape(-1)
    n = min(num_thresholds, 127)  # TensorBoard shows no more
    bucket = (p * (n - 1)).floor().long()
    above = []
    for mass in (w.to(torch.float64) * y, w.to(torch.float64) * (1 - y)):
        counts = torch.zeros(n, dtype=torch.float64).index_add_(0, bucket, mass)
        above.append(counts.flip(0).cumsum(0).flip(0))
    tp, fp = above
    tn, fn = fp[0] - fp, tp[0] - tp
    least = 1e-7
    precision = tp / (tp + fp).clamp(min=least)
    recall = tp / (tp + fn).clamp(min=least)
    rows = torch.stack([tp, fp, tn, fn, precision, recall])
    shape = blob(2, integer(1, 6)) + blob(2, integer(1, n))
    floats = rows.to(torch.float32).contiguous().numpy().tobytes()
    tensor = integer(1, FLOAT) + blob(2, shape) + blob(4, floats)
    content = integer(1, 0) + integer(2, n)
    return _value(tag, blob(8, tensor), _plugin("pr_curves", content))

