"""Every row of ``op_specs.py``: values, derivatives, layouts and forms.

NumPy is the reference, so that no error is shared with PyTorch.
"""

from __future__ import annotations

import inspect
import pathlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from op_specs import SPECS, OpSpec
from tolerances import tolerance

TESTS = pathlib.Path(__file__).parent
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")


def each_spec(keep: Callable[[OpSpec], bool] = lambda spec: True) -> Any:
    """Run a test for every row that ``keep`` accepts."""
    kept = [spec for spec in SPECS if keep(spec)]
    return pytest.mark.parametrize("spec", kept, ids=lambda spec: spec.id)


def function_of(spec: OpSpec) -> Callable[..., Any]:
    """Return tinytorch's function of a row."""
    found: Any = tt
    for name in spec.name.split("."):
        found = getattr(found, name)
    return found


def arrays(spec: OpSpec, shapes: Sequence[tuple[int, ...]], kind: str) -> list[Any]:
    """Make the inputs of one case in float64, int64 or bool."""
    rng = np.random.default_rng(zlib.crc32(f"{spec.id}{shapes}{kind}".encode()))
    if kind == "b":
        return [rng.random(shape) < 0.5 for shape in shapes]
    if kind == "i":
        low = max(round(spec.low), 0) if spec.low > 0 else 0
        return [rng.integers(low, 5, shape) for shape in shapes]
    made = []
    for shape in shapes:
        x = rng.uniform(spec.low, spec.high, shape)
        for point in spec.avoid:  # a step of the difference must not cross it
            x = np.where(np.abs(x - point) < 0.05, point + 0.05, x)
        made.append(np.asarray(x))
    return made


def tensor(x: Any, dtype: str) -> Any:
    """Return a tensor with the values of an array."""
    return tt.tensor(x.tolist(), dtype=getattr(tt, dtype)).reshape(x.shape)


def values(y: Any) -> np.ndarray:
    """Return a tensor's values as float64, or as they are if not floating."""
    y = y.detach()
    return (y.double() if y.is_floating_point() else y).numpy()


def assert_close(y: Any, expected: Any, dtype: str, factor: float = 1.0) -> None:
    """Compare shape first, then values in the tolerance of ``dtype``."""
    expected = np.asarray(expected)
    assert tuple(y.shape) == expected.shape
    rtol, atol = tolerance(dtype, factor)
    np.testing.assert_allclose(values(y), expected, rtol, atol)


# ---- values ----


@each_spec(lambda spec: "f" in spec.kinds)
@pytest.mark.parametrize("dtype", FLOATS)
def test_op_value(spec: OpSpec, dtype: str) -> None:
    for shapes in spec.inputs:
        if not spec.half and dtype.endswith("16"):
            continue
        inputs = [tensor(x, dtype) for x in arrays(spec, shapes, "f")]
        y = function_of(spec)(*inputs, **spec.kwargs)
        expected = spec.reference(*map(values, inputs), **spec.kwargs)
        if y.is_floating_point():
            assert y.dtype == getattr(tt, dtype)
        assert_close(y, expected, dtype, spec.factor)


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        pytest.param(spec, dtype, id=f"{dtype}-{spec.id}")
        for spec in SPECS
        for dtype in (*INTEGERS, "bool")
        if ("b" if dtype == "bool" else "i") in spec.kinds
    ],
)
def test_op_value_of_integers(spec: OpSpec, dtype: str) -> None:
    kind = "b" if dtype == "bool" else "i"
    for shapes in spec.inputs:
        drawn = arrays(spec, shapes, kind)
        inputs = [tensor(x, dtype) for x in drawn]
        y = function_of(spec)(*inputs, **spec.kwargs)
        typed = [x.astype(dtype) for x in drawn]
        expected = np.asarray(spec.reference(*typed, **spec.kwargs))
        assert tuple(y.shape) == expected.shape
        assert y.tolist() == expected.astype(y.numpy().dtype).tolist()


# ---- derivatives ----


def directional(
    function: Callable[..., Any], inputs: list[Any], order: int, step: float = 1e-6
) -> None:
    """Compare the gradient along random directions with central differences.

    For order 2 the same is asked of the function (inputs, gy) -> gradients.
    """
    generator = tt.Generator().manual_seed(5)

    def random_like(x: Any) -> Any:
        return tt.randn(x.shape, dtype=tt.float64, generator=generator)

    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    outs = as_tuple(function(*leaves))
    weights = [random_like(y) for y in outs]
    gradients = tt.autograd.grad(outs, leaves, weights, allow_unused=True)
    directions = [random_like(x) for x in leaves]

    def shifted(sign: float) -> float:
        moved = [
            (x.detach() + sign * step * d).requires_grad_()
            for x, d in zip(leaves, directions, strict=True)
        ]
        ys = as_tuple(function(*moved))
        return sum(
            (y.detach() * w).sum().item() for y, w in zip(ys, weights, strict=True)
        )

    expected = (shifted(1.0) - shifted(-1.0)) / (2 * step)
    actual = sum(
        (g * d).sum().item()
        for g, d in zip(gradients, directions, strict=True)
        if g is not None
    )
    assert actual == pytest.approx(expected, rel=2e-5, abs=2e-6)
    if order == 1:
        return

    def gradient(*arguments: Any) -> tuple[Any, ...]:
        xs, seeds = arguments[: len(inputs)], arguments[len(inputs) :]
        ys = as_tuple(function(*xs))
        found = tt.autograd.grad(ys, xs, seeds, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)

    directional(gradient, [*inputs, *weights], order - 1)


