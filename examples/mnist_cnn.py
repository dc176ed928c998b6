"""Read handwritten digits with a small convolutional network, by DataLoader.

    python examples/mnist_cnn.py [--smoke] [--save digits.pt]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F
from tinytorch.utils.data import DataLoader, TensorDataset
from tinytorch.utils.progress import progress
from tinytorch.vision.datasets import SmallMNIST

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="one epoch of few digits")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--save", metavar="FILE", help="where to write the weights")
args = parser.parse_args()
torch.manual_seed(0)


class Net(nn.Module):
    """Two convolutions, each with pooling, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits for images (N, 1, 28, 28)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def digits(train: bool, most: int) -> TensorDataset:
    """Return images from 0 to 1 with their labels."""
    source = SmallMNIST(train=train)
    images = source.data[:most].unsqueeze(1).float() / 255
    return TensorDataset(images, source.targets[:most])


most = 640 if args.smoke else 10000
train_loader = DataLoader(digits(True, most), batch_size=64, shuffle=True)
test_loader = DataLoader(digits(False, most), batch_size=250)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def test() -> tuple[float, float]:
    """Return the mean loss and the accuracy on the test digits."""
    model.eval()
    total = right = count = 0.0
    with torch.no_grad():
        for images, labels in test_loader:
            logits = model(images)
            total += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return total / count, right / count


first, _ = test()
for epoch in range(1 if args.smoke else args.epochs):
    model.train()
    bar = progress(train_loader, f"epoch {epoch + 1}", disable=args.smoke)
    for images, labels in bar:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        bar.show(images=len(images), loss=loss)
    last, accuracy = test()
    print(f"epoch {epoch + 1}  test loss {last:.4f}  accuracy {accuracy:.3f}")
print(f"loss: {first:.4f} -> {last:.4f}")

if args.save:
    torch.save(model.state_dict(), args.save)
