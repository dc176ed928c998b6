"""Objects and files: `save` and `load` in PyTorch's format.

A file is a zip archive: a pickle of the object, in which storages are only named, and
a record of bytes per storage.  `load` reads such files with an interpreter of its own
that builds data and runs nothing, unless ``weights_only=False`` says otherwise.
"""

from __future__ import annotations

from tinytorch._later import later as _later
from tinytorch.serialization.locations import (
    default_restore_location,
    location_tag,
    register_package,
)
from tinytorch.serialization.options import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
)
from tinytorch.serialization.reader import get_unsafe_globals_in_checkpoint, load
from tinytorch.serialization.safe_globals import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from tinytorch.serialization.writer import save

__all__ = [
    "LoadEndianness",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
]

__getattr__, __dir__ = _later(__name__)
