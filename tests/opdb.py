"""The walk through PyTorch's op database: each sample of each op, in both libraries.

One sample gives one outcome: it agrees, it is skipped because of a refused feature, or
its first difference.  A sample that breaks is a count; nothing ends the walk.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch

from opdb_compare import line
from opdb_sample import AGREE, SKIP, Case, arguments, attempt
from opdb_table import WANTED, explain, refusal
from oracle import Missing, Refused, resolve, seed, to_tiny, translate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal import common_methods_invocations as database

__all__ = [
    "LAYOUTS",
    "NAMES",
    "Outcome",
    "Tally",
    "exists",
    "op_infos",
    "walk",
    "walk_errors",
]

DTYPES = tuple(
    getattr(torch, name)
    for name in ["float32", "float64", "int64", "bool", "float16", "bfloat16"]
)
LAYOUTS = ("contiguous", "noncontiguous")


class Outcome(NamedTuple):
    """What became of one sample.

    Attributes:
        place: kind/dtype/layout; the kind is "agree", "skip" or the first difference.
        text: the difference, or the reason of the skip, in words.
        sample: index among the op's samples.
    """

    op: str
    place: str
    text: str = ""
    sample: int = 0

    @property
    def kind(self) -> str:
        """Return the first part of the place."""
        return self.place.partition("/")[0]


class Tally:
    """Counts of outcomes, of one op or summed over many.

    Args:
        explain: returns the row of the table that covers an op and a place, or None.
    """

    def __init__(self, explain: Callable[[str, str], Any] = explain) -> None:
        self.explain = explain
        self.counts: collections.Counter[str] = collections.Counter()
        self.skipped: collections.Counter[str] = collections.Counter()
        self.explained: collections.Counter[str] = collections.Counter()
        self.first: dict[str, str] = {}  # place -> text of the unexplained

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.kind == AGREE:
            self.counts["agree"] += 1
        elif outcome.kind == SKIP:
            self.counts["skip"] += 1
            self.skipped[outcome.text] += 1
        elif row := self.explain(outcome.op, outcome.place):
            self.counts["deviate"] += 1
            self.explained["|".join(row[:2])] += 1
        else:
            self.counts["deviate"] += 1
            self.counts["unexplained"] += 1
            text = f"sample {outcome.sample}: {outcome.text}"
            self.first.setdefault(outcome.place, text)

    def merge(self, record: dict[str, Any]) -> None:
        """Add what another tally returned from ``as_dict``."""
        self.counts.update(record["counts"])
        self.skipped.update(record["skipped"])
        self.explained.update(record["explained"])
        for place, text in record["first"].items():
            self.first.setdefault(place, text)

    def share(self) -> float:
        """Return the share of agreeing samples among those not skipped."""
        compared = self.counts["agree"] + self.counts["deviate"]
        return self.counts["agree"] / compared if compared else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for a JSON file."""
        return {
            "counts": dict(self.counts),
            "skipped": dict(self.skipped),
            "explained": dict(self.explained),
            "first": self.first,
        }


# ---- which ops ----


@functools.cache
def op_infos() -> dict[str, list[Any]]:
    """Return the database's records by name, wanted or existing in tinytorch."""
    found: dict[str, list[Any]] = {}
    for info in database.op_db:
        if info.name in WANTED or exists(info.name):
            found.setdefault(info.name, []).append(info)
    return found


def exists(name: str) -> bool:
    """Return whether tinytorch has an op beyond the wanted ones; PyTorch's own parts
    (private names, sparse and masked tensors, transforms) are not looked for."""
    if name.startswith(("_", "fft.", "masked.", "signal.", "sparse.", "torch.")):
        return False
    for path in (name, f"Tensor.{name}", f"Tensor.{name}_"):
        with contextlib.suppress(Missing):
            resolve(path)
            return True
    return False


NAMES = sorted(op_infos())


# ---- one op ----


