"""Arguments of the program, and which part of it they ask for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import tinytorch
from tinytorch.cli import info, mnist, run

__all__ = ["main"]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="tinytorch", description="PyTorch's API in a few megabytes.")
    made.add_argument("--version", action="version", version=tinytorch.__version__)
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for module in (mnist, run, info):
        module.add_command(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status.

    Args:
        arguments: of the command line. Default: those of the process.
    """
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as when piped into `head`
        sys.stderr.close()
        return 141
