"""Every public name of PyTorch's is here, or there is a reason why not.

``python tests/test_absent_names.py`` writes the reasons into docs/differences.md.
"""

from __future__ import annotations

import fnmatch
import pathlib
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

import tinytorch as tt
from tinytorch._absent import ABSENT, reason

torch = pytest.importorskip("torch")

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "differences.md"
BEGIN, END = "<!-- names: begin -->", "<!-- names: end -->"
PLACES = """
    nn nn.functional nn.init nn.utils nn.utils.rnn nn.utils.parametrizations
    nn.utils.parametrize nn.utils.prune nn.utils.stateless nn.attention nn.parallel
    nn.parameter nn.modules optim optim.lr_scheduler optim.swa_utils utils utils.data
    utils.checkpoint utils.hooks utils.dlpack distributions.constraints
    distributions.transforms distributions.kl autograd autograd.functional
    autograd.graph linalg fft testing random serialization backends
    """.split()


def public(place: ModuleType) -> Iterator[str]:
    """Yield the names that a module of PyTorch's offers."""
    if hasattr(place, "__all__"):
        yield from place.__all__
        return
    for name, item in vars(place).items():
        home = getattr(item, "__module__", None) or place.__name__
        if isinstance(item, (bool, ModuleType)):
            continue  # TYPE_CHECKING; modules, which depend on what was imported
        if not name.startswith("_") and home.startswith(place.__name__):
            yield name


def found(place: str, name: str) -> bool:
    """Return whether tinytorch has a name."""
    home: Any = tt
    for part in place.split(".") if place else ():
        home = getattr(home, part, None)
    return hasattr(home, name)


@pytest.mark.parametrize("place", ["", *PLACES])
def test_names_are_there_or_have_a_reason(place: str) -> None:
    theirs = import_module(f"torch.{place}".rstrip("."))
    missing = [
        name for name in sorted(set(public(theirs)))
        if not found(place, name) and reason(f"{place}.{name}".lstrip(".")) is None
    ]
    assert missing == []


def test_no_pattern_is_without_use() -> None:
    """What exists by now has no place in the list, nor what PyTorch does not have."""
    names = {n for n in dir(torch) if not n.startswith("_")}
    for place in (*PLACES, "autograd.forward_ad", "autograd.profiler"):
        theirs = dir(import_module(f"torch.{place}"))
        names |= {f"{place}.{n}" for n in theirs if not n.startswith("_")}
    here = {
        name for name in names
        if found(*(name.rpartition(".")[i] for i in (0, 2)))
    }
    for why, patterns in ABSENT:
        for pattern in patterns.split():
            matches = re.compile(fnmatch.translate(pattern)).match
            assert not list(filter(matches, here)), (why, pattern)
            if "." not in pattern:
                known = any(map(matches, names)) or find_spec(f"torch.{pattern}")
                assert known, (why, pattern)


@pytest.mark.parametrize(
    ("name", "why"),
    [("complex64", "complex"), ("sparse_coo_tensor", "sparse"), ("fft.rfft", "complex"),
     ("jit", "compiled"), ("nn.quantized", "quantised"), ("utils.data.IterDataPipe",
     "data pipes"), ("nn.functional.scaled_mm", "back end"),
     ("autograd.graph.get_gradient_edge", "hooks")],
)
def test_errors_give_the_reason(name: str, why: str) -> None:
    place, _, last = name.rpartition(".")
    home: Any = import_module(f"tinytorch.{place}".rstrip("."))
    with pytest.raises(AttributeError, match=f"has no attribute '{last}': .*{why}"):
        getattr(home, last)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'$"):
        home.nonsense  # noqa: B018


# ---- the document ----


def table() -> str:
    """Return the lines between the markers of docs/differences.md."""
    rows = [BEGIN, "", "| reason | names below `torch` |", "|---|---|"]
    for why, patterns in ABSENT:
        rows.append(f"| {why} | `{' '.join(patterns.split())}` |")
    return "\n".join([*rows, "", END])


def test_the_document_lists_them() -> None:
    assert table() in DOCUMENT.read_text()


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    pattern = re.escape(BEGIN) + ".*" + re.escape(END)
    DOCUMENT.write_text(re.sub(pattern, lambda _: table(), text, flags=re.S))
