"""``import torch`` that means tinytorch, in this process only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

from tinytorch._absent import no_attribute, reason

__all__ = ["PACKAGES", "install", "real_name"]

PACKAGES = {"torch": "tinytorch", "torchvision": "tinytorch.vision"}


def real_name(name: str) -> str | None:
    """Return tinytorch's module for one of PyTorch's; None for other packages."""
    first, dot, rest = name.partition(".")
    return PACKAGES[first] + dot + rest if first in PACKAGES else None


def _absent(name: str) -> ModuleType:
    """Return an empty module for one that is absent for a known reason.

    Programs import such modules at their top and may never use them.
    """
    why = reason(name.partition(".")[2])
    if why is None:
        raise ModuleNotFoundError(
            f"No module named {name!r}: tinytorch has nothing in its place", name=name)

    def refuse(attribute: str) -> NoReturn:
        raise no_attribute(name, attribute, why)

    module = ModuleType(name, f"Not in tinytorch: {why}.")
    module.__path__ = []  # it may have submodules, as absent as itself
    module.__getattr__ = refuse  # type: ignore[method-assign]
    return module


class _Loader(Loader):
    """Gives the real module under another name."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        try:
            module = import_module(self.real)
        except ModuleNotFoundError as error:
            if error.name is None or not self.real.startswith(error.name):
                raise
            module = _absent(spec.name)
        self.spec = module.__spec__ or spec
        self.loader = module.__loader__ or self
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undo what the import system wrote into a module that was run long ago."""
        module.__spec__ = self.spec
        module.__loader__ = self.loader


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        real = real_name(fullname)
        return None if real is None else ModuleSpec(fullname, _Loader(real))


def install() -> None:
    """Let ``torch`` and ``torchvision`` be tinytorch's from now on.

    Raises:
        RuntimeError: PyTorch itself has been imported already.
    """
    import tinytorch

    present = sys.modules.get("torch")
    if present is not None and present is not tinytorch:
        raise RuntimeError("PyTorch is imported in this process already")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
