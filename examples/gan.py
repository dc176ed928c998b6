"""A generative adversarial network that learns a ring of eight Gaussians.

    python examples/gan.py [--smoke] [--plot ring.png]
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

NOISE, BATCH = 8, 128
angles = torch.arange(8) * (math.pi / 4)
CENTRES = 2 * torch.stack([angles.cos(), angles.sin()], 1)


def real(n: int) -> torch.Tensor:
    """Return n points of the ring."""
    return CENTRES[torch.randint(8, (n,))] + 0.1 * torch.randn(n, 2)


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Return a perceptron of two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2),
        nn.Linear(64, 64), nn.LeakyReLU(0.2),
        nn.Linear(64, outputs),
    )


def distance() -> float:
    """Return how far the generator's points lie from the nearest centre."""
    with torch.no_grad():
        fake = generator(torch.randn(1000, NOISE))
        return torch.cdist(fake, CENTRES).amin(1).mean().item()


generator, critic = mlp(NOISE, 2), mlp(2, 1)
g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
c_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
first = distance()
for step in range(300 if args.smoke else 5000):
    # the critic learns to give real points high logits and fake ones low
    fake = generator(torch.randn(BATCH, NOISE))
    critic_loss = F.softplus(-critic(real(BATCH))).mean()
    critic_loss = critic_loss + F.softplus(critic(fake.detach())).mean()
    c_optimizer.zero_grad()
    critic_loss.backward()
    c_optimizer.step()

    # the generator learns to make the critic wrong
    generator_loss = F.softplus(-critic(fake)).mean()
    g_optimizer.zero_grad()
    generator_loss.backward()
    g_optimizer.step()
    if step % 500 == 0:
        print(f"step {step:4d}  critic {critic_loss.item():.3f}  "
              f"generator {generator_loss.item():.3f}  distance {distance():.3f}")
print(f"distance: {first:.3f} -> {distance():.3f}")

if args.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with torch.no_grad():
        fake = generator(torch.randn(1000, NOISE))
    for points, name in ((real(1000), "real"), (fake, "generated")):
        plt.scatter(points[:, 0].numpy(), points[:, 1].numpy(), s=3, label=name)
    plt.legend()
    plt.savefig(args.plot)
