"""One training step as programs write it: nn modules, an optimiser, zero_grad.

    python -m benchmarks.networks [--threads N]

Section by section: the small models with SGD and with Adam, then CNNs on images of
MNIST's size.  The same text runs in both libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main

Step = Callable[[], Any]


def training_step(torch: Any, model: Any, optimizer: Any, x: Any, y: Any,
                  loss_of: Any) -> Step:
    """Return one step of training on the same batch."""

    def run() -> None:
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return run


def mlp(sizes: list[int], batch: int, classes: bool, adam: bool = False
        ) -> Callable[[Any], Step]:
    """Return a case with a multi-layer perceptron of the given widths."""

    def build(torch: Any) -> Step:
        nn = torch.nn
        torch.manual_seed(0)
        layers: list[Any] = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        x = torch.randn(batch, sizes[0])
        y = (torch.randint(0, sizes[-1], (batch,)) if classes
             else torch.randn(batch, sizes[-1]))
        optimizer = (torch.optim.Adam(model.parameters()) if adam
                     else torch.optim.SGD(model.parameters(), lr=0.01))
        loss_of = nn.CrossEntropyLoss() if classes else nn.MSELoss()
        return training_step(torch, model, optimizer, x, y, loss_of)

    return build


def small_cnn(torch: Any) -> Step:
    """Two convolutions with pooling, two linear layers, Adam."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    return images(torch, model, torch.optim.Adam(model.parameters()))


def example_cnn(torch: Any) -> Step:
    """The network of PyTorch's MNIST example, Adadelta."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
    return images(torch, model, torch.optim.Adadelta(model.parameters(), lr=1.0))


def wide_cnn(torch: Any) -> Step:
    """Two wide convolutions, global average pooling, SGD."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 48, 5, padding=2), nn.ReLU(),
        nn.Conv2d(48, 96, 5, padding=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(96, 128), nn.ReLU(), nn.Linear(128, 10))
    return images(torch, model, torch.optim.SGD(model.parameters(), lr=0.05))


def images(torch: Any, model: Any, optimizer: Any) -> Step:
    """Return one step on 64 random images of 28 x 28."""
    torch.manual_seed(0)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    return training_step(torch, model, optimizer, x, y, torch.nn.CrossEntropyLoss())


SMALL = [
    ("1-16-1 ReLU, MSE, batch 16", [1, 16, 1], 16, False, 50),
    ("2-24-12-1 (moons), batch 100", [2, 24, 12, 1], 100, False, 25),
    ("8-64-64-1, batch 64", [8, 64, 64, 1], 64, False, 14),
    ("784-128-10, cross-entropy, batch 64", [784, 128, 10], 64, True, 3),
    ("784-128-64-10, batch 128", [784, 128, 64, 10], 128, True, 2.5),
    ("784-512-512-10, batch 128", [784, 512, 512, 10], 128, True, 2),
]
CASES = [
    Case(f"{name}, {'Adam' if adam else 'SGD'}", mlp(sizes, batch, classes, adam), target)
    for adam in (False, True)
    for name, sizes, batch, classes, target in SMALL
] + [
    Case("CNN 16-32-128-10, Adam", small_cnn, 2.5),
    Case("CNN 32-64-128-10 (PyTorch's example), Adadelta", example_cnn, 1.6),
    Case("CNN 48-96, global pooling, SGD", wide_cnn, 1.3),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