def as_tuple(y: Any) -> tuple[Any, ...]:
    """Return the results of an op as a tuple."""
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


@each_spec(lambda spec: spec.grad)
@pytest.mark.parametrize("order", [1, 2])
def test_op_derivative(spec: OpSpec, order: int) -> None:
    for shapes in spec.inputs:
        inputs = [tensor(x, "float64") for x in arrays(spec, shapes, "f")]
        directional(lambda *xs: function_of(spec)(*xs, **spec.kwargs), inputs, order)


# ---- layouts ----


def transposed(x: Any) -> Any:
    """Same values, axes stored in the reverse order."""
    axes = tuple(range(x.dim()))[::-1]
    return x.permute(axes).contiguous().permute(axes)


def stepped(x: Any) -> Any:
    """Same values, every other element of a larger tensor, from an offset on."""
    base = tt.full((*x.shape, 2), 7).to(x.dtype)
    base[..., 1] = x
    return base[..., 1]


def expanded(x: Any) -> Any:
    """The first row repeated with stride 0."""
    return x[:1].expand(x.shape) if x.dim() and x.shape[0] else x


@each_spec()
@pytest.mark.parametrize("layout", [transposed, stepped, expanded])
def test_op_of_strided_inputs(spec: OpSpec, layout: Callable[[Any], Any]) -> None:
    kind, dtype = {"f": ("f", "float64"), "i": ("i", "int64"), "b": ("b", "bool")}[
        spec.kinds[0]
    ]
    for shapes in spec.inputs:
        strided = [layout(tensor(x, dtype)) for x in arrays(spec, shapes, kind)]
        if layout is expanded and "linalg" in spec.name:
            continue  # equal rows make a singular matrix
        expected = function_of(spec)(*(x.clone() for x in strided), **spec.kwargs)
        y = function_of(spec)(*strided, **spec.kwargs)
        assert_close(y, values(expected), dtype, spec.factor)


# ---- forms ----


@each_spec(lambda spec: spec.inplace)
def test_op_inplace(spec: OpSpec) -> None:
    for shapes in spec.inputs:
        dtype = "float64" if "f" in spec.kinds else "int64"
        drawn = arrays(spec, shapes, spec.kinds[0])
        inputs = [tensor(x, dtype) for x in drawn]
        expected = function_of(spec)(*inputs, **spec.kwargs)
        x, *rest = inputs
        method = getattr(x, f"{spec.name}_")
        if tuple(expected.shape) != shapes[0]:
            with pytest.raises(RuntimeError, match="shape"):
                method(*rest, **spec.kwargs)
            continue
        version = x._version
        y = method(*rest, **spec.kwargs)
        assert y is x and x._version == version + 1
        assert x.tolist() == expected.tolist()


@each_spec(lambda spec: spec.out)
def test_op_out(spec: OpSpec) -> None:
    for shapes in spec.inputs:
        dtype = "float64" if "f" in spec.kinds else "int64"
        inputs = [tensor(x, dtype) for x in arrays(spec, shapes, spec.kinds[0])]
        expected = function_of(spec)(*inputs, **spec.kwargs)
        storage = tt.zeros(2 * expected.numel(), dtype=expected.dtype)
        target = storage[::2].view(expected.shape) if expected.dim() == 1 else None
        for out in (tt.empty(0, dtype=expected.dtype), tt.empty_like(expected), target):
            if out is not None:
                y = function_of(spec)(*inputs, **spec.kwargs, out=out)
                assert y is out and out.tolist() == expected.tolist()
        if spec.grad:
            x = inputs[0].detach().requires_grad_()
            with pytest.raises(RuntimeError, match="out=.*automatic differentiation"):
                function_of(spec)(x, *inputs[1:], **spec.kwargs, out=expected)


@each_spec()
def test_op_refuses_what_is_no_tensor(spec: OpSpec) -> None:
    for wrong in (object(), None, "text"):
        with pytest.raises((TypeError, AttributeError)):
            function_of(spec)(wrong, **spec.kwargs)


@each_spec(lambda spec: len(spec.inputs[0]) == 2 and spec.out)
def test_op_refuses_shapes_that_do_not_fit(spec: OpSpec) -> None:
    dtype = tt.float32 if "f" in spec.kinds else tt.int64
    with pytest.raises(RuntimeError):
        function_of(spec)(tt.ones(2, 3, dtype=dtype), tt.ones(4, 5, dtype=dtype))


def test_every_public_op_is_specified() -> None:
    """A row here, a record in PyTorch's op database, or a test of its own."""
    own = set(
        "tensor as_tensor from_numpy is_tensor numel manual_seed seed initial_seed"
        " get_rng_state set_rng_state result_type can_cast promote_types".split()
    )
    covered = {spec.name.rpartition(".")[2] for spec in SPECS} | own
    try:
        import opdb
    except ImportError:
        pytest.skip("could not import 'torch', whose op database covers the rest")
    for name, infos in opdb.op_infos().items():
        covered.add(name.rpartition(".")[2])
        covered.update(a.name.rpartition(".")[2] for i in infos for a in i.aliases)
    public = {
        name
        for kind in ("__all__", "FUNCTIONAL", "LINALG", "SPECIAL")
        for name, item in tt._registry.collect(kind).items()
        if not inspect.isclass(item)
    }
    text = "".join(p.read_text() for p in TESTS.glob("test_*.py"))
    named = {name.rstrip("_") for name in public if not name.startswith("_")}
    bare = named - covered
    untried = [n for n in bare if f"{n}(" not in text and f"{n}_(" not in text]
    assert sorted(untried) == []
