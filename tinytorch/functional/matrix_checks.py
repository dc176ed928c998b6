"""What functions of matrices ask of their arguments, in PyTorch's words."""

from __future__ import annotations

from tinytorch._core.tensor import Tensor
from tinytorch.functional.dtype_words import type_word

__all__ = ["check_floats", "check_matrix", "check_square", "wrapped"]


def check_matrix(A: Tensor, op: str) -> None:
    """Raise unless A has rows and columns."""
    if A.ndim < 2:
        raise RuntimeError(f"{op}: The input tensor A must have at least 2 dimensions.")


def check_square(A: Tensor, op: str) -> None:
    """Raise unless A has as many rows as columns."""
    check_matrix(A, op)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{op}: A must be batches of square matrices, but they are "
            f"{A.shape[-2]} by {A.shape[-1]} matrices"
        )


def check_floats(A: Tensor, op: str) -> None:
    """Raise unless A has a floating-point dtype."""
    if not A.is_floating_point():
        raise RuntimeError(
            f"{op}: Expected a floating point or complex tensor as input. Got "
            f"{type_word(A.dtype)}"
        )


def wrapped(dim: int, rank: int) -> int:
    """Return a dimension counted from the front."""
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of "
            f"[{-rank}, {rank - 1}], but got {dim})"
        )
    return dim % rank
