"""The compiled core.

All its modules are in one shared library (setup.py says why).  Python looks for a
module in a file of the module's own name, so this finder points it to the library,
which exports one initialiser for each.
"""

import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
)


class LibraryFinder:
    """Finds the modules of the core, and those of no other package, in the library."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/library{EXTENSION_SUFFIXES[0]}"

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Say where the module is; whether it exists is found when it is loaded."""
        if not name.startswith("tinytorch._core."):
            return None
        loader = ExtensionFileLoader(name, self.path)
        spec = ModuleSpec(name, loader, origin=self.path)
        spec.has_location = True
        return spec


# The last finder: ordinary files of the package come first.
sys.meta_path.append(LibraryFinder(__path__[0]))
