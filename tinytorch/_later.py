"""What a package imports when it is first asked for, so that importing it is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tinytorch._typing import Any

__all__ = ["later"]


def later(
    package: str, *modules: str, **names: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Args:
        package: the package's name.
        modules: submodules.
        names: what a submodule has to offer: the name there, and which submodule.
    """
    namespace = vars(sys.modules[package])

    def get(name: str) -> Any:
        from importlib import import_module

        if name in modules:
            found: Any = import_module(f"{package}.{name}")
        elif name in names:
            found = getattr(import_module(f"{package}.{names[name]}"), name)
        else:
            from tinytorch._absent import no_attribute, reason

            why = reason(f"{package}.{name}".partition(".")[2])
            raise no_attribute(package, name, why)
        namespace[name] = found
        return found

    def listing() -> list[str]:
        return sorted({*namespace, *modules, *names})

    return get, listing
