"""Every derivative in the core is proven by gradcheck, to the second order.

The source is the registry: an op that records a node gives it a name there.  The ops
of PyTorch's op database are run in float64; each must pass gradcheck and gradgradcheck,
and together they must have made nodes of all names.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import opdb
import tinytorch as tt
from opdb_sample import arguments, fresh
from opdb_table import refusal
from oracle import Refused, leaves, seed, tensors, to_tiny, translate
from tinytorch.autograd import gradcheck, gradgradcheck

pytestmark = pytest.mark.filterwarnings("ignore")  # many ops warn of their future

CORE = pathlib.Path(__file__).parent.parent / "tinytorch" / "_core"  # the source
NAME = re.compile(r'\bb"(\w+Backward\d*|CopySlices)"')


def declared() -> set[str]:
    """Return the names of nodes that stand in the source."""
    return {n for p in CORE.rglob("*.pyx") for n in NAME.findall(p.read_text())}


def names_of(outputs: Any) -> set[str]:
    """Return the names of the nodes behind tensors."""
    todo = [y.grad_fn for y in tensors(outputs) if y.grad_fn is not None]
    seen = set()
    names = set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        names.add(node.name())
        todo += [n for n, _ in node.next_functions if n is not None]
    return names


def programs(name: str, limit: int) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
    """Yield an op's samples as functions of the tensors that require a gradient."""
    for info in opdb.op_infos()[name]:
        if not (info.supports_autograd and info.supports_dtype(torch.float64, "cpu")):
            continue
        if info.variant_test_name == "subgradients_at_zero":  # where derivatives jump
            continue
        for _, sample in opdb._samples(info, torch.float64, True, limit):
            if not refusal(sample.args, sample.kwargs):
                with contextlib.suppress(Refused):
                    yield program(info, sample)


def program(info: Any, sample: Any) -> tuple[Callable[..., Any], list[Any]]:
    args, kwargs = to_tiny(fresh(arguments(sample)))
    op, process = translate(info.op), sample.output_process_fn_grad
    # Makes a moved matrix symmetric or triangular again, where the op reads half of it.
    call = translate(info.gradcheck_wrapper)
    chosen: list[int] = []

    def function(*_: Any) -> Any:
        seed(7)
        y = call(op, *args, **kwargs)
        y = list(tensors(y if process is None else translate(process)(y)))
        if not chosen:
            chosen.extend(i for i, part in enumerate(y) if part.requires_grad)
        return tuple(y[i] for i in chosen)

    return function, leaves((args, kwargs))


def image(x: Any, mode: str) -> Any:
    small = x.reshape(1, 1, 3, 4)
    return tt.nn.functional.interpolate(small, (2, 2), mode=mode, antialias=True)


def padded(x: Any, mode: str) -> Any:
    cube = x.reshape(1, 1, 2, 2, 3)
    return tt.nn.functional.pad(cube, (1, 1, 1, 1, 1, 1), mode=mode)


def recurrent(x: Any, kind: str, **options: Any) -> Any:
    tt.manual_seed(3)
    layer = getattr(tt.nn, kind)(4, 2, **options).double()
    return layer(x)[0]


# What the database has no sample of: functions of (3, 4) numbers between 0.2 and 0.8.
FURTHER: dict[str, Callable[[Any], Any]] = {
    "fill_ with a number": lambda x: (x * 1).fill_(2.0),
    "fill_ with a tensor": lambda x: (x * 1).fill_(x.sum()),
    "fill with a tensor": lambda x: tt.fill(x, x.sum()),
    "fill_diagonal_": lambda x: (x * 1).fill_diagonal_(3.0),
    "clamp_max": lambda x: tt.clamp_max(x, 0.51),
    "power of a number": lambda x: 2.0**x,
    "reflected cube": lambda x: padded(x, "reflect"),
    "replicated cube": lambda x: padded(x, "replicate"),
    "igamma": lambda x: tt.igamma(tt.full_like(x, 2.0), x),
    "igammac": lambda x: tt.igammac(tt.full_like(x, 2.0), x),
    "zeta": lambda x: tt.special.zeta(tt.full_like(x, 3.0), x + 1),
    "unsafe_split_with_sizes": lambda x: x.unsafe_split_with_sizes([1, 2]),
    "bilinear, antialias": lambda x: image(x, "bilinear"),
    "bicubic, antialias": lambda x: image(x, "bicubic"),
    "lanczos, antialias": lambda x: image(x, "lanczos"),
    "LSTM": lambda x: recurrent(x, "LSTM"),
    "GRU": lambda x: recurrent(x, "GRU"),
    "RNN with tanh": lambda x: recurrent(x, "RNN"),
    "RNN with relu": lambda x: recurrent(x, "RNN", nonlinearity="relu"),
}

