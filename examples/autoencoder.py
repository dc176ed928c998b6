"""Squeeze digits through a few numbers and draw them again.

    python examples/autoencoder.py [--smoke] [--plot digits.png]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn
from tinytorch.vision.datasets import SmallMNIST

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--code", type=int, default=16, help="size of the bottleneck")
parser.add_argument("--plot", metavar="FILE", help="draw some (needs matplotlib)")
args = parser.parse_args()
torch.manual_seed(0)

x = SmallMNIST(train=True).data.reshape(-1, 784).float() / 255
x_test = SmallMNIST(train=False).data.reshape(-1, 784).float() / 255

encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, args.code))
decoder = nn.Sequential(
    nn.Linear(args.code, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid()
)
model = nn.Sequential(encoder, decoder)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.MSELoss()


def test() -> float:
    """Return the mean squared error of a pixel of the test digits."""
    with torch.no_grad():
        return criterion(model(x_test), x_test).item()


first = test()
if args.smoke:
    x = x[:2000]
for epoch in range(1 if args.smoke else 10):
    for batch in x[torch.randperm(len(x))].split(128):
        loss = criterion(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}  test loss {test():.4f}")
print(f"loss: {first:.4f} -> {test():.4f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with torch.no_grad():
        pairs = torch.stack([x_test[:10], model(x_test[:10])])
    rows = pairs.reshape(2, 10, 28, 28).permute(0, 2, 1, 3).reshape(56, 280)
    plt.imsave(args.plot, rows.numpy(), cmap="gray")
