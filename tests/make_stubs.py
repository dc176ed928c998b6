"""Write tinytorch/__init__.pyi: the public names, most of which the registry collects.

python tests/make_stubs.py          writes the file
python tests/make_stubs.py --check  fails if it is not what would be written
"""

from __future__ import annotations

import inspect
import keyword
import pathlib
import sys
from types import ModuleType
from typing import Any

import tinytorch

PATH = pathlib.Path(__file__).parent.parent / "tinytorch" / "__init__.pyi"
HEAD = """# Written by tests/make_stubs.py: what type checkers see of the package.
# ruff: noqa: E501, I001
from types import ModuleType
from typing import Any

"""


def signature(name: str, function: Any) -> str:
    """Return the declaration of a function; everything is Any, but names are true."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return f"def {name}(*args: Any, **kwargs: Any) -> Any: ...\n"
    words, star = [], False
    for p in parameters:
        text = f"{p.name}: Any"
        if p.kind is p.VAR_POSITIONAL:
            text, star = "*" + text, True
        elif p.kind is p.VAR_KEYWORD:
            text = "**" + text
        elif p.kind is p.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        if p.default is not p.empty:
            text += " = ..."
        words.append(text)
    return f"def {name}({', '.join(words)}) -> Any: ...\n"


def text() -> str:
    """Return the whole file."""
    functions, values = [], []
    for name in dir(tinytorch):
        member = getattr(tinytorch, name)
        if name.startswith("_") and name != "__version__" or keyword.iskeyword(name):
            continue
        if name == "annotations":
            continue
        if isinstance(member, ModuleType):
            values.append(f"{name}: ModuleType\n" if "tinytorch" not in member.__name__
                          else f"from tinytorch import {name} as {name}\n")
        elif isinstance(member, type) or not callable(member):
            values.append(f"{name}: Any\n")
        else:
            functions.append(signature(name, member))
    return HEAD + "".join(sorted(values, reverse=True)) + "\n" + "".join(functions)


def main() -> int:
    """Write the file, or compare it."""
    made = text()
    if "--check" in sys.argv:
        return 0 if PATH.exists() and PATH.read_text() == made else 1
    PATH.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
