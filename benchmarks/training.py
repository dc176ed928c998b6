"""One training step of a small network: zero_grad, forward, loss, backward, SGD.

    python -m benchmarks.training

Written without nn modules and optimisers: F.linear on leaf tensors, and the update
under no_grad, the same text for both libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main


def step(sizes: list[int], batch: int, classes: bool, lr: float = 0.01
         ) -> Callable[[Any], Callable[[], Any]]:
    """Return a case that trains an MLP of the given widths."""

    def build(torch: Any) -> Callable[[], Any]:
        functional = torch.nn.functional
        torch.manual_seed(0)
        weights = [(torch.randn(b, a) / a**0.5).requires_grad_()
                   for a, b in zip(sizes, sizes[1:], strict=False)]
        biases = [torch.zeros(b, requires_grad=True) for b in sizes[1:]]
        parameters = weights + biases
        x = torch.randn(batch, sizes[0])
        y = (torch.randint(0, sizes[-1], (batch,)) if classes
             else torch.randn(batch, sizes[-1]))
        loss_of = functional.cross_entropy if classes else functional.mse_loss
        last = len(weights) - 1

        def run() -> None:
            for p in parameters:
                p.grad = None
            h = x
            for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
                h = functional.linear(h, w, b)
                if i < last:
                    h = functional.relu(h)
            loss_of(h, y).backward()
            with torch.no_grad():
                for p in parameters:
                    p.add_(p.grad, alpha=-lr)

        return run

    return build


CASES = [
    Case("1-16-1 ReLU, MSE, batch 16", step([1, 16, 1], 16, False), 50),
    Case("2-24-12-1 (moons), batch 100", step([2, 24, 12, 1], 100, False), 25),
    Case("8-64-64-1, batch 64", step([8, 64, 64, 1], 64, False), 14),
    Case("784-128-10, cross-entropy, batch 64", step([784, 128, 10], 64, True), 3),
    Case("784-128-64-10, batch 128", step([784, 128, 64, 10], 128, True), 2.5),
    Case("784-512-512-10, batch 128", step([784, 512, 512, 10], 128, True), 2),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
