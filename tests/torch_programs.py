"""Programs in the idiom of PyTorch's examples, run with both libraries."""

from __future__ import annotations

DIGITS = '''
"""Like PyTorch's example for MNIST, on digits drawn at random."""
from __future__ import print_function
import argparse
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.conv2 = nn.Conv2d(4, 8, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(128, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


class Digits(Dataset):
    def __init__(self, n):
        g = torch.Generator().manual_seed(5)
        self.x = torch.rand(n, 1, 12, 12, generator=g)
        self.y = torch.randint(0, 10, (n,), generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i].item()


def train(args, model, device, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        if batch_idx % args.log_interval == 0:
            print('Train Epoch: {} [{}/{} ({:.0f}%)]\\tLoss: {:.6f}'.format(
                epoch, batch_idx * len(data), len(loader.dataset),
                100. * batch_idx / len(loader), loss.item()))


def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction='sum').item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    print('Test: average loss {:.4f}, accuracy {}/{}'.format(
        test_loss / len(loader.dataset), correct, len(loader.dataset)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--lr', type=float, default=1.0)
    parser.add_argument('--gamma', type=float, default=0.7)
    parser.add_argument('--no-cuda', action='store_true', default=False)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--log-interval', type=int, default=2)
    parser.add_argument('--save-model', action='store_true', default=False)
    args = parser.parse_args()
    use_cuda = not args.no_cuda and torch.cuda.is_available()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if use_cuda else "cpu")
    loader = DataLoader(Digits(64), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(Digits(32), batch_size=32)
    model = Net().to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    for epoch in range(1, args.epochs + 1):
        train(args, model, device, loader, optimizer, epoch)
        test(model, device, test_loader)
        scheduler.step()
    if args.save_model:
        torch.save(model.state_dict(), "digits.pt")
        again = Net()
        again.load_state_dict(torch.load("digits.pt"))
        test(again, device, test_loader)


if __name__ == '__main__':
    main()
'''

REGRESSION = """
import math
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(7)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x)
train_set, val_set = random_split(TensorDataset(x, y), [160, 40])
loader = DataLoader(train_set, batch_size=20, shuffle=True, drop_last=True)
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
print(model)
print(sum(p.numel() for p in model.parameters() if p.requires_grad))
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
for epoch in range(6):
    model.train()
    running = 0.0
    for xb, yb in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(xb), yb)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += loss.item() * xb.size(0)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        val = sum(criterion(model(a[None]), b[None]).item() for a, b in val_set)
    print(f"epoch {epoch}: train {running / len(train_set):.5f} val "
          f"{val / len(val_set):.5f} lr {scheduler.get_last_lr()[0]:.6f}")
torch.save({"epoch": epoch, "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(), "loss": loss},
           "regression.tar")
checkpoint = torch.load("regression.tar", weights_only=True)
model.load_state_dict(checkpoint["model_state_dict"])
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
print(checkpoint["epoch"], f"{checkpoint['loss'].item():.5f}")
"""

TENSORS = """
import numpy as np
import torch

dtype, device = torch.float, torch.device("cpu")
torch.manual_seed(0)
x = torch.linspace(-1, 1, 50, device=device, dtype=dtype)
y = 0.5 + 2 * x - x ** 2
a, b, c = (torch.randn((), device=device, dtype=dtype, requires_grad=True)
           for _ in range(3))
for t in range(20):
    loss = (a + b * x + c * x ** 2 - y).pow(2).sum()
    if t % 5 == 0:
        print(t, round(loss.item(), 4))
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c):
            p -= 5e-3 * p.grad
            p.grad = None

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * 3 * x ** 2

z = torch.tensor([1., 2., 3.], requires_grad=True)
Cube.apply(z).sum().backward()
print(z.grad, z.grad.dtype, z.grad.shape, z.grad.device)
m = torch.arange(12).reshape(3, 4)
print(m, m[1:, ::2], m.float().mean(dim=0), m.t() @ m, m[m % 2 == 0].tolist())
print(torch.cat([m, m], 1).shape, torch.stack([m, m]).size(), m.max(dim=1))
print(torch.from_numpy(np.eye(2)), m.numpy().sum(), torch.is_tensor(m))
print(torch.nn.functional.one_hot(torch.tensor([0, 2])), torch.__name__ != "")
"""

AUTOENCODER = """
import torch
from torch import nn
import torch.nn.functional as F
from parts import Encoder

torch.manual_seed(3)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(16, 4)
        self.decoder = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 16)])
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("scale", torch.ones(1))
        self.apply(self.init)

    def init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        h = self.encoder(x)
        h = self.norm(self.decoder[0](h)).relu()
        return torch.sigmoid(self.decoder[1](h)) * self.scale

x = torch.rand(64, 16)
model = Model()
opt = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, nesterov=True)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
for i in range(12):
    perm = torch.randperm(64)
    for batch in x[perm].split(16):
        loss = F.binary_cross_entropy(model(batch), batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
    plateau.step(loss.detach())
    print(i, "%.5f" % loss.item(), opt.param_groups[0]["lr"])
print([(n, tuple(p.shape)) for n, p in model.named_parameters()])
print(sorted(model.state_dict()), next(model.parameters()).device)
"""

PARTS = """
import torch.nn as nn

class Encoder(nn.Sequential):
    def __init__(self, n, k):
        super().__init__(nn.Linear(n, 8), nn.GELU(), nn.Linear(8, k))
"""

PROGRAMS = {"digits": (DIGITS, ["--epochs", "2", "--save-model"]),
            "regression": (REGRESSION, []), "tensors": (TENSORS, []),
            "autoencoder": (AUTOENCODER, [])}
