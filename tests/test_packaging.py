"""Wheel, sdist and editable install, each tried in a clean virtual environment.

Slow where nothing is compiled yet: the wheel is compiled as a user does it, the rest
without optimisation and from the sdist's files alone.  Objects below build/ are used.
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
WHEEL_LIMIT = 11 << 19  # 5.5 MB; the wish is 5
INSTALLED_LIMIT = 15 << 20
# A path to the checkout would come before what is installed.
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
QUICK = {**CLEAN, "TINYTORCH_DEBUG": "1"}
SMOKE = """
import importlib, sys, pathlib
import tinytorch as tt
assert "numpy" not in sys.modules
a = tt.randn(200, 200, dtype=tt.float64)
b = tt.linalg.inv(a @ a.T + tt.eye(200, dtype=tt.float64))
x = tt.randn(8, 200, dtype=tt.float64, requires_grad=True)
tt.nn.functional.cross_entropy(x @ b, tt.zeros(8, dtype=tt.int64)).backward()
assert x.grad.shape == (8, 200) and not x.grad.isnan().any()
assert tt.from_numpy(x.grad.numpy()).data_ptr() == x.grad.data_ptr()
for module in sys.argv[1:]:
    importlib.import_module(module)
print(pathlib.Path(tt.__file__).parent, tt.__version__)
"""

pytestmark = pytest.mark.slow


def run(*command: str | pathlib.Path, **options: object) -> str:
    """Run a command; return its output, or fail with it."""
    options.setdefault("env", CLEAN)
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
    """Use the installed package, and open each module of its core, from another folder;
    return where it lies."""
    elsewhere.mkdir(exist_ok=True)
    core = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(ROOT.glob("tinytorch/_core/**/*.pyx"))
    ]
    said = run(python, "-W", "error", "-c", SMOKE, *core, cwd=elsewhere)
    run(python, "-m", "pip", "check")
    return pathlib.Path(said.split()[0])


def bring_objects(tree: pathlib.Path, kind: str) -> None:
    """Copy what is compiled already beside the sources in `tree`; the build takes an
    object that is newer than all it was made from, and compiles what it lacks."""
    for made in ("cython", "objects"):
        if (ROOT / "build" / kind / made).exists():
            shutil.copytree(ROOT / "build" / kind / made, tree / "build" / kind / made)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Copy what a clean checkout would hold."""
    folder = tmp_path_factory.mktemp("sources") / "tree"
    unwanted = ("build", "dist", ".git", ".*cache", "__pycache__", "*.so", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*unwanted))
    return folder


@pytest.fixture(scope="module")
def wheel(tree: pathlib.Path) -> pathlib.Path:
    """Build the wheel."""
    bring_objects(tree, "release")
    folder = tree.parent / "wheel"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, tree)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(tree: pathlib.Path) -> pathlib.Path:
    """Build the sdist."""
    folder = tree.parent / "sdist"
    python = environment(folder / "env")
    run(python, "-m", "pip", "install", "build")
    run(python, "-m", "build", "--sdist", "-o", folder, tree)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def unpacked(sdist: pathlib.Path) -> pathlib.Path:
    """Unpack the sdist: all that its two installs see of this tree."""
    folder = sdist.parent / "unpacked"
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    bring_objects(found, "debug")
    return found


def test_wheel_holds_what_runs_and_nothing_else(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {i.filename: i.file_size for i in archive.infolist()}
    names = {name for name in sizes if ".dist-info/" not in name}
    (library,) = (n for n in names if n.startswith("tinytorch/_core/library."))
    assert library.endswith((".so", ".pyd"))
    wanted = {library, "tinytorch/py.typed"}
    for package, folder in (("tinytorch", "tinytorch"), ("tinytorch/gpu", "gpu")):
        for path in (ROOT / folder).rglob("*"):
            kept = path.suffix in (".py", ".pyi", ".cu", ".cuh", ".gz")
            if kept or path.name == "README.md":
                wanted.add(f"{package}/{path.relative_to(ROOT / folder).as_posix()}")
    assert names == wanted
    assert any(name.endswith("licenses/LICENSE") for name in sizes)
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
    unpacked: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", unpacked, env=QUICK)
    assert (tmp_path / "env") in smoke(python, tmp_path / "else").parents


def test_editable_install_in_a_clean_environment(
    unpacked: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    python = environment(tmp_path / "env")
    run(python, "-m", "pip", "install", "-e", unpacked, env=QUICK)
    assert unpacked in smoke(python, tmp_path / "else").parents
    marker = unpacked / "tinytorch" / "version.py"
    marker.write_text(marker.read_text() + '\nMARK = "edited"\n')
    code = "import tinytorch.version; print(tinytorch.version.MARK)"
    assert run(python, "-c", code, cwd=tmp_path / "else").strip() == "edited"
