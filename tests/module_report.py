"""Report how far tinytorch agrees with PyTorch's module database.

    python tests/module_report.py                    what differs, and the sum
    python tests/module_report.py --module "nn.Conv*"  some modules
    python tests/module_report.py --missing          modules that do not exist yet
    python tests/module_report.py --write            the table into docs/differences.md

Options: --limit N samples per dtype and mode, --summary, --json FILE.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time
from fnmatch import fnmatchcase
from typing import Any

# The tests import each other by bare names, as pytest lets them.
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import torch

import moduledb
import opdb_report
from module_table import DEVIATIONS, explain
from opdb import Tally


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 if a sample differs without a reason."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    if options.missing:
        print("\n".join(missing()) or "none")
        return 0
    patterns = options.module or ["*"]
    started = time.time()
    records: dict[str, dict[str, Any]] = {}
    for name in moduledb.NAMES:
        if not moduledb.exists(name):
            continue
        if any(fnmatchcase(name, p) or fnmatchcase(name, f"nn.{p}") for p in patterns):
            record = records[name] = tally(name, options.limit).as_dict()
            if not options.summary and (options.module or record["first"]):
                print(opdb_report.lines(name, record), flush=True)
    summary = summarise(records)
    print(opdb_report.sum_lines(summary, time.time() - started, "modules"))
    if options.json:
        text = json.dumps({"summary": summary, "modules": records}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    if options.write:
        intro = (
            f"PyTorch {torch.__version__.partition('+')[0]}'s module database,"
            f" {summary['ops']} modules, all samples in float32 and float64, in"
            " training and evaluation:"
        )
        opdb_report.write_table("moduledb", intro, "module", DEVIATIONS, summary)
    return 1 if summary["counts"].get("unexplained") else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--module", action="append", help="name or pattern, repeatable")
    parser.add_argument("--limit", type=int, help="samples per dtype and mode")
    for flag in ("missing", "summary", "write"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--json", help="write counts and first differences there")
    return parser


def missing() -> list[str]:
    """Return the modules of the database that tinytorch does not have."""
    return [name for name in moduledb.NAMES if not moduledb.exists(name)]


def tally(name: str, limit: int | None, progress: Any = None) -> Tally:
    """Walk one module, samples and error inputs, and count."""
    counted = Tally(explain)
    for outcome in moduledb.walk(name, limit, progress):
        counted.add(outcome)
    for outcome in moduledb.walk_errors(name, progress):
        counted.add(outcome)
    return counted


def summarise(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the sum over modules, with the share of samples that agree."""
    total = Tally(explain)
    for record in records.values():
        total.merge(record)
    sums = {**total.as_dict(), "first": {}}
    return {"ops": len(records), "share": total.share(), **sums}


if __name__ == "__main__":
    sys.exit(main())
