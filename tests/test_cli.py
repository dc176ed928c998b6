"""The program: PyTorch's programs under ``tinytorch run``, ``mnist`` and ``info``."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import runpy
import subprocess
import sys
import warnings

import pytest

import tinytorch as tt
from tinytorch.cli import digits
from tinytorch.cli.lookup import missing_names
from tinytorch.cli.main import main

torch = pytest.importorskip("torch")


def program(folder: pathlib.Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """Run ``tinytorch``; return what it prints and its errors."""
    done = subprocess.run(
        [sys.executable, "-m", "tinytorch", *arguments], capture_output=True, text=True,
        cwd=folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


def inside(
    capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0
) -> tuple[str, str]:
    """Do the same in this process."""
    state = tt.get_rng_state()
    try:
        found = main(arguments)
    except SystemExit as ended:  # argparse
        found = ended.code  # type: ignore[assignment]
    finally:
        tt.set_rng_state(state)
    printed = capsys.readouterr()
    assert found == status, printed
    return printed.out, printed.err


def with_pytorch(
    script: pathlib.Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run a program in this process; return what it prints."""
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    monkeypatch.chdir(script.parent)
    printed = io.StringIO()
    state = torch.get_rng_state()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(script), run_name="__main__")
    torch.set_rng_state(state)
    return printed.getvalue()


# ---- programs in the idiom of PyTorch's examples ----

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


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_print_what_pytorch_prints(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, arguments = PROGRAMS[name]
    script = tmp_path / f"{name}.py"
    script.write_text(text)
    (tmp_path / "parts.py").write_text(PARTS)
    out, err = program(tmp_path, "run", "--strict", script.name, *arguments)
    assert err == ""
    monkeypatch.setitem(sys.modules, "parts", None)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "parts")
    assert out == with_pytorch(script, arguments, monkeypatch)
    assert len(out.splitlines()) > 5


