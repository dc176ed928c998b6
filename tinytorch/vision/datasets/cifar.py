"""CIFAR-10 and CIFAR-100: 32 x 32 colour images in Python's pickles."""

from __future__ import annotations

import io
import os
import pathlib
import pickle
from typing import Any

import tinytorch
from tinytorch._core.tensor import Tensor
from tinytorch.vision import _image
from tinytorch.vision.datasets._integrity import check_integrity
from tinytorch.vision.datasets.vision import Transform, VisionDataset
from tinytorch.vision.transforms._batch import batched, begins_with_to_tensor

__all__ = ["CIFAR10", "CIFAR100"]

# What the files need, under its old and its new name; nothing else is looked up.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Unpickler(pickle.Unpickler):
    """Read arrays and plain containers; refuse everything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"refused: {module}.{name}")
        if name == "_reconstruct":
            import numpy

            try:
                from numpy._core import multiarray
            except ImportError:  # NumPy 1
                multiarray = numpy.core.multiarray  # type: ignore[attr-defined]
            return multiarray._reconstruct  # type: ignore[attr-defined]
        return super().find_class(module, name)


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    with open(path, "rb") as stream:
        content: dict[str, Any] = _Unpickler(
            io.BytesIO(stream.read()), encoding="latin1"
        ).load()
    return content


class CIFAR10(VisionDataset):
    """50,000 and 10,000 photos of ten kinds of things.

    Args:
        root: The folder that holds ``cifar-10-batches-py``.
        train: The training or the test part.
        transform: Called with the image.
        target_transform: Called with the label.
        download: Download what is missing.
    """

    base_folder = "cifar-10-batches-py"
    filename = "cifar-10-python.tar.gz"
    mirrors = ["https://www.cs.toronto.edu/~kriz/"]
    url = mirrors[0] + filename
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | pathlib.Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        import numpy

        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to "
                "download it"
            )
        parts, self.targets = [], list[int]()
        for name, _ in self.train_list if train else self.test_list:
            entry = _read(os.path.join(self.root, self.base_folder, name))
            parts.append(entry["data"])
            self.targets.extend(entry["labels" if "labels" in entry else "fine_labels"])
        planes = numpy.vstack(parts).reshape(-1, 3, 32, 32)
        # Height, width, channel: as images have it and programs expect it.
        self.data = numpy.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        meta = _read(os.path.join(self.root, self.base_folder, self.meta["filename"]))
        self.classes: list[str] = meta[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pixels, target = tinytorch.from_numpy(self.data[index]), self.targets[index]
        image: Any
        if begins_with_to_tensor(self.transform):
            image = _image.RawImage(pixels.permute(2, 0, 1).contiguous())
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
        places = indices.tolist()
        targets = [self.targets[i] for i in places]
        if any(type(target) is not int for target in targets):
            return None
        pixels = tinytorch.from_numpy(self.data[places]).permute(0, 3, 1, 2)
        if pixels.dtype is not tinytorch.uint8:
            return None
        return [make(pixels.contiguous()), tinytorch.tensor(targets)]

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return all(
            check_integrity(os.path.join(self.root, self.base_folder, name), md5)
            for name, md5 in self.train_list + self.test_list
        )

    def download(self) -> None:
        """Download and unpack, unless it is there."""
        from tinytorch.vision.datasets.utils import (
            download_from_mirrors,
            extract_archive,
        )

        if self._check_integrity():
            return
        download_from_mirrors(self.mirrors, self.filename, self.root, self.tgz_md5)
        extract_archive(os.path.join(self.root, self.filename), self.root)

    def extra_repr(self) -> str:
        """Say which part this is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """50,000 and 10,000 photos of a hundred kinds of things."""

    base_folder = "cifar-100-python"
    filename = "cifar-100-python.tar.gz"
    url = CIFAR10.mirrors[0] + filename
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
