"""Every module that PyTorch's module database and tinytorch share, sample by sample.

The fast test takes a few samples per dtype and mode and every error input, the slow one
all samples.  A difference is allowed only where ``module_table.DEVIATIONS`` says why.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

pytest.importorskip("torch")

import module_report
import moduledb
import tinytorch as tt
from module_table import DEVIATIONS, LOOSER, explain
from opdb import Tally

FAST = 4
FLOOR = 0.97  # of the samples of what exists agree
COUNTED: dict[str, Tally] = {}


def _check(name: str, limit: int | None) -> Tally:
    counted = module_report.tally(name, limit)
    assert not counted.first, "\n".join(f"{k}: {v}" for k, v in counted.first.items())
    return counted


@pytest.mark.parametrize("name", moduledb.NAMES)
def test_module_samples(name: str) -> None:
    COUNTED[name] = _check(name, FAST)


def test_module_share_agrees() -> None:
    total = Tally(explain)
    for name in moduledb.NAMES:
        counted = COUNTED.get(name) or module_report.tally(name, 1)
        total.merge(counted.as_dict())
    assert total.counts["agree"] > 100
    assert total.share() >= FLOOR


@pytest.mark.slow
@pytest.mark.parametrize("name", moduledb.NAMES)
def test_module_all_samples(name: str) -> None:
    _check(name, None)


def test_module_names_exist() -> None:
    assert module_report.missing() == []


def test_module_table_is_reasoned() -> None:
    for row in DEVIATIONS:
        assert len(row.reason) > 20 and row.reason[-1] != ".", row
        assert any(fnmatchcase(name, row.op) for name in moduledb.NAMES), row
    for pattern, (factor, reason) in LOOSER.items():
        assert factor > 1 and len(reason) > 20, pattern
        assert any(fnmatchcase(name, pattern) for name in moduledb.NAMES), pattern
    assert len(set(DEVIATIONS)) == len(DEVIATIONS)


def test_module_walk_finds_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = tt.nn.Linear.forward

    def twice(self: tt.nn.Linear, input: tt.Tensor) -> tt.Tensor:
        return forward(self, input * 2 - input.detach())

    monkeypatch.setattr(tt.nn.Linear, "forward", twice)
    kinds = {outcome.kind for outcome in moduledb.walk("nn.Linear", 2)}
    assert kinds == {"grad"}


def test_module_walk_finds_a_wrong_state(monkeypatch: pytest.MonkeyPatch) -> None:
    reset = tt.nn.Linear.reset_parameters

    def twice(self: tt.nn.Linear) -> None:
        reset(self)
        reset(self)

    monkeypatch.setattr(tt.nn.Linear, "reset_parameters", twice)
    kinds = {outcome.kind for outcome in moduledb.walk("nn.Linear", 2)}
    assert kinds == {"initial"}
