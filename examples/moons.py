"""Tell two interleaved half moons apart, and draw the decision boundary.

    python examples/moons.py [--smoke] [--plot moons.png]
"""

import argparse
import math

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--plot", metavar="FILE", help="draw it (needs matplotlib)")
args = parser.parse_args()
torch.manual_seed(0)


def make_moons(n: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n points on each of two half circles, and 0 or 1 for which."""
    angle = math.pi * torch.rand(2, n)
    outer = torch.stack([angle[0].cos(), angle[0].sin()], 1)
    inner = torch.stack([1 - angle[1].cos(), 0.5 - angle[1].sin()], 1)
    points = torch.cat([outer, inner])
    labels = torch.cat([torch.zeros(n), torch.ones(n)])
    return points + noise * torch.randn(2 * n, 2), labels


x, y = make_moons(200, noise=0.1)
model = nn.Sequential(
    nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

losses = []
for step in range(100 if args.smoke else 1000):
    logits = model(x).squeeze(1)
    loss = F.binary_cross_entropy_with_logits(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 100 == 0:
        accuracy = ((logits > 0) == (y > 0)).float().mean().item()
        print(f"step {step:4d}  loss {losses[-1]:.4f}  accuracy {accuracy:.3f}")

with torch.no_grad():
    accuracy = ((model(x).squeeze(1) > 0) == (y > 0)).float().mean().item()
print(f"accuracy {accuracy:.3f}")
print(f"loss: {losses[0]:.4f} -> {losses[-1]:.4f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    xs, ys = torch.linspace(-1.5, 2.5, 200), torch.linspace(-1, 1.5, 200)
    grid = torch.cartesian_prod(xs, ys)
    with torch.no_grad():
        chance = torch.sigmoid(model(grid)).reshape(200, 200).T
    plt.contourf(xs.numpy(), ys.numpy(), chance.numpy(), levels=20, cmap="RdBu")
    plt.contour(xs.numpy(), ys.numpy(), chance.numpy(), levels=[0.5], colors="k")
    plt.scatter(x[:, 0].numpy(), x[:, 1].numpy(), c=y.numpy(), cmap="RdBu",
                edgecolors="k")
    plt.savefig(args.plot)
