"""Fixtures and options of the whole suite; the sum of the op database's walk."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest

# One thread each for PyTorch's own pools: the tests time nothing against them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REQUIRE_TORCH = os.environ.get("TINYTORCH_REQUIRE_TORCH") == "1"
OPDB = pytest.StashKey[dict[str, Any]]()
FULL_FLOOR = 100  # ops below which a run is a selection and has no floor


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    parser.addoption(
        "--isolate",
        action="store_true",
        help="walk each op of PyTorch's database in a process of its own",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the place where the records of the op database are gathered."""
    config.stash[OPDB] = {}


# ---- PyTorch is optional, except where it must not be missing ----


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Fail a test file that a missing PyTorch would skip, if PyTorch is required."""
    if REQUIRE_TORCH and report.skipped and "torch" in str(report.longrepr):
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Fail a test that a missing PyTorch would skip, if PyTorch is required."""
    report = yield
    if REQUIRE_TORCH and report.skipped and "import 'torch" in str(report.longrepr):
        report.outcome = "failed"
    return report


# ---- the op database's sum ----


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what the op database's tests counted, from all worker processes."""
    for key, value in report.user_properties:
        if key == "opdb" and report.when == "call":
            name, record = value
            GATHERED[name] = record


GATHERED: dict[str, Any] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the sum to opdb.json in the cache; fail a whole run below the floor."""
    if not GATHERED or hasattr(session.config, "workerinput"):
        return
    import opdb_report
    from test_opdb import FLOOR

    summary = opdb_report.summarise(GATHERED)
    session.config.stash[OPDB] = summary
    cache = getattr(session.config, "cache", None)
    if cache is not None:
        text = json.dumps({"summary": summary, "ops": GATHERED}, indent=1)
        (pathlib.Path(cache.mkdir("opdb")) / "opdb.json").write_text(text + "\n")
    if summary["ops"] >= FULL_FLOOR and summary["share"] < FLOOR:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the op database's sum as one line."""
    summary = config.stash[OPDB]
    if summary:
        counts, share = summary["counts"], 100 * summary["share"]
        terminalreporter.write_line(
            f"op database: {summary['ops']} ops, {counts.get('agree', 0)} samples"
            f" agree, {counts.get('deviate', 0)} differ,"
            f" {counts.get('skip', 0)} skipped: {share:.2f} % of the wanted agree"
        )


# ---- fixtures ----


@pytest.fixture
def rng() -> np.random.Generator:
    """Return NumPy's generator with a fixed seed."""
    return np.random.default_rng(20240229)


@pytest.fixture(params=["cpu"])
def device(request: pytest.FixtureRequest) -> str:
    """Return each device on which kernels run."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Seed tinytorch and leave its global modes as every test expects them."""
    import tinytorch as tt

    tt.manual_seed(0)
    yield
    assert tt.is_grad_enabled(), "the test left grad mode off"
    assert tt.get_default_dtype() == tt.float32, "the test left another default dtype"
