"""The training behind ``tinytorch mnist``: data, networks, state, pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NamedTuple

import tinytorch
from tinytorch import Tensor, nn, optim
from tinytorch.cli.mnist import RATES
from tinytorch.nn import functional
from tinytorch.serialization import load, save
from tinytorch.utils.data import DataLoader, TensorDataset
from tinytorch.utils.resume import random_state, set_random_state

__all__ = ["Run", "Wrong", "as_text", "cnn", "mlp", "plot"]

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST
SHADES = " .:-=+*#%@"


def mlp() -> nn.Module:
    """Return a network with two hidden layers: 784-128-64-10."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
        nn.Linear(64, 10))


def cnn() -> nn.Module:
    """Return the convolutional network of PyTorch's example."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128),
        nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))


MODELS = {"mlp": mlp, "cnn": cnn}
OPTIMIZERS: dict[str, Any] = {
    "sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW,
    "adadelta": optim.Adadelta}


class Wrong(NamedTuple):
    """A digit that the network takes for another."""

    pixels: list[list[int]]
    label: int
    guess: int


def _digits(options: argparse.Namespace, train: bool) -> tuple[Tensor, Tensor]:
    """Return the images, normalised, and their labels."""
    from tinytorch.vision.datasets import MNIST, SmallMNIST

    if options.data_dir is not None:
        part = MNIST(options.data_dir, train=train)
    elif options.data == "full":
        part = MNIST("data", train=train, download=True)
    else:
        part = SmallMNIST(train=train)
    images = part.data.to(tinytorch.float32).div_(255).sub_(MEAN).div_(DEVIATION)
    return images.unsqueeze(1), part.targets


class Run:
    """A training run.

    Args:
        options: of the command line.

    Attributes:
        epoch: how many epochs are done.
        history: per epoch the training loss and the accuracy of the test.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.device = tinytorch.device(options.device)
        if self.device.type == "cuda" and not tinytorch.cuda.is_available():
            raise RuntimeError(tinytorch.cuda.why_not_available())
        tinytorch.manual_seed(options.seed)
        self.kind: str = options.model
        self.model = MODELS[self.kind]().to(self.device)
        rate = RATES[options.optimizer] if options.lr is None else options.lr
        self.optimizer = OPTIMIZERS[options.optimizer](self.model.parameters(), lr=rate)
        self.name = f"{options.optimizer}, learning rate {rate:g}"
        images, labels = _digits(options, True)
        self.test_images, self.test_labels = _digits(options, False)
        self.train_batches = DataLoader(
            TensorDataset(images, labels), batch_size=options.batch_size, shuffle=True)
        self.count, self.test_count = len(labels), len(self.test_labels)
        self.epoch = 0
        self.history: list[tuple[float, float]] = []
        if options.resume:
            self.resume(options.resume)

    def summary(self) -> str:
        """Return one line about what is trained."""
        parameters = sum(p.numel() for p in self.model.parameters())
        return (f"{self.kind} of {parameters:,} parameters on {self.count:,} digits, "
                f"{self.name}, on {self.device}")

    def train(self, batches: Iterable[Any]) -> float:
        """Do one epoch; return its mean loss."""
        self.model.train()
        total, count = 0.0, 0
        for x, labels in batches:
            x, labels = x.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(x), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
            count += len(labels)
        self.epoch += 1
        self._loss = total / count
        return self._loss

    def _guesses(self) -> Tensor:
        self.model.eval()
        with tinytorch.no_grad():
            parts = [self.model(x.to(self.device)).argmax(1).cpu()
                     for x in self.test_images.split(1000)]
        return tinytorch.cat(parts)

    def test(self) -> float:
        """Return the share of test digits that are read rightly; note it."""
        right = self._guesses() == self.test_labels
        accuracy = float(right.float().mean().item())
        self.history.append((self._loss, accuracy))
        return accuracy

    def wrong_digits(self) -> list[Wrong]:
        """Return all test digits that are read wrongly."""
        guesses = self._guesses()
        wrong = (guesses != self.test_labels).nonzero().flatten().tolist()
        pixels = self.test_images.mul(DEVIATION).add(MEAN).mul(255).round()
        return [Wrong(pixels[i, 0].int().tolist(), self.test_labels[i].item(),
                      guesses[i].item()) for i in wrong]

    # ---- files ----

    def save(self, path: str) -> None:
        """Write all that is needed to go on."""
        save({
            "kind": self.kind, "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(), "epoch": self.epoch,
            "history": self.history, "random": random_state(),
        }, path)

    def resume(self, path: str) -> None:
        """Go on from a file of `save`."""
        state = load(path, map_location=self.device)
        if state.get("kind") != self.kind:
            raise ValueError(f"{path} has the state of model {state.get('kind')!r}, "
                             f"not of {self.kind!r}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.history = state["epoch"], state["history"]
        set_random_state(state["random"])


# ---- pictures ----


def as_text(wrong: list[Wrong], per_row: int = 3) -> str:
    """Draw digits with characters, several side by side."""
    rows = []
    for start in range(0, len(wrong), per_row):
        part = wrong[start:start + per_row]
        rows.append("  ".join(f"{f'{w.label} read as {w.guess}':<28}" for w in part))
        for y in range(2, 26, 2):  # a character is twice as high as it is wide
            rows.append("  ".join(_line(w.pixels[y], w.pixels[y + 1]) for w in part))
        rows.append("")
    return "\n".join(row.rstrip() for row in rows)


def _line(upper: list[int], lower: list[int]) -> str:
    return "".join(SHADES[(a + b) * (len(SHADES) - 1) // 510]
                   for a, b in zip(upper, lower, strict=True))


def plot(path: str, history: list[tuple[float, float]], wrong: list[Wrong]) -> None:
    """Draw loss, accuracy and wrong digits into a file."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subfigures(2, 1)
    epochs = range(1, len(history) + 1)
    left, right = above.subplots(1, 2)
    left.plot(epochs, [loss for loss, _ in history], marker="o")
    left.set(xlabel="epoch", ylabel="training loss")
    right.plot(epochs, [100 * accuracy for _, accuracy in history], marker="o")
    right.set(xlabel="epoch", ylabel="test accuracy (%)")
    places: Any = below.subplots(2, 6)
    for axes, digit in zip(places.flat, [*wrong, *[None] * 12], strict=False):
        axes.axis("off")
        if digit is not None:
            axes.imshow(digit.pixels, cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(f"{digit.label} read as {digit.guess}", fontsize=8)
    figure.savefig(path)
