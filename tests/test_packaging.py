"""Wheel, sdist and editable install, each tried in a clean virtual environment.

Slow, because each compiles the core.  What is compiled from the sdist and for the
editable install is compiled without optimisation, in a third of the time.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
WHEEL_LIMIT = 5 << 20
INSTALLED_LIMIT = 15 << 20
QUICK = {**os.environ, "TINYTORCH_DEBUG": "1"}
SMOKE = """
import sys, pathlib
import tinytorch as tt
assert "numpy" not in sys.modules
a = tt.randn(200, 200, dtype=tt.float64)
b = tt.linalg.inv(a @ a.T + tt.eye(200, dtype=tt.float64))
x = tt.randn(8, 200, dtype=tt.float64, requires_grad=True)
tt.nn.functional.cross_entropy(x @ b, tt.zeros(8, dtype=tt.int64)).backward()
assert x.grad.shape == (8, 200) and not x.grad.isnan().any()
assert tt.from_numpy(x.grad.numpy()).data_ptr() == x.grad.data_ptr()
print(pathlib.Path(tt.__file__).parent, tt.__version__)
"""

pytestmark = pytest.mark.slow


def run(*command: str | pathlib.Path, **options: object) -> str:
    """Run a command; return its output, or fail with it."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def environment(folder: pathlib.Path) -> pathlib.Path:
    """Make a clean virtual environment; return its Python."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def smoke(python: pathlib.Path, elsewhere: pathlib.Path) -> pathlib.Path:
    """Use the installed package from another folder; return where it lies."""
    elsewhere.mkdir(exist_ok=True)
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    said = run(python, "-W", "error", "-c", SMOKE, cwd=elsewhere, env=clean)
    run(python, "-m", "pip", "check")
    return pathlib.Path(said.split()[0])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Build the wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Build the sdist of a copy of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    python = environment(folder / "env")
    run(python, "-m", "pip", "install", "setuptools>=77", "cython>=3.1")
    copy = sources(folder / "tree")
    code = (
        f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    )
    run(python, "-c", code, cwd=copy)
    (found,) = folder.glob("*.tar.gz")
    return found


def sources(folder: pathlib.Path) -> pathlib.Path:
    """Copy what a clean checkout would hold."""
    unwanted = ("build", "dist", ".git", ".*cache", "__pycache__", "*.so", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*unwanted))
    return folder


def test_wheel_holds_what_runs_and_nothing_else(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {i.filename: i.file_size for i in archive.infolist()}
    names = set(sizes)
    for path in (ROOT / "tinytorch").rglob("*.py"):
        assert path.relative_to(ROOT).as_posix() in names
    for path in (ROOT / "tinytorch").rglob("*.pyx"):
        stem = path.relative_to(ROOT).with_suffix("").as_posix()
        assert any(
            n.startswith(f"{stem}.") and n.endswith((".so", ".pyd")) for n in names
        )
    for path in [*(ROOT / "gpu").rglob("*.cu*"), *(ROOT / "gpu").rglob("*.py")]:
        assert f"tinytorch/gpu/{path.relative_to(ROOT / 'gpu').as_posix()}" in names
    for unwanted in (".c", ".pyx", ".h", ".html", ".orig", ".whl"):
        assert not [name for name in names if name.endswith(unwanted)]
    assert "tinytorch/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    roots = {name.partition("/")[0] for name in names}
    assert {r for r in roots if not r.endswith(".dist-info")} == {"tinytorch"}
    assert wheel.stat().st_size <= WHEEL_LIMIT
    assert sum(sizes.values()) <= INSTALLED_LIMIT


def test_wheel_installs_in_a_clean_environment(
    wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", wheel)
    assert (tmp_path / "env") in smoke(python, tmp_path / "else").parents


def test_sdist_holds_what_builds(sdist: pathlib.Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for suffix in ("*.pyx", "*.pxd", "*.h", "*.py"):
        for path in (ROOT / "tinytorch").rglob(suffix):
            assert path.relative_to(ROOT).as_posix() in names
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_sdist_installs_in_a_clean_environment(
    sdist: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", sdist, env=QUICK)
    assert (tmp_path / "env") in smoke(python, tmp_path / "else").parents


def test_editable_install_in_a_clean_environment(tmp_path: pathlib.Path) -> None:
    python = environment(tmp_path / "env")
    tree = sources(tmp_path / "tree")
    run(python, "-m", "pip", "install", "-e", tree, env=QUICK)
    assert tree in smoke(python, tmp_path / "else").parents
    marker = tree / "tinytorch" / "version.py"
    marker.write_text(marker.read_text() + '\nMARK = "edited"\n')
    code = "import tinytorch.version; print(tinytorch.version.MARK)"
    assert run(python, "-c", code, cwd=tmp_path / "else").strip() == "edited"
