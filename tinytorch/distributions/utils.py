"""What the distributions share: broadcasting, logits and probabilities, lazy values."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from numbers import Number
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F

__all__ = [
    "broadcast_all", "logits_to_probs", "clamp_probs", "probs_to_logits",
    "lazy_property", "tril_matrix_to_vec", "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return numbers and tensors as tensors of one shape.

    Numbers take the dtype and the device of the first tensor, the default ones if there
    is none.
    """
    first = None
    for value in values:
        if isinstance(value, Tensor):
            first = value if first is None else first
        elif not isinstance(value, Number) and not hasattr(value, "__torch_function__"):
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or "
                "objects implementing __torch_function__."
            )
    if first is None:
        default = torch.get_default_dtype()
        tensors = [torch.tensor(value, dtype=default) for value in values]
        return tuple(tensors)
    shape = first.shape
    tensors = []
    alike = True
    for value in values:
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=first.dtype, device=first.device)
        alike = alike and value.shape == shape
        tensors.append(value)
    return tuple(tensors) if alike else tuple(torch.broadcast_tensors(*tensors))


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return torch.randn(shape, dtype=dtype, device=device)


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Sum the last `dim` dimensions."""
    return value.sum(tuple(range(-dim, 0))) if dim else value


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Return probabilities: of each logit if binary, else of the last dimension's."""
    return torch.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Return probabilities that are neither 0 nor 1, to the dtype's precision."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Return logits, finite ones for probabilities of 0 and 1 too."""
    inner = clamp_probs(probs)
    if is_binary:
        return torch.log(inner) - torch.log1p(-inner)
    return torch.log(inner)


class lazy_property:
    """A property that is computed once, with gradients, and then is an attribute."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, obj_type: Any = None) -> Any:
        if instance is None:
            return _LazyPropertyOfClass(self.wrapped)
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class _LazyPropertyOfClass(lazy_property, property):
    """What a class shows for its lazy property, so that documentation tools see one."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        property.__init__(self, wrapped)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """Return the elements on and below a diagonal of square matrices, row by row."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, cols = torch.tril_indices(n, n, diag)
    return mat[..., rows, cols]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Return square matrices with these elements on and below a diagonal, else 0."""
    # k = n (n + 1) / 2 elements of the lower triangle, more or fewer by the diagonal
    k = vec.shape[-1]
    n = (
        -(1 + 2 * diag)
        + ((1 + 2 * diag) ** 2 + 8 * k + 4 * abs(diag) * (diag + 1)) ** 0.5
    ) / 2
    eps = torch.finfo(vec.dtype).eps
    if not round(n) - eps <= n <= round(n) + eps:
        raise ValueError(
            f"The size of last dimension is {k} which cannot be expressed as the lower "
            "triangular part of a square D x D matrix."
        )
    size = round(n)
    mat = vec.new_zeros((*vec.shape[:-1], size, size))
    rows, cols = torch.tril_indices(size, size, diag)
    mat[..., rows, cols] = vec
    return mat
