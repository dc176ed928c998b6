"""torch.norm: the door to vector and matrix norms."""

from __future__ import annotations

from collections.abc import Sequence

from tinytorch._core.ops.norms import vector_norm
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any
from tinytorch.functional.matrix_norms import matrix_norm

__all__ = ["norm"]
METHODS = ["norm"]


def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return the norm of a tensor, or of its vectors or matrices along `dim`.

    Args:
        p: the order; "fro" is 2 over all of `dim`, "nuc" the sum of singular values.

    Example:
        >>> norm(tensor([3.0, -4.0])).item()
        5.0
    """
    if isinstance(p, str) and p != "fro":
        given = (dim,) if isinstance(dim, int) else dim
        axes = (-2, -1) if given is None else given
        return matrix_norm(input, p, axes, keepdim, dtype=dtype, out=out)
    order = 2 if p is None or isinstance(p, str) else p
    return vector_norm(input, order, dim, keepdim, dtype=dtype, out=out)
