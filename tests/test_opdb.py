"""Every op that PyTorch's op database and tinytorch share, sample by sample.

The fast test takes three samples per dtype and every error input, the slow one all
samples.  A difference is allowed only where ``opdb_table.DEVIATIONS`` gives the reason.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

pytest.importorskip("torch")

import opdb
import opdb_report
import opdb_sample
from opdb_table import DEVIATIONS, WANTED
from oracle import Missing, resolve

FAST = 3
FLOOR = 0.97  # of the wanted samples agree


def _check(name: str, limit: int | None, request: pytest.FixtureRequest) -> None:
    run = opdb_report.isolated if request.config.getoption("isolate") else None
    counted = run(name, limit) if run else opdb_report.tally(name, limit)
    request.node.user_properties.append(("opdb", (name, counted.as_dict())))
    assert not counted.first, "\n".join(f"{k}: {v}" for k, v in counted.first.items())


@pytest.mark.parametrize("name", opdb.NAMES)
def test_opdb_samples(name: str, request: pytest.FixtureRequest) -> None:
    _check(name, FAST, request)


@pytest.mark.slow
@pytest.mark.parametrize("name", opdb.NAMES)
def test_opdb_all_samples(name: str, request: pytest.FixtureRequest) -> None:
    _check(name, None, request)


@pytest.mark.parametrize("name", sorted(WANTED))
def test_opdb_aliases(name: str) -> None:
    missing = []
    for info in opdb.op_infos()[name]:
        for alias in info.aliases:
            try:
                resolve(alias.name.removeprefix("torch."))
            except Missing as error:
                missing.append(str(error))
    assert not missing


def test_opdb_wanted_ops_exist() -> None:
    assert opdb_report.missing_ops() == []


def test_opdb_deviations_are_reasoned() -> None:
    for row in DEVIATIONS:
        assert len(row.reason) > 20 and row.reason[-1] != ".", row
        assert any(fnmatchcase(name, row.op) for name in opdb.NAMES), row
    assert len(set(DEVIATIONS)) == len(DEVIATIONS)


def test_opdb_share_counts_what_differs() -> None:
    counted = opdb.Tally()
    for kind in ("agree/float32/contiguous", "agree/bool/contiguous", "skip/-/-"):
        counted.add(opdb.Outcome("add", kind, "complex result"))
    assert counted.share() == 1.0
    counted.add(opdb.Outcome("add", "value/float32/contiguous", "1 of 2 elements"))
    assert counted.share() == pytest.approx(2 / 3)
    assert list(counted.first) == ["value/float32/contiguous"]


def test_opdb_walk_finds_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    translate = opdb_sample.translate

    def wrong(function: object) -> object:
        inner = translate(function)
        return lambda *args, **kwargs: inner(*args, **kwargs) + 1

    monkeypatch.setattr(opdb_sample, "translate", wrong)
    kinds = {outcome.kind for outcome in opdb.walk("mul", 2)}
    assert "value" in kinds
