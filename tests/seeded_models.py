"""Ten small programs, each of another kind, as functions of the library they run with.

Each takes the module ``torch`` or ``tinytorch`` and returns a `Program`: the network,
its data and what one step does.  All drop out and all shuffle; noise, actions and flips
are drawn in between, from the same stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["PROGRAMS", "Program"]


@dataclass(frozen=True)
class Program:
    """A network and how it is trained.

    Attributes:
        loss: what a step minimises, of the unpacked batch.
        normal: patterns of the parameters that are drawn from normal distributions.
        clip: the norm to which gradients are clipped, if any.
    """

    model: Any
    loader: Iterable[Any]
    loss: Callable[..., Any]
    optimizer: Any
    scheduler: Any = None
    normal: tuple[str, ...] = ()
    clip: float | None = None


def mlp(torch: Any) -> Program:
    """Classify vectors: label smoothing, momentum."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")
    model = nn.Sequential(
        nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(32, 32), nn.LayerNorm(32), nn.GELU(), nn.Dropout(0.5),
        nn.Linear(32, 5))
    rows = data.TensorDataset(torch.rand(100, 12), torch.randint(0, 5, (100,)))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    return Program(model, data.DataLoader(rows, batch_size=16, shuffle=True),
                   lambda x, y: loss(model(x), y), optimizer)


def cnn(torch: Any) -> Program:
    """Classify images: batch norm, max pooling, whole channels dropped."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.25),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 10),
        nn.LogSoftmax(dim=1))
    rows = data.TensorDataset(torch.rand(60, 1, 12, 12), torch.randint(0, 10, (60,)))
    train, _ = data.random_split(rows, [52, 8])
    loader = data.DataLoader(train, batch_size=12, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return Program(model, loader,
                   lambda x, y: nn.functional.nll_loss(model(x), y), optimizer)


def lstm(torch: Any) -> Program:
    """Predict a number from a packed sequence, of a Dataset whose rows are collated."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")
    rnn = import_module(f"{torch.__name__}.nn.utils.rnn")

    class Waves(data.Dataset):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.x = torch.rand(40, 9, 2)
            self.length = torch.randint(3, 10, (40,)).tolist()

        def __len__(self) -> int:
            return len(self.length)

        def __getitem__(self, i: int) -> Any:
            x = self.x[i, :self.length[i]]
            return x, x[:, 0].max() - 0.5

    def collate(rows: list[Any]) -> Any:
        rows.sort(key=lambda row: -len(row[0]))
        lengths = torch.tensor([len(x) for x, _ in rows])
        x = rnn.pad_sequence([x for x, _ in rows], batch_first=True)
        return x, lengths, torch.stack([y for _, y in rows])

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 16, num_layers=2, dropout=0.3, batch_first=True)
            self.head = nn.Linear(16, 1)

        def forward(self, x: Any, lengths: Any) -> Any:
            packed = rnn.pack_padded_sequence(x, lengths, batch_first=True)
            _, (h, _) = self.lstm(packed)
            return self.head(h[-1]).squeeze(1)

    model = Net()
    loader = data.DataLoader(Waves(), batch_size=8, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    return Program(model, loader,
                   lambda x, n, y: nn.functional.mse_loss(model(x, n), y), optimizer)


def gru(torch: Any) -> Program:
    """Label each step of a sequence in both directions; shuffled by a generator."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 10, num_layers=2, bidirectional=True, dropout=0.2)
            self.drop = nn.Dropout(0.4)
            self.head = nn.Linear(20, 4)

        def forward(self, x: Any) -> Any:
            y, _ = self.gru(x.transpose(0, 1))
            return self.head(self.drop(y)).permute(1, 2, 0)

    model = Net()
    rows = data.TensorDataset(torch.rand(50, 7, 3), torch.randint(0, 4, (50, 7)))
    order = torch.Generator()
    order.manual_seed(11)
    loader = data.DataLoader(rows, batch_size=10, shuffle=True, generator=order)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 1.0]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, amsgrad=True)
    return Program(model, loader, lambda x, y: loss(model(x), y), optimizer,
                   clip=0.5)


def transformer(torch: Any) -> Program:
    """Classify sentences with padding; the learning rate warms up."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, 16, padding_idx=0)
            self.place = nn.Parameter(torch.empty(1, 8, 16))
            nn.init.trunc_normal_(self.place, std=0.02)
            layer = nn.TransformerEncoderLayer(
                16, 4, dim_feedforward=32, dropout=0.1, batch_first=True)
            self.encoder = nn.TransformerEncoder(
                layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(16, 3)

        def forward(self, words: Any) -> Any:
            padding = words == 0
            x = self.encoder(self.embed(words) * 4 + self.place,
                             src_key_padding_mask=padding)
            x = x.masked_fill(padding.unsqueeze(-1), 0).sum(1)
            return self.head(x / (~padding).sum(1, keepdim=True))

    model = Net()
    words = torch.randint(1, 20, (48, 8))
    words[torch.arange(8) >= torch.randint(2, 9, (48, 1))] = 0
    rows = data.TensorDataset(words, torch.randint(0, 3, (48,)))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.1)
    warm_up = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 8))
    return Program(model, data.DataLoader(rows, batch_size=12, shuffle=True),
                   lambda x, y: nn.functional.cross_entropy(model(x), y),
                   optimizer, warm_up, normal=("embed.weight", "place"))


