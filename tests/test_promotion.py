"""Type promotion against PyTorch: all dtypes x {tensor, 0-d tensor, Python scalar}.

Each test builds the whole table for one op and expects no difference; where PyTorch
raises, tinytorch raises too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from oracle import DTYPES

NAMES = list(DTYPES.values())
SCALARS = (True, 2, 2.5)
BINARY = """
    add sub mul div floor_divide remainder fmod pow atan2 hypot maximum minimum fmax
    eq lt logical_and bitwise_and bitwise_left_shift copysign logaddexp xlogy
    heaviside gcd true_divide float_power rsub nextafter
    """.split()
UNARY = """
    abs neg sign square sqrt exp sin sigmoid tanh erf ceil round trunc reciprocal
    logical_not bitwise_not isnan isfinite signbit relu nan_to_num log1p angle
    deg2rad positive frac sinc logit expm1 rsqrt floor isinf exp2 lgamma digamma
    erfinv
    """.split()
REDUCTIONS = """
    sum prod mean amax argmax all any cumsum cumprod var std nansum logsumexp norm
    count_nonzero median max min cummax logcumsumexp softmax
    """.split()
ALONG_A_DIM = "cumsum cumprod logsumexp cummax logcumsumexp softmax".split()


def operands(library: Any) -> Iterator[tuple[str, Any]]:
    """Yield (label, operand) for every dtype as a vector and 0-d, and each scalar."""
    for name in NAMES:
        dtype = getattr(library, name)
        yield f"{name}[2]", library.ones(2, dtype=dtype)
        yield f"{name}[]", library.ones((), dtype=dtype)
    for scalar in SCALARS:
        yield type(scalar).__name__, scalar


def pairs(library: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield every pair of operands of which one at least is a tensor."""
    both = itertools.product(operands(library), repeat=2)
    for (one, a), (other, b) in both:
        if not (
            isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float))
        ):
            yield f"({one}, {other})", a, b


def name_of(call: Callable[[], Any]) -> str:
    """Return the dtype's name of a call's result, or that it raised."""
    try:
        result = call()
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return "raises"
    if isinstance(result, tuple):
        result = result[0]
    dtype = getattr(result, "dtype", result)
    return str(dtype).rpartition(".")[2]


def differences(make: Callable[[Any], Iterator[tuple[str, Callable[[], Any]]]]) -> list:
    """Return the rows in which the two libraries give different dtypes."""
    rows = []
    for (label, ours), (_, theirs) in zip(make(tt), make(torch), strict=True):
        actual, expected = name_of(ours), name_of(theirs)
        if actual != expected:
            rows.append(f"{label}: PyTorch {expected}, tinytorch {actual}")
    return rows


def test_result_type_table() -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        for label, a, b in pairs(library):
            yield label, lambda a=a, b=b: library.result_type(a, b)

    assert differences(make) == []


@pytest.mark.parametrize("function", ["promote_types", "can_cast"])
def test_dtype_pair_table(function: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        for one, other in itertools.product(NAMES, repeat=2):
            a, b = getattr(library, one), getattr(library, other)
            yield f"{one}, {other}", lambda a=a, b=b: getattr(library, function)(a, b)

    assert differences(make) == []


@pytest.mark.parametrize("op", BINARY)
def test_binary_op_table(op: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        function = getattr(library, op)
        for label, a, b in pairs(library):
            yield label, lambda a=a, b=b: function(a, b)

    assert differences(make) == []


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "//", "%", "**", "&", "<<", "=="])
def test_operator_table(op: str) -> None:
    code = compile(f"a {op} b", "table", "eval")

    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        for label, a, b in pairs(library):
            yield label, lambda a=a, b=b: eval(code, {"a": a, "b": b})

    assert differences(make) == []


