"""What ``import tinytorch`` costs, and what it does not import."""

from __future__ import annotations

import json
import statistics
import sys

import pytest

from interpreters import run_python

BUDGET_MS = 60.0  # the medians of alternating runs
FOREIGN = ("numpy", "torch", "pycuda", "scipy", "cupy", "nvmath")


def run_output(code: str) -> str:
    """Return what the code prints."""
    return run_python(code).stdout


def test_import_leaves_foreign_packages_out() -> None:
    code = "import sys, tinytorch, json; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.partition(".")[0] for name in json.loads(run_output(code))}
    assert loaded.isdisjoint(FOREIGN)


def test_arithmetic_leaves_numpy_out() -> None:
    code = """
import sys, tinytorch as tt
x = tt.randn(3, 4, requires_grad=True)
((x @ x.T).exp().sum() + x[0, 1:].mean()).backward()
repr(x.grad), x.tolist()
print([name for name in sys.modules if name.partition(".")[0] == "numpy"])
"""
    assert run_output(code).strip() == "[]"


def test_import_takes_no_name_outside_its_package() -> None:
    """Cython's own modules apart; all others are the standard library's."""
    code = "import sys; {}print(*sys.modules)"
    bare = set(run_output(code.format("")).split())
    loaded = set(run_output(code.format("import tinytorch; ")).split()) - bare
    ours = {name for name in loaded if name.partition(".")[0] == "tinytorch"}
    others = {name.partition(".")[0] for name in loaded - ours}
    foreign = {name for name in others if not name.startswith(("cython_", "_cython_"))}
    assert foreign <= sys.stdlib_module_names


def test_import_brings_no_unexpected_module() -> None:
    """A new module of the standard library is a cost; name it here on purpose."""
    code = "import sys; {}print(*sys.modules)"
    bare = set(run_output(code.format("")).split())
    loaded = set(run_output(code.format("import tinytorch; ")).split()) - bare
    heavy = """
        asyncio concurrent.futures dataclasses enum inspect logging
        multiprocessing random re subprocess tempfile typing unittest urllib
        zipfile
        """.split()
    assert loaded.isdisjoint(heavy)


@pytest.mark.slow
def test_import_time() -> None:
    """On a busy machine the import of NumPy, timed beside ours, says what 60 ms are."""
    timed = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    spent: dict[str, list[float]] = {"import tinytorch": [], "import numpy": []}
    for _ in range(10):
        for code, times in spent.items():
            times.append(1e3 * float(run_output(timed.format(code))))
    # The first round warms the disk's cache.
    ours, numpy = (statistics.median(times[1:]) for times in spent.values())
    assert ours <= max(BUDGET_MS, 0.8 * numpy)


def test_import_beside_torch_and_numpy() -> None:
    pytest.importorskip("torch")
    for order in ("tinytorch, numpy, torch", "torch, numpy, tinytorch"):
        code = f"""
import {order}
a = tinytorch.ones(64, 64) @ tinytorch.ones(64, 64)
b = torch.ones(64, 64) @ torch.ones(64, 64)
c = numpy.ones((64, 64)) @ numpy.ones((64, 64))
print(a[0, 0].item(), b[0, 0].item(), c[0, 0])
"""
        assert run_output(code).split() == ["64.0"] * 3


@pytest.mark.parametrize(
    "ending", ["pass", "sys.exit(0)", "raise SystemExit", "os._exit(0)", "os.fork()"]
)
def test_exit_is_clean(ending: str) -> None:
    code = f"""
import os, sys, threading, time, warnings
import tinytorch as tt
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12's, of such forks
tt.set_num_threads(2)
x = tt.ones(1 << 20, requires_grad=True)
(x * 2).sum().backward()
threading.Thread(target=time.sleep, args=(0.05,)).start()
{ending}
"""
    done = run_python(code, check=False)
    assert (done.returncode, done.stderr) == (0, "")
