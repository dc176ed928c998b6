"""A small GPT that learns to write the text it was given, character by character.

    python examples/char_transformer.py [--smoke]

The text is made here: sums such as "12+7=19", so that one can see what was learnt.
"""

import argparse
import random

import tinytorch as torch
import tinytorch.nn as nn
import tinytorch.nn.functional as F

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--smoke", action="store_true", help="a few steps only")
parser.add_argument("--steps", type=int, default=3000)
args = parser.parse_args()
torch.manual_seed(0)
random.seed(0)

CONTEXT, WIDTH, HEADS, LAYERS = 32, 64, 4, 2


def make_text(lines: int) -> str:
    """Return lines such as 12+7=19."""
    pairs = [(random.randrange(20), random.randrange(20)) for _ in range(lines)]
    return "".join(f"{a}+{b}={a + b}\n" for a, b in pairs)


class Attention(nn.Module):
    """Causal attention of several heads."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix x (N, T, WIDTH) over T, each position with those before it."""
        n, t, _ = x.shape
        heads = self.qkv(x).view(n, t, 3, HEADS, WIDTH // HEADS)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, WIDTH))


class Block(nn.Module):
    """Attention and a perceptron, each added to what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x after both steps."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    """Characters in, logits of the next characters out."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits (N, T, vocabulary) for ids (N, T)."""
        x = self.token(ids) + self.position(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))

    @torch.no_grad()
    def write(self, ids: torch.Tensor, count: int) -> torch.Tensor:
        """Return ids (1, T) continued by `count` drawn characters."""
        for _ in range(count):
            logits = self(ids[:, -CONTEXT:])[:, -1]
            chosen = torch.multinomial(F.softmax(logits, dim=-1), 1)
            ids = torch.cat([ids, chosen], 1)
        return ids


text = make_text(500 if args.smoke else 20000)
alphabet = sorted(set(text))
number = {c: i for i, c in enumerate(alphabet)}
data = torch.tensor([number[c] for c in text])


def batch(size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random windows, and the same windows one character later."""
    starts = torch.randint(len(data) - CONTEXT - 1, (size, 1))
    at = starts + torch.arange(CONTEXT + 1)
    return data[at[:, :-1]], data[at[:, 1:]]


model = Model(len(alphabet))
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
losses = []
for step in range(40 if args.smoke else args.steps):
    inputs, targets = batch()
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 250 == 0:
        print(f"step {step:4d}  loss {losses[-1]:.3f}")

start = torch.tensor([[number["\n"]]])
written = model.write(start, 40 if args.smoke else 120)[0].tolist()
print("".join(alphabet[i] for i in written).strip())
print(f"loss: {losses[0]:.3f} -> {losses[-1]:.3f}")
