"""The layer that mixes groups of channels."""

from __future__ import annotations

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.modules.module import Module

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """Reads `groups` blocks of channels in turn: (N, g * n, ...) as (N, n * g, ...)."""

    __constants__ = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with its channels in the new order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Describe the layer in its repr."""
        return f"groups={self.groups}"
