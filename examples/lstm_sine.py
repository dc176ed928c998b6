"""Learn to continue a sine wave with an LSTM, then let it run on its own output.

    python examples/lstm_sine.py [--smoke] [--plot waves.png]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--plot", metavar="FILE", help="draw it (needs matplotlib)")
args = parser.parse_args()
torch.manual_seed(0)


class Forecaster(nn.Module):
    """One number in, the next one out."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor, state=None):
        """Return the forecasts (N, T, 1) and the state after the last."""
        y, state = self.lstm(x, state)
        return self.head(y), state

    def continued(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """Return what comes after x, each forecast being the next input."""
        y, state = self(x)
        outputs = [y[:, -1:]]
        for _ in range(steps - 1):
            y, state = self(outputs[-1], state)
            outputs.append(y)
        return torch.cat(outputs, 1)


# 64 waves of different phases and lengths
n, seen, length, future = 64, 10, 60, 40
time = torch.arange(length + future + 1).float()
phase = 6.28 * torch.rand(n, 1)
speed = 0.2 + 0.2 * torch.rand(n, 1)
waves = torch.sin(speed * time + phase).unsqueeze(2)
inputs, targets = waves[:, :length], waves[:, 1 : length + 1]

model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.MSELoss()
steps = 30 if args.smoke else 600
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
losses = []
for step in range(steps):
    # noise, so that it learns to live with its own small errors
    forecasts, _ = model(inputs + 0.1 * torch.randn_like(inputs))
    # which wave it is shows only after some of it
    loss = criterion(forecasts[:, seen:], targets[:, seen:])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    losses.append(loss.item())
    if step % 200 == 0:
        print(f"step {step:4d}  loss {losses[-1]:.5f}")

with torch.no_grad():
    forecast = model.continued(inputs, future)
    error = criterion(forecast, waves[:, length : length + future]).item()
print(f"error of {future} steps on its own: {error:.4f}")
print(f"loss: {losses[0]:.5f} -> {losses[-1]:.5f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for i in range(3):
        plt.subplot(3, 1, i + 1)
        plt.plot(waves[i, :, 0].numpy(), label="wave")
        at = range(length, length + future)
        plt.plot(at, forecast[i, :, 0].numpy(), label="forecast")
    plt.legend()
    plt.savefig(args.plot)
