"""Norms of matrices, and the condition number that two of them make."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinytorch._core.ops.extremum import amax, amin
from tinytorch._core.ops.linalg import inv_ex
from tinytorch._core.ops.lines import delivered
from tinytorch._core.ops.norms import vector_norm
from tinytorch._core.ops.select import where
from tinytorch._core.ops.spectral import svdvals
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any
from tinytorch.functional.dtype_words import type_word
from tinytorch.functional.matrix_checks import (
    check_floats,
    check_matrix,
    check_square,
    wrapped,
)

LINALG = ["cond", "matrix_norm", "norm"]

Order = float | str | None


def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return a norm of each matrix.

    Args:
        ord: "fro"; "nuc", the sum of singular values; 2 or -2, the largest or smallest;
            1, -1, inf or -inf, the largest or smallest sum of magnitudes of a column
            (1) or row (inf).
    """
    op = "linalg.matrix_norm"
    check_matrix(A, op)
    if len(dim) != 2:
        given = " ".join(str(d) for d in dim)
        raise RuntimeError(f"{op}: dim must be a 2-tuple. Got {given}")
    row, column = (wrapped(d, A.ndim) for d in dim)
    if row == column:
        raise RuntimeError(f"{op}: dims must be different. Got ({dim[0]}, {dim[1]})")
    check_floats(A, op)
    if dtype is not None:
        A = _widened(A, dtype, op)
    if ord == "fro":
        return delivered(vector_norm(A, 2, tuple(dim), keepdim), out)
    if ord not in ("nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise RuntimeError(f"{op}: Order {ord} not supported.")
    if A.dtype.itemsize < 4 and ord in (2, -2, "nuc"):
        raise RuntimeError(
            f"{op}: Low precision dtypes not supported. Got {type_word(A.dtype)}"
        )
    return delivered(_norm_along(A, ord, row, column, keepdim), out)


def _norm_along(
    A: Tensor, ord: float | str, row: int, column: int, keepdim: bool
) -> Tensor:
    if isinstance(ord, str) or abs(ord) == 2:
        values = svdvals(A.movedim((row, column), (-2, -1)))
        y = values.sum(-1) if isinstance(ord, str) else _extreme(values, -1, ord > 0)
        for d in sorted((row, column)) if keepdim else ():
            y = y.unsqueeze(d)
        return y
    inner, outer = (row, column) if abs(ord) == 1 else (column, row)
    y = _extreme(A.abs().sum(inner, keepdim=True), outer, ord > 0, True)
    return y if keepdim else y.squeeze((row, column))


def _extreme(x: Tensor, dim: int, most: bool, keepdim: bool = False) -> Tensor:
    """Return the largest, or 0 if there is none, or the smallest along dim."""
    if most and x.shape[dim] == 0:
        return x.sum(dim, keepdim=keepdim)
    return (amax if most else amin)(x, dim, keepdim=keepdim)


def _widened(A: Tensor, dtype: Any, op: str) -> Tensor:
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{op}: dtype should be floating point or complex, but got "
            f"{type_word(dtype)}"
        )
    if dtype.itemsize < A.dtype.itemsize:
        raise RuntimeError(
            f"{op}: the dtype of the input ({type_word(A.dtype)}) should be "
            f"convertible without narrowing to the specified dtype ({type_word(dtype)})"
        )
    return A.to(dtype)


def norm(
    A: Tensor,
    ord: Order = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return `vector_norm` or `matrix_norm`, by how many dimensions are given.

    Example:
        >>> norm(tensor([3.0, -4.0])).item()
        5.0
    """
    dims = [dim] if isinstance(dim, int) else None if dim is None else list(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dims}"
        )
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    if dims is None and A.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or "
            f"2D. Got {A.ndim}D."
        )
    if isinstance(ord, str) or len(dims or A.shape) == 2:
        where_ = dims if dims is not None else [0, 1]
        return matrix_norm(A, ord, where_, keepdim, dtype=dtype, out=out)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype, out=out)


def cond(A: Tensor, p: Order = None, *, out: Tensor | None = None) -> Tensor:
    """Return the condition number: norm(A) norm(inverse of A), inf if A is singular."""
    if A.ndim < 2:
        raise RuntimeError(
            "linalg.cond: The input tensor must have at least 2 dimensions."
        )
    if p not in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if A.numel() == 0:
        return delivered(A.new_zeros(A.shape[:-2]), out)
    if p is None or p in (2, -2):
        s = svdvals(A)
        first, last = s.select(-1, 0), s.select(-1, -1)
        y = last / first if p == -2 else first / last
        return delivered(y, out)
    check_square(A, f"linalg.cond(ord={p})")
    if p == "nuc":  # the inverse of a singular matrix has no singular values
        s = svdvals(A)
        return delivered(s.sum(-1) * s.reciprocal().sum(-1), out)
    inverse, info = inv_ex(A)
    y = matrix_norm(A, p) * matrix_norm(inverse, p)
    return delivered(where(info == 0, y, math.inf), out)