def walk(
    name: str, limit: int | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of every sample of an op, or of ``limit`` per dtype.

    Args:
        name: the op in the database's spelling.
        limit: samples per dtype, spread evenly over all; None takes every one.
        progress: is told of each sample before it runs, so that a crash can be located.
    """
    for info, dtype in itertools.product(op_infos()[name], DTYPES):
        if not info.supports_dtype(dtype, "cpu"):
            continue
        grad = info.supports_autograd and dtype in (torch.float32, torch.float64)
        samples = _samples(info, dtype, grad, limit)
        for (index, sample), layout in itertools.product(samples, LAYOUTS):
            place = f"{str(dtype).rpartition('.')[2]}/{layout}"
            if progress:
                progress(f"{place} {index}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind, text = _outcome(info, sample, dtype, layout)
            yield Outcome(name, f"{kind}/{place}", text, index)


def _samples(
    info: Any, dtype: torch.dtype, grad: bool, limit: int | None
) -> Iterable[tuple[int, Any]]:
    seed(zlib.crc32(info.name.encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = info.sample_inputs("cpu", dtype, requires_grad=grad)
        # Some ops make hundreds, at a price: few are wanted, so few are made.
        made = itertools.islice(made, None if limit is None else 20 * limit)
        found = list(enumerate(made))
    if limit is None or len(found) <= limit:
        return found
    step = (len(found) - 1) / max(limit - 1, 1)
    return [found[round(i * step)] for i in range(limit)]


def _outcome(
    info: Any, sample: Any, dtype: torch.dtype, layout: str
) -> tuple[str, str]:
    """Run one sample through all its checks; return (kind, text)."""
    try:
        reason = refusal(sample.args, sample.kwargs)
        if reason:
            return SKIP, reason
        to_tiny(arguments(sample))
        if layout == "noncontiguous":
            sample = sample.noncontiguous()
    except Refused as refused:
        return SKIP, str(refused)
    except Missing as missing:
        return "missing", str(missing)
    except Exception as error:
        return "conversion", line(error)
    try:
        return Case(info, sample, dtype, layout).run()
    except Missing as missing:
        return "missing", str(missing)
    except Exception as error:  # of the walk itself, or of the conversion back
        return "conversion", line(error)


# ---- errors ----


def walk_errors(
    name: str, progress: Callable[[str], None] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of every error input of an op: same type, same words.

    The kinds of difference are "no error", "error type" and "error text".
    """
    for info in op_infos()[name]:
        if info.error_inputs_func is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed(zlib.crc32(name.encode()))
            for index, case in enumerate(info.error_inputs("cpu")):
                if progress:
                    progress(f"error input {index}")
                kind, text = _error_outcome(info, case)
                yield Outcome(name, f"{kind}/-/-", text, index)


def _error_outcome(info: Any, case: Any) -> tuple[str, str]:
    args, kwargs = arguments(case.sample_input)
    try:
        reason = refusal(args, kwargs)
        if reason:
            return SKIP, reason
        tiny_args, tiny_kwargs = to_tiny((args, kwargs))
        function = translate(info.op)
    except Refused as refused:
        return SKIP, str(refused)
    except Missing as missing:
        return "missing", str(missing)
    except Exception as error:
        return "conversion", line(error)
    expected = attempt(lambda: info.op(*args, **kwargs))
    if not isinstance(expected, Exception):
        return SKIP, "PyTorch raises nothing"
    actual = attempt(lambda: function(*tiny_args, **tiny_kwargs))
    if not isinstance(actual, Exception):
        return "no error", f"PyTorch raises {line(expected)}"
    wanted = type(expected)  # PyTorch's own subclasses count as what they derive from
    if issubclass(wanted, RuntimeError) and wanted is not NotImplementedError:
        wanted = RuntimeError
    if not isinstance(actual, wanted):
        return "error type", f"expected {line(expected)}; got {line(actual)}"
    stated = re.search(case.error_regex, str(expected))  # not by all of PyTorch's
    if "invalid combination of arguments" in str(expected):
        stated = None  # the text of PyTorch's parser, with every overload
    if stated and not re.search(case.error_regex, str(actual)):
        return "error text", f"expected {line(expected)}; got {line(actual)}"
    return AGREE, ""
