"""How `linear_cross_entropy` is computed in chunks of the batch."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinytorch._core.types import bfloat16, float16, float32, float64

__all__ = ["LinearCrossEntropyOptions"]

POLICIES = ("accurate", "balanced", "compact", "auto")
DTYPES = (None, float16, bfloat16, float32, float64)


class _Options(NamedTuple):
    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyOptions(_Options):
    """Asks for chunks, so that the scores of the whole batch are never held.

    The backward pass computes the scores of a chunk again.

    Args:
        allow_retain_graph: a second backward pass is allowed in any case.
        batch_chunk_size: rows of a chunk; None leaves it to
        chunking_method: "aspect_ratio:k" makes the scores of a chunk at most k times as
            large as the whole input; "auto" is k = 2, None is one chunk.
        acc_policy: kept; there is one way to add up.
        acc_dtype: in which the losses of the chunks are added; None takes float32 for
            half types, else the dtype of the losses.
    """

    __slots__ = ()

    def __new__(
        cls,
        allow_retain_graph: bool = False,
        batch_chunk_size: int | None = None,
        chunking_method: str | None = "auto",
        acc_policy: str = "auto",
        acc_dtype: Any = None,
    ) -> LinearCrossEntropyOptions:
        whole = isinstance(batch_chunk_size, int) and batch_chunk_size > 0
        if batch_chunk_size is not None and not whole:
            raise ValueError(
                f"batch_chunk_size must be positive int or None, got {batch_chunk_size}"
            )
        if acc_policy not in POLICIES:
            raise ValueError(f"invalid acc_policy: {acc_policy!r}")
        if chunking_method is not None and _ratio(chunking_method) is None:
            raise ValueError(f"invalid chunking_method: {chunking_method!r}")
        if acc_dtype not in DTYPES:
            known = ", ".join(str(dtype) for dtype in DTYPES)
            raise ValueError(
                f"acc_dtype must be one of {{{known}}}, got {acc_dtype}. Pass "
                "acc_dtype=None to let the op pick automatically."
            )
        return super().__new__(
            cls,
            allow_retain_graph,
            batch_chunk_size,
            chunking_method,
            acc_policy,
            acc_dtype,
        )

    def rows(self, batch: int, features: int, classes: int) -> int:
        """Return how many rows of the batch a chunk has."""
        if self.batch_chunk_size is not None:
            return self.batch_chunk_size
        ratio = _ratio(self.chunking_method or "")
        if ratio is None:
            return batch
        return max(1, min(batch, ratio * batch * features // max(1, classes)))


def _ratio(method: str) -> int | None:
    """Return k of "aspect_ratio:k", 2 if there is no number; None of other texts."""
    if method == "auto":
        return 2
    name, colon, number = method.partition(":")
    if name != "aspect_ratio" or (colon and not number.isdecimal()):
        return None
    return (int(number) or None) if colon else 2
