"""Make the part of MNIST that is shipped, from the whole of it.

``python -m tinytorch.vision._make_small_mnist FOLDER`` reads the IDX files in FOLDER
and writes the same files into ``tinytorch/vision/data``, with 600 training and 100
test images of each class. They are spread evenly over the whole: the first half of
the test images is known to be easier than the second.
"""

from __future__ import annotations

import gzip
import pathlib
import sys

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision.datasets.mnist import MNIST

PER_CLASS = {True: 600, False: 100}
_UNSIGNED_BYTES = 8


def idx_bytes(x: Tensor) -> bytes:
    """Return a tensor of bytes in the IDX format."""
    head = bytes([0, 0, _UNSIGNED_BYTES, x.dim()])
    sizes = b"".join(int(n).to_bytes(4, "big") for n in x.shape)
    return head + sizes + bytes(memoryview(x.to(tinytorch.uint8).contiguous()))


def make(source: pathlib.Path, target: pathlib.Path) -> None:
    """Write the four small files."""
    target.mkdir(exist_ok=True)
    for train, count in PER_CLASS.items():
        whole = MNIST(source, train)
        chosen = []
        for label in range(len(MNIST.classes)):
            places = (whole.targets == label).nonzero()[:, 0]
            chosen.append(places[tinytorch.arange(count) * len(places) // count])
        order = tinytorch.cat(chosen).sort().values
        prefix = "train" if train else "t10k"
        for part, name in (
            (whole.data, f"{prefix}-images-idx3-ubyte.gz"),
            (whole.targets, f"{prefix}-labels-idx1-ubyte.gz"),
        ):
            # Without a time stamp, so that the same input gives the same file.
            packed = gzip.compress(idx_bytes(part[order]), 9, mtime=0)
            (target / name).write_bytes(packed)


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent / "data")
