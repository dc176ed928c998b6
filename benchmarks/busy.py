"""What a small step costs while other processes keep every core busy.

    python -m benchmarks.busy

Times a step alone and beside two spinning processes, in both libraries; the target is
at most three times the quiet time.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.harness import block, calls_per_block
from benchmarks.training import training

SPIN = "while True: pass"


def median_time(run: Any, calls: int, blocks: int) -> float:
    """Return the median time of a call over several blocks."""
    return statistics.median(block(run, calls) for _ in range(blocks))


def measure(name: str, threads: int, busy: int) -> tuple[float, float]:
    """Return seconds a step, quiet and beside `busy` spinning processes."""
    module = importlib.import_module(name)
    module.set_num_threads(threads)
    run = training([784, 128, 10], 64, True, "SGD")(module)
    calls = calls_per_block(run, 0.2)
    quiet = median_time(run, calls, 9)
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(busy)]
    try:
        time.sleep(0.3)
        return quiet, median_time(run, calls, 9)
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    """Measure both libraries and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", type=int, default=2)
    options = parser.parse_args()
    print("| library | quiet | busy | ratio |\n| --- | --- | --- | --- |")
    for name in ("tinytorch", "torch"):
        quiet, busy = measure(name, options.threads, options.busy)
        print(f"| {name} | {quiet * 1e6:.0f} us | {busy * 1e6:.0f} us | "
              f"{busy / quiet:.2f} |")


if __name__ == "__main__":
    main()
