"""Names of PyTorch's that a program uses and tinytorch does not have.

The program is read, not run.  Every dotted name that begins with an import of ``torch``
or ``torchvision`` is looked up in tinytorch: ``torch.fft.rfft``, ``nn.Linear``.
What depends on values, such as the methods of a tensor, cannot be seen this way.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from tinytorch._absent import reason
from tinytorch.cli.alias import real_name

__all__ = ["Missing", "missing_names"]


class Missing(NamedTuple):
    """A name that tinytorch does not have."""

    path: str
    line: int
    name: str

    def __str__(self) -> str:
        why = reason(self.name.partition(".")[2])
        return f"{self.path}:{self.line}: {self.name} is not in tinytorch" + (
            f": {why}" if why else "")


def missing_names(path: str) -> list[Missing]:
    """Return what a program, and the files beside it that it imports, is missing.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it is not Python.
    """
    found: list[Missing] = []
    folder = os.path.dirname(os.path.abspath(path))
    waiting, seen = [path], {os.path.abspath(path)}
    while waiting:
        current = waiting.pop(0)
        with open(current, "rb") as file:
            tree = ast.parse(file.read(), current)
        reader = _Reader(current)
        reader.read(tree)
        found += sorted(reader.missing, key=lambda missing: missing.line)
        for module in reader.others:
            beside = os.path.join(folder, *module.split(".")) + ".py"
            if beside not in seen and os.path.isfile(beside):
                seen.add(beside)
                waiting.append(beside)
    return found


class _Reader:
    """Reads one file: first its imports, then its dotted names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.bound: dict[str, str] = {}  # name in the file -> PyTorch's
        self.missing: set[Missing] = set()
        self.others: list[str] = []

    def read(self, tree: ast.AST) -> None:
        assigned = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._import(node)
            elif isinstance(node, ast.ImportFrom):
                self._import_from(node)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assigned.add(node.id)
            elif isinstance(node, ast.arg):
                assigned.add(node.arg)
        for name in assigned:  # also something else somewhere in the file
            self.bound.pop(name, None)
        for dotted, line in self._dotted(tree):
            self._look_up(dotted, line)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if real_name(alias.name) is None:
                self.others.append(alias.name)
                continue
            self._look_up(alias.name, node.lineno)
            first = alias.name.partition(".")[0]
            self.bound[alias.asname or first] = alias.name if alias.asname else first

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or real_name(module) is None:
            self.others.append(module)
            self.others += [f"{module}.{name.name}".lstrip(".") for name in node.names]
            return
        if self._look_up(module, node.lineno):
            for alias in node.names:
                if alias.name == "*":
                    continue
                full = f"{module}.{alias.name}"
                if self._look_up(full, node.lineno):
                    self.bound[alias.asname or alias.name] = full

    def _dotted(self, tree: ast.AST) -> Iterator[tuple[str, int]]:
        """Give the longest dotted names that begin with an import."""
        inner: set[int] = set()
        for node in ast.walk(tree):  # outer ones come first
            if not isinstance(node, ast.Attribute) or id(node) in inner:
                continue
            parts, part = [], node.value
            parts.append(node.attr)
            while isinstance(part, ast.Attribute):
                inner.add(id(part))
                parts.append(part.attr)
                part = part.value
            if isinstance(part, ast.Name) and part.id in self.bound:
                yield ".".join([self.bound[part.id], *reversed(parts)]), node.lineno

    def _look_up(self, dotted: str, line: int) -> bool:
        """Note the first part of a name that is not there; tell whether all are."""
        place: Any = None
        so_far = ""
        for part in dotted.split("."):
            so_far = f"{so_far}.{part}" if so_far else part
            if place is None:
                place = _module(so_far)
                continue
            if not isinstance(place, (ModuleType, type)):
                return True  # an object: what it has depends on its value
            known = getattr(place, part, _NOTHING)
            if known is _NOTHING and isinstance(place, ModuleType):
                known = _module(so_far)
            if known is _NOTHING:
                self.missing.add(Missing(self.path, line, so_far))
                return False
            place = known
        return True


_NOTHING = object()


def _module(name: str) -> Any:
    """Return tinytorch's module for one of PyTorch's."""
    real = real_name(name)
    if real is None:
        return _NOTHING
    try:
        return import_module(real)
    except ImportError:
        return _NOTHING
