"""What the walk through PyTorch's module database may find: the deviations.

DEVIATIONS is the one list of samples whose results differ from PyTorch's;
``docs/differences.md`` shows it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from opdb_table import Deviation

__all__ = ["DEVIATIONS", "LOOSER", "explain", "looser"]

# Factors on the tolerance, each with the reason.
LOOSER: dict[str, tuple[float, str]] = {}

DEVIATIONS: tuple[Deviation, ...] = ()


def looser(name: str) -> float:
    """Return the factor on the tolerance of a module."""
    return next((f for key, (f, _) in LOOSER.items() if fnmatchcase(name, key)), 1.0)


def explain(name: str, place: str) -> Deviation | None:
    """Return the row that covers a deviating sample, or None."""
    for row in DEVIATIONS:
        if fnmatchcase(name, row.op) and fnmatchcase(place, row.place):
            return row
    return None
