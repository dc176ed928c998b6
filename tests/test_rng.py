"""The CPU generator without PyTorch: published vectors, NumPy, states, threads."""

from __future__ import annotations

import copy
import os
import pickle
import threading
import time
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch._core import rng as core

NAMES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8"]
NAMES += ["uint8", "bool"]  # in the order of the dtype codes
CODE = {name: code for code, name in enumerate(NAMES)}
BITS = {8: np.int64, 4: np.int32, 2: np.int16, 1: np.int8}
WIDTH = dict(zip(NAMES, (4, 8, 2, 2, 8, 4, 2, 1, 1, 1), strict=True))


def generator(seed: int) -> Any:
    """Return a generator of ours at the start of the seed's stream."""
    return core.Generator().manual_seed(seed)


def state_of(g: Any) -> bytes:
    """Return the bytes of a generator's state."""
    state = g.get_state()
    assert state.dtype == tt.uint8
    return state.numpy().tobytes()


def as_state(state: bytes | bytearray) -> Any:
    """Return bytes as the tensor that set_state takes."""
    return tt.tensor(list(state), dtype=tt.uint8)


def draw(g: Any, name: str, dtype: str, n: int, *scalars: float) -> np.ndarray:
    """Return the n elements of a fill as integers of the dtype's width."""
    y = np.zeros(n, BITS[WIDTH[dtype]])
    assert core._fill(g, name, CODE[dtype], y, n, *scalars) == 0
    return y


def words(seed: int, n: int) -> np.ndarray:
    """Return the generator's raw 32-bit output for an even n."""
    pairs = draw(generator(seed), "longs", "int64", n // 2).view(np.uint64)
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF], 1).ravel().astype(np.uint32)


def doubles(seed: int, n: int) -> np.ndarray:
    """Return n uniforms in [0, 1), made from NumPy's MT19937 as PyTorch makes them."""
    raw = np.random.RandomState(seed).randint(0, 2**32, 2 * n, np.uint32)
    pairs = raw.astype(np.uint64).reshape(n, 2)
    return ((pairs[:, 0] << np.uint64(32) | pairs[:, 1]) & (2**53 - 1)) * 2.0**-53


# ---- without PyTorch ----


def test_words_equal_the_published_ones() -> None:
    # Matsumoto and Nishimura's reference program, and [rand.predef] of the C++ standard
    assert words(5489, 4).tolist() == [3499211612, 581869302, 3890346734, 3586334585]
    assert words(5489, 10000)[-1] == 4123659995


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_words_equal_those_of_numpy(seed: int) -> None:
    expected = np.random.RandomState(seed).randint(0, 2**32, 5000, np.uint32)
    assert np.array_equal(words(seed, 5000), expected)


def test_seed_uses_its_low_32_bits_and_is_reported_whole() -> None:
    assert np.array_equal(words(7 + (5 << 32), 10), words(7, 10))
    assert generator(7 + (5 << 32)).initial_seed() == 7 + (5 << 32)
    assert generator(-1).initial_seed() == 2**64 - 1


def test_uniform_and_bernoulli_follow_from_the_words() -> None:
    u = doubles(3, 1000)
    assert np.array_equal(
        draw(generator(3), "uniform", "float64", 1000, 0.0, 1.0), u.view(np.int64)
    )
    for p in (0.0, 0.25, 0.7, 1.0):
        kept = draw(generator(3), "bernoulli", "bool", 1000, p)
        assert np.array_equal(kept, u < p)
    low = words(3, 1000) & 0xFFFFFF
    y = draw(generator(3), "uniform", "float32", 1000, 0.0, 1.0).view(np.float32)
    assert np.array_equal(y, low.astype(np.float32) * np.float32(2**-24))


def test_uniform_never_reaches_its_upper_bound() -> None:
    one = {"float16": 0x3C00, "bfloat16": 0x3F80}
    for dtype, bits in one.items():
        y = draw(generator(0), "uniform", dtype, 20000, 0.0, 1.0)
        assert y.max() < bits
        assert y.min() >= 0


def test_integers_follow_from_the_words() -> None:
    for low, high in ((0, 1), (0, 10), (-7, 12345678), (0, 2**28 - 1)):
        y = draw(generator(9), "integers", "int64", 5000, low, high)
        assert np.array_equal(y, words(9, 5000).astype(np.int64) % (high - low) + low)
    y = draw(generator(9), "integers", "int64", 100, -5, 2**40)
    high, low = words(9, 200).astype(np.uint64).reshape(100, 2).T
    expected = (high << np.uint64(32) | low) % np.uint64(2**40 + 5)
    assert np.array_equal(y, expected.astype(np.int64) - 5)


