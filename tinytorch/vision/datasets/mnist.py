"""MNIST and its relatives: IDX files of 28 x 28 grey images and their labels."""

from __future__ import annotations

import gzip
import math
import os
import pathlib
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image
from tinytorch.vision.datasets._integrity import check_integrity
from tinytorch.vision.datasets.vision import Transform, VisionDataset
from tinytorch.vision.transforms._batch import batched, begins_with_to_tensor

__all__ = ["KMNIST", "MNIST", "FashionMNIST", "SmallMNIST"]

# Code of the element type in an IDX file, and NumPy's name for it (big-endian).
_IDX_TYPES = {
    8: ("uint8", ">u1"),
    9: ("int8", ">i1"),
    11: ("int16", ">i2"),
    12: ("int32", ">i4"),
    13: ("float32", ">f4"),
    14: ("float64", ">f8"),
}


def read_idx(path: str | pathlib.Path) -> Tensor:
    """Read an IDX file, gzipped or not."""
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as stream:
        content = bytearray(stream.read())
    code = content[2] if len(content) >= 4 and content[:2] == b"\0\0" else -1
    rank = content[3] if code in _IDX_TYPES else 0
    start = 4 + 4 * rank
    if rank == 0 or len(content) < start:
        raise RuntimeError(f"{os.fspath(path)}: not an IDX file")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    name, numpy_name = _IDX_TYPES[code]
    dtype = getattr(tinytorch, name)
    if len(content) - start != math.prod(shape) * int(numpy_name[2]):
        raise RuntimeError(
            f"{os.fspath(path)}: expected {math.prod(shape)} elements of "
            f"{name}, got {len(content) - start} bytes"
        )
    if 0 in shape:
        return tinytorch.empty(shape, dtype=dtype)
    if name in ("uint8", "int8"):
        return tinytorch.frombuffer(content, dtype=dtype, offset=start).view(shape)
    import numpy

    array = numpy.frombuffer(content, numpy_name, offset=start)
    return tinytorch.from_numpy(array.astype(name)).view(shape)


class MNIST(VisionDataset):
    """60,000 handwritten digits for training, 10,000 for testing.

    Images are Pillow's if it is installed, else a light stand-in that all transforms
    take. With ``Compose([ToTensor(), Normalize(...)])`` a DataLoader makes whole
    batches at once; the numbers are those of the images one by one, bit for bit.

    Args:
        root: The folder that holds ``MNIST/raw``, or the IDX files themselves.
        train: The training or the test part.
        transform: Called with the image.
        target_transform: Called with the label.
        download: Download what is missing.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def __init__(
        self,
        root: str | pathlib.Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it"
            )
        self.data, self.targets = self._load_data()

    # ---- files ----

    @property
    def raw_folder(self) -> str:
        """Where downloads go."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old versions of torchvision kept a second copy."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def _find(self, name: str) -> str | None:
        """Return the file of a resource, unpacked or not, or None."""
        for folder in (self.raw_folder, self.root):
            for candidate in (name.removesuffix(".gz"), name):
                path = os.path.join(folder, candidate)
                if os.path.isfile(path):
                    return path
        return None

    def _check_exists(self) -> bool:
        return all(self._find(name) is not None for name, _ in self.resources)

    def download(self) -> None:
        """Download what is missing; what is there is checked."""
        from tinytorch.vision.datasets.utils import (
            download_from_mirrors,
            extract_archive,
        )

        if self._check_exists() and not any(
            os.path.exists(os.path.join(self.raw_folder, name + ".part"))
            for name, _ in self.resources
        ):
            return
        for name, md5 in self.resources:
            path = os.path.join(self.raw_folder, name)
            if not check_integrity(path, md5):
                download_from_mirrors(self.mirrors, name, self.raw_folder, md5)
            extract_archive(path)  # torchvision looks for these, and they load faster

    def _load_data(self) -> tuple[Tensor, Tensor]:
        prefix = "train" if self.train else "t10k"
        images, labels = (
            read_idx(self._find(name) or name)
            for name, _ in self.resources
            if name.startswith(prefix)
        )
        if images.dim() != 3 or labels.dim() != 1 or len(images) != len(labels):
            raise RuntimeError(
                f"{type(self).__name__}: expected N images and N labels, got "
                f"{tuple(images.shape)} and {tuple(labels.shape)}"
            )
        return images, labels.to(tinytorch.int64)

    # ---- samples ----

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pixels, target = self.data[index], int(self.targets[index])
        image: Any
        if begins_with_to_tensor(self.transform):
            image = _image.RawImage(pixels[None])  # nobody sees that it is not Pillow's
        else:
            image = _image.from_pixels(pixels)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def _gather(self, indices: Tensor) -> list[Tensor] | None:
        """Return what collating the samples at ``indices`` would, or None."""
        make = batched(self.transform)
        if make is None or self.target_transform is not None:
            return None
        data, targets = self.data, self.targets
        # Programs replace these two, as by data[:1000] or by lists.
        if type(data) is not Tensor or type(targets) is not Tensor:
            return None
        if data.dtype is not tinytorch.uint8 or targets.dtype is not tinytorch.int64:
            return None
        if data.dim() != 3 or targets.dim() != 1 or data.is_cuda or targets.is_cuda:
            return None
        pixels = data.index_select(0, indices).unsqueeze(1)
        return [make(pixels), targets.index_select(0, indices)]

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Say which part this is."""
        return f"Split: {'Train' if self.train else 'Test'}"

    # Names of old versions, which programs still use.
    train_data = property(lambda self: self.data)
    test_data = property(lambda self: self.data)
    train_labels = property(lambda self: self.targets)
    test_labels = property(lambda self: self.targets)


class FashionMNIST(MNIST):
    """60,000 and 10,000 images of clothes, in the form of :class:`MNIST`."""

    mirrors = [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
        "data/fashion/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """60,000 and 10,000 Japanese characters, in the form of :class:`MNIST`."""

    mirrors = [
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class SmallMNIST(MNIST):
    """The part of MNIST that comes with the package: 6,000 and 1,000 real digits.

    Every class has the same share: 600 and 100. It is not in torchvision.

    Args:
        train: The training or the test part.
        transform: Called with the image.
        target_transform: Called with the label.

    Example:
        >>> image, label = SmallMNIST(train=False)[0]
        >>> image.size
        (28, 28)
    """

    mirrors: list[str] = []

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        folder = pathlib.Path(__file__).parent.parent / "data"
        super().__init__(str(folder), train, transform, target_transform)
