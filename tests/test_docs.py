"""Docstrings: every public name has one, every example in one runs."""

from __future__ import annotations

import builtins
import doctest
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import tinytorch as tt

MODULES = {
    "tinytorch": tt,
    "Tensor": tt.Tensor,
    "nn.functional": tt.nn.functional,
    "linalg": tt.linalg,
    "special": tt.special,
    "autograd": tt.autograd,
    "optim": tt.optim,
    "optim.lr_scheduler": tt.optim.lr_scheduler,
}

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public() -> Iterator[tuple[str, Any]]:
    """Yield the public functions and classes with their paths, each object once."""
    seen: set[int] = set()
    for prefix, place in MODULES.items():
        for name in sorted(vars(place)):
            item = getattr(place, name, None)
            module = getattr(item, "__module__", None) or ""
            if name.startswith("_") or not callable(item) or id(item) in seen:
                continue
            if inspect.isclass(item) and not module.startswith("tinytorch"):
                continue
            seen.add(id(item))
            yield f"{prefix}.{name}", item


PUBLIC = dict(public())
EXAMPLES = [name for name, item in PUBLIC.items() if ">>>" in (item.__doc__ or "")]


def test_public_names_have_docstrings() -> None:
    bare = []
    for name, item in PUBLIC.items():
        plain = name.rpartition(".")[2].removesuffix("_")
        twin = hasattr(tt.Tensor, plain) or hasattr(tt.nn.functional, plain)
        if name.endswith("_") and twin:
            continue  # in place: the function without the underscore says it
        text = (inspect.getdoc(item) or "").partition("\n")
        words = text[2] if text[0].endswith(")") or "->" in text[0] else text[0]
        if not words.strip():  # only the signature, which Cython embeds
            bare.append(name)
    assert bare == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name: str) -> None:
    tt.manual_seed(0)
    names = {k: v for k, v in vars(tt).items() if not hasattr(builtins, k)}
    names |= {"tinytorch": tt, "torch": tt, "x": tt.ones(3, requires_grad=True)}
    for part in (tt.nn.functional, tt.linalg, tt.special, tt.autograd):
        inner = {k: v for k, v in vars(part).items() if not hasattr(builtins, k)}
        names = {**inner, **names}
    # A name that the example is about may be that of a builtin: abs, sum, all.
    own = name.rpartition(".")[2]
    names[own] = PUBLIC[name]
    text = inspect.getdoc(PUBLIC[name]) or ""
    case = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(case, out=report.append)
    assert not report, "".join(report)
