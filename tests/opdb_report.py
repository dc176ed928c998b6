"""Report how far tinytorch agrees with PyTorch's op database.

    python tests/opdb_report.py                  a line per op that differs, and the sum
    python tests/opdb_report.py --op softmax     one op or pattern, with all samples
    python tests/opdb_report.py --missing        wanted ops that do not exist yet
    python tests/opdb_report.py --summary        the sum alone
    python tests/opdb_report.py --write          the table into docs/differences.md

Options: --limit N samples per dtype, --isolate (each op in its own process, so that a
crash is located), --extra (ops beyond the wanted ones), --json FILE.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

# The tests import each other by bare names, as pytest lets them.
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import torch

import opdb
from opdb_table import DEVIATIONS, WANTED, Deviation
from oracle import Missing, translate

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "differences.md"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 if a sample differs without a reason."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    if options.missing:
        print("\n".join(missing_ops()) or "none")
        return 0
    whole, limit = not options.op, options.limit
    if limit is None and whole and not options.write:
        limit = 3
    started = time.time()
    records: dict[str, dict[str, Any]] = {}
    for name, record in _records(_chosen(options), limit or None, options.isolate):
        records[name] = record
        if not options.summary and (options.op or record["first"]):
            print(lines(name, record), flush=True)
    summary = summarise(records)
    print(sum_lines(summary, time.time() - started))
    if options.json:
        text = json.dumps({"summary": summary, "ops": records}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    if options.write:
        write_document(summary)
    return 1 if summary["counts"].get("unexplained") else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--op", action="append", help="name or pattern, repeatable")
    parser.add_argument("--limit", type=int, help="samples per dtype; 0 takes all")
    for flag in ("missing", "summary", "isolate", "extra", "write"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--json", help="write counts and first differences there")
    return parser


def _chosen(options: argparse.Namespace) -> list[str]:
    if options.op:
        patterns = [p for op in options.op for p in (op, f"nn.functional.{op}")]
        return [n for n in opdb.NAMES if any(fnmatchcase(n, p) for p in patterns)]
    return [n for n in opdb.NAMES if options.extra or n in WANTED]


def missing_ops() -> list[str]:
    """Return the wanted ops that tinytorch does not have."""
    missing = []
    for name in sorted(WANTED):
        for info in opdb.op_infos()[name]:
            with contextlib.suppress(Missing):
                translate(info.op)
                if info.op.__name__ != "<lambda>" or opdb.exists(name):
                    break
        else:
            missing.append(name)
    return missing


# ---- running ----


def tally(
    name: str, limit: int | None, progress: Any = None, errors: bool = True
) -> opdb.Tally:
    """Walk one op, samples and error inputs, and count."""
    counted = opdb.Tally()
    for outcome in opdb.walk(name, limit, progress):
        counted.add(outcome)
    if errors:
        for outcome in opdb.walk_errors(name, progress):
            counted.add(outcome)
    return counted


def _records(
    names: Iterable[str], limit: int | None, isolate: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        run = isolated if isolate else tally
        counted = run(name, limit)
        yield name, counted.as_dict()


def isolated(name: str, limit: int | None) -> opdb.Tally:
    """Walk one op in a forked process; a crash counts, with the sample it fell on."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:

                def progress(text: str) -> None:
                    pipe.write(f"{text}\n")
                    pipe.flush()

                result = tally(name, limit, progress).as_dict()
                pipe.write(json.dumps(result))
            code = 0
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    counted = opdb.Tally()
    if os.waitstatus_to_exitcode(status) == 0:
        counted.merge(json.loads(lines[-1]))
    else:
        where = lines[-1] if lines else "start"
        text = f"exit code {os.waitstatus_to_exitcode(status)} at {where}"
        counted.add(opdb.Outcome(name, "crash/-/-", text))
    return counted


# ---- writing ----


def summarise(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the sum over ops, with the share of the wanted ones that agrees."""
    total = opdb.Tally()
    wanted = opdb.Tally()
    for name, record in records.items():
        total.merge(record)
        if name in WANTED:
            wanted.merge(record)
    return {
        "ops": len(records),
        "share": wanted.share(),
        **total.as_dict(),
        "first": {},
    }


def lines(name: str, record: dict[str, Any]) -> str:
    """Return the counts of an op, and the first of each kind of difference."""
    counts = " ".join(f"{k} {v}" for k, v in sorted(record["counts"].items()))
    rows = [f"{name}: {counts}"]
    kinds: dict[str, list[str]] = {}
    for place in record["first"]:
        kinds.setdefault(place.partition("/")[0], []).append(place)
    for kind, places in kinds.items():
        where = ", ".join(place.partition("/")[2] for place in places)
        rows.append(f"    {kind} ({where}) {record['first'][places[0]]}")
    return "\n".join(rows)


def sum_lines(summary: dict[str, Any], seconds: float, noun: str = "ops") -> str:
    """Return the sum as text: counts, share, what was skipped."""
    counts = summary["counts"]
    rows = [
        f"{summary['ops']} {noun} in {seconds:.0f} s: {counts.get('agree', 0)} agree,"
        f" {counts.get('deviate', 0)} differ ({counts.get('unexplained', 0)} without"
        f" a reason), {counts.get('skip', 0)} skipped;"
        f" {100 * summary['share']:.2f} % of the wanted agree"
    ]
    rows += [f"    skipped: {n} {reason}" for reason, n in summary["skipped"].items()]
    return "\n".join(rows)


def write_document(summary: dict[str, Any]) -> None:
    """Put the table of deviations between the markers of docs/differences.md."""
    intro = (
        f"PyTorch {torch.__version__.partition('+')[0]}'s op database,"
        f" {summary['ops']} ops, all samples in six dtypes, contiguous and not:"
    )
    write_table("opdb", intro, "op", DEVIATIONS, summary)


def write_table(
    marker: str,
    intro: str,
    noun: str,
    deviations: Iterable[Deviation],
    summary: dict[str, Any],
) -> None:
    """Put a table of deviations between two markers of docs/differences.md."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    counts = summary["counts"]
    rows = [
        begin,
        "",
        f"{intro} {counts.get('agree', 0)} samples agree, {counts.get('deviate', 0)}"
        f" differ ({100 * summary['share']:.2f} % agree), {counts.get('skip', 0)}"
        " belong to refused features.",
        "",
        f"| {noun} | where | samples | reason |",
        "|---|---|---:|---|",
    ]
    for row in deviations:
        number = summary["explained"].get("|".join(row[:2]), 0)
        rows.append(f"| `{row.op}` | `{row.place}` | {number} | {row.reason} |")
    rows += ["", "| skipped because of | samples |", "|---|---:|"]
    rows += [f"| {reason} | {n} |" for reason, n in sorted(summary["skipped"].items())]
    rows += ["", end]
    text = DOCUMENT.read_text() if DOCUMENT.exists() else "# Differences from PyTorch\n"
    if begin not in text:
        text += f"\n{begin}\n{end}\n"
    head, _, rest = text.partition(begin)
    tail = rest.partition(end)[2]
    DOCUMENT.write_text(head + "\n".join(rows) + tail)


if __name__ == "__main__":
    sys.exit(main())
