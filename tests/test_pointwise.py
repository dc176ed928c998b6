"""Element-wise ops where the op database does not look: the points at which formulas
break, forms with numbers, in-place history, and one-loop derivatives against composed
ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
import tinytorch.nn.functional as F

Function = Callable[..., Any]

INF, NAN = math.inf, math.nan
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 1e-30, -1e30, 88.0,
         -100.0, 1.5, 16777215.0, -16777215.0]  # fmt: skip

OPS = """
    exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sigmoid sin cos tan asin
    atan acos sinh cosh tanh asinh atanh sinc abs frac nan_to_num square logit erf erfc
    erfinv lgamma digamma i0
    """
ACTIVATIONS = """
    relu relu6 leaky_relu elu celu selu gelu silu mish softplus softsign hardtanh
    hardswish hardsigmoid hardshrink softshrink tanhshrink logsigmoid
    """
IN_PLACE = """
    exp sin log sqrt abs tanh sigmoid erf lgamma atan relu clamp_ pow_ mul_ xlogy_
    atan2_ hypot_ lerp_ copysign_
    """
DERIVED: dict[str, Function] = {
    **{name: getattr(tt, name) for name in OPS.split()},
    **{name: getattr(F, name) for name in ACTIVATIONS.split()},
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softplus_steep": lambda x: F.softplus(x, beta=30),
    "elu_alpha": lambda x: F.elu(x, 0.3),
    "celu_alpha": lambda x: F.celu(x, 0.3),
    "threshold": lambda x: F._threshold(x, 0.4, 7.0),
    "logit_eps": lambda x: tt.logit(x, eps=0.2),
    "clamp": lambda x: x.clamp(0.3, 0.6),
    "clamp_tensors": lambda x: x.clamp(tt.full_like(x, 0.3), tt.full_like(x, 0.6)),
    "pow_2": lambda x: x**2,
    "pow_3": lambda x: x**3,
    "pow_half": lambda x: x**0.5,
    "pow_minus_2": lambda x: x**-2,
    "pow_1.7": lambda x: x**1.7,
    "rpow": lambda x: 2.5**x,
    "pow": lambda x: x**x,
    "maximum": lambda x: tt.maximum(x, 1 - x),
    "fmin": lambda x: tt.fmin(x, 1 - x),
    "glu": lambda x: F.glu(x, 0),
    "prelu": lambda x: F.prelu(x - 0.4, x[:1].reshape(1)),
    "where": lambda x: tt.where(x > 0.4, x * x, 3.0),
    "lerp": lambda x: tt.lerp(x, x * x, x),
    "addcdiv": lambda x: tt.addcdiv(x, x, x + 1, value=3),
    "logaddexp": lambda x: tt.logaddexp(x, 2 * x),
    "xlogy": lambda x: tt.xlogy(x, x),
    "hypot": lambda x: tt.hypot(x, 1 - x),
    "atan2": lambda x: tt.atan2(x, 1 - x),
    "ndtri": tt.special.ndtri,
    "log_ndtr": tt.special.log_ndtr,
    "erfcx": tt.special.erfcx,
    "i1e": tt.special.i1e,
    "entr": tt.special.entr,
    "polygamma": lambda x: tt.polygamma(2, x),
    "mvlgamma": lambda x: tt.mvlgamma(x + 2, 3),
    "zeta": lambda x: tt.special.zeta(2.5, x),
}


def bits(x: Any) -> list[float]:
    """Return the elements as a flat list of floats."""
    return [float(v) for v in x.detach().reshape(-1).tolist()]


# ---- derivatives ----


@pytest.mark.parametrize("name", DERIVED)
def test_one_loop_derivative_is_the_composed_one(name: str) -> None:
    at = [0.07, 0.23, 0.35, 0.45, 0.55, 0.81]
    x = tt.tensor(at, dtype=tt.float64, requires_grad=True)
    y = DERIVED[name](x)
    (plain,) = tt.autograd.grad(y.sum(), x, retain_graph=True)
    (composed,) = tt.autograd.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(bits(plain), bits(composed), 1e-12, 1e-13)
    step = 1e-6
    with tt.no_grad():
        ahead, behind = DERIVED[name](x + step), DERIVED[name](x - step)
    slope = (ahead.sum() - behind.sum()).item() / (2 * step)
    assert plain.sum().item() == pytest.approx(slope, rel=2e-6, abs=1e-7)


@pytest.mark.parametrize("name", IN_PLACE.split())
def test_in_place_op_remembers_what_it_overwrote(name: str) -> None:
    def run(in_place: bool) -> tuple[list[float], list[float]]:
        leaf = tt.tensor([0.3, 0.5, 0.9], dtype=tt.float64, requires_grad=True)
        x = leaf * 1.5
        arguments = {"clamp_": (0.6, 1.0), "pow_": (leaf,), "lerp_": (leaf, leaf)}
        rest = arguments.get(name, (leaf,) if name.endswith("_") else ())
        if in_place:
            y = getattr(x, name.rstrip("_") + "_")(*rest)
            assert y is x
        else:
            y = getattr(x, name.rstrip("_"))(*rest)
        y.sum().backward()
        return bits(y), bits(leaf.grad)

    assert run(in_place=True) == run(in_place=False)


@pytest.mark.parametrize(
    "function, title",
    [
        (tt.exp, "ExpBackward0"),
        (tt.log1p, "Log1PBackward0"),
        (tt.special.i0e, "SpecialI0EBackward0"),
        (F.logsigmoid, "LogSigmoidBackward0"),
        (F.relu6, "HardtanhBackward0"),
        (F.selu, "EluBackward0"),
        (lambda x: x**2, "PowBackward0"),
        (lambda x: x**x, "PowBackward1"),
        (lambda x: 2**x, "PowBackward2"),
        (lambda x: x.clamp(0), "ClampBackward1"),
        (lambda x: x.clamp_min(x), "ClampMinBackward1"),
        (lambda x: tt.where(x > 0, x, 0), "WhereBackward0"),
        (lambda x: tt.round(x, decimals=1), "RoundBackward1"),
    ],
)
def test_nodes_have_pytorchs_names(function: Function, title: str) -> None:
    y = function(tt.tensor([0.5], requires_grad=True))
    assert type(y.grad_fn).__name__ == title or y.grad_fn.name() == title


def test_gradients_at_kinks_and_ties_are_pytorchs() -> None:
    x = tt.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    for function, slopes in (
        (F.relu, [0, 0, 1]),
        (tt.abs, [-1, 0, 1]),
        (lambda x: x.clamp(-1, 1), [1, 1, 1]),
        (lambda x: F.hardtanh(x), [0, 1, 0]),
        (lambda x: tt.maximum(x, tt.zeros(3)), [0, 0.5, 1]),
        (lambda x: tt.fmax(x, tt.zeros(3)), [0, 1, 1]),
        (lambda x: x**0, [0, 0, 0]),
        (lambda x: tt.sign(x) + tt.floor(x) + tt.round(x), [0, 0, 0]),
    ):
        (gx,) = tt.autograd.grad(function(x).sum(), x)
        assert gx.tolist() == slopes


# ---- values where formulas break ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_at_the_edges_are_those_of_c(dtype: str) -> None:
    a, b = (v.ravel() for v in np.meshgrid(EDGES, EDGES))
    x, y = (tt.tensor(v.tolist(), dtype=getattr(tt, dtype)) for v in (a, b))
    with np.errstate(all="ignore"):
        expected = np.power(a.astype(dtype), b.astype(dtype))
    found = np.array((x**y).tolist(), dtype)
    np.testing.assert_allclose(
        found, expected, rtol=3e-7 if dtype == "float32" else 1e-15
    )
    known = ~np.isnan(expected)
    assert (np.signbit(found) == np.signbit(expected))[known].all()


def test_power_of_floats_is_rounded_rightly_but_for_one_ulp() -> None:
    rng = np.random.default_rng(3)
    a = rng.uniform(-30, 30, 4000).astype(np.float32)
    b = rng.uniform(-20, 20, 4000).astype(np.float32)
    a[::2], b[1::2] = np.abs(a[::2]), np.rint(b[1::2])
    found = np.array((tt.tensor(a.tolist()) ** tt.tensor(b.tolist())).tolist())
    expected = np.power(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1.2e-7)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 0.5, -0.5, -1.0, -2.0])
def test_exponents_with_a_loop_of_their_own(exponent: float) -> None:
    x = tt.tensor([0.25, 3.0, 7.5], dtype=tt.float64)
    expected = [v**exponent for v in x.tolist()]
    np.testing.assert_allclose((x**exponent).tolist(), expected, 1e-15)
    np.testing.assert_allclose(tt.pow(x, exponent).tolist(), expected, 1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_bounds_of_clamp(dtype: str) -> None:
    x = tt.tensor([NAN, -INF, -1.0, 0.5, INF], dtype=getattr(tt, dtype))
    for low, high, expected in (
        (0, 1, [NAN, 0, 0, 0.5, 1]),
        (None, 0, [NAN, -INF, -1, 0, 0]),
        (0, None, [NAN, 0, 0, 0.5, INF]),
        (2, 1, [NAN, 1, 1, 1, 1]),
        (NAN, 1, [NAN] * 5),
        (None, NAN, [NAN] * 5),
    ):
        np.testing.assert_equal(x.clamp(low, high).tolist(), expected)
    bounds = [tt.tensor(v, dtype=x.dtype) for v in ([0.0] * 5, [1, 1, 1, NAN, 1])]
    np.testing.assert_equal(x.clamp(*bounds).tolist(), [NAN, 0, 0, NAN, 1])


def test_extrema_and_nan() -> None:
    a, b = tt.tensor([NAN, 1.0, NAN, -0.0]), tt.tensor([1.0, NAN, NAN, -1.0])
    np.testing.assert_equal(tt.maximum(a, b).tolist(), [NAN, NAN, NAN, -0.0])
    np.testing.assert_equal(tt.fmax(a, b).tolist(), [1, 1, NAN, -0.0])
    np.testing.assert_equal(tt.fmin(a, b).tolist(), [1, 1, NAN, -1])


def test_neighbours_of_half_types() -> None:
    for dtype, unit, tiny in (
        (tt.float16, 2.0**-10, 2.0**-24),
        (tt.bfloat16, 2.0**-7, 2.0**-133),
    ):
        a = tt.tensor([1.0, 1.0, 0.0, 0.0, -2.0], dtype=dtype)
        b = tt.tensor([2.0, -1.0, 1.0, -1.0, 0.0], dtype=dtype)
        expected = [1 + unit, 1 - unit / 2, tiny, -tiny, -2 + unit]
        assert tt.nextafter(a, b).tolist() == expected


@pytest.mark.parametrize(
    "name, x, expected",
    [
        ("erfcx", 26.0, 0.0216835848505629066),
        ("erfcx", -1.5, 18.6538862562627339),
        ("bessel_j0", 7.0, 0.3000792705195556),
        ("bessel_y1", 5.5, -0.0237582389563896183),
        ("i1e", 30.0, 0.0719163305986475547),
        ("log_ndtr", -40.0, -804.6084420137538),
        ("ndtri", 1e-10, -6.361340902404056),
        ("digamma", -0.5, 0.03648997397857652),
        ("airy_ai", -2.33, 0.0056848585964714054),
        ("airy_ai", -5.0, 0.35076100902411433),
        ("airy_ai", 1.51, 0.070781045690993444),
        ("airy_ai", 50.0, 4.5849417240748285e-104),
        ("modified_bessel_k0", 0.1, 2.4270690247020166),
        ("modified_bessel_k1", 3.0, 0.040156431128194184),
        ("scaled_modified_bessel_k0", 1e5, 0.0039633223434747566),
        ("scaled_modified_bessel_k1", 0.3, 4.1251577622444695),
        ("spherical_bessel_j0", 1e-5, 0.99999999998333333),
    ],
)
def test_special_function_at_a_hard_point(name: str, x: float, expected: float) -> None:
    y = getattr(tt.special, name)(tt.tensor(x, dtype=tt.float64))
    assert y.item() == pytest.approx(expected, rel=4e-14)


# ---- choosing ----


@pytest.mark.parametrize(
    "a, b, dtype",
    [
        (1, 2, "int64"),
        (True, False, "bool"),
        (1, 2.0, "float32"),
        ("int8", 2, "int8"),
        ("int8", 2.5, "float32"),
        ("float16", 2.5, "float16"),
        ("float16", "float32", "float32"),
        ("uint8", "int8", "int16"),
        ("bool", "bool", "bool"),
    ],
)
def test_where_of_tensors_and_numbers(a: Any, b: Any, dtype: str) -> None:
    def operand(v: Any, value: int) -> Any:
        return tt.full((2, 3), value, dtype=getattr(tt, v)) if isinstance(v, str) else v

    keep = tt.tensor([[True, False, True], [False, False, True]])
    one, other = operand(a, 1), operand(b, 0)
    y = tt.where(keep, one, other)
    assert str(y.dtype).endswith(dtype)
    expected = np.where(np.array(keep.tolist()), *(
        np.array(v.tolist()) if isinstance(v, tt.Tensor) else v for v in (one, other)
    ))  # fmt: skip
    assert y.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
def test_where_of_strided_and_broadcast_operands(dtype: str) -> None:
    keep = tt.arange(60).reshape(5, 4, 3) % 7 < 3
    a = (tt.arange(120) % 5).to(getattr(tt, dtype)).reshape(3, 4, 10)[:, :, ::2]
    b = (tt.arange(4) % 2).to(getattr(tt, dtype)).reshape(1, 4, 1)
    y = tt.where(keep, a.permute(2, 1, 0), b)
    arrays = [np.array(v.tolist()) for v in (keep, a.permute(2, 1, 0), b)]
    assert y.tolist() == np.where(*arrays).tolist()
    assert a[0].where(a[0] == 1, b[0]).tolist() == np.where(
        arrays[1].T[0] == 1, arrays[1].T[0], arrays[2][0]).tolist()  # fmt: skip


def test_where_of_many_elements_with_threads() -> None:
    n = 300_000
    keep = (tt.arange(2 * n) % 3 == 0)[::2]
    a = tt.arange(n, dtype=tt.float32)
    before = tt.get_num_threads()
    try:
        for threads in (1, 3):
            tt.set_num_threads(threads)
            expected = np.where(np.arange(0, 2 * n, 2) % 3 == 0, np.arange(n), -1)
            assert (np.array(tt.where(keep, a, -1).tolist()) == expected).all()
    finally:
        tt.set_num_threads(before)


# ---- comparisons and bits ----


def test_comparison_with_what_is_no_number() -> None:
    x = tt.tensor([1, 2])
    assert (x == "a") is False
    assert (x != None) is True  # noqa: E711
    with pytest.raises(TypeError):
        x < "a"  # noqa: B015
    with pytest.raises(TypeError, match="must be Tensor or Number"):
        tt.eq(x, "a")


def test_number_is_compared_as_an_element() -> None:
    assert (tt.tensor([255], dtype=tt.uint8) == -1).tolist() == [True]
    with pytest.raises(RuntimeError, match="without overflow"):
        tt.tensor([1], dtype=tt.int8) == 255  # noqa: B015
    assert (tt.tensor([2**53 + 1]) == 2**53).tolist() == [False]


def test_bitwise_operators_of_each_kind() -> None:
    x, t = tt.tensor([6, -3], dtype=tt.int8), tt.tensor([True, False])
    assert (x & 3).tolist() == [2, 1] and (3 | x).tolist() == [7, -1]
    assert (x << 6).tolist() == [-128, 64] and (x >> 100).tolist() == [0, -1]
    assert (~x).tolist() == [-7, 2] and (~t).tolist() == [False, True]
    assert (t ^ True).tolist() == [False, True]
    with pytest.raises(NotImplementedError, match="bitwise_and"):
        tt.tensor([1.0]) & 1
    with pytest.raises(TypeError, match="invert"):
        ~tt.tensor([1.0])


def test_allclose_and_equal() -> None:
    x = tt.tensor([1.0, NAN])
    assert not tt.equal(x, x) and tt.equal(x[:1], x[:1])
    assert not tt.equal(x[:1], x)
    assert tt.allclose(x, x, equal_nan=True) and not tt.allclose(x, x)
    assert tt.allclose(x[:1], x[:1] + 1e-6) and not tt.allclose(x[:1], x[:1] + 1e-3)
    assert not tt.isclose(tt.tensor([INF]), tt.tensor([1e30]), rtol=INF).item()


# ---- refusals ----


@pytest.mark.parametrize(
    "error, call",
    [
        (NotImplementedError, lambda t: tt.abs(t(True))),
        (NotImplementedError, lambda t: tt.frac(t(1))),
        (NotImplementedError, lambda t: F.gelu(t(1))),
        (NotImplementedError, lambda t: tt.gcd(t(1.0), t(1.0))),
        (NotImplementedError, lambda t: tt.hypot(t(1), t(1))),
        (NotImplementedError, lambda t: t(True) ** t(True)),
        (RuntimeError, lambda t: F.relu(t(True))),
        (RuntimeError, lambda t: t(2) ** -1),
        (RuntimeError, lambda t: t(1).exp_()),
        (RuntimeError, lambda t: t(1).pow_(2.0)),
        (RuntimeError, lambda t: t(1.0).clamp()),
        (RuntimeError, lambda t: F.gelu(t(1.0), approximate="exact")),
        (RuntimeError, lambda t: F.celu(t(1.0), 0)),
        (RuntimeError, lambda t: F.softshrink(t(1.0), -1)),
        (RuntimeError, lambda t: tt.polygamma(-1, t(1.0))),
        (RuntimeError, lambda t: tt.where(t(1), t(1.0), t(1.0))),
        (RuntimeError, lambda t: tt.isclose(t(1), t(1.0))),
        (RuntimeError, lambda t: tt.addcdiv(t(1), t(1), t(1))),
        (RuntimeError, lambda t: tt.heaviside(t(1.0), t(1))),
        (ValueError, lambda t: F.hardtanh(t(1.0), 1, -1)),
        (TypeError, lambda t: t(1.0).pow("2")),
        (TypeError, lambda t: t(1.0).clamp("0")),
        (TypeError, lambda t: tt.where(t(True), t(1.0))),
        (TypeError, lambda t: tt.maximum(t(1.0), 2)),
        (TypeError, lambda t: tt.exp(None)),
    ],
)
def test_what_pytorch_refuses_is_refused(error: type, call: Function) -> None:
    with pytest.raises(error):
        call(lambda value: tt.tensor([value]))
