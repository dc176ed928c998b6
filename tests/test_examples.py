"""Every example runs, quickly, and gets better at what it does."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

import tinytorch

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
NUMBER = r"(\d+\.?\d*)"


def run(script: str, folder: pathlib.Path, *options: str) -> str:
    """Run an example in a folder of its own; return what it printed."""
    # the package that this test has imported, be it installed or in place
    package = str(pathlib.Path(tinytorch.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *options]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_example_improves(script: str, tmp_path: pathlib.Path) -> None:
    last = run(script, tmp_path, "--smoke").splitlines()[-1]
    found = re.search(rf"(.*): {NUMBER} -> {NUMBER}$", last)
    assert found, last
    before, after = float(found[2]), float(found[3])
    if "steps upright" in found[1]:
        assert after > before
    else:
        assert after < 0.95 * before
    assert list(tmp_path.iterdir()) == []  # nothing is left lying about


@pytest.mark.parametrize(
    "script",
    [s for s in SCRIPTS if '"--plot"' in (EXAMPLES / s).read_text()],
)
@pytest.mark.slow
def test_example_draws(script: str, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    run(script, tmp_path, "--smoke", "--plot", "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_example_saves_weights(tmp_path: pathlib.Path) -> None:
    run("mnist_cnn.py", tmp_path, "--smoke", "--save", "digits.pt")
    state = tinytorch.load(tmp_path / "digits.pt")
    assert state["conv1.weight"].shape == (16, 1, 3, 3)


def test_readme_lists_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    assert sorted(set(re.findall(r"\]\((\w+\.py)\)", readme))) == SCRIPTS
