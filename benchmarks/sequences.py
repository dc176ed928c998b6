"""Recurrent layers, attention and transformers: one step, forward and backward.

    python -m benchmarks.sequences
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Build, Case, main


def trained(make: Callable[[Any], Any], shape: tuple[int, ...], inputs: int = 1
            ) -> Build:
    """Return a case: gradients of the sum of a module's first result."""

    def build(torch: Any) -> Callable[[], Any]:
        torch.manual_seed(0)
        model = make(torch.nn)
        x = torch.randn(*shape)

        def run() -> None:
            model.zero_grad()
            y = model(*[x] * inputs)
            (y[0] if isinstance(y, tuple) else y).sum().backward()

        return run

    return build


def forward(make: Callable[[Any], Any], shape: tuple[int, ...]) -> Build:
    """Return a case: a module's results, without a graph."""

    def build(torch: Any) -> Callable[[], Any]:
        torch.manual_seed(0)
        model = make(torch.nn)
        x = torch.randn(*shape)

        def run() -> None:
            with torch.no_grad():
                model(x)

        return run

    return build


def layers(kind: str, *sizes: int) -> Callable[[Any], Any]:
    """Return a maker of a recurrent module."""
    return lambda nn: getattr(nn, kind)(*sizes)


def encoder(width: int, heads: int) -> Callable[[Any], Any]:
    """Return a maker of an encoder layer with dropout."""
    return lambda nn: nn.TransformerEncoderLayer(
        width, heads, 4 * width, batch_first=True)


def attention(width: int, heads: int) -> Callable[[Any], Any]:
    """Return a maker of an attention module."""
    return lambda nn: nn.MultiheadAttention(width, heads, batch_first=True)


LARGE, SMALL = (32, 32, 128), (10, 4, 8)
CASES = [
    Case("LSTM 2 layers, 128 hidden, 32 steps, batch 32",
         trained(layers("LSTM", 128, 128, 2), LARGE), 1.5),
    Case("the same, forward", forward(layers("LSTM", 128, 128, 2), LARGE)),
    Case("GRU likewise", trained(layers("GRU", 128, 128, 2), LARGE)),
    Case("RNN likewise", trained(layers("RNN", 128, 128, 2), LARGE)),
    Case("LSTM 16 hidden, 10 steps, batch 4", trained(layers("LSTM", 8, 16), SMALL)),
    Case("GRU likewise, small", trained(layers("GRU", 8, 16), SMALL)),
    Case("RNN likewise, small", trained(layers("RNN", 8, 16), SMALL)),
    Case("LSTMCell 16 hidden, batch 4", trained(layers("LSTMCell", 8, 16), (4, 8))),
    Case("attention 32 wide, 4 heads, 10 steps, batch 8",
         trained(attention(32, 4), (8, 10, 32), 3)),
    Case("attention 256 wide, 8 heads, 64 steps, batch 8",
         trained(attention(256, 8), (8, 64, 256), 3)),
    Case("encoder layer 32 wide, 10 steps, batch 8",
         trained(encoder(32, 4), (8, 10, 32))),
    Case("encoder layer 256 wide, 64 steps, batch 8",
         trained(encoder(256, 8), (8, 64, 256))),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
