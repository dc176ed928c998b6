"""``finfo`` and ``iinfo``: what the numbers of a dtype can be."""

from __future__ import annotations

import tinytorch
from tinytorch._typing import Any

__all__ = ["finfo", "iinfo"]

# bits of the exponent and of the fraction, digits that survive a round trip
_FLOATS = {
    "float16": (5, 10, 3),
    "bfloat16": (8, 7, 2),
    "float32": (8, 23, 6),
    "float64": (11, 52, 15),
}


class _Info:
    """What both kinds share: printing, and equality by dtype."""

    bits: int
    dtype: str
    _shown: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.dtype == other.dtype

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name):.6g}" for name in self._shown)
        return f"{type(self).__name__}({fields}, dtype={self.dtype})"


def _name(kind: str, type: Any) -> str:
    if not isinstance(type, tinytorch.dtype):
        raise TypeError(
            f"{kind}(): argument 'type' (position 1) must be torch.dtype, not "
            f"{type.__class__.__name__}"
        )
    return str(type).rpartition(".")[2]


class finfo(_Info):
    """Limits of a floating dtype.

    Attributes:
        bits: Size.
        eps: Distance from 1 to the next larger number.
        max, min: Largest and smallest finite number.
        tiny, smallest_normal: Smallest positive normal number.
        resolution: The approximate decimal resolution.
        dtype: Name of the dtype.

    Example:
        >>> finfo(tinytorch.float32).eps
        1.1920928955078125e-07
    """

    _shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type: Any = None) -> None:
        type = tinytorch.get_default_dtype() if type is None else type
        self.dtype = _name("finfo", type)
        if self.dtype not in _FLOATS:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo "
                "to handle 'torch.finfo'"
            )
        exponent, fraction, digits = _FLOATS[self.dtype]
        bias = 2 ** (exponent - 1) - 1
        self.bits = 1 + exponent + fraction
        self.eps = 2.0**-fraction
        self.max = (2 - self.eps) * 2.0**bias
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - bias)
        self.resolution = 10.0**-digits


class iinfo(_Info):
    """Limits of an integer dtype.

    Attributes:
        bits: Size.
        max, min: Largest and smallest number.
        dtype: Name of the dtype.

    Example:
        >>> iinfo(tinytorch.int8).max
        127
    """

    _shown = ("min", "max")

    def __init__(self, type: Any) -> None:
        self.dtype = _name("iinfo", type)
        if self.dtype == "bool":
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if type.is_floating_point:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to "
                "handle 'torch.iinfo'"
            )
        self.bits = 8 * type.itemsize
        signed = self.dtype.startswith("int")
        self.max = 2 ** (self.bits - signed) - 1
        self.min = -(2 ** (self.bits - 1)) if signed else 0
