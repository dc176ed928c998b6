"""Compare tinytorch with PyTorch on the same source text.

A case is a function that takes the module (tinytorch or torch) and returns a function
to be timed.  The two libraries take turns, block by block, and the figure is the median
of the ratios of neighbouring blocks: what disturbs the machine disturbs both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

Build = Callable[[Any], Callable[[], Any]]


@dataclass
class Case:
    """One row: what is timed, and how many times faster it should be."""

    name: str
    build: Build
    target: float | None = None


@dataclass
class Result:
    """What was measured: microseconds a call, and PyTorch's time over ours."""

    name: str
    ours_us: float
    torch_us: float
    ratio: float
    ratio_min: float
    ratio_max: float
    target: float | None
    blocks: int = field(default=0)


def calls_per_block(run: Callable[[], Any], seconds: float) -> int:
    """Return how many calls fill a block of about `seconds`."""
    calls = 1
    while True:
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        taken = time.perf_counter() - begin
        if taken >= seconds / 4:
            return max(1, int(calls * seconds / taken))
        calls *= 4


def block(run: Callable[[], Any], calls: int) -> float:
    """Return the seconds of one call, over a block of calls."""
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begin) / calls


def compare(case: Case, ours: ModuleType, theirs: ModuleType, blocks: int,
            seconds: float) -> Result:
    """Time one case in alternating blocks."""
    runs = [case.build(module) for module in (ours, theirs)]
    calls = [calls_per_block(run, seconds) for run in runs]
    times: list[list[float]] = [[], []]
    for _ in range(blocks):
        for k in (0, 1):
            times[k].append(block(runs[k], calls[k]))
    ratios = [b / a for a, b in zip(*times, strict=True)]
    return Result(case.name, statistics.median(times[0]) * 1e6,
                  statistics.median(times[1]) * 1e6, statistics.median(ratios),
                  min(ratios), max(ratios), case.target, blocks)


def machine(threads: int) -> dict[str, Any]:
    """Return what a reader must know of the machine to judge the figures."""
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":")[1].strip() for line in lines
                     if line.startswith("model name")]
        model = names[0] if names else model
    return {"processor": model, "cores": os.cpu_count(), "threads": threads,
            "load": os.getloadavg()[0], "python": platform.python_version(),
            "system": platform.platform(),
            "date": time.strftime("%Y-%m-%d")}


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| case | tinytorch | PyTorch | times faster (min - max) | target |",
             "| --- | --- | --- | --- | --- |"]
    for r in results:
        target = "" if r.target is None else f"{r.target:g}"
        lines.append(f"| {r.name} | {r.ours_us:.3g} us | {r.torch_us:.4g} us | "
                     f"{r.ratio:.3g} ({r.ratio_min:.3g} - {r.ratio_max:.3g}) | "
                     f"{target} |")
    return "\n".join(lines)


def main(cases: list[Case], description: str) -> None:
    """Run the cases that the command line asks for; print a table, write JSON."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("only", nargs="*", help="parts of names of cases")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a block")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    ours = importlib.import_module("tinytorch")
    theirs = importlib.import_module("torch")
    for module in (ours, theirs):
        module.set_num_threads(options.threads)
    chosen = [case for case in cases
              if not options.only or any(part in case.name for part in options.only)]
    results = []
    for case in chosen:
        results.append(compare(case, ours, theirs, options.blocks, options.seconds))
        print(table(results[-1:]).splitlines()[-1], file=sys.stderr)
    print(table(results))
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"machine": machine(options.threads),
                       "torch": theirs.__version__,
                       "results": [asdict(r) for r in results]}, out, indent=1)
