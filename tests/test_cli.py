"""The program: PyTorch's programs under ``tinytorch run``, ``mnist`` and ``info``."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import runpy
import shutil
import subprocess
import sys
import warnings

import pytest

import tinytorch as tt
from tinytorch.cli import digits
from tinytorch.cli.lookup import missing_names
from tinytorch.cli.main import main
from torch_networks import NETWORKS
from torch_programs import PARTS
from torch_programs import PROGRAMS as TOOLS
from torch_sequences import SEQUENCES

torch = pytest.importorskip("torch")

PROGRAMS = TOOLS | NETWORKS | SEQUENCES


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
""")
    program(tmp_path, "run", "s.py")


VISION = """
import argparse
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms, utils

parser = argparse.ArgumentParser()
parser.add_argument('--batch-size', type=int, default=64)
args = parser.parse_args()
torch.manual_seed(1)
transform = transforms.Compose([
    transforms.RandomCrop(28, padding=2), transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))])
train_set = datasets.MNIST('data', train=True, download=True, transform=transform)
test_set = datasets.MNIST('data', train=False, transform=transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]))
image, label = test_set[0]
print(len(train_set), tuple(image.shape), image.dtype, type(label).__name__)
train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
test_loader = DataLoader(Subset(test_set, range(500)), batch_size=250)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(2):
    model.train()
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            correct += model(data).argmax(1).eq(target).sum().item()
    print(f'accuracy {correct / 500:.3f}')
print(tuple(utils.make_grid(data[:6], nrow=3).shape))
"""


def test_a_program_with_torchvision_learns(tmp_path: pathlib.Path) -> None:
    """Its digits are already where it would download them to."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    here = pathlib.Path(tt.__file__).parent / "vision" / "data"
    for path in here.glob("*.gz"):
        shutil.copy(path, raw)
    (tmp_path / "s.py").write_text(VISION)
    out, err = program(tmp_path, "run", "--strict", "s.py", "--batch-size", "100")
    lines = out.splitlines()
    assert err == "" and lines[0] == "6000 (1, 28, 28) torch.float32 int"
    accuracies = [float(line.split()[1]) for line in lines[1:3]]
    assert accuracies[0] > 0.7 and accuracies[1] > 0.8
    assert lines[3] == "(3, 62, 92)"


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


def test_absent_modules_are_refused_when_used(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.py").write_text("""
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.onnx.utils, torch.utils.data.distributed

print(dist.is_available() or dist.is_initialized(), mp.__name__)
try:
    mp.spawn
except AttributeError as error:
    print(error)
try:
    import torch.no_such_module
except ModuleNotFoundError as error:
    print(error)
""")
    out, err = program(tmp_path, "run", "s.py")
    assert out.splitlines() == [
        "False torch.multiprocessing",
        "module 'torch.multiprocessing' has no attribute 'spawn': there is one process "
        "and one device",
        "No module named 'torch.no_such_module': tinytorch has nothing in its place"]
    assert "s.py:4: torch.multiprocessing is not in tinytorch" in err


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


def test_errors_of_programs_look_as_pythons(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("""
import os, pickle, torch
class Net(torch.nn.Module):
    def forward(self, x: int):
        return x / self.scale
print(Net.forward.__annotations__)
os.chdir("/")
print(__file__, __name__, type(pickle.loads(pickle.dumps(Net()))))
Net()(torch.ones(2))
""")
    printed = []
    for start in (["-m", "tinytorch", "run"], []):
        done = subprocess.run([sys.executable, *start, "s.py"], capture_output=True,
                              text=True, cwd=tmp_path)
        ours = [line for line in done.stderr.splitlines() if "torch/" not in line]
        printed.append((done.returncode, done.stdout, ours[:3], ours[-1]))
    assert printed[0] == printed[1]
    assert f'File "{script}", line 9' in printed[0][2][1]


# ---- mnist ----


def test_mnist_learns(tmp_path: pathlib.Path) -> None:
    out, _ = program(tmp_path, "mnist", "--epochs", "3", "--quiet", "--save", "x.pt")
    lines = out.splitlines()
    assert lines[0].startswith("mlp of 109,386 parameters on 6,000 digits")
    accuracies = [float(line.split("accuracy ")[1].partition("%")[0])
                  for line in lines if line.startswith("epoch")]
    assert len(accuracies) == 3 and accuracies[-1] > 88
    assert any(line.startswith("total: ") for line in lines)
    assert "read as" in out and "%" in out.partition("read as")[2]
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
