"""Docstrings of data loading and vision: all there, and their examples run."""

from __future__ import annotations

import doctest
import importlib

import pytest

import tinytorch.utils.data as data
from tinytorch import vision

MODULES = (
    "utils.data.dataset",
    "utils.data.sampler",
    "utils.data.dataloader",
    "utils.data._utils.collate",
    "vision.datasets.mnist",
    "vision.transforms._conversion",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"tinytorch.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_public_names_have_docstrings() -> None:
    bare = [
        f"{place.__name__}.{name}"
        for place in (data, vision.datasets, vision.transforms, vision.utils, vision.io)
        for name in place.__all__
        if not (getattr(place, name).__doc__ or "").strip()
    ]
    assert bare == []
