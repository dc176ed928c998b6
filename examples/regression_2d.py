"""Regression in two variables: a line where a line fits, an MLP where it does not.

    python examples/regression_2d.py [--smoke]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn
from tinytorch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
args = parser.parse_args()
torch.manual_seed(0)


def train(model: nn.Module, y: torch.Tensor, epochs: int) -> tuple[float, float]:
    """Return the mean squared errors before and after training."""
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.MSELoss()
    with torch.no_grad():
        before = criterion(model(x), y).item()
    for _ in range(epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            criterion(model(inputs), targets).backward()
            optimizer.step()
    with torch.no_grad():
        return before, criterion(model(x), y).item()


x = torch.rand(512, 2) * 2 - 1
a, b = x[:, :1], x[:, 1:]
noise = 0.01 * torch.randn(512, 1)
plane = 3 * a - 2 * b + 0.5 + noise
saddle = a * b + noise
epochs = 3 if args.smoke else 60

linear = nn.Linear(2, 1)
before, after = train(linear, plane, epochs)
print(f"a plane, linear model  loss: {before:.4f} -> {after:.4f}")
weight, bias = linear.weight.flatten().tolist(), linear.bias.item()
print(f"  found y = {weight[0]:.2f} a + {weight[1]:.2f} b + {bias:.2f}")

before, after = train(nn.Linear(2, 1), saddle, epochs)
print(f"a saddle, linear model loss: {before:.4f} -> {after:.4f}")

mlp = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
before, after = train(mlp, saddle, 10 * epochs)
print(f"a saddle, MLP          loss: {before:.4f} -> {after:.4f}")
