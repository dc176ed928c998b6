"""The CNN of keith2018's TinyTorch, which is that of PyTorch's own MNIST example.

    python examples/cnn_keith2018.py [--smoke]

Two convolutions of 32 and 64 channels, pooling, dropout, 128 hidden units; Adadelta,
its learning rate lowered after each epoch.
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F
from tinytorch.optim.lr_scheduler import StepLR
from tinytorch.utils.data import DataLoader, TensorDataset
from tinytorch.vision.datasets import SmallMNIST

MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels


class Net(nn.Module):
    """conv 32, conv 64, pool, dropout, linear 128, dropout, linear 10."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return log probabilities for images (N, 1, 28, 28)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def digits(train: bool, most: int) -> TensorDataset:
    """Return normalised images with their labels."""
    source = SmallMNIST(train=train)
    images = source.data[:most].unsqueeze(1).float() / 255
    return TensorDataset((images - MEAN) / DEVIATION, source.targets[:most])


def train(model: Net, loader: DataLoader, optimizer: torch.optim.Optimizer) -> None:
    """Run one epoch."""
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        F.nll_loss(model(inputs), targets).backward()
        optimizer.step()


def test(model: Net, loader: DataLoader) -> tuple[float, float]:
    """Return the mean loss and the accuracy."""
    model.eval()
    total = right = count = 0.0
    with torch.no_grad():
        for inputs, targets in loader:
            output = model(inputs)
            total += F.nll_loss(output, targets, reduction="sum").item()
            right += output.argmax(1).eq(targets).sum().item()
            count += len(targets)
    return total / count, right / count


def main() -> None:
    """Train and test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a few batches only")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    most = 128 if args.smoke else 60000
    batch = 16 if args.smoke else args.batch_size
    train_loader = DataLoader(digits(True, most), batch_size=batch, shuffle=True)
    test_loader = DataLoader(digits(False, most), batch_size=250)

    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    first, _ = test(model, test_loader)
    for epoch in range(1 if args.smoke else args.epochs):
        train(model, train_loader, optimizer)
        loss, accuracy = test(model, test_loader)
        print(f"epoch {epoch + 1}  test loss {loss:.4f}  accuracy {accuracy:.3f}")
        scheduler.step()
    print(f"loss: {first:.4f} -> {loss:.4f}")


if __name__ == "__main__":
    main()
