"""The walk through PyTorch's module database: each module, built in both libraries.

A module is made with the same seed and arguments; its first state, its repr, its
outputs, its state afterwards and the gradients of inputs and parameters are compared.
"""

from __future__ import annotations

import copy
import functools
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

import tinytorch as tt
from module_table import looser
from opdb import Outcome
from opdb_compare import compare_gradients, is_nearer, line, seeds_for, widened
from opdb_sample import AGREE, SKIP, attempt, fresh
from oracle import (
    Missing,
    Refused,
    difference,
    leaves,
    resolve,
    seed,
    tensors,
    to_tiny,
    to_torch,
)
from tolerances import GRADIENT_FACTOR

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal import common_modules as database

__all__ = ["NAMES", "exists", "infos", "walk", "walk_errors"]

DTYPES = (torch.float32, torch.float64)


# ---- which modules ----


@functools.cache
def infos() -> dict[str, Any]:
    """Return the database's records by name."""
    return {info.name: info for info in database.module_db}


NAMES = sorted(infos())


def exists(name: str) -> bool:
    """Return whether tinytorch has the module."""
    try:
        resolve(name)
    except Missing:
        return False
    return True


# ---- one module ----


def walk(
    name: str, limit: int | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of every sample of a module, or of some.

    Args:
        name: the module in the database's spelling, "nn.Linear".
        limit: samples per dtype and mode, spread evenly; None takes every one.
        progress: is told of each sample before it runs, so that a crash can be located.
    """
    info = infos()[name]
    for dtype in DTYPES:
        if dtype not in info.dtypes:
            continue
        for training in (True, False):
            mode = "train" if training else "eval"
            place = f"{str(dtype).rpartition('.')[2]}/{mode}"
            for index, sample in _samples(info, dtype, training, limit):
                if progress:
                    progress(f"{place} {index}")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    kind, text = _outcome(info, sample, dtype, training)
                yield Outcome(name, f"{kind}/{place}", text, index)


def _samples(
    info: Any, dtype: torch.dtype, training: bool, limit: int | None
) -> list[tuple[int, Any]]:
    seed(zlib.crc32(info.name.encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training
        )
    found = list(enumerate(made))
    if limit is None or len(found) <= limit:
        return found
    step = (len(found) - 1) / max(limit - 1, 1)
    return [found[round(i * step)] for i in range(limit)]


def _outcome(
    info: Any, sample: Any, dtype: torch.dtype, training: bool
) -> tuple[str, str]:
    """Run one sample through all its checks; return (kind, text)."""
    try:
        return Case(info, sample, dtype, training).run()
    except Refused as refused:
        return SKIP, str(refused)
    except Missing as missing:
        return "missing", str(missing)
    except Exception as error:  # of the walk itself, or of the conversion back
        return "conversion", line(error)


class Case:
    """One sample and the checks on it, in the order in which they run."""

    def __init__(
        self, info: Any, sample: Any, dtype: torch.dtype, training: bool
    ) -> None:
        self.info, self.sample, self.dtype = info, sample, dtype
        self.training = training
        self.factor = looser(info.name)

    def run(self) -> tuple[str, str]:
        """Return (kind, text) of the first difference, or of agreement."""
        made = self._make()
        if isinstance(made[0], str):
            return made
        tiny, module = made
        before = copy.deepcopy(made)
        inputs = self.sample.forward_input
        args, kwargs = fresh((inputs.args, inputs.kwargs))
        tiny_args, tiny_kwargs = to_tiny((args, kwargs))
        expected = attempt(lambda: module(*args, **kwargs))
        if isinstance(expected, Exception):
            return SKIP, f"PyTorch raises {type(expected).__name__}"
        actual = attempt(lambda: tiny(*tiny_args, **tiny_kwargs))
        if isinstance(actual, Exception):
            return "raises", line(actual)
        found = self._compare(actual, expected, before[1])
        found = found or self._states("state", tiny, module)
        found = found or self._gradients(
            (actual, [tiny_args, tiny_kwargs, list(tiny.parameters())]),
            (expected, [args, kwargs, list(module.parameters())]),
            before,
        )
        return found or (AGREE, "")

    # ---- the checks ----

    def _make(self) -> Any:
        """Return (tiny, module) with the same state, or (kind, text)."""
        given = self.sample.constructor_input
        tiny_args, tiny_kwargs = to_tiny((given.args, given.kwargs))
        tiny_class = resolve(self.info.name)
        seed(7)
        module = self.info.module_cls(*given.args, **given.kwargs)
        seed(7)
        try:
            tiny = tiny_class(*tiny_args, **tiny_kwargs)
        except NotImplementedError as error:
            return SKIP, line(error).partition(": ")[2]
        except Exception as error:
            return "constructor", line(error)
        if repr(tiny) != repr(module):
            return "repr", f"expected {module!r}, got {tiny!r}"
        found = None if self._lazy(module) else self._states("initial", tiny, module)
        if found:
            return found
        module.to(self.dtype).train(self.training)
        tiny.to(to_tiny(self.dtype)).train(self.training)
        if not self._lazy(module):
            tiny.load_state_dict(to_tiny(dict(module.state_dict())))
        return tiny, module

    @staticmethod
    def _lazy(module: torch.nn.Module) -> bool:
        uninitialized = getattr(module, "has_uninitialized_params", None)
        return uninitialized is not None and uninitialized()

    def _states(
        self, kind: str, tiny: Any, module: torch.nn.Module
    ) -> tuple[str, str] | None:
        expected, actual = module.state_dict(), tiny.state_dict()
        if list(actual) != list(expected):
            return kind, f"expected the keys {list(expected)}, got {list(actual)}"
        for key, value in expected.items():
            found = difference(to_torch(actual[key]), value, self.factor)
            if found:
                return kind, f"{key}: {found[0]}: {found[1]}"
        return None

    def _compare(
        self, actual: Any, expected: Any, module: torch.nn.Module
    ) -> tuple[str, str] | None:
        actual = to_torch(actual)
        found = difference(actual, expected, self.factor)
        if found and found[0] == "value" and self._nearer(actual, expected, module):
            return None
        return found

    def _exact(self, module: torch.nn.Module) -> tuple[Any, list[Any]]:
        """Return outputs and leaves of the module computed in float64."""
        wide = copy.deepcopy(module).double()
        given = self.sample.forward_input
        args, kwargs = map(_widened, (given.args, given.kwargs))
        outs = attempt(lambda: wide(*args, **kwargs))
        return outs, leaves([args, kwargs, list(wide.parameters())])

    def _nearer(self, actual: Any, expected: Any, module: torch.nn.Module) -> bool:
        """Return whether ``actual`` is no further from the exact result in float64."""
        if self.dtype is not torch.float32:
            return False
        outs, _ = self._exact(module)
        if isinstance(outs, Exception):
            return False
        triples = zip(tensors(actual), tensors(expected), tensors(outs), strict=True)
        return all(is_nearer(*triple) for triple in triples)

    def _gradients(
        self, tiny: Any, reference: Any, before: tuple[Any, torch.nn.Module]
    ) -> tuple[str, str] | None:
        outs, tiny_outs = list(tensors(reference[0])), list(tensors(tiny[0]))
        for one, other in zip(tiny_outs, outs, strict=True):
            if one.requires_grad != other.requires_grad:
                flags = other.requires_grad, one.requires_grad
                return "requires_grad", "expected {}, got {}".format(*flags)
        found = compare_gradients(
            (tiny_outs, leaves(tiny[1])),
            (outs, leaves(reference[1])),
            self.factor * GRADIENT_FACTOR,
            second=False,
        )
        if found and self.dtype is torch.float32 and "elements" in found[1]:
            return None if self._nearer_gradients(*before) else found
        return found

    def _nearer_gradients(self, tiny: Any, module: torch.nn.Module) -> bool:
        """Return whether the gradients are no further from those in float64."""
        given = self.sample.forward_input
        inputs = fresh((given.args, given.kwargs))
        tiny_inputs = to_tiny(inputs)
        exact = self._exact(module)
        theirs = attempt(lambda: module(*inputs[0], **inputs[1]))
        ours = attempt(lambda: tiny(*tiny_inputs[0], **tiny_inputs[1]))
        if any(isinstance(y, Exception) for y in (exact[0], theirs, ours)):
            return False
        found = []
        for result, wrt, library in (
            (ours, leaves([*tiny_inputs, list(tiny.parameters())]), tt),
            (theirs, leaves([*inputs, list(module.parameters())]), torch),
            (*exact, torch),
        ):
            outs = [y for y in tensors(result) if y.requires_grad]
            seeds = seeds_for(outs)
            if library is tt:
                seeds = to_tiny(seeds)
            grads = library.autograd.grad(outs, wrt, seeds, allow_unused=True)
            found.append(to_torch(list(grads)))
        return all(
            one is None or is_nearer(one, other, best)
            for one, other, best in zip(*found, strict=True)
        )


def _widened(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        wide = widened(value.detach().clone())
        return wide.requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_widened, value))
    if isinstance(value, dict):
        return {key: _widened(item) for key, item in value.items()}
    return value


# ---- errors ----


def walk_errors(
    name: str, progress: Callable[[str], None] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of every error input of a module: same type, same words."""
    info = infos()[name]
    if info.module_error_inputs_func is None:
        return
    for training in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed(zlib.crc32(name.encode()))
            cases = info.module_error_inputs_func(
                info, "cpu", torch.float32, requires_grad=False, training=training
            )
            for index, case in enumerate(cases):
                if progress:
                    progress(f"error input {index}")
                kind, text = _error_outcome(info, case, training)
                mode = "train" if training else "eval"
                yield Outcome(name, f"{kind}/-/{mode}", text, index)


def _error_outcome(info: Any, case: Any, training: bool) -> tuple[str, str]:
    made, given = case.module_error_input, case.module_error_input.forward_input
    args = [made.constructor_input.args, made.constructor_input.kwargs]
    args += [given.args, given.kwargs] if given is not None else [(), {}]
    construct = case.error_on is database.ModuleErrorEnum.CONSTRUCTION_ERROR

    def call(cls: Any, parts: list[Any]) -> Any:
        module = cls(*parts[0], **parts[1])
        return None if construct else module.train(training)(*parts[2], **parts[3])

    try:
        tiny_args, tiny_class = to_tiny(args), resolve(info.name)
    except (Refused, Missing) as error:
        return SKIP, str(error)
    expected = attempt(lambda: call(info.module_cls, args))
    if not isinstance(expected, Exception):
        return SKIP, "PyTorch raises nothing"
    actual = attempt(lambda: call(tiny_class, tiny_args))
    if not isinstance(actual, Exception):
        return "no error", f"PyTorch raises {line(expected)}"
    if not isinstance(actual, type(expected)):
        return "error type", f"expected {line(expected)}; got {line(actual)}"
    stated = re.search(case.error_regex, str(expected))
    if stated and not re.search(case.error_regex, str(actual)):
        return "error text", f"expected {line(expected)}; got {line(actual)}"
    return AGREE, ""
