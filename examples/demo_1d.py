"""Fit a sine with a network of one hidden layer: training in its smallest form.

    python examples/demo_1d.py [--smoke] [--plot fit.png]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--plot", metavar="FILE", help="draw the fit (needs matplotlib)")
args = parser.parse_args()
torch.manual_seed(0)

x = torch.linspace(-3, 3, 200).unsqueeze(1)
y = torch.sin(2 * x) + 0.1 * torch.randn(200, 1)

model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.MSELoss()

losses = []
for step in range(200 if args.smoke else 3000):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 500 == 0:
        print(f"step {step:4d}  loss {losses[-1]:.4f}")

print(f"loss: {losses[0]:.4f} -> {losses[-1]:.4f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with torch.no_grad():
        plt.scatter(x.numpy(), y.numpy(), s=4, label="data")
        plt.plot(x.numpy(), model(x).numpy(), color="C1", label="fit")
    plt.legend()
    plt.savefig(args.plot)