@pytest.mark.parametrize("n", [0, 1, 2, 3000])
def test_permutation_is_the_shuffle_of_the_words(n: int) -> None:
    raw, y = words(4, n + n % 2), list(range(n))
    for i in range(n - 1):
        j = i + int(raw[i]) % (n - i)
        y[i], y[j] = y[j], y[i]
    for dtype in ("int64", "int32"):
        assert draw(generator(4), "permutation", dtype, n).tolist() == y


@pytest.mark.parametrize("n", [16, 17, 31, 512, 1003])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_blocks_follow_from_the_uniforms(dtype: str, n: int) -> None:
    kind = np.dtype(dtype)
    u = draw(generator(8), "uniform", dtype, n + 16, 0.0, 1.0).view(kind)
    u = u.astype(np.float64)
    expected = np.empty(n)
    starts = [(i, i) for i in range(0, n - 15, 16)] + [(n - 16, n)] * (n % 16 > 0)
    for at, source in starts:
        a, b = u[source : source + 8], u[source + 8 : source + 16]
        radius = np.sqrt(-2 * np.log1p(-a))
        expected[at : at + 8] = radius * np.cos(2 * np.pi * b)
        expected[at + 8 : at + 16] = radius * np.sin(2 * np.pi * b)
    y = draw(generator(8), "normal", dtype, n, 0.5, 2.0).view(kind)
    tolerance = 4e-6 if dtype == "float32" else 1e-14  # the angle's rounding, scaled
    np.testing.assert_allclose(y, expected * 2 + 0.5, rtol=0, atol=tolerance)


def test_serial_normal_keeps_the_second_of_a_pair() -> None:
    u = doubles(6, 10)
    radius, angle = np.sqrt(-2 * np.log1p(-u[1::2])), 2 * np.pi * u[::2]
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    g = generator(6)
    parts = [draw(g, "normal", "float64", n, 0.0, 1.0) for n in (1, 3, 5, 1)]
    y = np.concatenate(parts).view(np.float64)
    np.testing.assert_allclose(y, expected, rtol=1e-13)


def test_multinomial_is_inversion_or_a_race() -> None:
    weights = np.array([[0.1, 0.0, 2.0, 0.4], [5.0, 1.0, 1.0, 1.0]])
    y = np.zeros((2, 6), np.int64)
    args = CODE["float64"], y, weights, 2, 4
    assert core._multinomial(generator(2), *args, 6, True) == 0
    u = doubles(2, 12).reshape(2, 6)
    share = np.cumsum(weights, 1) / weights.sum(1, keepdims=True)
    assert y.tolist() == [
        np.searchsorted(s, v).tolist() for s, v in zip(share, u, strict=True)
    ]
    y = np.zeros((2, 3), np.int64)
    args = CODE["float64"], y, weights, 2, 4
    assert core._multinomial(generator(2), *args, 3, False) == 0
    ratio = weights / -np.log1p(-doubles(2, 8).reshape(2, 4))
    assert np.array_equal(y, np.argsort(-ratio, 1)[:, :3])


@pytest.mark.parametrize(
    ("weights", "status"),
    [([1.0, -1.0], 2), ([1.0, np.nan], 2), ([1.0, np.inf], 3), ([0.0, 0.0], 4)],
)
def test_multinomial_names_what_is_wrong_and_draws_nothing(
    weights: list[float], status: int
) -> None:
    g, y, w = generator(1), np.zeros(2, np.int64), np.array(weights)
    for replacement in (True, False):
        code = core._multinomial(g, CODE["float64"], y, w, 1, 2, 2, replacement)
        assert code == (status if replacement or status == 4 else 3)
    assert state_of(g) == state_of(generator(1))
    assert core._multinomial(g, CODE["int64"], y, w, 1, 2, 2, True) == 1


