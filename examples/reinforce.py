"""REINFORCE on a cart with a pole: the environment is written here too.

    python examples/reinforce.py [--smoke]
"""

import argparse
import math
import random

import tinytorch as torch
import tinytorch.nn as nn
from tinytorch.distributions import Categorical

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few episodes only")
parser.add_argument("--episodes", type=int, default=400)
args = parser.parse_args()
torch.manual_seed(1)
random.seed(1)


class CartPole:
    """A pole on a cart that is pushed left or right; it should not fall.

    Barto, Sutton and Anderson's equations (1983), Euler's method.
    """

    GRAVITY, CART, POLE, HALF, FORCE, STEP = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def reset(self) -> list[float]:
        """Begin near the upright position."""
        self.state = [random.uniform(-0.05, 0.05) for _ in range(4)]
        self.steps = 0
        return self.state

    def step(self, action: int) -> tuple[list[float], float, bool]:
        """Push, and return the state, the reward and whether it is over."""
        x, v, angle, spin = self.state
        force = self.FORCE if action else -self.FORCE
        mass = self.CART + self.POLE
        sine, cosine = math.sin(angle), math.cos(angle)
        push = (force + self.POLE * self.HALF * spin * spin * sine) / mass
        lever = self.HALF * (4 / 3 - self.POLE * cosine * cosine / mass)
        twist = (self.GRAVITY * sine - cosine * push) / lever
        pull = push - self.POLE * self.HALF * twist * cosine / mass
        h = self.STEP
        self.state = [x + h * v, v + h * pull, angle + h * spin, spin + h * twist]
        self.steps += 1
        fallen = abs(self.state[0]) > 2.4 or abs(self.state[2]) > math.pi / 15
        return self.state, 1.0, fallen or self.steps >= 500


def returns(rewards: list[float], discount: float = 0.99) -> torch.Tensor:
    """Return the discounted sums of what follows, of mean 0 and deviation 1."""
    total, sums = 0.0, []
    for reward in reversed(rewards):
        total = reward + discount * total
        sums.append(total)
    values = torch.tensor(sums[::-1])
    return (values - values.mean()) / (values.std() + 1e-8)


policy = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
environment = CartPole()
lengths: list[int] = []
for episode in range(50 if args.smoke else args.episodes):
    state, over = environment.reset(), False
    log_probs, rewards = [], []
    while not over:
        choice = Categorical(logits=policy(torch.tensor(state)))
        action = choice.sample()
        log_probs.append(choice.log_prob(action))
        state, reward, over = environment.step(action.item())
        rewards.append(reward)
    loss = -(torch.stack(log_probs) * returns(rewards)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    lengths.append(len(rewards))
    if episode % 50 == 49:
        print(f"episode {episode + 1}  steps {sum(lengths[-50:]) / 50:.1f}")

tenth = max(1, len(lengths) // 5)
first, last = sum(lengths[:tenth]) / tenth, sum(lengths[-tenth:]) / tenth
print(f"steps upright: {first:.1f} -> {last:.1f}")
