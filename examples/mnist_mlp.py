"""Read handwritten digits with a perceptron of two hidden layers.

    python examples/mnist_mlp.py [--smoke]

The digits are the 6,000 and 1,000 of MNIST that come with the package.
"""

import argparse
import time

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F
from tinytorch.vision.datasets import SmallMNIST

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="one epoch of few digits")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()
torch.manual_seed(0)


def load(train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images, flat and from 0 to 1, and their labels."""
    digits = SmallMNIST(train=train)
    return digits.data.reshape(-1, 784).float() / 255, digits.targets


x, y = load(train=True)
x_test, y_test = load(train=False)
if args.smoke:
    x, y, args.epochs = x[:1500], y[:1500], 1

model = nn.Sequential(
    nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def test() -> tuple[float, float]:
    """Return loss and accuracy on the test digits."""
    with torch.no_grad():
        logits = model(x_test)
        right = (logits.argmax(1) == y_test).float().mean()
        return F.cross_entropy(logits, y_test).item(), right.item()


first, _ = test()
for epoch in range(args.epochs):
    began = time.perf_counter()
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    loss, accuracy = test()
    seconds = time.perf_counter() - began
    print(f"epoch {epoch + 1}  {seconds:.2f} s  loss {loss:.4f}  "
          f"accuracy {accuracy:.3f}")
print(f"loss: {first:.4f} -> {loss:.4f}")
