"""``python -m tinytorch``: the program `tinytorch`."""

from __future__ import annotations

import sys

from tinytorch.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
