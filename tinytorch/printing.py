"""The text of a tensor: what ``repr`` and ``str`` show, equal to PyTorch's.

Printing takes views and ``tolist`` only. It runs no kernel, so it leaves no trace in a
recorded program and costs the same for a large tensor as for its printed corners.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import tinytorch
from tinytorch._typing import Any

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_repr"]


class _Options:  # a plain class: dataclasses would double the time of the import
    def __init__(self) -> None:
        self.precision = 4
        self.threshold: float = 1000
        self.edgeitems = 3
        self.linewidth = 80
        self.sci_mode: bool | None = None


_options = _Options()

# precision, threshold, edgeitems, linewidth
_PROFILES: dict[str, tuple[int, float, int, int]] = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, math.inf, 3, 80),
}


# ---- options ----


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is not given stays, except ``sci_mode``.

    Args:
        precision: Digits after the decimal point.
        threshold: Tensors with more elements are summarised.
        edgeitems: Elements shown at each end of a summarised dimension.
        linewidth: Characters per line.
        profile: ``"default"``, ``"short"`` or ``"full"``, applied first.
        sci_mode: Scientific notation always, never, or (None) where it is needed.

    Example:
        >>> set_printoptions(precision=2)
        >>> tinytorch.tensor([1.23456])
        tensor([1.23])
        >>> set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions: expected profile in {sorted(_PROFILES)}, "
                f"got {profile!r}"
            )
        (
            _options.precision,
            _options.threshold,
            _options.edgeitems,
            _options.linewidth,
        ) = _PROFILES[profile]
    if precision is not None:
        _options.precision = precision
    if threshold is not None:
        _options.threshold = threshold
    if edgeitems is not None:
        _options.edgeitems = edgeitems
    if linewidth is not None:
        _options.linewidth = linewidth
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the options as a dictionary that ``set_printoptions(**d)`` restores."""
    return dict(vars(_options))


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set options as ``set_printoptions`` does for the length of a ``with`` block."""
    before = get_printoptions()
    try:
        set_printoptions(**options)
        yield
    finally:
        set_printoptions(**before)


# ---- numbers ----


class _Formatter:
    """Choose one notation and one width for all the numbers of a tensor."""

    def __init__(self, values: list[Any], floating: bool) -> None:
        self.floating = floating
        self.integral = True
        self.scientific = False
        self.width = 1
        if not floating:
            self.width = max((len(f"{v}") for v in values), default=1)
            return

        numbers = [v for v in values if v != 0 and math.isfinite(v)]
        if not numbers:
            return
        magnitudes = [abs(v) for v in numbers]
        low, high = min(magnitudes), max(magnitudes)
        self.integral = all(v == math.floor(v) for v in numbers)
        if _options.sci_mode is None:
            self.scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        else:
            self.scientific = _options.sci_mode
        self.width = max(len(self._number(v)) for v in numbers)

    def _number(self, value: float) -> str:
        if not self.floating:
            return f"{value}"
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        if self.integral:  # "3." tells a float from an int
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{_options.precision}f}"

    def __call__(self, value: Any) -> str:
        return self._number(value).rjust(self.width)


class _ComplexFormatter:
    def __init__(self, values: list[complex]) -> None:
        self.real = _Formatter([v.real for v in values], True)
        self.imag = _Formatter([v.imag for v in values], True)
        self.width = self.real.width + self.imag.width + 1  # the j

    def __call__(self, value: complex) -> str:
        imag = (self.imag(value.imag) + "j").lstrip()
        sign = "" if imag[0] in "+-" else "+"
        return self.real(value.real) + sign + imag


# ---- nested brackets ----


def _corners(t: Any) -> Any:
    """``t.tolist()`` of a summarised tensor: only the ends of long dimensions."""
    edge = _options.edgeitems
    n = t.shape[0]
    if t.dim() == 1:
        if n <= 2 * edge:
            return t.tolist()
        return t[:edge].tolist() + t[n - edge :].tolist()
    if n <= 2 * edge:
        return [_corners(t[i]) for i in range(n)]
    return [_corners(t[i]) for i in (*range(edge), *range(n - edge, n))]


def _flat(values: Any, dim: int) -> list[Any]:
    if dim == 0:
        return [values]
    for _ in range(dim - 1):
        values = [v for row in values for v in row]
    return list(values)


def _brackets(
    values: Any,
    shape: tuple[int, ...],
    indent: int,
    summarise: bool,
    formatter: _Formatter | _ComplexFormatter,
) -> str:
    """Lay out nested lists; ``shape`` is the tensor's own, to see what was left out."""
    if not shape:
        return formatter(values)
    edge = _options.edgeitems
    cut = summarise and shape[0] > 2 * edge
    if len(shape) == 1:
        words = [formatter(v) for v in values]
        if cut:
            words.insert(edge, " ...")
        per_line = max(1, (_options.linewidth - indent) // (formatter.width + 2))
        lines = [
            ", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)
        ]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_brackets(v, shape[1:], indent + 1, summarise, formatter) for v in values]
    if cut:
        rows.insert(edge, "...")
    gap = "," + "\n" * (len(shape) - 1) + " " * (indent + 1)
    return "[" + gap.join(rows) + "]"


def _contents(t: Any, indent: int) -> str:
    shape = tuple(t.shape)
    summarise = t.numel() > _options.threshold and len(shape) > 0
    if summarise and not _options.edgeitems:
        return "[...]"
    values = _corners(t) if summarise else t.tolist()
    flat = _flat(values, len(shape))
    formatter = (
        _ComplexFormatter(flat)
        if t.dtype.is_complex
        else _Formatter(flat, t.dtype.is_floating_point)
    )
    return _brackets(values, shape, indent, summarise, formatter)


# ---- the whole text ----


def _implied(dtype: Any) -> bool:
    """Whether the printed numbers alone tell the dtype."""
    default = tinytorch.get_default_dtype()
    if dtype.is_complex:
        return bool((dtype.itemsize == 16) == (default.itemsize == 8))
    return dtype in (default, tinytorch.int64, tinytorch.bool)


def _suffixes(t: Any) -> list[str]:
    suffixes = []
    device, shape, empty = t.device, tuple(t.shape), t.numel() == 0
    if device.type != "cpu":
        suffixes.append(f"device='{device}'")
    hidden = len(shape) != 1 if empty else not _options.edgeitems
    if device.type == "meta" or hidden:
        suffixes.append(f"size={shape}")
    if device.type == "meta" or empty:  # no element shows whether it is an int
        if t.dtype != tinytorch.get_default_dtype():
            suffixes.append(f"dtype={t.dtype}")
    elif not _implied(t.dtype):
        suffixes.append(f"dtype={t.dtype}")
    node = t.grad_fn
    if node is not None:
        suffixes.append(f"grad_fn=<{node.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def tensor_repr(t: Any) -> str:
    """Return the text of a tensor.

    Example:
        >>> tensor_repr(tinytorch.tensor([1, 2]))
        'tensor([1, 2])'
    """
    plain = type(t) in (tinytorch.Tensor, tinytorch.nn.Parameter)
    prefix = "tensor(" if plain else f"{type(t).__name__}("
    indent = len(prefix)
    if t.device.type == "meta":
        text = prefix + "..."
    elif t.numel() == 0:
        text = prefix + "[]"
    else:
        text = prefix + _contents(t.detach(), indent)

    # PyTorch counts one character more than the last line has
    column = len(text) - text.rfind("\n") + 1
    for suffix in _suffixes(t):
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    text += ")"
    if isinstance(t, tinytorch.nn.Parameter) and not plain:
        text = f"Parameter({text})"
    return text
