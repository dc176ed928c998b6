"""One row per op: its formula in NumPy and the inputs on which it is tried.

``test_ops.py`` derives from a row: the forward value in every dtype, first and second
derivatives, strided, empty and expanded inputs, in-place and ``out=`` forms, capture.
``test_meta.py`` derives the shapes on the meta device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["SPECS", "OpSpec"]

Shape = tuple[int, ...]

FLAT: tuple[tuple[Shape, ...], ...] = (
    ((5,),),
    ((3, 4),),
    ((2, 3, 1),),
    ((),),
    ((0, 3),),
)
PAIRS: Sequence[Sequence[Shape]] = (
    ((3, 4), (3, 4)),
    ((3, 1), (4,)),
    ((), (5,)),
    ((2, 1, 3), (1, 4, 1)),
    ((0, 3), (1, 3)),
)


@dataclass(frozen=True)
class OpSpec:
    """One op.

    Attributes:
        name: dotted path below ``tinytorch``.
        reference: the same on NumPy arrays.
        inputs: for each case the shapes of the tensors.
        kwargs: further arguments, for both.
        low, high: the range of the inputs.
        avoid: points where the derivative jumps; inputs keep away from them.
        kinds: of dtype: f floating, i integer, b bool.
        grad: whether it has a derivative that is worth a check.
        inplace, out: whether these forms exist.
        half: whether the half types are supported, as they are in PyTorch.
        factor: on the tolerance, with its reason in a comment beside the row.
    """

    name: str
    reference: Callable[..., Any]
    inputs: Sequence[Sequence[Shape]] = FLAT
    kwargs: dict[str, Any] = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    avoid: tuple[float, ...] = ()
    kinds: str = "f"
    grad: bool = True
    inplace: bool = False
    out: bool = False
    half: bool = True
    factor: float = 1.0

    @property
    def id(self) -> str:
        """Return a readable name of the row."""
        options = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        return f"{self.name}({options})" if options else self.name


def _map(name: str, reference: Callable[..., Any], **options: Any) -> OpSpec:
    """Row of an element-wise op of one tensor, with in-place form and ``out=``."""
    return OpSpec(name, reference, **{"inplace": True, "out": True, **options})


def _zip(name: str, reference: Callable[..., Any], **options: Any) -> OpSpec:
    """Row of a broadcasting op of two tensors, with in-place form and ``out=``."""
    return OpSpec(name, reference, **{"inputs": PAIRS, "out": True, **options})


def _activation(name: str, reference: Callable[..., Any], **options: Any) -> OpSpec:
    return OpSpec(f"nn.functional.{name}", reference, **options)


def _lift(scalar: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function of numbers one of arrays that keeps the dtype."""
    return lambda x: np.vectorize(scalar, otypes=[np.float64])(x).astype(x.dtype)


# ---- the formulas that NumPy lacks ----

erf = _lift(math.erf)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


