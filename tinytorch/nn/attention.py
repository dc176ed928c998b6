"""Which kernel attention may use: tinytorch has one, so the choice is only noted."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence

from tinytorch._later import later as _later
from tinytorch.backends import cuda

__all__ = ["SDPBackend", "sdpa_kernel"]

__getattr__, __dir__ = _later(__name__)


class SDPBackend(enum.IntEnum):
    """PyTorch's ways of attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __repr__(self) -> str:
        return f"<{self}: {self.value}>"

    def __str__(self) -> str:
        return f"SDPBackend.{self.name}"


@contextlib.contextmanager
def sdpa_kernel(
    backends: Sequence[SDPBackend] | SDPBackend, set_priority: bool = False
) -> Iterator[None]:
    """Allow only some ways of attention for a ``with`` block or a function.

    Args:
        backends: one or several; `torch.backends.cuda` tells which are allowed.
        set_priority: whether the first is to be preferred.
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend "
            f"instances, got {type(backends).__name__}"
        )
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    with cuda._only(
        SDPBackend.FLASH_ATTENTION in chosen,
        SDPBackend.MATH in chosen,
        SDPBackend.EFFICIENT_ATTENTION in chosen,
        SDPBackend.CUDNN_ATTENTION in chosen,
    ):
        yield