def test_files_of_a_program_are_pytorchs(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text(
        "import torch\n"
        "torch.save(torch.nn.Linear(2, 1).state_dict(), 'x.pt')\n")
    program(tmp_path, "run", "s.py")
    state = torch.load(tmp_path / "x.pt", weights_only=True)
    torch.nn.Linear(2, 1).load_state_dict(state)


def test_torchvision_is_aliased(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text("""
import torchvision
import torchvision.transforms as T
from torchvision import datasets, transforms
from torchvision.transforms import ToTensor
import sys, torch, tinytorch
import torch.nn.functional
assert torch is tinytorch and sys.modules["torch.nn"] is tinytorch.nn
assert torch.nn.functional is tinytorch.nn.functional
assert tinytorch.nn.__spec__.name == "tinytorch.nn"
assert torchvision.datasets.MNIST is datasets.MNIST
assert T.ToTensor is ToTensor is transforms.ToTensor
try:
    import torch.onnx.nothing
except ModuleNotFoundError as error:
    print(error)
""")
    out, _ = program(tmp_path, "run", "s.py")
    assert "torch.onnx" in out and "tinytorch has nothing in its place" in out


# ---- what is not there ----

MISSING = """import os
import torch
import torch.nn as nn
from torch.nowhere import thing
from torch.utils.data import DataLoader, Nonsense
from torch import optim as o

def f(x: torch.Tensor):
    y = torch.no_such_function(x)
    return nn.functional.no_such_loss(y), nn.Linear, o.SGD, torch.cuda.is_available()

class Net(nn.NoSuchModule):
    t = torch.Tensor.no_such_method
    good = torch.float32.itemsize
    path = os.path.no_such_thing
"""


def test_names_that_are_missing_are_listed(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(MISSING)
    found = [(m.line, m.name) for m in missing_names(str(script))]
    assert found == [
        (4, "torch.nowhere"), (5, "torch.utils.data.Nonsense"),
        (9, "torch.no_such_function"), (10, "torch.nn.functional.no_such_loss"),
        (12, "torch.nn.NoSuchModule"), (13, "torch.Tensor.no_such_method")]


def test_strict_does_not_run(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text(
        "import torch\nprint('runs')\nif False:\n    torch.no_such_function()\n")
    out, err = program(tmp_path, "run", "s.py")
    assert out == "runs\n"
    assert err == "s.py:4: torch.no_such_function is not in tinytorch\n"
    out, err = program(tmp_path, "run", "--strict", "s.py", status=2)
    assert out == "" and "not run" in err
    out, err = program(tmp_path, "run", "--check", "s.py", status=1)
    assert out == "" and "s.py:4" in err


def test_files_beside_the_script_are_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text("from model import Net\nimport pkg.more\n")
    (tmp_path / "model.py").write_text("import torch\nNet = torch.no_such_class\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "more.py").write_text("import torch\n\ntorch.no_such_thing\n")
    found = [(os.path.basename(m.path), m.line, m.name)
             for m in missing_names(str(tmp_path / "s.py"))]
    assert found == [("model.py", 2, "torch.no_such_class"),
                     ("more.py", 3, "torch.no_such_thing")]


def test_a_name_with_two_meanings_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text(
        "from torch import nn\ndef f(nn):\n    return nn.anything\n")
    assert missing_names(str(tmp_path / "s.py")) == []


def test_arguments_and_errors_of_programs(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text(
        "import sys\nprint(sys.argv, __name__)\nsys.exit(3)\n")
    out, _ = program(tmp_path, "run", "s.py", "--lr", "1", "-x", status=3)
    assert out == "['s.py', '--lr', '1', '-x'] __main__\n"
    _, err = program(tmp_path, "run", "none.py", status=2)
    assert "No such file" in err
    (tmp_path / "bad.py").write_text("def f(:\n")
    _, err = program(tmp_path, "run", "bad.py", status=2)
    assert "bad.py:1" in err


# ---- mnist ----


def test_mnist_learns(tmp_path: pathlib.Path) -> None:
    out, _ = program(tmp_path, "mnist", "--epochs", "3", "--quiet", "--save", "x.pt")
    lines = out.splitlines()
    assert lines[0].startswith("mlp of 109,386 parameters on 6,000 digits")
    accuracies = [float(line.split("accuracy ")[1].partition("%")[0])
                  for line in lines if line.startswith("epoch")]
    assert len(accuracies) == 3 and accuracies[-1] > 88
    assert any(line.startswith("total: ") for line in lines)
    assert "read as" in out and "@" in out
    state = torch.load(tmp_path / "x.pt")
    assert state["epoch"] == 3 and len(state["model"]) == 6


def losses(text: str) -> list[str]:
    return [line.rpartition(",")[0] for line in text.splitlines()
            if line.startswith("epoch")]


def test_mnist_goes_on_where_it_was(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["mnist", "--quiet", "--batch-size", "200", "--optimizer", "sgd"]
    file = str(tmp_path / "x.pt")
    whole, _ = inside(capsys, *options, "--epochs", "3")
    inside(capsys, *options, "--epochs", "1", "--save", file)
    rest, _ = inside(capsys, *options, "--epochs", "3", "--resume", file,
                      "--seed", "9")
    assert losses(rest) == losses(whole)[1:]
    _, err = inside(capsys, "mnist", "--model", "cnn", "--resume", file, status=2)
    assert "'mlp'" in err


def test_mnist_refuses_what_is_not_there(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = inside(capsys, "mnist", "--data-dir", str(tmp_path), status=2)
    assert "Dataset not found" in err
    _, err = inside(capsys, "mnist", "--epochs", "0", status=2)
    assert "at least 1" in err
    if not tt.cuda.is_available():
        _, err = inside(capsys, "mnist", "--device", "cuda", status=2)
        assert "CUDA" in err


def test_mnist_plots(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    wrong = [digits.Wrong([[0, 255] * 14] * 28, 3, 5)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of matplotlib are its own
        digits.plot(str(tmp_path / "x.png"), [(0.5, 0.9), (0.3, 0.95)], wrong)
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_mnist_without_matplotlib(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinytorch.cli import mnist

    monkeypatch.setattr(mnist, "_can_plot", lambda: False)
    assert main(["mnist", "--plot", "x.png"]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_digits_as_text() -> None:
    pixels = [[0] * 14 + [255] * 14] * 28
    drawn = digits.as_text([digits.Wrong(pixels, 3, 5)] * 4)
    assert drawn.splitlines()[0].split() == "3 read as 5".split() * 3
    assert drawn.splitlines()[1].startswith(" " * 14 + "@" * 14)
    assert digits.as_text([]) == ""


@pytest.mark.slow
def test_cnn_of_mnist_learns(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = inside(capsys, "mnist", "--model", "cnn", "--epochs", "2", "--quiet",
                     "--optimizer", "adadelta")
    assert float(losses(out)[-1].split("accuracy ")[1].strip("%")) > 94


# ---- info ----


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = inside(capsys, "info")
    assert err == "" and tt.__version__ in out
    for name in ("Python", "NumPy", "BLAS", "OpenBLAS", "instructions", "threads",
                 "CUDA"):
        assert name in out, name
    if not tt.cuda.is_available():
        assert tt.cuda.why_not_available() in out


def test_version_and_usage(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = inside(capsys, "--version")
    assert out.strip() == tt.__version__
    _, err = inside(capsys, status=2)
    assert "COMMAND" in err