# Derivatives that no difference can prove.
UNPROVEN = {
    # of draws: zero by definition
    "BernoulliBackward1",
    "BernoulliBackward2",
    "CauchyBackward0",
    "ExponentialBackward0",
    "GeometricBackward0",
    "LogNormalBackward0",
    "NormalBackward0",
    "NormalBackward2",
    "PoissonBackward0",
    "RandomBackward0",
    "RandomBackward1",
    "RandomBackward2",
    "StandardGammaBackward0",  # not zero: tested with the gamma distribution
    "UniformBackward0",
    # raises, as PyTorch's
    "HeavisideBackward0",
}

# Ops whose derivatives record nodes that no op makes of itself.
TWICE = (
    "nn.functional.conv2d",
    "nn.functional.ctc_loss",
    "nn.functional.embedding",
    "nn.functional.grid_sample",
    "nn.functional.max_pool2d",
    "nn.functional.max_unpool2d",
    "nn.functional.unfold",
    "cumprod",
    "diagonal",
    "logcumsumexp",
    "narrow",
)


def further(name: str) -> tuple[Callable[..., Any], list[Any]]:
    x = tt.linspace(0.2, 0.8, 12, dtype=tt.float64).reshape(3, 4).requires_grad_()
    return lambda *_: tuple(tensors(FURTHER[name](x))), [x]


def made(function: Callable[..., Any], inputs: list[Any], twice: bool) -> set[str]:
    """Return the names of the nodes of an op, or of those of its derivative."""
    outputs = function()
    if not twice or not outputs or not inputs:
        return names_of(outputs)
    seeds = [tt.ones_like(y, requires_grad=True) for y in outputs]
    options = {"create_graph": True, "allow_unused": True}
    return names_of(tt.autograd.grad(outputs, inputs, seeds, **options))


def test_every_node_is_made_by_a_checked_op() -> None:
    missing = declared()
    assert missing > UNPROVEN and len(missing) > 200
    for name in FURTHER:
        missing -= made(*further(name), False)
    for name in opdb.NAMES:
        # What cannot be differentiated is test_opdb's affair.
        with contextlib.suppress(RuntimeError, NotImplementedError):
            for case in programs(name, 3):
                missing -= made(*case, False)
                if name in TWICE:
                    missing -= made(*case, True)
    assert missing == UNPROVEN


# Where differences prove nothing; PyTorch's own tests leave the real ones out, too.
NOT_CHECKED = dict.fromkeys(
    ("bfloat16", "float", "half"), "the result is too coarse for differences"
) | {
    "__rpow__": "powers of negative numbers are NaN",
    "cov": "the derivative leaves the weights of the mean out, as PyTorch's does",
    "nn.functional.max_unpool2d": "two values share a place, and either may win",
    "nn.functional.max_unpool3d": "two values share a place, and either may win",
    "complex": "complex numbers",
    "linalg.eig": "complex numbers",
    "linalg.eigvals": "complex numbers",
    "view_as_complex": "complex numbers",
    "normal": "the mean moves what is drawn; its derivative is 0 by definition",
}
NOT_CHECKED_TWICE = {
    "nn.functional.ctc_loss": "refuses a second derivative, as PyTorch's does",
}


def check(function: Callable[..., Any], inputs: list[Any], twice: bool = True) -> bool:
    """Return whether there was anything to check."""
    if not (function() and inputs):
        return False
    assert gradcheck(function, inputs, fast_mode=True)
    if twice:
        assert gradgradcheck(function, inputs, fast_mode=True)
    return True


def test_fast_gradcheck_moves_no_element_far() -> None:
    """Nor does it draw from the caller's random numbers."""
    state = tt.get_rng_state()
    for L in (tt, torch):
        x = L.full((10_000,), 5e-7, dtype=L.float64).requires_grad_()
        assert L.autograd.gradcheck(L.abs, x, fast_mode=True)
    assert tt.equal(tt.get_rng_state(), state)


@pytest.mark.parametrize("name", FURTHER)
def test_gradcheck_of_what_the_database_lacks(name: str) -> None:
    assert check(*further(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(opdb.NAMES) - set(NOT_CHECKED)))
def test_gradcheck(name: str) -> None:
    for case in programs(name, 3):
        check(*case, name not in NOT_CHECKED_TWICE)
