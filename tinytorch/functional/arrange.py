"""Stacks, grids and splits that are compositions of cat, stack and views."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

from tinytorch._core.ops.creation import zeros
from tinytorch._core.ops.data import tensor
from tinytorch._core.ops.join import cat, stack
from tinytorch._core.ops.split import tensor_split
from tinytorch._core.ops.views import reshape, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import Size, int64, promote_types
from tinytorch._typing import Any

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "cartesian_prod",
    "column_stack",
    "combinations",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "meshgrid",
    "row_stack",
    "vander",
    "vsplit",
    "vstack",
]
METHODS = ["dsplit", "hsplit", "vsplit"]

Tensors = Sequence[Tensor]


def _each(tensors: tuple[Any, ...], one: Any) -> Any:
    """Apply `one` to f(x), to each of f(x, y), or to each of f([x, y])."""
    if len(tensors) == 1:
        if isinstance(tensors[0], Tensor):
            return one(tensors[0])
        tensors = tuple(tensors[0])
    return tuple(one(x) for x in tensors)


# ---- at least so many dimensions ----


def atleast_1d(*tensors: Any) -> Any:
    """Return views of the tensors with at least one dimension."""
    return _each(tensors, lambda x: reshape(x, (1,)) if x.ndim == 0 else x)


def atleast_2d(*tensors: Any) -> Any:
    """Return views of the tensors with at least two dimensions, new ones in front."""
    return _each(tensors, _matrix)


def _matrix(x: Tensor) -> Tensor:
    if x.ndim == 0:
        return reshape(x, (1, 1))
    return unsqueeze(x, 0) if x.ndim == 1 else x


def atleast_3d(*tensors: Any) -> Any:
    """Return views of the tensors with at least three dimensions."""
    return _each(tensors, _cube)


def _cube(x: Tensor) -> Tensor:
    if x.ndim == 0:
        return reshape(x, (1, 1, 1))
    if x.ndim == 1:
        return unsqueeze(unsqueeze(x, 0), 2)
    return unsqueeze(x, 2) if x.ndim == 2 else x


# ---- stacks ----


def _listed(tensors: Tensors, name: str) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return list(tensors)


def hstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Join tensors side by side: along the second dimension,
    vectors along the first."""
    given = [atleast_1d(x) for x in _listed(tensors, "hstack")]
    return cat(given, 0 if given[0].ndim == 1 else 1, out=out)


def vstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Join tensors as rows, along the first dimension."""
    return cat([_matrix(x) for x in _listed(tensors, "vstack")], 0, out=out)


def row_stack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Alias of vstack."""
    return vstack(tensors, out=out)


def dstack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Join tensors in depth, along the third dimension."""
    return cat([_cube(x) for x in _listed(tensors, "dstack")], 2, out=out)


def column_stack(tensors: Tensors, *, out: Tensor | None = None) -> Tensor:
    """Join tensors side by side, vectors as columns."""
    columns = [
        reshape(x, (x.numel(), 1)) if x.ndim <= 1 else x
        for x in _listed(tensors, "column_stack")
    ]
    return cat(columns, 1, out=out)


def block_diag(*tensors: Any) -> Tensor:
    """Return the matrix with the given ones along its diagonal and zeros elsewhere."""
    if not tensors:
        return zeros(1, 0)
    for i, x in enumerate(tensors):
        if x.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {i} has {x.ndim} dimensions"
            )
    blocks = [_matrix(x) for x in tensors]
    dtype = blocks[0].dtype
    for x in blocks[1:]:
        dtype = promote_types(dtype, x.dtype)
    width, left, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        height, own = x.shape
        right = width - left - own
        parts = [x.new_zeros((height, left), dtype=dtype), x.to(dtype)]
        rows.append(cat([*parts, x.new_zeros((height, right), dtype=dtype)], 1))
        left += own
    return cat(rows, 0)


# ---- splits ----


def _split(
    input: Tensor, where: Any, dim: int, needed: int, name: str
) -> tuple[Tensor, ...]:
    if input.ndim < needed:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {needed} dimension, but got "
            f"a tensor with {input.ndim} dimensions!"
        )
    if isinstance(where, int) and (where <= 0 or input.shape[dim] % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of "
            f"the dimension {input.shape[dim]} is not divisible by the split_size "
            f"{where}!"
        )
    return tensor_split(input, where, dim)  # type: ignore[no-any-return]


def _one_of(first: Any, indices: Any, sections: Any, name: str) -> Any:
    for given in (first, indices, sections):
        if given is not None:
            return given
    raise TypeError(f"{name}() missing 1 required positional argument: 'indices'")


def hsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Any = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Split along the second dimension, a vector along its only one."""
    where = _one_of(indices_or_sections, indices, sections, "hsplit")
    return _split(input, where, 0 if input.ndim == 1 else 1, 1, "hsplit")


def vsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Any = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Split along the first dimension."""
    where = _one_of(indices_or_sections, indices, sections, "vsplit")
    return _split(input, where, 0, 2, "vsplit")


def dsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Any = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Split along the third dimension."""
    where = _one_of(indices_or_sections, indices, sections, "dsplit")
    return _split(input, where, 2, 3, "dsplit")


# ---- shapes ----


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """Return the shape to which all given shapes broadcast.

    Example:
        >>> broadcast_shapes((2, 1), (3,))
        torch.Size([2, 3])
    """
    result: list[int] = []
    for k, shape in enumerate(shapes):
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        result = [1] * (len(sizes) - len(result)) + result
        for at, size in zip(range(-len(sizes), 0), sizes, strict=True):
            if size < 0:
                raise RuntimeError(
                    "Trying to create tensor with negative dimension "
                    f"({size}): ({size})"
                )
            if size in (1, result[at]):
                continue
            if result[at] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {size} at {at}! "
                    f"Mismatching argument at index {k} had {sizes}; but expected "
                    f"shape should be broadcastable to {result}"
                )
            result[at] = size
    return Size(result)


# ---- grids ----


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: one tensor per vector, expanded over the
    others.

    Args:
        indexing: "ij", the first vector runs over the first dimension, or "xy".
    """
    given = (
        list(tensors[0])
        if len(tensors) == 1 and not isinstance(tensors[0], Tensor)
        else list(tensors)
    )
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        indexing = "ij"
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the "
            "indexing argument.",
            UserWarning,
            stacklevel=2,
        )
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
            f"{indexing}"
        )
    for x in given:
        if x.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{x}"
            )
        if x.dtype != given[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
        if x.device != given[0].device:
            raise RuntimeError("meshgrid expects all tensors to have the same device")
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given[0], given[1] = given[1], given[0]
    shape = [x.numel() for x in given]
    grids = [
        x.reshape([-1 if k == i else 1 for k in range(len(given))]).expand(shape)
        for i, x in enumerate(given)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all tuples with one element of each vector, as rows."""
    given = (
        tensors[0]
        if len(tensors) == 1 and not isinstance(tensors[0], Tensor)
        else tensors
    )
    for x in given:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(given) == 1:
        only: Tensor = given[0]
        return only
    return stack([g.flatten() for g in meshgrid(*given, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all choices of `r` elements of a vector, as rows."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty(0)
    choose = (
        itertools.combinations_with_replacement
        if with_replacement
        else itertools.combinations
    )
    rows = list(choose(range(input.numel()), r))
    columns = [
        tensor([row[k] for row in rows], dtype=int64, device=input.device)
        for k in range(r)
    ]
    return stack([input.index_select(0, column) for column in columns], 1)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of a vector's elements as columns, the highest first."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.numel() if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    powers: list[Tensor] = []
    if not x.dtype.is_floating_point:
        x = x.long()
    for _ in range(n):
        powers.append(x * powers[-1] if powers else x.new_ones(x.shape))
    if not powers:
        return x.new_empty((x.numel(), 0))
    return stack(powers if increasing else powers[::-1], 1)
