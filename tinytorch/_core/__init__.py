"""The compiled core.

All its modules are in one shared library (setup.py says why).  Python looks for a
module in a file of the module's own name, so this finder points it to the library,
which exports one initialiser for each.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
)


class LibraryFinder:
    """Finds the modules of the core, and those of no other package, in the library."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/library{EXTENSION_SUFFIXES[0]}"
        self.elsewhere = {  # ordinary files of this package
            f"{__name__}.{name.partition('.')[0]}" for name in os.listdir(folder)
            if name.endswith(".py") or name == "ops"}

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Say where the module is; whether it exists is found when it is loaded."""
        if not name.startswith("tinytorch._core.") or name in self.elsewhere:
            return None
        loader = ExtensionFileLoader(name, self.path)
        spec = ModuleSpec(name, loader, origin=self.path)
        spec.has_location = True
        return spec


# The first finder: the others would search folders for each of a hundred modules.
sys.meta_path.insert(0, LibraryFinder(__path__[0]))

# What Cython's modules share registers itself under its last name too, which a module
# of the user may have.
_taken = "shared" in sys.modules
_shared = import_module(f"{__name__}.shared")
if not _taken and sys.modules.get("shared") is _shared:
    del sys.modules["shared"]
