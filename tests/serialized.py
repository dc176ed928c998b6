"""Files in memory, of either library, and what the tests ask of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16",
          "int8", "uint8", "bool"]
BOTH = pytest.mark.parametrize("weights_only", [True, False])
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(library: Any, value: Any, zipped: bool = True, **options: Any) -> bytes:
    file = io.BytesIO()
    library.save(value, file, _use_new_zipfile_serialization=zipped, **options)
    return file.getvalue()


def loaded(library: Any, content: bytes, **options: Any) -> Any:
    return library.load(io.BytesIO(content), **options)


def same(a: Any, b: Any) -> bool:
    """Whether two tensors, of either library, have the same bits."""
    if tuple(a.shape) != tuple(b.shape) or str(a.dtype) != str(b.dtype):
        return False
    wide = "float32" if str(a.dtype) == "torch.bfloat16" else None
    x, y = (t.detach() for t in (a, b))
    if wide:
        x, y = x.float(), y.float()
    return bool(np.array_equal(x.numpy(), y.numpy(), equal_nan=x.is_floating_point()))