@pytest.mark.parametrize(
    ("name", "a", "b", "mean", "variance"),
    [
        ("poisson", 0.7, 0, 0.7, 0.7),
        ("poisson", 300.0, 0, 300, 300),
        ("gamma", 0.3, 0, 0.3, 0.3),
        ("gamma", 40.0, 0, 40, 40),
        ("binomial", 30, 0.1, 3, 2.7),
        ("binomial", 1000, 0.8, 800, 160),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_have_the_mean_and_the_variance(
    name: str, a: float, b: float, mean: float, variance: float, dtype: str
) -> None:
    n = 20000
    y, left, right = (np.full(n, value, dtype) for value in (0, a, b))
    assert core._sample(generator(5), name, CODE[dtype], y, left, right, n) == 0
    assert abs(y.mean() - mean) < 5 * np.sqrt(variance / n)
    assert y.var() == pytest.approx(variance, rel=0.1)


def test_dtypes_without_a_stream_are_refused() -> None:
    y = np.zeros(8, np.int64)
    for name in ("uniform", "normal", "normal_serial", "exponential", "cauchy"):
        assert core._fill(generator(0), name, CODE["int64"], y, 4, 0.0, 1.0) == -1
    assert core._fill(generator(0), "geometric", CODE["bool"], y, 4, 0.5) == -1
    assert core._fill(generator(0), "longs", CODE["float16"], y, 4) == -1
    for name in ("gamma", "binomial"):
        assert core._sample(generator(0), name, CODE["float16"], y, y, y, 4) == -1


# ---- the object ----


def test_state_returns_and_copies_are_independent() -> None:
    g = generator(11)
    draw(g, "normal", "float32", 5, 0.0, 1.0)  # leaves half of a pair in the state
    state, copies = state_of(g), [g.clone_state(), copy.deepcopy(g)]
    copies += [pickle.loads(pickle.dumps(g)), core.Generator()]
    copies[-1].set_state(as_state(state))
    expected = draw(g, "normal", "float32", 5, 0.0, 1.0)
    for other in copies:
        assert np.array_equal(draw(other, "normal", "float32", 5, 0.0, 1.0), expected)
    assert state_of(g) != state
    assert len(state) == 5056


def test_wrong_states_are_refused_and_change_nothing() -> None:
    g = generator(1)
    state = state_of(g)
    left, seeded, at = 8, 12, 16  # offsets of the counters
    with pytest.raises(RuntimeError, match="of size 5056 but found the input RNG"):
        g.set_state(as_state(state[:-1]))
    wrong = [(left, 0), (left, 625), (left, 624), (seeded, 0), (at, 625)]
    for offset, value in wrong:
        damaged = bytearray(state)
        damaged[offset : offset + 4] = value.to_bytes(4, "little")
        damaged[at if offset == left else offset] |= 2 if value == 624 else 0
        with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
            g.set_state(as_state(damaged))
    assert state_of(g) == state


@pytest.mark.parametrize("seed", [True, 1.0, "1", None])
def test_seeds_must_be_integers(seed: object) -> None:
    with pytest.raises(RuntimeError, match="manual_seed expected a long, but got"):
        core.Generator().manual_seed(seed)


def test_seeds_have_64_bits() -> None:
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="Overflow when unpacking long"):
            core.Generator().manual_seed(seed)


def test_offsets_and_other_devices_are_refused() -> None:
    g = core.Generator("cpu")
    for call in (g.get_offset, lambda: g.set_offset(0)):
        with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
            call()
    with pytest.raises(RuntimeError, match="META is not supported"):
        core.Generator("meta")
    assert str(g.device) == "cpu"


def test_chosen_seeds_differ() -> None:
    g = core.Generator()
    seeds = {g.seed() for _ in range(4)}
    assert len(seeds) == 4
    assert g.initial_seed() in seeds


def test_threads_that_share_a_generator_lose_no_draw() -> None:
    g, n, rounds = generator(1), 700001, 8
    parts = np.zeros((2, rounds, n), np.float32)
    together = threading.Barrier(2)

    def work(part: np.ndarray) -> None:
        together.wait()
        for y in part:
            core._fill(g, "uniform", CODE["float32"], y, n, 0.0, 1.0)

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = generator(1)
    expected = draw(alone, "uniform", "float32", 2 * rounds * n, 0.0, 1.0)
    assert state_of(g) == state_of(alone)
    assert np.array_equal(np.sort(parts.ravel()), np.sort(expected.view(np.float32)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork_while_another_thread_draws() -> None:
    y = np.zeros(1 << 26, np.float32)  # long enough to be under way at the fork
    busy = threading.Thread(
        target=core._fill,
        args=(core.default_generator, "uniform", 0, y, y.size, 0.0, 1.0),
    )
    busy.start()
    while y[1000] == 0 and busy.is_alive():
        time.sleep(0.0005)
    child = os.fork()
    if child == 0:
        core._fill(core.default_generator, "uniform", 0, bytearray(40), 10, 0.0, 1.0)
        os._exit(0)
    deadline = time.monotonic() + 20
    finished = os.waitpid(child, os.WNOHANG)
    while finished[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
        finished = os.waitpid(child, os.WNOHANG)
    if finished[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    busy.join()
    assert finished == (child, 0)
