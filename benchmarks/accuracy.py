"""Train on the full MNIST and print the accuracy on its test set.

    python -m benchmarks.accuracy --data-dir DIR [--torch] [--seeds N ...]
                                  [--models mlp cnn example]

DIR holds the four gzipped IDX files.  ``--torch`` trains the same text with PyTorch, on
the same batches.  One seed more or less is worth 0.2 points: give several, then the
median counts.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from typing import Any

import tinytorch
from benchmarks.networks import example_cnn, wide_cnn
from tinytorch.vision.datasets import MNIST


def mlp(torch: Any) -> tuple[Any, Any]:
    """Return a multi-layer perceptron and SGD."""
    nn = torch.nn
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(),
                          nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


NETWORKS = {"mlp": mlp, "cnn": wide_cnn, "example": example_cnn}
DECAY = {"mlp": 1.0, "cnn": 1.0, "example": 0.7}  # of the rate, after each epoch
EPOCHS = {"mlp": 10, "cnn": 10, "example": 1}
TARGETS = {"mlp": 0.975, "cnn": 0.956, "example": 0.985}


def arrays(directory: str, train: bool) -> tuple[Any, Any]:
    """Return images, normalised, and labels as NumPy arrays."""
    data = MNIST(directory, train=train)
    images = data.data.numpy().astype("float32")[:, None] / 255
    return (images - 0.1307) / 0.3081, data.targets.numpy()


def train(torch: Any, name: str, directory: str, seed: int, batch: int = 64) -> float:
    """Return the accuracy on the test set after the model's epochs."""
    torch.manual_seed(seed)
    model, optimizer = NETWORKS[name](torch)
    x, y = map(torch.from_numpy, arrays(directory, True))
    test_x, test_y = map(torch.from_numpy, arrays(directory, False))
    loss_of = torch.nn.CrossEntropyLoss()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=DECAY[name])
    accuracy = 0.0
    for epoch in range(EPOCHS[name]):
        start = time.perf_counter()
        model.train()
        for index in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss_of(model(x[index]), y[index]).backward()
            optimizer.step()
        scheduler.step()
        seconds = time.perf_counter() - start
        model.eval()
        with torch.no_grad():
            right = sum(
                int((model(a).argmax(1) == b).sum())
                for a, b in zip(test_x.split(500), test_y.split(500), strict=True))
        accuracy = right / len(test_y)
        print(f"{name}: epoch {epoch + 1}, {seconds:.1f} s, test {accuracy:.2%}",
              flush=True)
    return accuracy


def main() -> None:
    """Parse the arguments; train; compare with the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=[*EPOCHS], choices=[*EPOCHS])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    library = importlib.import_module("torch") if options.torch else tinytorch
    for name in options.models:
        reached = [train(library, name, options.data_dir, s) for s in options.seeds]
        print(f"{name}: {statistics.median(reached):.2%}, target {TARGETS[name]:.1%}")


if __name__ == "__main__":
    main()
