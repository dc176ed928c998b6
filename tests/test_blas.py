"""Matrix products of raw buffers against NumPy: every form of `gemm`, no tensors."""

import os

import numpy as np
import pytest

from interpreters import run_python
from tinytorch._core import blas, threads

F32, F64, I64 = 0, 1, 4
DTYPES = {F32: np.float32, F64: np.float64, I64: np.int64}
TOLERANCE = {F32: 1e-5, F64: 1e-13, I64: 0}
PAD = 3  # a row stored longer than the matrix is wide


def operand(rng, dtype, rows, cols, batch=1):
    """A batch of matrices with padded rows, as (buffer, view without the padding)."""
    values = rng.integers(-9, 9, (batch, rows, cols + PAD)).astype(DTYPES[dtype])
    if dtype != I64:
        values += rng.random(values.shape).astype(DTYPES[dtype]) - 0.5
    return values, values[:, :, :cols]


def check(rng, dtype, ta, tb, m, n, k, alpha=1.0, beta=0.0, batch=1, shared_b=False):
    a, av = operand(rng, dtype, *((k, m) if ta else (m, k)), batch)
    b, bv = operand(rng, dtype, *((n, k) if tb else (k, n)), 1 if shared_b else batch)
    c, cv = operand(rng, dtype, m, n, batch)
    if beta == 0 and dtype != I64:
        cv[...] = np.nan  # never read
    padding = c[:, :, n:].copy()
    exact = np.float64 if dtype != I64 else np.int64
    x = (av.swapaxes(1, 2) if ta else av).astype(exact)
    y = (bv.swapaxes(1, 2) if tb else bv).astype(exact)
    expected = exact(alpha) * (x @ y)
    if beta != 0:
        expected = expected + exact(beta) * cv.astype(exact)
    size = np.abs(x) @ np.abs(y) * abs(alpha) + 10 * abs(beta) + 1

    blas._gemm(
        dtype,
        ta,
        tb,
        (batch, m, n, k),
        alpha,
        a,
        a.shape[2],
        b,
        b.shape[2],
        beta,
        c,
        c.shape[2],
        (a[0].size, 0 if shared_b else b[0].size, c[0].size),
    )

    assert np.array_equal(c[:, :, n:], padding)
    assert (np.abs(cv - expected) <= TOLERANCE[dtype] * size).all()


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(params=["own", "blas"])
def large_by(request):
    """Large products by our kernels and by OpenBLAS, whatever this machine prefers."""
    before = blas._prefer_own(request.param == "own")
    yield request.param
    blas._prefer_own(before)


SHAPES = [
    (1, 1, 1),
    (4, 4, 4),
    (3, 5, 2),
    (16, 1, 16),
    (1, 16, 16),
    (64, 64, 8),
    (100, 24, 2),
    (100, 2, 24),
    (2, 100, 33),
    (7, 23, 300),
    (33, 17, 65),
    (5, 31, 19),
    (13, 9, 9),
    (1, 70, 260),
    (70, 1, 260),
    (2, 64, 5),
    (80, 80, 80),
    (1, 900, 700),
    (900, 1, 700),
]