def bag_of_words(torch: Any) -> Program:
    """Classify texts of any length: an embedding bag, offsets made by the collate."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.EmbeddingBag(50, 12, mode="mean")
            self.fc = nn.Linear(12, 4)
            self.embedding.weight.data.uniform_(-0.5, 0.5)
            self.fc.weight.data.uniform_(-0.5, 0.5)
            self.fc.bias.data.zero_()

        def forward(self, text: Any, offsets: Any) -> Any:
            x = nn.functional.dropout(self.embedding(text, offsets), 0.2, self.training)
            return self.fc(x)

    def collate(rows: list[Any]) -> Any:
        text = torch.cat([row[:-1] for row in rows])
        sizes = torch.tensor([0] + [len(row) - 1 for row in rows[:-1]])
        return text, sizes.cumsum(0), torch.stack([row[-1] % 4 for row in rows])

    texts = [torch.randint(0, 50, (n,)) for n in torch.randint(4, 12, (45,)).tolist()]
    model = Net()
    loader = data.DataLoader(texts, batch_size=9, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    decay = torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.5)
    return Program(model, loader, lambda x, offsets, y: nn.functional.cross_entropy(
        model(x, offsets), y), optimizer, decay, clip=0.1)


def vae(torch: Any) -> Program:
    """Reconstruct vectors from a code with noise; rows drawn with replacement."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(20, 16), nn.ELU(), nn.Dropout(0.1))
            self.mean, self.logvar = nn.Linear(16, 4), nn.Linear(16, 4)
            self.decoder = nn.Sequential(
                nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 20))

        def forward(self, x: Any) -> Any:
            h = self.body(x)
            mean, logvar = self.mean(h), self.logvar(h)
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
            return self.decoder(code), mean, logvar

    def loss(x: Any) -> Any:
        y, mean, logvar = model(x)
        distance = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
        return nn.functional.binary_cross_entropy_with_logits(
            y, x, reduction="sum") + distance

    model = Net()
    rows = data.TensorDataset(torch.rand(64, 20))
    sampler = data.RandomSampler(rows, replacement=True, num_samples=48)
    return Program(model, data.DataLoader(rows, batch_size=16, sampler=sampler), loss,
                   torch.optim.Adam(model.parameters(), lr=1e-3))


def residual(torch: Any) -> Program:
    """Classify images that are flipped at random; group norm, skip connections."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, n: int) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(4, n)
            self.conv = nn.Conv2d(n, n, 3, padding=1, bias=False)
            self.drop = nn.Dropout(0.1)

        def forward(self, x: Any) -> Any:
            return x + self.drop(self.conv(nn.functional.silu(self.norm(x))))

    class Pictures(data.Dataset):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.x = torch.rand(40, 3, 8, 8)

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, i: int) -> Any:
            x = self.x[i]
            return (x.flip(-1) if torch.rand(1) < 0.5 else x), i % 6

    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Block(8), nn.AvgPool2d(2), Block(8),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6))
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return Program(model, data.DataLoader(Pictures(), batch_size=8, shuffle=True),
                   lambda x, y: nn.functional.cross_entropy(model(x), y),
                   torch.optim.NAdam(model.parameters(), lr=2e-3),
                   normal=("*conv.weight", "0.weight"))


def policy(torch: Any) -> Program:
    """Choose one of four actions for each state and learn from the reward."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")
    categorical = import_module(f"{torch.__name__}.distributions").Categorical
    model = nn.Sequential(
        nn.Linear(6, 24), nn.Dropout(p=0.6), nn.ReLU(), nn.Linear(24, 4))

    def loss(states: Any, best: Any) -> Any:
        chosen = categorical(logits=model(states))
        actions = chosen.sample()
        reward = (actions == best).to(states.dtype) + 0.2  # no sum near zero
        surprise = -chosen.log_prob(actions)
        return (surprise * reward).mean() - 0.01 * chosen.entropy().mean()

    rows = data.TensorDataset(torch.rand(64, 6), torch.randint(0, 4, (64,)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return Program(model, data.DataLoader(rows, batch_size=16, shuffle=True), loss,
                   optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95))


def tabular(torch: Any) -> Program:
    """Regress on categories and numbers; initialised by hand, rows drawn by weight."""
    nn, data = torch.nn, import_module(f"{torch.__name__}.utils.data")

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.tables = nn.ModuleList([nn.Embedding(7, 3), nn.Embedding(4, 2)])
            self.norm = nn.BatchNorm1d(5)
            self.first, self.second = nn.Linear(10, 24), nn.Linear(24, 24)
            self.drop, self.head = nn.AlphaDropout(0.2), nn.Linear(24, 1)
            nn.init.kaiming_uniform_(self.first.weight, nonlinearity="relu")
            nn.init.xavier_normal_(self.second.weight, gain=0.75)
            nn.init.normal_(self.head.weight, std=0.1)
            nn.init.constant_(self.head.bias, 0.1)

        def forward(self, kinds: Any, numbers: Any) -> Any:
            parts = [table(kinds[:, i]) for i, table in enumerate(self.tables)]
            x = torch.cat([*parts, self.norm(numbers)], dim=1)
            x = nn.functional.selu(self.first(x))
            return self.head(self.drop(nn.functional.selu(self.second(x)))).flatten()

    model = Net()
    kinds = torch.stack([torch.randint(0, n, (80,)) for n in (7, 4)], dim=1)
    rows = data.TensorDataset(kinds, torch.rand(80, 5), torch.rand(80))
    sampler = data.WeightedRandomSampler(
        (1.0 + kinds[:, 1]).tolist(), 60, replacement=False)
    return Program(
        model, data.DataLoader(rows, batch_size=20, sampler=sampler),
        lambda kinds, x, y: nn.functional.huber_loss(model(kinds, x), y, delta=0.5),
        torch.optim.Adagrad(model.parameters(), lr=0.01),
        normal=("tables.*", "second.weight", "head.weight"))


PROGRAMS = [mlp, cnn, lstm, gru, transformer, bag_of_words, vae, residual, policy,
            tabular]
