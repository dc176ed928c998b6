"""Casts between all dtypes against PyTorch: what does not fit, NaN, ties, truth values.

Contiguous data takes one function a pair, data with gaps goes through blocks around it:
both are held against PyTorch, over lengths on both sides of a vector and of a block.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinytorch as tt
from oracle import DTYPES, to_tiny

NAMES = list(DTYPES.values())
PAIRS = [pair for pair in itertools.product(NAMES, repeat=2) if pair[0] != pair[1]]
FLOATS = [
    0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 1.5, 2.5, 127.0, 128.0, 255.0,
    256.0, -1.0, -256.5, 32767.0, 32768.0, 2.0**31 - 1, 2.0**31, -(2.0**31) - 1, 3e9,
    -3e9, 2.0**32 + 3, 2.0**40 + 7, 2.0**62, 2.0**63, -(2.0**63), 1e30, -1e30, 1e308,
    # the limits of the half types, and ties
    65504.0, 65519.99, 65520.0, 2.0**-24, 2.0**-25, 2.0**-25 * 1.0001, 1e-40, 5e-324,
    1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11, 3.39e38, 3.4028235677973366e38,
]  # fmt: skip
INTEGERS = [
    0, 1, -1, 127, 128, 255, 256, -255, 65535, 2**31 - 1, 2**31, -(2**31) - 1,
    2**24 + 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63),
    # beside the middle between two float32: rounding twice would show
    *(2**60 + k * 2**36 + d for k in (1, 3) for d in (-1, 0, 1)),
]  # fmt: skip


def values(name: str) -> Any:
    """Return a few thousand values of a dtype: its edges, and all magnitudes."""
    g = torch.Generator().manual_seed(0)
    dtype = getattr(torch, name)
    if dtype.is_floating_point:
        wide = torch.randn(2500, generator=g, dtype=torch.float64)
        wide *= torch.exp2(torch.linspace(-160, 130, 2500, dtype=torch.float64))
        near = torch.randn(1501, generator=g, dtype=torch.float64) * 300
        return torch.cat([near, torch.tensor(FLOATS).double(), wide]).to(dtype)
    whole = torch.randint(-(2**63), 2**63 - 1, (2500,), generator=g)
    near = torch.randint(-300, 300, (1501,), generator=g)
    whole >>= torch.arange(2500) % 64
    return torch.cat([near, torch.tensor(INTEGERS), whole]).to(dtype)


def layouts(x: Any) -> list[Any]:
    """Return views of x: all, with gaps, transposed, broadcast, single elements."""
    views = [x[:n] for n in (len(x), 1504, 1, 7, 8, 9)]
    views += [x[::2], x[1::3], x[:36].view(4, 9).t(), x[:3999].view(3, 1333).t()]
    return [*views, x[:6].view(6, 1).expand(6, 700), x[1520].expand(5, 7)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_cast_is_pytorchs(source: str, target: str) -> None:
    x = values(source)
    for theirs, ours in zip(layouts(x), layouts(to_tiny(x)), strict=True):
        wanted = to_tiny(theirs.to(getattr(torch, target)))
        found = ours.to(getattr(tt, target))
        assert found.dtype is wanted.dtype
        assert found.shape == wanted.shape
        a, b = (np.asarray(t.to(tt.float64).numpy()) for t in (found, wanted))
        if target in ("int64", "uint8", "int32"):
            a, b = found.numpy(), wanted.numpy()
        np.testing.assert_array_equal(a, b)
        if b.dtype == np.float64:
            number = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a)[number], np.signbit(b)[number])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_copy_into_gaps_casts(source: str, target: str) -> None:
    x = values(source)[1480:1540]
    wanted = torch.zeros(60, 2, dtype=getattr(torch, target))
    found = to_tiny(wanted)
    wanted[:, 1] = x
    found[:, 1] = to_tiny(x)
    wanted[:4, 0] = x[2]
    found[:4, 0] = to_tiny(x)[2]
    np.testing.assert_array_equal(
        found.to(tt.float64).numpy(), wanted.to(torch.float64).numpy()
    )


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_half_number_widens(name: str) -> None:
    """All 65536 patterns, there and back."""
    bits = np.arange(-32768, 32768).astype(np.int16)
    ours = tt.from_numpy(bits).view(getattr(tt, name))
    theirs = torch.from_numpy(bits).view(getattr(torch, name))
    wide = ours.float()
    np.testing.assert_array_equal(wide.numpy(), theirs.float().numpy())
    back, number = wide.to(ours.dtype).view(tt.int16).numpy(), ~wide.isnan().numpy()
    np.testing.assert_array_equal(back[number], bits[number])


def test_gradient_of_a_cast_is_cast_back() -> None:
    x = tt.tensor([1.5, 2.5], dtype=tt.float16, requires_grad=True)
    (x.double() * tt.tensor([3.0, 4.0], dtype=tt.float64)).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is tt.float16
    assert x.grad.tolist() == [3.0, 4.0]
