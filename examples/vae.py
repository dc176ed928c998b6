"""A variational autoencoder of digits, its loss from tinytorch.distributions.

    python examples/vae.py [--smoke] [--plot digits.png]
"""

import argparse

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F
from tinytorch.distributions import Normal, kl_divergence
from tinytorch.vision.datasets import SmallMNIST

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--plot", metavar="FILE", help="draw samples (needs matplotlib)")
args = parser.parse_args()
torch.manual_seed(0)


class VAE(nn.Module):
    """Encoder to a normal distribution, decoder to logits of the pixels."""

    def __init__(self, code: int = 8, hidden: int = 200) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, 784)
        )
        self.prior = Normal(torch.zeros(code), torch.ones(code))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean negative evidence lower bound, in nats per image."""
        mean, log_scale = self.encoder(x).chunk(2, dim=1)
        posterior = Normal(mean, log_scale.exp())
        logits = self.decoder(posterior.rsample())
        bits = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
        divergence = kl_divergence(posterior, self.prior)
        return (bits.sum(1) + divergence.sum(1)).mean()

    @torch.no_grad()
    def sample(self, n: int) -> torch.Tensor:
        """Return n images (n, 28, 28) that it dreamt up."""
        return torch.sigmoid(self.decoder(self.prior.sample((n,)))).view(n, 28, 28)


x = SmallMNIST(train=True).data.reshape(-1, 784).float() / 255
x_test = SmallMNIST(train=False).data.reshape(-1, 784).float() / 255
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
if args.smoke:
    x = x[:2000]
with torch.no_grad():
    first = model(x_test).item()
for epoch in range(1 if args.smoke else 20):
    for batch in x[torch.randperm(len(x))].split(128):
        loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        last = model(x_test).item()
    print(f"epoch {epoch + 1}  test loss {last:.2f} nats")
print(f"loss: {first:.2f} -> {last:.2f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    images = model.sample(50).reshape(5, 10, 28, 28)
    grid = images.permute(0, 2, 1, 3).reshape(140, 280)
    plt.imsave(args.plot, grid.numpy(), cmap="gray")