def igamma(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The series of the lower incomplete gamma function, for x up to about 20."""
    n = np.arange(200.0)

    def one(a: float, x: float) -> float:
        logs = [(a + k) * math.log(x) - x - math.lgamma(a + k + 1) for k in n]
        return float(np.exp(logs).sum())

    return np.vectorize(one, otypes=[np.float64])(a, x).astype(np.result_type(a, x))


def logsumexp(x: np.ndarray, dim: int, keepdim: bool = False) -> np.ndarray:
    return np.log(np.exp(x).sum(dim, keepdims=keepdim))


def softmax(x: np.ndarray, dim: int) -> np.ndarray:
    e = np.exp(x - x.max(dim, keepdims=True, initial=-np.inf))
    return e / e.sum(dim, keepdims=True)


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    return np.log(softmax(x, dim))


def layer_norm(x: np.ndarray, normalized_shape: Shape) -> np.ndarray:
    axes = tuple(range(-len(normalized_shape), 0))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, **options: Any) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if options.get("is_causal"):
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    return softmax(scores, -1) @ v


def conv2d(x: np.ndarray, w: np.ndarray, stride: int = 1, padding: int = 0) -> Any:
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)


def max_pool2d(x: np.ndarray, kernel_size: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size,) * 2, (2, 3))
    return windows[:, :, ::kernel_size, ::kernel_size].max((-1, -2))


def avg_pool2d(x: np.ndarray, kernel_size: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size,) * 2, (2, 3))
    return windows[:, :, ::kernel_size, ::kernel_size].mean((-1, -2))


def smooth_l1(x: np.ndarray, y: np.ndarray) -> Any:
    d = np.abs(x - y)
    return np.where(d < 1, d * d / 2, d - 0.5).mean()


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Take PyTorch's names of the arguments for NumPy's."""

    def call(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> Any:
        return function(x, axis=dim, keepdims=keepdim)

    return call


def std(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.std(x, axis=axis, keepdims=keepdims, ddof=1)


def var(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.var(x, axis=axis, keepdims=keepdims, ddof=1)


# ---- the rows ----

ALL = "fi"  # floating and integer
PAIRED = (((3, 4),), ((2, 1, 4),))
SHAPED = (((3, 4),), ((2, 3, 5),), ((1, 1),))
ROWS = (((4, 7),), ((1, 1),), ((2, 3, 5),), ((3, 0, 2),))
SYSTEM = (((3, 3), (3, 2)), ((2, 2, 2), (2, 2, 1)))
SQUARE = (((3, 3),), ((2, 4, 4),), ((1, 1),))
PRODUCT = (((3, 4), (4, 5)), ((1, 1), (1, 1)), ((0, 2), (2, 3)), ((2, 0), (0, 3)))
IMAGES = (((2, 3, 6, 6),), ((1, 1, 4, 8),))
TARGETS = (((4, 3), (4, 3)), ((5,), (5,)))

ELEMENTWISE = [
    _map("abs", np.abs, avoid=(0,), kinds=ALL),
    _map("neg", np.negative, kinds=ALL),
    _map("sign", np.sign, avoid=(0,), kinds=ALL, grad=False),
    _map("square", np.square, kinds=ALL),
    _map("sqrt", np.sqrt, low=0.1),
    _map("rsqrt", lambda x: 1 / np.sqrt(x), low=0.1),
    _map("reciprocal", lambda x: 1 / x, low=0.2),
    _map("exp", np.exp),
    _map("exp2", np.exp2),
    _map("expm1", np.expm1),
    _map("log", np.log, low=0.1),
    _map("log2", np.log2, low=0.1),
    _map("log10", np.log10, low=0.1),
    _map("log1p", np.log1p, low=-0.9),
    _map("sin", np.sin),
    _map("cos", np.cos),
    _map("tan", np.tan, low=-1, high=1),
    _map("asin", np.arcsin, low=-0.9, high=0.9),
    _map("acos", np.arccos, low=-0.9, high=0.9),
    _map("atan", np.arctan),
    _map("sinh", np.sinh),
    _map("cosh", np.cosh),
    _map("tanh", np.tanh),
    _map("asinh", np.arcsinh),
    _map("acosh", np.arccosh, low=1.1, high=4),
    _map("atanh", np.arctanh, low=-0.9, high=0.9),
    _map("sigmoid", sigmoid),
    _map("erf", erf),
    _map("erfc", lambda x: 1 - erf(x), factor=10),  # the reference cancels
    _map("lgamma", _lift(math.lgamma), low=0.5, high=4),
    _map("floor", np.floor, avoid=(-1, 0, 1), kinds=ALL, grad=False),
    _map("ceil", np.ceil, avoid=(-1, 0, 1), kinds=ALL, grad=False),
    _map("trunc", np.trunc, avoid=(-1, 0, 1), kinds=ALL, grad=False),
    _map("round", np.round, avoid=(-1.5, -0.5, 0.5, 1.5), kinds=ALL, grad=False),
    _map("frac", lambda x: x - np.trunc(x), avoid=(-1, 0, 1)),
    _map("sinc", np.sinc, avoid=(0,)),
    _map("deg2rad", np.deg2rad),
    _map("logical_not", np.logical_not, kinds="fib", grad=False, inplace=False),
    _map("bitwise_not", np.invert, kinds="ib", grad=False),
    _map("clamp", np.clip, kwargs={"min": 0, "max": 1}, avoid=(0, 1), kinds=ALL),
    OpSpec("isnan", np.isnan, kinds="f", grad=False),
    OpSpec("isfinite", np.isfinite, kinds="f", grad=False),
    OpSpec("signbit", np.signbit, kinds="f", grad=False, out=True),
    _zip("add", np.add, kinds=ALL, inplace=True),
    _zip("sub", np.subtract, kinds=ALL, inplace=True),
    _zip("mul", np.multiply, kinds="fib", inplace=True),
    _zip("div", np.divide, low=0.3, inplace=True),
    _zip("floor_divide", np.floor_divide, low=0.3, grad=False, inplace=True),
    _zip("remainder", np.mod, low=0.3, grad=False, inplace=True),
    _zip("fmod", np.fmod, low=0.3, grad=False, inplace=True),
    _zip("pow", np.power, low=0.3, inplace=True),
    _zip("maximum", np.maximum, kinds=ALL),
    _zip("minimum", np.minimum, kinds=ALL),
    _zip("fmax", np.fmax),
    _zip("fmin", np.fmin),
    _zip("atan2", np.arctan2, low=0.2, inplace=True),
    _zip("hypot", np.hypot, low=0.2, inplace=True),
    _zip("copysign", np.copysign, avoid=(0,), inplace=True),
    _zip("logaddexp", np.logaddexp),
    _zip("xlogy", lambda x, y: x * np.log(y), low=0.2, inplace=True),
    _zip("igamma", igamma, low=0.2, inplace=True, grad=False),
    _zip("igammac", lambda a, x: 1 - igamma(a, x), low=0.2, inplace=True, grad=False),
    _zip("eq", np.equal, kinds="fib", grad=False),
    _zip("ne", np.not_equal, kinds="fib", grad=False),
    _zip("lt", np.less, kinds="fib", grad=False),
    _zip("le", np.less_equal, kinds="fib", grad=False),
    _zip("gt", np.greater, kinds="fib", grad=False),
    _zip("ge", np.greater_equal, kinds="fib", grad=False),
    _zip("logical_and", np.logical_and, kinds="fib", grad=False),
    _zip("logical_or", np.logical_or, kinds="fib", grad=False),
    _zip("logical_xor", np.logical_xor, kinds="fib", grad=False),
    _zip("bitwise_and", np.bitwise_and, kinds="ib", grad=False, inplace=True),
    _zip("bitwise_or", np.bitwise_or, kinds="ib", grad=False, inplace=True),
    _zip("bitwise_xor", np.bitwise_xor, kinds="ib", grad=False, inplace=True),
    OpSpec(
        "lerp",
        lambda x, y, w: x + w * (y - x),
        inputs=(((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), ())),
    ),
    OpSpec(
        "addcmul",
        lambda x, y, z, value: x + value * y * z,
        inputs=(((3, 4), (3, 4), (3, 4)), ((3, 4), (4,), ())),
        kwargs={"value": 0.5},
        inplace=True,
    ),
    OpSpec(
        "addcdiv",
        lambda x, y, z, value: x + value * y / z,
        inputs=(((3, 4), (3, 4), (3, 4)), ((3, 4), (4,), ())),
        kwargs={"value": 0.5},
        low=0.3,
        inplace=True,
    ),
]

ACTIVATIONS = [
    _activation("relu", lambda x: np.maximum(x, 0), avoid=(0,)),
    _activation("relu6", lambda x: np.clip(x, 0, 6), avoid=(0,)),
    _activation("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), avoid=(0,)),
    _activation("elu", lambda x: np.where(x > 0, x, np.expm1(x)), avoid=(0,)),
    _activation("silu", lambda x: x * sigmoid(x)),
    _activation("gelu", lambda x: x * (1 + erf(x / math.sqrt(2))) / 2),
    _activation("softplus", softplus),
    _activation("softsign", lambda x: x / (1 + np.abs(x)), avoid=(0,)),
    _activation("mish", lambda x: x * np.tanh(softplus(x))),
    _activation("logsigmoid", lambda x: -softplus(-x)),
    _activation("hardtanh", lambda x: np.clip(x, -1, 1), avoid=(-1, 1)),
    _activation("tanhshrink", lambda x: x - np.tanh(x)),
    _activation("glu", lambda x: x[..., :2] * sigmoid(x[..., 2:]), inputs=PAIRED),
    OpSpec("softmax", softmax, inputs=ROWS, kwargs={"dim": -1}),
    OpSpec("softmax", softmax, inputs=SHAPED, kwargs={"dim": 0}),
    OpSpec("log_softmax", log_softmax, inputs=ROWS, kwargs={"dim": -1}),
]


def _reduce(name: str, function: Callable[..., Any], **options: Any) -> list[OpSpec]:
    """Rows of a reduction: of everything, of one axis, of one axis that stays."""
    ways: list[dict[str, Any]] = [{}, {"dim": 0}, {"dim": -1, "keepdim": True}]
    base = {"inputs": SHAPED, **options}
    return [OpSpec(name, reduction(function), kwargs=k, **base) for k in ways]


REDUCTIONS = [
    *_reduce("sum", np.sum, kinds=ALL),
    *_reduce("mean", np.mean),
    *_reduce("amax", np.max, kinds=ALL),
    *_reduce("amin", np.min, kinds=ALL),
    *_reduce("std", std, inputs=(((3, 4),), ((2, 3, 5),))),
    *_reduce("var", var, inputs=(((3, 4),), ((2, 3, 5),))),
    *_reduce("all", np.all, kinds="fib", grad=False),
    *_reduce("any", np.any, kinds="fib", grad=False),
    OpSpec("prod", np.prod, inputs=SHAPED, kinds=ALL),
    OpSpec("logsumexp", logsumexp, inputs=SHAPED, kwargs={"dim": 1}),
    OpSpec("cumsum", lambda x, dim: np.cumsum(x, dim), SHAPED, {"dim": 1}, kinds=ALL),
    OpSpec("cumprod", lambda x, dim: np.cumprod(x, dim), SHAPED, {"dim": 1}, kinds=ALL),
    OpSpec("argmax", lambda x, dim: x.argmax(dim), SHAPED, {"dim": 1}, grad=False),
    OpSpec("argmin", lambda x, dim: x.argmin(dim), SHAPED, {"dim": 1}, grad=False),
    OpSpec("count_nonzero", np.count_nonzero, SHAPED, kinds="fib", grad=False),
    OpSpec("nansum", np.nansum, SHAPED),
]

SHAPES = [
    OpSpec(
        "reshape", lambda x, shape: x.reshape(shape), (((2, 6),),), {"shape": (3, -1)}
    ),
    OpSpec(
        "permute",
        lambda x, dims: x.transpose(dims),
        (((2, 3, 5),),),
        {"dims": (2, 0, 1)},
    ),
    OpSpec(
        "transpose",
        lambda x, dim0, dim1: np.swapaxes(x, dim0, dim1),
        SHAPED,
        {"dim0": 0, "dim1": 1},
    ),
    OpSpec(
        "flip", lambda x, dims: np.flip(x, dims), SHAPED, {"dims": (0, 1)}, kinds="fib"
    ),
    OpSpec(
        "roll",
        lambda x, shifts, dims: np.roll(x, shifts, dims),
        SHAPED,
        {"shifts": (1, 2), "dims": (0, 1)},
        kinds="fib",
    ),
    OpSpec("tile", lambda x, dims: np.tile(x, dims), SHAPED, {"dims": (2, 1)}),
    OpSpec("tril", np.tril, SHAPED, kinds=ALL),
    OpSpec("triu", np.triu, SHAPED, kinds=ALL),
    OpSpec("squeeze", np.squeeze, (((1, 3, 1),), ((2, 2),))),
    OpSpec("unsqueeze", lambda x, dim: np.expand_dims(x, dim), SHAPED, {"dim": 1}),
    OpSpec("diagonal", np.diagonal, (((3, 4),), ((4, 2),))),
    OpSpec("diff", np.diff, SHAPED, kinds=ALL),
    OpSpec("where", np.where, (((3, 4), (3, 4), (4,)),), kinds="b", grad=False),
    OpSpec("kron", np.kron, (((2, 2), (3, 1)),), kinds=ALL),
]

PRODUCTS = [
    OpSpec(
        "matmul",
        np.matmul,
        (*PRODUCT, ((4,), (4, 2)), ((2, 3, 4), (4, 2)), ((5, 1, 2, 3), (2, 3, 2))),
        kinds=ALL,
        out=True,
    ),
    OpSpec("mm", np.matmul, PRODUCT, kinds=ALL, out=True),
    OpSpec(
        "bmm", np.matmul, (((2, 3, 4), (2, 4, 5)), ((0, 3, 4), (0, 4, 5))), kinds=ALL
    ),
    OpSpec("mv", np.matmul, (((3, 4), (4,)), ((3, 0), (0,))), kinds=ALL),
    OpSpec("dot", np.dot, (((5,), (5,)), ((0,), (0,))), kinds=ALL),
    OpSpec("outer", np.outer, (((3,), (4,)),), kinds=ALL),
    OpSpec(
        "addmm",
        lambda c, a, b: c + a @ b,
        (((3, 5), (3, 4), (4, 5)), ((5,), (3, 4), (4, 5))),
    ),
    # determinants cancel; the rest loses digits to the condition of the matrix
    OpSpec("linalg.det", np.linalg.det, SQUARE, half=False, factor=100),
    OpSpec("linalg.inv", np.linalg.inv, SQUARE, half=False, factor=1e4),
    OpSpec("linalg.solve", np.linalg.solve, SYSTEM, half=False, factor=1e4),
    OpSpec("linalg.pinv", np.linalg.pinv, (((4, 2),),), half=False, factor=1e4),
]

NETWORKS = [
    OpSpec(
        "nn.functional.linear",
        lambda x, w, b: x @ w.T + b,
        (((4, 3), (5, 3), (5,)), ((2, 4, 3), (5, 3), (5,)), ((0, 3), (5, 3), (5,))),
    ),
    OpSpec(
        "nn.functional.conv2d",
        conv2d,
        (((2, 3, 6, 6), (4, 3, 3, 3)),),
        {"stride": 2, "padding": 1},
    ),
    OpSpec("nn.functional.conv2d", conv2d, (((1, 2, 5, 4), (3, 2, 1, 1)),)),
    OpSpec("nn.functional.max_pool2d", max_pool2d, IMAGES, {"kernel_size": 2}),
    OpSpec("nn.functional.avg_pool2d", avg_pool2d, IMAGES, {"kernel_size": 2}),
    OpSpec(
        "nn.functional.layer_norm",
        layer_norm,
        (((4, 7),), ((2, 3, 7),)),
        {"normalized_shape": (7,)},
    ),
    OpSpec(
        "nn.functional.scaled_dot_product_attention",
        attention,
        (((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4)),),
    ),
    OpSpec(
        "nn.functional.scaled_dot_product_attention",
        attention,
        (((2, 5, 4), (2, 5, 4), (2, 5, 4)),),
        {"is_causal": True},
    ),
    OpSpec("nn.functional.mse_loss", lambda x, y: np.mean((x - y) ** 2), TARGETS),
    OpSpec("nn.functional.l1_loss", lambda x, y: np.mean(np.abs(x - y)), TARGETS),
    OpSpec("nn.functional.smooth_l1_loss", smooth_l1, TARGETS),
]

SPECS: list[OpSpec] = [
    *ELEMENTWISE,
    *ACTIVATIONS,
    *REDUCTIONS,
    *SHAPES,
    *PRODUCTS,
    *NETWORKS,
]
