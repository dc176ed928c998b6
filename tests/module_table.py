"""What the walk through PyTorch's module database expects: modules and deviations.

DEVIATIONS is the one list of samples whose results differ from PyTorch's;
``docs/differences.md`` shows it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from opdb_table import Deviation

__all__ = ["DEVIATIONS", "LATER", "LOOSER", "explain", "looser"]

# Modules that are written apart; the walk takes them up as soon as they exist.
LATER: frozenset[str] = frozenset(
    """
    nn.GRU nn.GRUCell nn.LSTM nn.LSTMCell nn.MultiheadAttention nn.RNN nn.RNNCell
    nn.Transformer nn.TransformerDecoderLayer nn.TransformerEncoder
    nn.TransformerEncoderLayer
    """.split()
)

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
