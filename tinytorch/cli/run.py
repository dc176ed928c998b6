"""``tinytorch run``: a PyTorch program with tinytorch in PyTorch's place."""

from __future__ import annotations

import argparse
import os
import sys
import types
from typing import Any

from tinytorch.cli import alias
from tinytorch.cli.lookup import missing_names

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add ``run`` to the program."""
    command: argparse.ArgumentParser = commands.add_parser(
        "run", help="run a PyTorch program with tinytorch",
        usage="tinytorch run [-h] [--strict] [--check] SCRIPT [ARGUMENT ...]",
        description="Run a program that imports torch, and torchvision, with tinytorch "
                    "in their place. Names that tinytorch does not have are listed "
                    "first.")
    command.add_argument("--strict", action="store_true",
                         help="do not run a program that uses names not there")
    command.add_argument("--check", action="store_true",
                         help="only list the names; the status is 1 if there are any")
    command.add_argument("script", metavar="SCRIPT", help="the program")
    command.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER,
                         help="arguments of the program")
    command.set_defaults(command=_main)


def _main(options: argparse.Namespace) -> int:
    script: str = options.script
    try:
        missing = missing_names(script)
    except OSError as error:
        print(f"tinytorch run: {script}: {error.strerror}", file=sys.stderr)
        return 2
    except SyntaxError as error:
        print(f"tinytorch run: {error.filename}:{error.lineno}: {error.msg}",
              file=sys.stderr)
        return 2
    for name in missing:
        print(name, file=sys.stderr)
    if options.check:
        return 1 if missing else 0
    if missing and options.strict:
        print(f"tinytorch run: not run, as {len(missing)} names are missing",
              file=sys.stderr)
        return 2
    alias.install()
    sys.argv[:] = [script, *options.arguments]
    script = os.path.abspath(script)
    sys.path[0:1] = [os.path.dirname(script)]
    return _run(script)


def _run(script: str) -> int:
    """Run a program as ``__main__``; its errors look as if Python had run it."""
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__file__ = script
    try:
        exec(code, module.__dict__)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not code:
            trace = trace.tb_next
        error.with_traceback(trace)
        sys.excepthook(type(error), error, trace)
        return 1
    return 0
