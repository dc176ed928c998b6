"""The rules of the house, executed: direction of imports, sizes of files, words.

``python tests/test_project.py`` prints the files over their size.
"""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from interpreters import run_python

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "tinytorch"
CORE = PACKAGE / "_core"
IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+c?import\s+\(?([\w ,]*)|c?import\s+([\w.]+))", re.M
)

# A module of the core imports only from lines above its own.
LAYERS = (
    "storage threads checksum modes openblas",
    "types blas return_types",
    "tensor rng lapack",
    "executor graph elements binding",
    "hooks attributes fields",
    "gradients inplace",
    "autograd captures",
    "engine function modules",
    "ops",
)
RANK = {name: rank for rank, line in enumerate(LAYERS) for name in line.split()}


def sources(folder: pathlib.Path, *suffixes: str) -> list[pathlib.Path]:
    """Return the files below a folder that git keeps."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in suffixes and "build" not in path.relative_to(ROOT).parts
    )


def imports(path: pathlib.Path) -> Iterator[str]:
    """Yield the dotted names that a .py, .pyx or .pxd file imports."""
    for module, names, plain in IMPORT.findall(path.read_text()):
        if plain:
            yield plain
            continue
        yield module
        if module in ("tinytorch", "tinytorch._core"):  # the names may be modules
            for name in names.replace(",", " ").split():
                yield f"{module}.{name}"


def part_of_core(dotted: str) -> str | None:
    """Return the part of the core that a dotted name belongs to."""
    found = re.match(r"tinytorch\._core\.(\w+)", dotted)
    return found.group(1) if found else None


def relative(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---- imports ----


@pytest.mark.parametrize("path", sources(CORE, ".py", ".pyx", ".pxd"), ids=relative)
def test_core_imports_downwards(path: pathlib.Path) -> None:
    part = path.relative_to(CORE).parts[0].partition(".")[0]
    if part == "__init__":
        return
    wrong = []
    for name in imports(path):
        other = part_of_core(name)
        if name.startswith("tinytorch") and other is None:
            # _typing has names alone, and imports nothing
            if name not in ("tinytorch", "tinytorch._core", "tinytorch._typing"):
                wrong.append(name)
        elif other and other != part and RANK[other] >= RANK[part]:
            wrong.append(name)
        if name.partition(".")[0] in ("gpu", "pycuda", "torch"):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("path", sources(PACKAGE, ".py", ".pyx"), ids=relative)
def test_no_module_needs_an_optional_package(path: pathlib.Path) -> None:
    """NumPy and the like are imported inside functions, when they are used."""
    optional = {"numpy", "torch", "pycuda", "scipy", "gpu", "safetensors"}
    if path.suffix == ".py":
        at_top = [
            node
            for node in ast.parse(path.read_text()).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        names = {a.name for n in at_top if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in at_top if isinstance(n, ast.ImportFrom)}
    else:
        text = re.sub(r"^[ \t]+.*$", "", path.read_text(), flags=re.M)
        names = {a or b for a, _, b in IMPORT.findall(text)}
    assert {name.partition(".")[0] for name in names}.isdisjoint(optional)


@pytest.mark.parametrize(
    "path",
    [p for p in sources(ROOT / "gpu", ".py") if "emulator" not in p.parts],
    ids=relative,
)
def test_gpu_imports_the_core_only(path: pathlib.Path) -> None:
    names = [n for n in imports(path) if n.startswith("tinytorch")]
    assert all(n in ("tinytorch", "tinytorch._core") or part_of_core(n) for n in names)


def test_only_gpu_imports_pycuda() -> None:
    users = [
        relative(path)
        for path in sources(PACKAGE, ".py", ".pyx", ".pxd")
        if any(name.partition(".")[0] == "pycuda" for name in imports(path))
    ]
    assert users == []


def test_only_blas_speaks_to_blas() -> None:
    users = {
        path.name.partition(".")[0]
        for path in sources(CORE, ".pyx", ".pxd", ".h")
        if re.search(r"\bcblas_\w+\s*\(|scipy_cblas", path.read_text())
    }
    assert users <= {"blas", "lapack"}


# ---- sizes ----

LIMITS = {".py": 500, ".pyx": 500, ".pxd": 80, ".h": 300, ".cu": 300}
TEST_LIMIT = 400

# Over the guidance, each with its reason.
LARGE: dict[str, str] = {
    "tinytorch/_core/ops/conv.pyx": "three kernels, each the derivative of the others",
    "tinytorch/_core/ops/views.pyx": "each view beside its adjoint",
    "tinytorch/_core/ops/pool.pyx": "each pooling beside its adjoint",
    "tinytorch/_core/include/gemm.h": "one product: packing, tile, loops",
    "tinytorch/_core/executor.pxd": "what every op calls kernels with",
    "tinytorch/_core/tensor.pxd": "what every op makes tensors with",
    "tests/op_specs.py": "the one table of all rows, formulas beside it",
    "tests/test_distributions.py": "one table of distributions, read by every test",
    "tinytorch/nn/modules/module.py": "the protocol of one class",
}


def over_size() -> dict[str, int]:
    """Return the files over the guidance, with their lines."""
    found = {}
    folders = (PACKAGE, ROOT / "gpu", ROOT / "tests", ROOT / "benchmarks")
    for folder in folders:
        for path in sources(folder, *LIMITS):
            lines = path.read_text().count("\n")
            limit = TEST_LIMIT if folder.name == "tests" else LIMITS[path.suffix]
            if lines > limit:
                found[relative(path)] = lines
    return found


def test_large_files_have_a_reason() -> None:
    assert sorted(set(over_size()) - set(LARGE)) == []


# What tools read at the end of a line; it cannot stand elsewhere.
PRAGMA = re.compile(r"\s+# (type: ignore|noqa)\b.*$")


def test_lines_fit() -> None:
    long = [
        f"{relative(path)}:{number}"
        for folder in (PACKAGE, ROOT / "gpu")
        for path in sources(folder, ".pyx", ".pxd", ".h", ".cu", ".cuh", ".py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(PRAGMA.sub("", line)) > 88
    ]
    assert long == []


# ---- stubs ----


def test_stubs_are_those_of_the_package() -> None:
    # In a fresh interpreter: other tests have imported more of the package.
    made = run_python(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "import make_stubs; print(make_stubs.text(), end='')"
    ).stdout
    assert (PACKAGE / "__init__.pyi").read_text() == made, "run tests/make_stubs.py"


# ---- words ----

WORDS = {
    "an open end": r'(?<!")\b(TODO|FIXME|XXX|HACK)\b',
    "a path or host of one machine": r"/work/|/tmp/|/home/|/root/",
    "pickle that executes": r"\bpickle\.loads?\(",
    "directives outside setup.py": r"^# cython:",
    "void f() except *": r"\bvoid \w+\([^)]*\) except \*",
    "text inclusion": r"^include \"",
    "compile-time IF": r"^\s*(IF|ELIF) .*:$",
    "OpenMP": r"\bomp_get|\bprange\b|-fopenmp\b(?!-simd)",
    "NumPy's C API": r"cimport numpy|numpy/arrayobject",
    "fast-math": r"-ffast-math\b|-Ofast\b",
}


@pytest.mark.parametrize("what", WORDS)
def test_forbidden_words(what: str) -> None:
    pattern = re.compile(WORDS[what], re.M)
    suffixes = (".py", ".pyx", ".pxd", ".h", ".cu", ".cuh", ".toml", ".md")
    files = [*sources(PACKAGE, *suffixes), *sources(ROOT / "gpu", *suffixes)]
    files += sources(ROOT / "benchmarks", *suffixes)
    files.append(ROOT / "setup.py")
    hits = [
        f"{relative(path)}: {found.group().strip()}"
        for path in files
        if (found := pattern.search(path.read_text()))
        and not (what == "fast-math" and path.suffix == ".md")
    ]
    assert hits == []


@pytest.mark.parametrize(
    "path",
    [p for p in sources(PACKAGE, ".py") if p.parent.name != "cli"],  # a program prints
    ids=relative,
)
def test_library_does_not_print_or_assert(path: pathlib.Path) -> None:
    tree = ast.parse(path.read_text())
    wrong = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "eval", "exec")
    ]
    assert wrong == []


@pytest.mark.parametrize("path", sources(CORE, ".pyx"), ids=relative)
def test_arguments_of_extension_types_are_not_none(path: pathlib.Path) -> None:
    """A ``def`` that takes a Tensor bare would read through None."""
    text = re.sub(r"\n\s+", " ", path.read_text())
    wrong = [
        f"{name}({argument.strip()})"
        for name, arguments in re.findall(r"\bdef (\w+)\(([^)]*)\)", text)
        for argument in arguments.split(",")
        if re.match(r"\s*(Tensor|Node|Program|Profile)\s+\w+(?!.*not None)", argument)
        and not re.search(r"=\s*None", argument)
        and name not in ("backward", "__cinit__")
    ]
    assert [w for w in wrong if "self" not in w] == []


@pytest.mark.parametrize("path", sources(PACKAGE, ".py", ".pyx"), ids=relative)
def test_file_says_what_lives_in_it(path: pathlib.Path) -> None:
    text = path.read_text().lstrip()
    assert not text or text.startswith(('"""', "#", "'''")), "no words at the head"


if __name__ == "__main__":
    for name, lines in sorted(over_size().items(), key=lambda item: -item[1]):
        print(f"{lines:6} {name}  {LARGE.get(name, '(no reason given)')}")
