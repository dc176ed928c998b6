"""``tinytorch mnist``: train a network on handwritten digits."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

__all__ = ["add_command"]

RATES = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3, "adadelta": 1.0}
SHOWN = 6  # wrong digits in the terminal


def add_command(commands: Any) -> None:
    """Add ``mnist`` to the program."""
    command: argparse.ArgumentParser = commands.add_parser(
        "mnist", help="train a network on MNIST",
        description="Train a network on handwritten digits. Without further options it "
                    "takes the 6,000 digits that come with tinytorch.")
    option = command.add_argument
    option("--data", choices=("small", "full"), default="small",
           help="the shipped digits, or all 60,000, downloaded if need be")
    option("--data-dir", metavar="DIR",
           help="folder with the four files of MNIST; implies --data full")
    option("--model", choices=("mlp", "cnn"), default="mlp")
    option("--epochs", type=_at_least(1), default=5)
    option("--batch-size", type=_at_least(1), default=64)
    option("--lr", type=float, help="learning rate; the default depends on --optimizer")
    option("--optimizer", choices=tuple(RATES), default="adam")
    option("--seed", type=int, default=0)
    option("--device", default="cpu")
    option("--save", metavar="FILE", help="write a checkpoint after each epoch")
    option("--resume", metavar="FILE", help="go on from a checkpoint")
    option("--plot", metavar="PNG", help="draw the progress and wrong digits")
    option("--quiet", action="store_true", help="no progress within an epoch")
    command.set_defaults(command=_main)


def _at_least(least: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {value}")
        return value

    return number


def _main(options: argparse.Namespace) -> int:
    if options.plot and not _can_plot():
        print("tinytorch mnist: --plot needs matplotlib: pip install matplotlib",
              file=sys.stderr)
        return 2
    from tinytorch.cli import digits

    try:
        run = digits.Run(options)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"tinytorch mnist: {error}", file=sys.stderr)
        return 2
    print(run.summary())
    start = time.perf_counter()
    while run.epoch < options.epochs:
        epoch_start = time.perf_counter()
        loss = run.train(progress(run.train_batches, run.epoch + 1, options.quiet))
        accuracy = run.test()
        print(f"epoch {run.epoch}: loss {loss:.4f}, test accuracy {accuracy:.2%}, "
              f"{time.perf_counter() - epoch_start:.1f} s", flush=True)
        if options.save:
            run.save(options.save)
    print(f"total: {time.perf_counter() - start:.1f} s")
    wrong = run.wrong_digits()
    print(f"\n{len(wrong)} of {run.test_count} test digits are read wrongly"
          + (", for instance:" if wrong else ""))
    print(digits.as_text(wrong[:SHOWN]))
    if options.plot:
        digits.plot(options.plot, run.history, wrong)
        print(f"plot: {options.plot}")
    return 0


def _can_plot() -> bool:
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def progress(loader: Any, epoch: int, quiet: bool) -> Any:
    """Give the batches with a bar of tqdm, or a line now and then without it."""
    if quiet:
        return loader
    try:
        from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return _lines(loader, epoch)
    return tqdm(loader, desc=f"epoch {epoch}", leave=False, disable=None)


def _lines(loader: Any, epoch: int) -> Any:
    total, shown = len(loader), time.perf_counter()
    for i, batch in enumerate(loader, 1):
        yield batch
        if time.perf_counter() - shown > 5 and i < total:
            shown = time.perf_counter()
            print(f"epoch {epoch}: batch {i} of {total}", flush=True)
