"""The meta device: every op's shapes and dtypes without memory or arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

import tinytorch as tt
from op_specs import SPECS, OpSpec
from test_ops import arrays, as_tuple, function_of, tensor


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_meta_op_has_the_shape_and_dtype_of_cpu(spec: OpSpec) -> None:
    names = {"f": ("float32", "float16"), "i": ("int64", "uint8"), "b": ("bool",)}
    for kind in spec.kinds:
        for dtype in names[kind]:
            if not spec.half and dtype == "float16":
                continue
            for shapes in spec.inputs:
                inputs = [tensor(x, dtype) for x in arrays(spec, shapes, kind)]
                on_meta = [x.to("meta") for x in inputs]
                expected = as_tuple(function_of(spec)(*inputs, **spec.kwargs))
                actual = as_tuple(function_of(spec)(*on_meta, **spec.kwargs))
                assert len(actual) == len(expected)
                for y, z in zip(actual, expected, strict=True):
                    assert y.device.type == "meta"
                    assert (y.shape, y.dtype) == (z.shape, z.dtype)
                    assert y.stride() == z.stride() or z.numel() == 0


@pytest.mark.parametrize("spec", [s for s in SPECS if s.grad], ids=lambda spec: spec.id)
def test_meta_gradients_have_the_shapes_of_the_inputs(spec: OpSpec) -> None:
    for shapes in spec.inputs:
        inputs = [tt.empty(s, device="meta", requires_grad=True) for s in shapes]
        y = function_of(spec)(*inputs, **spec.kwargs)
        gradients = tt.autograd.grad(y.sum(), inputs, allow_unused=True)
        for g, x in zip(gradients, inputs, strict=True):
            assert g is None or (g.shape, g.device.type) == (x.shape, "meta")


def test_meta_tensor_holds_no_memory() -> None:
    storage = pytest.importorskip("tinytorch._core.storage")
    before = storage.live_bytes()
    x = tt.empty(1 << 20, 1 << 20, device="meta")
    y = (x @ x).softmax(-1) + x
    assert y.shape == x.shape and storage.live_bytes() == before


def make_values() -> list[Any]:
    return [
        lambda x: x.item(),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: bool(x),
        lambda x: x.to("cpu"),
        lambda x: x.expand(3).nonzero(),
    ]


@pytest.mark.parametrize("ask", make_values())
def test_meta_tensor_has_no_values(ask: Any) -> None:
    with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
        ask(tt.ones(1, device="meta"))


def test_meta_errors_are_those_of_cpu() -> None:
    x = tt.ones(2, 3, device="meta")
    with pytest.raises(RuntimeError, match="must match|to broadcast"):
        x + tt.ones(4, device="meta")
    with pytest.raises(RuntimeError):
        x @ x
    with pytest.raises(IndexError):
        x.sum(5)
    with pytest.raises(RuntimeError, match="device"):
        x + tt.ones(2, 3)


def test_meta_repr_and_factories() -> None:
    x = tt.zeros(2, device="meta")
    assert "device='meta'" in repr(x) and "size=(2,)" in repr(x)
    assert tt.empty_like(x).device.type == x.new_zeros(3).device.type == "meta"