LARGE_SHAPES = [
    (13, 13, 2000),
    (14, 250, 300),
    (97, 65, 513),
    (150, 333, 90),
    (400, 130, 257),
    (100, 2100, 40),
    (60, 50, 5000),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ta, tb", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("shape", LARGE_SHAPES, ids=str)
def test_gemm_large(rng, large_by, dtype, ta, tb, shape):
    check(rng, dtype, ta, tb, *shape)
    check(rng, dtype, ta, tb, *shape, alpha=-2.0, beta=3.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ta, tb", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gemm(rng, dtype, ta, tb, shape):
    check(rng, dtype, ta, tb, *shape)
    check(rng, dtype, ta, tb, *shape, alpha=-2.0, beta=3.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", range(1, 20))
def test_gemm_every_small_size(rng, dtype, k):
    for m in (1, 2, 3, 4, 6, 9, 15):
        for n in (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 25, 31, 40):
            for form in range(4):
                check(rng, dtype, form & 1, form >> 1, m, n, k, 1.0, float(k % 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shared_b", [False, True])
@pytest.mark.parametrize(
    "batch, shape",
    [(40, (5, 6, 7)), (3, (150, 140, 130)), (300, (16, 24, 16)), (4, (1, 900, 300))],
)
def test_gemm_batched(rng, large_by, dtype, shared_b, batch, shape):
    for form in range(4):
        check(rng, dtype, form & 1, form >> 1, *shape, 2.0, 1.0, batch, shared_b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gemm_without_terms_scales(dtype):
    c = np.arange(12).astype(DTYPES[dtype]).reshape(3, 4)
    nothing = np.empty(0, DTYPES[dtype])
    blas._gemm(dtype, 0, 0, (1, 3, 2, 0), 1.0, nothing, 1, nothing, 2, 2.0, c, 4)
    expected = np.arange(12).reshape(3, 4)
    expected[:, :2] *= 2
    assert c.tolist() == expected.tolist()
    if dtype != I64:
        c[:] = np.nan
    blas._gemm(dtype, 0, 0, (1, 3, 4, 0), 1.0, nothing, 1, nothing, 4, 0.0, c, 4)
    assert not c.any()


@pytest.mark.parametrize("shape", [(1, 0, 3, 2), (1, 3, 0, 2), (0, 3, 3, 2)])
def test_gemm_of_nothing_writes_nothing(shape):
    c = np.full(9, 5.0)
    blas._gemm(F64, 0, 0, shape, 1.0, np.ones(6), 2, np.ones(6), 3, 0.0, c, 3)
    assert (c == 5).all()


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("m, n, k", [(3, 20, 21), (20, 2, 21), (20, 20, 21)])
def test_gemm_passes_nan_and_infinity(dtype, m, n, k):
    # inf sits where a tail masked on one side only would multiply it by zero
    a, b = np.ones((m, k), DTYPES[dtype]), np.ones((n, k), DTYPES[dtype])
    a[0, k - 2] = np.inf
    b[1, 0] = np.nan
    c = np.empty((m, n), DTYPES[dtype])
    blas._gemm(dtype, 0, 1, (1, m, n, k), 1.0, a, k, b, k, 0.0, c, n)
    assert np.array_equal(c, a @ b.T, equal_nan=True)


def test_gemm_integers_wrap():
    a = np.array([[2**62, 3]], np.int64)
    b = np.array([[4], [5]], np.int64)
    c = np.zeros((1, 1), np.int64)
    blas._gemm(I64, 0, 0, (1, 1, 1, 2), 1.0, a, 2, b, 1, 0.0, c, 1)
    assert c.item() == 15


def test_gemm_rejects_other_dtypes():
    x = np.ones(4, np.int32)
    with pytest.raises(TypeError, match="no kernel for dtype 5"):
        blas._gemm(5, 0, 0, (1, 2, 2, 2), 1.0, x, 2, x, 2, 0.0, x, 2)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("shape", [(300, 310, 70), (64, 500, 400), (2000, 1, 700)])
def test_gemm_is_the_same_on_any_number_of_threads(rng, large_by, dtype, shape):
    m, n, k = shape
    a = rng.random((m, k)).astype(DTYPES[dtype])
    b = rng.random((k, n)).astype(DTYPES[dtype])
    before = threads.get_num_threads()
    results = []
    try:
        for number in (1, 2, 5):
            threads.set_num_threads(number)
            c = np.empty((m, n), DTYPES[dtype])
            blas._gemm(dtype, 0, 0, (1, m, n, k), 1.0, a, k, b, n, 0.0, c, n)
            results.append(c.tobytes())
    finally:
        threads.set_num_threads(before)
    assert len(set(results)) == 1


# ---- the library ----


LARGE = """
import array, os
from tinytorch._core import blas, openblas
blas._prefer_own(False)
def large():
    x = array.array("d", [1.0]) * 10000
    blas._gemm(1, 0, 0, (1, 100, 100, 100), 1.0, x, 100, x, 100, 0.0, x[:], 100)
def small():
    x = array.array("d", [1.0]) * 16
    blas._gemm(1, 0, 0, (1, 4, 4, 4), 1.0, x, 4, x, 4, 0.0, x[:], 4)
"""


def test_library_is_loaded_at_the_first_large_product():
    code = (
        LARGE
        + """
def loaded():
    with open("/proc/self/maps") as maps:
        return "scipy_openblas" in maps.read()
small(); print(loaded()); large(); print(loaded())
"""
    )
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("needs /proc")
    assert run_python(code).stdout == "False\nTrue\n"


@pytest.mark.parametrize("wish", [None, "3"])
def test_library_starts_no_thread_and_leaves_the_environment(wish):
    code = (
        LARGE
        + """
large()
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
import ctypes
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
print(libc.getenv(b"OPENBLAS_NUM_THREADS"))
"""
    )
    if not os.path.exists("/proc/self/task"):
        pytest.skip("needs /proc")
    environment = {"TINYTORCH_NUM_THREADS": "1"}
    if wish:
        environment["OPENBLAS_NUM_THREADS"] = wish
    expected = f"1 {wish}\n{wish.encode() if wish else None}\n"
    assert run_python(code, **environment).stdout == expected


def test_missing_library_says_what_to_install():
    code = (
        LARGE
        + """
openblas.PACKAGE = "no_such_package_of_blas"
small()
try:
    large()
except RuntimeError as error:
    print(error)
"""
    )
    out = run_python(code).stdout
    assert "no_such_package_of_blas" in out and "pip install scipy-openblas32" in out
