"""Casts of 100,000 contiguous elements, x.to(dtype), between the dtypes in use.

    python -m benchmarks.casts --threads 1
    python -m benchmarks.casts --threads 1 float16 "int64 -> float32"

Target: no pair slower than PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8",
          "bool")
ELEMENTS = 100_000


def cast(source: str, target: str) -> Callable[[Any], Callable[[], Any]]:
    """Return a case that casts numbers which every dtype can hold."""

    def build(torch: Any) -> Callable[[], Any]:
        x = (torch.arange(ELEMENTS) % 100).to(getattr(torch, source))
        dtype = getattr(torch, target)
        return lambda: x.to(dtype)

    return build


CASES = [Case(f"{source} -> {target}", cast(source, target), 1)
         for source, target in itertools.permutations(DTYPES, 2)]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
