"""The words that PyTorch's messages have for dtypes."""

from __future__ import annotations

from tinytorch._core.types import dtype

__all__ = ["type_word"]

_WORDS = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "int64": "Long",
    "int32": "Int",
    "int16": "Short",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
}


def type_word(of: dtype) -> str:
    """Return the word for a dtype: "Float"."""
    return _WORDS[of.name]
