"""SparseAdam, which there is nothing here to optimize with: no sparse gradients."""

from __future__ import annotations

from typing import Any

from tinytorch.optim.optimizer import Optimizer, ParamsT

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Refuse: it steps by sparse gradients only, and layouts here are strided.

    Args:
        params: tensors or groups of them.
    """

    def __init__(self, params: ParamsT, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "SparseAdam: sparse gradients are not supported; use Adam, which takes "
            "the dense gradients that Embedding produces here"
        )
