"""Tolerances by dtype name, as (relative, absolute); a looser need stands in a row.

A result computed once and rounded differs by an ulp or two from another library's;
everything below float64 is accumulated in at least float32.
"""

from __future__ import annotations

__all__ = ["GRADIENT_FACTOR", "Tolerance", "tolerance"]

Tolerance = tuple[float, float]

TOLERANCES: dict[str, Tolerance] = {
    "float64": (1e-12, 1e-12),
    "float32": (1e-5, 1e-5),
    "float16": (2e-3, 1e-3),  # ulp 9.8e-4
    "bfloat16": (1.6e-2, 1e-2),  # ulp 7.8e-3
}

# A gradient is the product of several rounded factors.
GRADIENT_FACTOR = 10.0


def tolerance(dtype: object, factor: float = 1.0) -> Tolerance:
    """Return (rtol, atol) for a dtype of any of the libraries; (0, 0) if integer."""
    name = str(dtype).rpartition(".")[2]
    rtol, atol = TOLERANCES.get(name, (0.0, 0.0))
    return rtol * factor, atol * factor
