"""One training step of three CNNs on a batch of images of MNIST's size.

    python -m benchmarks.networks [--threads N]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main

Step = Callable[[], Any]


def small_cnn(torch: Any) -> tuple[Any, Any]:
    """Return two convolutions with pooling and two linear layers, and Adam."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, torch.optim.Adam(model.parameters())


def example_cnn(torch: Any) -> tuple[Any, Any]:
    """Return the network of PyTorch's MNIST example, and Adadelta."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
    return model, torch.optim.Adadelta(model.parameters(), lr=1.0)


def wide_cnn(torch: Any) -> tuple[Any, Any]:
    """Return two wide convolutions with global average pooling, and SGD."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 48, 5, padding=2), nn.ReLU(),
        nn.Conv2d(48, 96, 5, padding=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(96, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, torch.optim.SGD(model.parameters(), lr=0.05)


def on_images(network: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], Step]:
    """Return a case: one step of a network on 64 random images of 28 x 28."""

    def build(torch: Any) -> Step:
        model, optimizer = network(torch)
        torch.manual_seed(0)
        x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
        loss_of = torch.nn.CrossEntropyLoss()

        def run() -> None:
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()

        return run

    return build


CASES = [
    Case("CNN 16-32-128-10, Adam", on_images(small_cnn), 2.5),
    Case("CNN 32-64-128-10 (PyTorch's example), Adadelta", on_images(example_cnn), 1.6),
    Case("CNN 48-96, global pooling, SGD", on_images(wide_cnn), 1.3),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
