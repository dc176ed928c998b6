"""Tensors with a part replaced, and one-hot rows: compositions of views and copies."""

from __future__ import annotations

from collections.abc import Sequence

from tinytorch._core.ops.creation import empty, zeros
from tinytorch._core.ops.lines import delivered
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, int64

METHODS = [
    "as_strided_scatter", "diagonal_scatter", "select_scatter", "slice_scatter"
]
__all__ = [*METHODS, "unravel_index"]
FUNCTIONAL = ["one_hot"]


def _replaced(whole: Tensor, part: Tensor, src: Tensor) -> Tensor:
    """Return `whole`, a fresh copy, with `part`, a view of it, overwritten."""
    if part.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(part.shape)}"
        )
    part.copy_(src)
    return whole


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return the input with ``input.select(dim, index)`` replaced by `src`.

    Example:
        >>> select_scatter(zeros(2, 2), ones(2), 0, 1).tolist()
        [[0.0, 0.0], [1.0, 1.0]]
    """
    whole = input.clone()
    return _replaced(whole, whole.select(dim, index), src)


def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the input with ``[start:end:step]``, along `dim`, replaced by `src`."""
    whole = input.clone()
    if not -whole.ndim <= dim < whole.ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-whole.ndim}, "
            f"{whole.ndim - 1}], but got {dim})"
        )
    key = (slice(None),) * (dim % whole.ndim) + (slice(start, end, step),)
    return delivered(_replaced(whole, whole[key], src), out)


def diagonal_scatter(
    input: Tensor,
    src: Tensor,
    offset: int = 0,
    dim1: int = 0,
    dim2: int = 1,
) -> Tensor:
    """Return the input with the diagonal of two dimensions replaced by `src`."""
    whole = input.clone()
    return _replaced(whole, whole.diagonal(offset, dim1, dim2), src)


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """Return the input with ``input.as_strided(...)`` replaced by `src`."""
    if any(s == 0 and n > 1 for n, s in zip(input.shape, input.stride(), strict=True)):
        input = input.clone()  # elements that share a place could not be replaced
    # The strides and the offset are those of the memory that the input lies in.
    length = input.untyped_storage().nbytes() // input.element_size()
    memory = input.detach().as_strided((length,), (1,), 0).clone()
    place = input.storage_offset(), input.shape, input.stride()
    whole = empty(0, dtype=input.dtype, device=input.device)
    whole.set_(memory.untyped_storage(), *place)
    if input.requires_grad:
        whole.copy_(input)  # the values are there; this records where they are from
    return _replaced(whole, whole.as_strided(size, stride, storage_offset), src)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return rows of zeros with a one where the int64 classes say.

    Args:
        tensor: Classes from 0 up.
        num_classes: Length of the rows. Default: the largest class plus one.
    """
    if tensor.dtype != int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor."
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError(
                "Can not infer total number of classes from empty tensor."
            )
        return empty((*tensor.shape, num_classes), dtype=int64, device=tensor.device)
    if tensor.device.type != "meta":
        if int(tensor.min()) < 0:
            raise RuntimeError("Class values must be non-negative.")
        largest = int(tensor.max())
        if num_classes == -1:
            num_classes = largest + 1
        elif num_classes < 1:
            raise RuntimeError("num_classes should be positive")
        elif largest >= num_classes:
            raise RuntimeError("Class values must be smaller than num_classes.")
    rows = zeros((*tensor.shape, num_classes), dtype=int64, device=tensor.device)
    return rows.scatter_(-1, tensor.unsqueeze(-1), 1)


def unravel_index(
    indices: Tensor, shape: int | Sequence[int]
) -> tuple[Tensor, ...]:
    """Return, for places in a flat tensor, their indices in one of `shape`.

    Example:
        >>> [i.tolist() for i in unravel_index(tensor([5, 11]), (3, 4))]
        [[1, 2], [1, 3]]
    """
    if indices.dtype.is_floating_point or indices.dtype is bool_:
        raise TypeError(
            f"expected 'indices' to be integer dtype, but got {indices.dtype}"
        )
    if not isinstance(shape, (int, Sequence)):
        raise TypeError(
            f"expected 'shape' to be int or sequence of ints, but got {type(shape)}"
        )
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for size in sizes:
        if not isinstance(size, int):
            raise TypeError(
                "expected 'shape' sequence to only contain ints, but got "
                f"{type(size)}"
            )
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    found = []
    for size in reversed(sizes):
        found.append(indices % size)
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(found))
