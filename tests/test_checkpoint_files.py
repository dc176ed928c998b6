"""Checkpoints that survive being killed, and runs that go on as if unbroken."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.utils.resume import Checkpoints, random_state, set_random_state

torch = pytest.importorskip("torch")




class Part:
    """Anything with a state."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


def test_checkpoints_keep_the_newest(tmp_path: pathlib.Path) -> None:
    part = Part(0)
    kept = Checkpoints(tmp_path / "run", keep=2, part=part)
    assert kept.restore() is None and kept.steps() == []
    for step in (1, 5, 20, 1_000_000_000):
        part.value = tt.full((3,), step)
        kept.save(step, loss=0.5 * step)
    assert kept.steps() == [20, 1_000_000_000]
    part.value = None
    assert kept.restore() == {"step": 1_000_000_000, "loss": 5e8}
    assert part.value.tolist() == [1_000_000_000] * 3
    assert kept.restore(20) == {"step": 20, "loss": 10}
    with pytest.raises(FileNotFoundError):
        kept.restore(5)
    with pytest.raises(TypeError, match="state_dict"):
        Checkpoints(tmp_path, part=3)
    with pytest.raises(KeyError, match="other"):
        Checkpoints(tmp_path / "run", other=part).restore(20)


def test_checkpoint_that_cannot_be_read_is_passed_over(tmp_path: pathlib.Path) -> None:
    part = Part(1)
    kept = Checkpoints(tmp_path, part=part)
    kept.save(1)
    part.value = 2
    kept.save(2)
    content = pathlib.Path(kept.path(2)).read_bytes()
    pathlib.Path(kept.path(2)).write_bytes(content[:-30])
    with pytest.warns(UserWarning, match="000002.pt cannot be read"):
        assert kept.restore() == {"step": 1}
    assert part.value == 1


def test_left_over_files_are_removed_in_time(tmp_path: pathlib.Path) -> None:
    fresh = tmp_path / ".checkpoint-000000001.pt.0123456789ab.tmp"
    stale = tmp_path / ".checkpoint-000000002.pt.0123456789ab.tmp"
    for path in (fresh, stale, tmp_path / "other.tmp"):
        path.touch()
    os.utime(stale, (1, 1))
    Checkpoints(tmp_path).save(3)
    assert fresh.exists() and not stale.exists() and (tmp_path / "other.tmp").exists()


def test_random_states_of_all_generators() -> None:
    state = random_state()

    def draw() -> list[float]:
        return [tt.rand(1).item(), random.random(), float(np.random.rand()),
                random.gauss(0, 1), float(np.random.randn())]

    draw()
    first = random_state()
    wanted = draw()
    set_random_state(first)
    assert draw() == wanted
    set_random_state(state)


TRAIN = """
import random, sys
import tinytorch as tt
from tinytorch import nn, optim
from tinytorch.utils.data import DataLoader, TensorDataset
from tinytorch.utils.resume import Checkpoints

folder, stop, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tt.manual_seed(seed); random.seed(seed)
x = tt.arange(120.0).view(40, 3).sin()
y = tt.arange(40) % 3
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
optimizer = optim.AdamW(model.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
loader = DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True)
tt.manual_seed(0); random.seed(0)
kept = Checkpoints(folder, model=model, optimizer=optimizer, scheduler=scheduler,
                   loader=loader)
done = (kept.restore() or {"step": 0})["step"]
losses = []
while done < 24:
    for a, b in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(a + random.random() * 1e-3), b)
        loss.backward()
        optimizer.step()
        scheduler.step()
        done += 1
        losses.append(loss.item().hex())
        kept.save(done)
        if done == stop:
            sys.exit()
        if done == 24:
            break
print(losses[-1], [p.sum().item().hex() for p in model.parameters()])
"""


def train(folder: pathlib.Path, stop: int, seed: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder), str(stop), str(seed)],
        capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: pathlib.Path) -> None:
    whole = train(tmp_path / "whole", 0)
    assert whole
    for stop in (1, 6, 9):  # the first step, the end of an epoch, within one
        assert train(tmp_path / f"cut{stop}", stop) == ""
        assert train(tmp_path / f"cut{stop}", 0, seed=99) == whole


WRITERS = """
import os, sys
import tinytorch as tt
from tinytorch.utils.resume import Checkpoints

class Part:
    def state_dict(self):
        return {"weights": [tt.full((50_000,), float(self.step)) for _ in range(4)]}
    def load_state_dict(self, state):
        pass

def write():
    part = Part()
    kept = Checkpoints(sys.argv[1], keep=2, part=part)
    part.step = (kept.restore() or {"step": 0})["step"]
    while True:
        part.step += 1
        kept.save(part.step)

for line in sys.stdin:  # a line asks for a writer
    writer = os.fork()
    if not writer:
        write()
    print(writer, flush=True)
    os.waitpid(writer, 0)
    print("dead", flush=True)
"""


class Reader:
    """Checks that all tensors of a checkpoint are of one step."""

    def __init__(self) -> None:
        self.step = -1.0

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        values = {v for w in state["weights"] for v in (w.min().item(), w.max().item())}
        assert len(values) == 1 and len(state["weights"]) == 4
        self.step = values.pop()


def kill_writers(folder: pathlib.Path, times: int) -> None:
    draw = random.Random(times)
    newest = 0
    longest = 0.06  # seconds that a writer lives
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(folder)], cwd=folder.parent, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as writers:
        assert writers.stdin is not None and writers.stdout is not None
        for _ in range(times):
            print("go", file=writers.stdin, flush=True)
            writer = int(writers.stdout.readline())
            time.sleep(draw.random() * longest)
            os.kill(writer, signal.SIGKILL)
            assert writers.stdout.readline() == "dead\n"
            reader = Reader()
            values = Checkpoints(folder, part=reader).restore()  # no warning either
            if values is not None:
                assert values["step"] == reader.step >= newest
            if reader.step <= newest:  # the machine is busy
                longest = min(longest * 1.3, 1)
            newest = max(newest, int(reader.step))
    assert newest > times / 4
    for left in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(left, (1, 1))
    Checkpoints(folder, keep=1).save(newest + 1)
    assert len(list(folder.iterdir())) == 1


def test_killed_writers_leave_a_complete_checkpoint(tmp_path: pathlib.Path) -> None:
    kill_writers(tmp_path / "run", 20)


@pytest.mark.slow
def test_writers_killed_200_times(tmp_path: pathlib.Path) -> None:
    kill_writers(tmp_path / "run", 200)
