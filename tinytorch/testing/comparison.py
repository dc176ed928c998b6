"""``assert_close``: compare tensors, numbers and containers of them, and say where not.

    |actual - expected| <= atol + rtol * |expected|

Everything is paired up first: a wrong structure is reported before wrong values.
"""

from __future__ import annotations

import cmath
import contextlib
import numbers
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tinytorch

__all__ = ["assert_allclose", "assert_close"]

# rtol, atol by dtype; others are compared exactly
_TOLERANCES: dict[str, tuple[float, float]] = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}

_NUMBER_DTYPES = {int: "int64", float: "float64", complex: "complex128"}

Path = tuple[Any, ...]
Message = str | Callable[[str], str] | None


class _Mismatch(Exception):
    """What is wrong, and at which place of nested containers."""

    def __init__(self, kind: type[Exception], text: str, path: Path) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.path = path

    def to_error(self, msg: Message) -> Exception:
        text = self.text
        if self.path:
            place = "".join(f"[{step!r}]" for step in self.path)
            text += f"\n\nThe failure occurred for item {place}"
        if callable(msg):
            text = msg(text)
        elif msg is not None:
            text = msg
        return self.kind(text)


class _Options(NamedTuple):
    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, names: tuple[str, str], path: Path) -> tuple[float, float]:
        """The tolerances given, or the looser defaults of two dtypes."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        if (self.rtol is None) != (self.atol is None):
            missing = "rtol" if self.rtol is None else "atol"
            raise _Mismatch(
                ValueError,
                "Both 'rtol' and 'atol' must be either specified or omitted, but got "
                f"no {missing}.",
                path,
            )
        pairs = [_TOLERANCES.get(name, (0.0, 0.0)) for name in names]
        return max(r for r, _ in pairs), max(a for _, a in pairs)


Check = Callable[[], None]


# ---- pairing up ----


def _checks(actual: Any, expected: Any, path: Path, o: _Options) -> Iterator[Check]:
    """One comparison per pair of leaves; raises where the structures differ."""
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise _Mismatch(
                AssertionError,
                "The length of the sequences mismatch: "
                f"{len(actual)} != {len(expected)}",
                path,
            )
        for i in range(len(actual)):
            yield from _checks(actual[i], expected[i], (*path, i), o)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing = sorted(set(expected) - set(actual))
            additional = sorted(set(actual) - set(expected))
            raise _Mismatch(
                AssertionError,
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {additional}",
                path,
            )
        keys = list(actual)
        with contextlib.suppress(TypeError):
            keys.sort()
        for key in keys:
            yield from _checks(actual[key], expected[key], (*path, key), o)
    else:
        yield _leaf_check(actual, expected, path, o)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _leaf_check(actual: Any, expected: Any, path: Path, o: _Options) -> Check:
    if actual is None or expected is None:
        return lambda: _check_none(actual, expected, path)
    if _is_bool(actual) and _is_bool(expected):
        return lambda: _check_bools(bool(actual), bool(expected), path)
    if _is_number(actual) and _is_number(expected):
        actual, expected = _plain(actual), _plain(expected)
        tolerances = o.tolerances(
            (_NUMBER_DTYPES[type(actual)], _NUMBER_DTYPES[type(expected)]), path
        )
        return lambda: _check_numbers(actual, expected, tolerances, path, o)
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if related and (o.allow_subclasses or type(actual) is type(expected)):
        a, b = _as_tensor(actual), _as_tensor(expected)
        if a is not None and b is not None:
            tolerances = o.tolerances((_name(a.dtype), _name(b.dtype)), path)
            return lambda: _check_tensors(a, b, tolerances, path, o)
    raise _Mismatch(
        TypeError,
        "No comparison pair was able to handle inputs of type "
        f"{type(actual)} and {type(expected)}.",
        path,
    )


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _is_bool(x: Any) -> bool:
    return isinstance(x, bool) or type(x).__name__ in ("bool_", "bool")


def _is_number(x: Any) -> bool:
    return isinstance(x, numbers.Number) and not isinstance(x, tinytorch.Tensor)


def _plain(x: Any) -> Any:
    """A Python number for a NumPy number or a bool."""
    x = x.item() if hasattr(x, "item") else x
    return int(x) if isinstance(x, bool) else x


def _as_tensor(x: Any) -> Any:
    if isinstance(x, tinytorch.Tensor):
        return x
    try:
        return tinytorch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError):
        return None


# ---- comparing ----


def _check_none(actual: Any, expected: Any, path: Path) -> None:
    if actual is not None or expected is not None:
        raise _Mismatch(
            AssertionError, f"None mismatch: {actual} is not {expected}", path
        )


def _check_bools(actual: bool, expected: bool, path: Path) -> None:
    if actual is not expected:
        raise _Mismatch(
            AssertionError, f"Booleans mismatch: {actual} is not {expected}", path
        )


def _check_numbers(
    actual: Any, expected: Any, tolerances: tuple[float, float], path: Path, o: _Options
) -> None:
    if o.check_dtype and type(actual) is not type(expected):
        raise _Mismatch(
            AssertionError,
            f"The (d)types do not match: {type(actual)} != {type(expected)}.",
            path,
        )
    if actual == expected:
        return
    if o.equal_nan and cmath.isnan(actual) and cmath.isnan(expected):
        return
    rtol, atol = tolerances
    difference = abs(actual - expected)
    if cmath.isfinite(difference) and difference <= atol + rtol * abs(expected):
        return
    raise _Mismatch(AssertionError, _scalar_message(actual, expected, rtol, atol), path)


def _check_tensors(
    actual: Any, expected: Any, tolerances: tuple[float, float], path: Path, o: _Options
) -> None:
    attributes = [
        ("shape", actual.shape, expected.shape, True),
        ("layout", actual.layout, expected.layout, o.check_layout),
        ("stride()", actual.stride(), expected.stride(), o.check_stride),
        ("device", actual.device, expected.device, o.check_device),
        ("dtype", actual.dtype, expected.dtype, o.check_dtype),
    ]
    for name, a, b, wanted in attributes:
        if wanted and a != b:
            raise _Mismatch(
                AssertionError,
                f"The values for attribute '{name}' do not match: {a} != {b}.",
                path,
            )
    if actual.device.type == "meta" or expected.device.type == "meta":
        return
    if actual.device != expected.device:
        actual, expected = actual.cpu(), expected.cpu()
    if actual.dtype != expected.dtype:
        common = tinytorch.promote_types(actual.dtype, expected.dtype)
        actual, expected = actual.to(common), expected.to(common)
    rtol, atol = tolerances
    actual, expected = actual.detach(), expected.detach()
    matches = tinytorch.isclose(
        actual, expected, rtol=rtol, atol=atol, equal_nan=o.equal_nan
    )
    if matches.all():
        return
    text = (
        _scalar_message(actual.item(), expected.item(), rtol, atol)
        if actual.dim() == 0
        else _tensor_message(actual, expected, matches, rtol, atol)
    )
    raise _Mismatch(AssertionError, text, path)


# ---- messages ----


def _difference(
    kind: str, value: float, at: Path | None, tolerance: float, exact: bool
) -> str:
    text = (
        f"{kind.title()} difference: {value}"
        if at is None
        else f"Greatest {kind} difference: {value} at index {at}"
    )
    return text if exact else f"{text} (up to {tolerance} allowed)"


def _scalar_message(actual: Any, expected: Any, rtol: float, atol: float) -> str:
    exact = rtol == 0 and atol == 0
    absolute = abs(actual - expected)
    relative = float("inf") if expected == 0 else absolute / abs(expected)
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\n"
        f"Expected {expected} but got {actual}.\n"
        + _difference("absolute", absolute, None, atol, exact)
        + "\n"
        + _difference("relative", relative, None, rtol, exact)
    )


def _tensor_message(
    actual: Any, expected: Any, matches: Any, rtol: float, atol: float
) -> str:
    exact = rtol == 0 and atol == 0
    total = matches.numel()
    wrong = total - int(matches.sum())
    a, b, fine = actual.flatten(), expected.flatten(), matches.flatten()
    if not a.dtype.is_floating_point and not a.dtype.is_complex:
        a, b = a.to(tinytorch.int64), b.to(tinytorch.int64)  # differences may overflow
    absolute = (a - b).abs().masked_fill(fine, 0)
    relative = (absolute / b.abs()).masked_fill(fine, 0)
    lines = []
    for kind, values, tolerance in (
        ("absolute", absolute, atol),
        ("relative", relative, rtol),
    ):
        greatest, at = values.max(0)
        index = _unravel(int(at), tuple(matches.shape))
        lines.append(_difference(kind, greatest.item(), index, tolerance, exact))
    return (
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})\n"
        + "\n".join(lines)
    )


def _unravel(flat: int, shape: tuple[int, ...]) -> Path:
    index: list[int] = []
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        index.append(i)
    return tuple(reversed(index))


# ---- public ----


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raise AssertionError unless ``actual`` and ``expected`` are close.

    Args:
        actual: A tensor, a number, anything ``as_tensor`` takes, or sequences and
            mappings of these.
        expected: The same structure.
        allow_subclasses: Compare objects where one's type derives from the other's.
        rtol: Relative tolerance; with ``atol``, or both from the dtypes.
        atol: Absolute tolerance.
        equal_nan: NaN equals NaN.
        check_device: Devices must be equal.
        check_dtype: Dtypes, and types of numbers, must be equal.
        check_layout: Layouts must be equal.
        check_stride: Strides must be equal.
        msg: Replaces the message, or takes it and returns another.

    Example:
        >>> assert_close(tinytorch.ones(2), tinytorch.ones(2) + 1e-7)
    """
    __tracebackhide__ = True
    options = _Options(
        allow_subclasses,
        rtol,
        atol,
        equal_nan,
        check_device,
        check_dtype,
        check_layout,
        check_stride,
    )
    error: Exception | None = None
    try:
        checks = list(_checks(actual, expected, (), options))
    except _Mismatch as mismatch:
        error = mismatch.to_error(None)  # ``msg`` is for wrong values
        checks = []
    try:
        for check in checks:
            check()
    except _Mismatch as mismatch:
        error = mismatch.to_error(msg)
    if error is not None:
        raise error  # outside of ``except``: no chain of internal tracebacks


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The deprecated form of ``assert_close``: dtypes and devices may differ."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be "
        "removed in a future release. Please use `torch.testing.assert_close()` "
        "instead.",
        FutureWarning,
        stacklevel=2,
    )
    if not isinstance(actual, tinytorch.Tensor):
        actual = tinytorch.tensor(actual)
    if not isinstance(expected, tinytorch.Tensor):
        expected = tinytorch.tensor(expected, dtype=actual.dtype)
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )
