"""Every random stream of the CPU generator against PyTorch's, bit for bit.

After each draw the two states are compared too, so that no draw is taken in excess.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinytorch as tt
from outcomes import warned
from tinytorch._core import rng as core

torch = pytest.importorskip("torch", minversion="2.13")

NAMES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8"]
NAMES += ["uint8", "bool"]  # in the order of the dtype codes
FLOATS, INTEGERS = NAMES[:4], NAMES[4:9]
SEEDS = (*range(19), 2**63 + 12345)
SIZES = (1, 15, 16, 17, 100)
LARGE = 1000003
# Elsewhere PyTorch takes the C library's float functions for normals of 16 and more.
AVX2 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


class Stream(NamedTuple):
    """A draw of ours and the method of PyTorch that does the same."""

    draw: str
    scalars: tuple[float, ...]
    dtypes: list[str]
    method: Callable[[Any, Any], Any]


def method(name: str, *args: object) -> Callable[[Any, Any], Any]:
    """Return a call of the in-place method."""
    return lambda x, g: getattr(x, name)(*args, generator=g)


STREAMS = [
    Stream("uniform", (0.0, 1.0), FLOATS, method("uniform_")),
    Stream("uniform", (-0.3, 2.7), FLOATS, method("uniform_", -0.3, 2.7)),
    Stream("normal", (0.0, 1.0), FLOATS, method("normal_")),
    Stream("normal", (0.7, 1.3), FLOATS, method("normal_", 0.7, 1.3)),
    Stream("integers", (3, 97), NAMES[:9], method("random_", 3, 97)),
    Stream("integers", (0, 2), ["bool"], method("random_", 0, 2)),
    Stream("integers", (0, 1), ["int64"], method("random_", 0, 1)),
    Stream(
        "integers",
        (-5, 2**28 - 6),
        ["int64", "int32"],
        method("random_", -5, 2**28 - 6),
    ),
    Stream("integers", (0, 2**28), ["int64", "int32"], method("random_", 0, 2**28)),
    Stream("integers", (0, 2**32), ["int64"], method("random_", 0, 2**32)),
    Stream(
        "integers",
        (-(2**63), 2**63 - 1),
        ["int64"],
        method("random_", -(2**63), 2**63 - 1),
    ),
    Stream("integers", (5, 2**63), ["int64"], method("random_", 5, None)),
    Stream(
        "longs",
        (),
        ["int64", "float64", "float32", "bfloat16"],
        method("random_", -(2**63), None),
    ),
    Stream("naturals", (), NAMES, method("random_")),
    Stream("bernoulli", (0.3,), NAMES, method("bernoulli_", 0.3)),
    Stream("bernoulli", (0.0,), ["float32"], method("bernoulli_", 0.0)),
    Stream("bernoulli", (1.0,), ["float32"], method("bernoulli_", 1.0)),
    Stream("exponential", (1.7,), FLOATS, method("exponential_", 1.7)),
    Stream("geometric", (0.3,), NAMES[:9], method("geometric_", 0.3)),
    Stream("geometric", (0.01,), ["int16", "uint8"], method("geometric_", 0.01)),
    Stream("cauchy", (0.5, 1.7), FLOATS, method("cauchy_", 0.5, 1.7)),
    Stream("log_normal", (0.5, 0.7), FLOATS, method("log_normal_", 0.5, 0.7)),
    Stream(
        "permutation",
        (),
        FLOATS[:2] + INTEGERS[:4],
        lambda x, g: x.copy_(torch.randperm(len(x), generator=g, dtype=x.dtype)),
    ),
]
CASES = [
    pytest.param(stream, dtype, id=f"{stream.draw}{stream.scalars}-{dtype}")
    for stream in STREAMS
    for dtype in stream.dtypes
]


def code(x: Any) -> int:
    """Return the dtype's code in our core."""
    return NAMES.index(str(x.dtype).removeprefix("torch."))


def memory(x: Any) -> np.ndarray:
    """Return the bytes of a contiguous tensor, shared."""
    return x.flatten().view(torch.uint8).numpy()


def generators(seed: int) -> tuple[Any, Any]:
    """Return PyTorch's and our generator at the start of the seed's stream."""
    return torch.Generator().manual_seed(seed), core.Generator().manual_seed(seed)


def filled(g: Any, stream: Stream, x: Any) -> Any:
    """Return the fill of ours that is like the contiguous x."""
    y = torch.zeros_like(x)
    n = x.numel()
    assert core._fill(g, stream.draw, code(x), memory(y), n, *stream.scalars) == 0
    return y


def check(theirs: Any, ours: Any, x: Any, y: Any) -> None:
    """Demand equal bits and equal states."""
    assert theirs.get_state().tolist() == ours.get_state().tolist()
    assert np.array_equal(memory(x), memory(y))


def check_stream(stream: Stream, dtype: str, seed: int, sizes: tuple[int, ...]) -> None:
    """Compare consecutive draws of some sizes."""
    theirs, ours = generators(seed)
    for n in sizes:
        x = torch.empty(n, dtype=getattr(torch, dtype))
        stream.method(x, theirs)
        y = filled(ours, stream, x)
        if stream.draw == "normal" and n >= 16 and dtype != "float64" and not AVX2:
            tolerance = 2e-2 if x.itemsize < 4 else 4e-6
            torch.testing.assert_close(x, y, rtol=0, atol=tolerance)
            y = x
        check(theirs, ours, x, y)


@pytest.mark.parametrize(("stream", "dtype"), CASES)
def test_stream(stream: Stream, dtype: str) -> None:
    for seed in SEEDS:
        check_stream(stream, dtype, seed, SIZES)


@pytest.mark.parametrize(
    "stream", [s for s in STREAMS if s.dtypes[0] != "bool"], ids=lambda s: s.draw
)
def test_stream_of_a_million(stream: Stream) -> None:
    dtype = "int64" if "int64" in stream.dtypes else "float32"
    check_stream(stream, dtype, 20, (LARGE, 3))


@pytest.mark.slow
def test_permutation_beyond_32_bits() -> None:
    check_stream(STREAMS[-1], "int32", 1, (214748364,))


# ---- strides ----

VIEWS = {
    "transposed": lambda: torch.empty(5, 7).t(),
    "permuted": lambda: torch.empty(3, 4, 5).permute(1, 2, 0),
    "gaps": lambda: torch.empty(6, 10)[::2, 1::3],
    "gaps transposed": lambda: torch.empty(12, 10)[::2, 1::3].t(),
    "channels last": lambda: torch.empty(2, 3, 4, 5).contiguous(
        memory_format=torch.channels_last
    ),
    "interleaved": lambda: torch.empty(40).as_strided((3, 4, 2), (2, 6, 1)),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "stream",
    [s for s in STREAMS if "float32" in s.dtypes and s.draw != "permutation"],
    ids=lambda s: s.draw,
)
def test_strided_memory_is_filled_in_its_own_order(view: str, stream: Stream) -> None:
    theirs, ours = generators(3)
    x = stream.method(VIEWS[view](), theirs)
    x = x.permute(sorted(range(x.dim()), key=lambda i: -x.stride(i))).contiguous()
    if stream.draw == "normal":
        stream = stream._replace(draw="normal_serial")
    check(theirs, ours, x, filled(ours, stream, x))


# ---- samplers with tensor operands ----


def uniform(seed: int, dtype: str, *shape: int) -> Any:
    """Return operands in [0, 1) that are the same for both."""
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(*shape, dtype=torch.float64, generator=g)
    return x.to(getattr(torch, dtype))


@pytest.mark.parametrize("p_dtype", FLOATS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
def test_bernoulli_of_probabilities(dtype: str, p_dtype: str) -> None:
    for seed in SEEDS:
        theirs, ours = generators(seed)
        p = uniform(seed, p_dtype, 777)
        x = torch.empty(777, dtype=getattr(torch, dtype))
        x.bernoulli_(p, generator=theirs)
        y = torch.zeros_like(x)
        core._sample_bernoulli(ours, code(y), memory(y), code(p), memory(p), 777)
        check(theirs, ours, x, y)


SAMPLERS = [
    ("poisson", torch.poisson, scale, dtype)
    for scale in (0.1, 9.99, 10.0, 50.0, 3000.0)
    for dtype in FLOATS
]
SAMPLERS += [
    ("gamma", torch._standard_gamma, scale, dtype)
    for scale in (1e-3, 0.9, 3.0, 3000.0)
    for dtype in FLOATS[:2]
]


@pytest.mark.parametrize(("name", "function", "scale", "dtype"), SAMPLERS)
def test_samples_of_one_operand(
    name: str, function: Callable[..., Any], scale: float, dtype: str
) -> None:
    for seed in SEEDS[:8]:
        theirs, ours = generators(seed)
        a = uniform(seed, dtype, 500) * scale
        x = function(a, generator=theirs)
        y = torch.zeros_like(x)
        assert (
            core._sample(ours, name, code(a), memory(y), memory(a), memory(a), 500) == 0
        )
        check(theirs, ours, x, y)


@pytest.mark.parametrize("most", [3, 20, 100, 5000, 10**6])
@pytest.mark.parametrize("dtype", FLOATS[:2])
def test_binomial(dtype: str, most: int) -> None:
    for seed in SEEDS[:8]:
        theirs, ours = generators(seed)
        p = uniform(seed, dtype, 500)
        count = (uniform(seed + 1, dtype, 500) * most).floor()
        x = torch.binomial(count, p, generator=theirs)
        y = torch.zeros_like(x)
        operands = memory(y), memory(count), memory(p)
        assert core._sample(ours, "binomial", code(p), *operands, 500) == 0
        check(theirs, ours, x, y)


@pytest.mark.parametrize("shape", [(5, 100), (7, 3), (1, 1)])
@pytest.mark.parametrize("dtype", FLOATS[:2])
def test_dirichlet(dtype: str, shape: tuple[int, int]) -> None:
    for seed, scale in itertools.product(SEEDS[:4], (1e-2, 1.0, 50.0)):
        theirs, ours = generators(seed)
        a = uniform(seed, dtype, *shape) * scale
        x = torch._sample_dirichlet(a, generator=theirs)
        y = torch.zeros_like(x)
        assert core._sample_dirichlet(ours, code(a), memory(y), memory(a), *shape) == 0
        if dtype == "float64":  # PyTorch adds the row in an order of its vector units
            torch.testing.assert_close(x, y, rtol=1e-14, atol=0)
            y = x
        check(theirs, ours, x, y)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("k", [1, 2, 7, 50])
@pytest.mark.parametrize("dtype", FLOATS)
def test_multinomial(dtype: str, k: int, replacement: bool) -> None:
    for seed, (rows, cols) in itertools.product(SEEDS, ((1, 50), (5, 100), (2, 1000))):
        theirs, ours = generators(seed)
        w = uniform(seed, dtype, rows, cols) + 0.01
        x = torch.multinomial(w, k, replacement, generator=theirs)
        y = torch.zeros_like(x)
        operands = memory(y), memory(w), rows, cols, k, replacement
        assert core._multinomial(ours, code(w), *operands) == 0
        if w.itemsize == 2 and k > 1 and not replacement:  # ties come in any order
            g = torch.Generator().manual_seed(seed)
            ratio = w / torch.empty_like(w).exponential_(generator=g)
            x, y = ratio.gather(1, x), ratio.gather(1, y)
        check(theirs, ours, x, y)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_warn_of_integers_that_they_skip(dtype: str) -> None:
    def program(library: Any, low: int, high: int) -> None:
        library.empty(2, dtype=getattr(library, dtype)).random_(low, high)

    for bits in (3, 8, 11, 15, 22, 24, 31, 53, 62):
        for low, high in ((0, 2**bits), (0, 2**bits + 2), (-(2**bits) - 1, 3)):
            assert warned(program, tt, low, high) == warned(program, torch, low, high)


# ---- states ----


def test_states_go_both_ways() -> None:
    theirs, ours = generators(7)
    torch.empty(3).normal_(generator=theirs)  # half of a pair stays behind
    ours.set_state(tt.from_numpy(theirs.get_state().numpy()))
    normal = STREAMS[2]
    x = torch.empty(1001).normal_(generator=theirs)
    y = filled(ours, normal, x)
    check(theirs, ours, x, y if AVX2 else x)
    filled(ours, normal, torch.empty(5))
    theirs.set_state(torch.from_numpy(ours.get_state().numpy()))
    assert theirs.get_state().tolist() == ours.get_state().tolist()
    x = torch.empty(6).normal_(generator=theirs)
    check(theirs, ours, x, filled(ours, normal, x))


def test_state_with_a_float_pair_survives() -> None:
    theirs, ours = generators(7)
    state = bytearray(theirs.get_state().numpy())
    state[5048:5053] = np.float32(0.25).tobytes() + b"\1"
    ours.set_state(tt.tensor(list(state), dtype=tt.uint8))
    assert ours.get_state().tolist() == list(state)
