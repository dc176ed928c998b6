"""Tensors in NumPy's ``.npz`` files, for programs that know no PyTorch."""

from __future__ import annotations

import os
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16
from tinytorch.serialization.atomic import replacing

__all__ = ["load_npz", "save_npz"]


def save_npz(
    filename: str | os.PathLike[str], tensors: dict[str, Tensor], *,
    compressed: bool = False,
) -> None:
    """Write named tensors to a file, at once.

    Args:
        filename: where to; nothing is appended to it.
        tensors: by name. NumPy has no bfloat16: convert such ones before.
        compressed: whether to make the file smaller, which takes time.
    """
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    from numpy.lib.format import write_array

    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise TypeError(
                f"save_npz: expected a tensor, got {type(x).__name__} under {name!r}")
        if x.dtype is bfloat16:
            raise TypeError(
                f"save_npz: {name!r} is bfloat16, which NumPy does not have")
    with replacing(filename) as file, ZipFile(
            file, "w", ZIP_DEFLATED if compressed else ZIP_STORED) as archive:
        for name, x in tensors.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as record:
                write_array(record, x.detach().cpu().numpy(), allow_pickle=False)


def load_npz(
    filename: str | os.PathLike[str], device: Any = "cpu"
) -> dict[str, Tensor]:
    """Return the arrays of a file as tensors; pickled objects are refused."""
    import numpy as np

    from tinytorch._core.ops.data import from_numpy

    with np.load(filename, allow_pickle=False) as file:
        return {name: from_numpy(np.ascontiguousarray(file[name]).reshape(
            file[name].shape)).to(device) for name in file.files}
