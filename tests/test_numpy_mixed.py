"""Tensors and NumPy's arrays in one expression: types and values are PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tinytorch as tt

torch = pytest.importorskip("torch")

EXPRESSIONS = """
    t*a t+a t-a t/a t//a t**a t%a a.__rmul__(t) t==a a==t t!=None t=='a' t==[1,2,3]
    t*f f*t t/f f/t f-t f+i f>t t>f t==f f==t f**t t**f i*j j*i i/j t+z
    np.sin(t) np.exp(t) np.abs(t) np.sqrt(t) np.maximum(t,a) np.add(t,1) np.modf(t)
    np.add(t,a,out=a.copy()) np.concatenate([t,t]) np.stack([t,a]) np.dot(a,t) t@a
    np.array(t) np.asarray(t,dtype=np.float64) np.isclose(t,a) np.allclose(t,a)
    np.array([t,t]) a[i-2] a[t>1] t[j-3] t[np.array([0,2])] t[a>1]
    t.masked_fill(t>1,f) L.where(t>1,f,f*2) L.where(t>1,t,f) L.full((2,),f)
    L.arange(j) L.tensor([f,f]) L.tensor(list(a)) L.as_tensor([a,a]) t.clamp(f,f*2)
    t*b b*t n+1 t.sum(j-3) L.linspace(f,f*3,j) t.new_tensor(a)
    """.split()
ERRORS = """
    a*t a-t t>a t<=a t.add(a) L.add(t,a) t+a[:2] t==a[:2] t*[1,2,3] g*a np.sin(g)
    """.split()


def outcome(L: Any, expression: str) -> Any:
    names = {
        "L": L, "np": np, "t": L.tensor([1.0, 2.0, 3.0]), "i": L.tensor([2, 3, 4]),
        "g": L.ones(3, requires_grad=True), "a": np.float32([1, 3, 2]),
        "f": np.float64(1.5), "j": np.int64(3), "z": np.float32(2),
        "b": np.bool_(True), "n": L.tensor(np.float32(2)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if L is torch else "error")
        try:
            y = eval(expression, names)
        except Exception as error:
            return type(error).__name__
        parts = y if isinstance(y, tuple) else (y,)
        kinds = [(type(p).__name__, str(getattr(p, "dtype", ""))) for p in parts]
        return kinds, [np.array(p) for p in parts]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values(expression: str) -> None:
    expected, theirs = outcome(torch, expression)
    kinds, ours = outcome(tt, expression)
    assert kinds == [(kind, dtype) for kind, dtype in expected]
    for actual, value in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(actual, value, 1e-6)


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression: str) -> None:
    expected = outcome(torch, expression)
    assert isinstance(expected, str)
    assert outcome(tt, expression) == expected


def test_an_array_differs_element_by_element() -> None:
    """PyTorch returns True, the comparison of two objects."""
    t, a = tt.tensor([1.0, 2.0]), np.float32([1, 3])
    assert (t != a).tolist() == (a != t).tolist() == [False, True]
    assert (t == np.array(["a"])) is False