@pytest.mark.parametrize("op", ["add_", "mul_", "div_", "floor_divide_", "pow_", "eq_"])
def test_inplace_table(op: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        for label, a, b in pairs(library):
            if isinstance(a, library.Tensor):
                yield label, lambda a=a, b=b: getattr(a.clone(), op)(b)

    assert differences(make) == []


@pytest.mark.parametrize("op", ["add", "div", "eq", "maximum"])
def test_out_table(op: str) -> None:
    """The result is computed in the promoted type and must be castable to out's."""

    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        function = getattr(library, op)
        for one, other, target in itertools.product(NAMES, repeat=3):
            a, b, y = (
                library.ones(2, dtype=getattr(library, name))
                for name in (one, other, target)
            )
            label = f"{one}, {other} -> {target}"
            yield label, lambda a=a, b=b, y=y: function(a, b, out=y)

    assert differences(make) == []


@pytest.mark.parametrize("op", ["where", "lerp", "addcmul", "addcdiv", "clamp"])
def test_ternary_op_table(op: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        function = getattr(library, op)
        keep = library.tensor([True, False])
        for label, a, b in pairs(library):
            if op == "where":
                yield label, lambda a=a, b=b: function(keep, a, b)
            elif op == "lerp":
                yield label, lambda a=a, b=b: function(a, a, b)
            elif op == "clamp":
                yield label, lambda a=a, b=b: function(a, b)
            else:
                yield label, lambda a=a, b=b: function(a, b, b)

    assert differences(make) == []


@pytest.mark.parametrize("op", ["cat", "stack"])
def test_joining_table(op: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        function = getattr(library, op)
        for one, other in itertools.product(NAMES, repeat=2):
            a, b = (library.ones(2, dtype=getattr(library, n)) for n in (one, other))
            yield f"{one}, {other}", lambda a=a, b=b: function([a, b])

    assert differences(make) == []


@pytest.mark.parametrize("op", UNARY + REDUCTIONS)
def test_unary_op_table(op: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        function = getattr(library, op)
        dim = (
            (0,) if op in "cumsum cumprod logsumexp cummax logcumsumexp softmax" else ()
        )
        for name in NAMES:
            for shape in ((2,), ()):
                if op in ("var", "std") and not shape:
                    continue  # one element: warns, see test_seed_defects.py
                x = library.ones(shape, dtype=getattr(library, name))
                yield f"{name}{shape}", lambda x=x: function(x, *dim)

    assert differences(make) == []


@pytest.mark.parametrize("op", ["mm", "matmul", "dot", "bmm", "mv"])
def test_product_table(op: str) -> None:
    shapes = {
        "mm": ((2, 2), (2, 2)),
        "matmul": ((2, 2), (2,)),
        "dot": ((2,), (2,)),
        "bmm": ((1, 2, 2), (1, 2, 2)),
        "mv": ((2, 2), (2,)),
    }[op]

    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        for names in itertools.product(NAMES, repeat=2):
            a, b = (
                library.ones(shape, dtype=getattr(library, name))
                for shape, name in zip(shapes, names, strict=True)
            )
            yield ", ".join(names), lambda a=a, b=b: getattr(library, op)(a, b)

    assert differences(make) == []


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_default_dtype_decides_for_integers(default: str) -> None:
    def make(library: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        x = library.ones(2, dtype=library.int64)
        rows = {
            "int / int": lambda: x / x,
            "int + 1.5": lambda: x + 1.5,
            "sin(int)": lambda: library.sin(x),
            "tensor(1.5)": lambda: library.tensor(1.5),
            "arange(1.5)": lambda: library.arange(1.5),
            "mean of int": lambda: library.mean(x),
            "full": lambda: library.full((2,), 1.5),
        }
        yield from rows.items()

    try:
        tt.set_default_dtype(getattr(tt, default))
        torch.set_default_dtype(getattr(torch, default))
        assert differences(make) == []
    finally:
        tt.set_default_dtype(tt.float32)
        torch.set_default_dtype(torch.float32)
