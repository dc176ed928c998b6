"""A folder with one folder per class."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

from tinytorch.vision import _image
from tinytorch.vision.datasets.vision import Transform, VisionDataset

__all__ = ["DatasetFolder", "ImageFolder", "default_loader", "pil_loader"]

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)

Sample = tuple[str, int]


def has_file_allowed_extension(
    filename: str, extensions: str | tuple[str, ...]
) -> bool:
    """Return whether a name ends like this; case does not matter."""
    allowed = extensions if isinstance(extensions, str) else tuple(extensions)
    return filename.lower().endswith(allowed)


def is_image_file(filename: str) -> bool:
    """Return whether a name is that of an image."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | pathlib.Path) -> tuple[list[str], dict[str, int]]:
    """Return the names of the folders in a folder, sorted, and their numbers."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: str | pathlib.Path,
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[Sample]:
    """Return the paths of all samples with their classes, in order of the names."""
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueError(
            "'class_to_index' must have at least one entry to collect any samples."
        )
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "Both extensions and is_valid_file cannot be None or not None at the same "
            "time"
        )
    allowed = extensions if extensions is not None else ()
    valid = is_valid_file or (lambda path: has_file_allowed_extension(path, allowed))
    samples: list[Sample] = []
    empty = set(class_to_idx)
    for name in sorted(class_to_idx):
        folder = os.path.join(directory, name)
        for where, _, files in sorted(os.walk(folder, followlinks=True)):
            for file in sorted(files):
                path = os.path.join(where, file)
                if valid(path):
                    samples.append((path, class_to_idx[name]))
                    empty.discard(name)
    if empty and not allow_empty:
        text = f"Found no valid file for the classes {', '.join(sorted(empty))}. "
        if extensions is not None:
            shown = extensions if isinstance(extensions, str) else ", ".join(extensions)
            text += f"Supported extensions are: {shown}"
        raise FileNotFoundError(text)
    return samples


class DatasetFolder(VisionDataset):
    """Samples in ``root/<class>/**/<file>``; classes are numbered by name.

    Args:
        root: The folder.
        loader: From a path to a sample.
        extensions: Which files are samples.
        transform: Called with the sample.
        target_transform: Called with the class.
        is_valid_file: Which files are samples, instead of ``extensions``.
        allow_empty: Whether a class may have none.
    """

    def __init__(
        self,
        root: str | pathlib.Path,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        classes, class_to_idx = self.find_classes(self.root)
        self.loader = loader
        self.extensions = extensions
        self.classes = classes
        self.class_to_idx = class_to_idx
        self.samples = self.make_dataset(
            self.root, class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | pathlib.Path,
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[Sample]:
        """Find the samples; subclasses may do so in other ways."""
        return make_dataset(
            directory, class_to_idx, extensions, is_valid_file, allow_empty
        )

    def find_classes(
        self, directory: str | pathlib.Path
    ) -> tuple[list[str], dict[str, int]]:
        """Find the classes; subclasses may do so in other ways."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample: Any = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        label: Any = target
        if self.target_transform is not None:
            label = self.target_transform(target)
        return sample, label

    def __len__(self) -> int:
        return len(self.samples)


def pil_loader(path: str) -> Any:
    """Read an image file as RGB."""
    image = _image.require_pillow("reading image files")
    # Opened here, or Pillow would keep the file open until it is collected.
    with open(path, "rb") as stream:
        return image.open(stream).convert("RGB")


def default_loader(path: str) -> Any:
    """Read an image file as RGB."""
    return pil_loader(path)


class ImageFolder(DatasetFolder):
    """Images in ``root/<class>/**/<file>``; classes are numbered by name.

    Args:
        root: The folder.
        transform: Called with the image.
        target_transform: Called with the class.
        loader: From a path to an image.
        is_valid_file: Which files are images; default: by their ending.
        allow_empty: Whether a class may have none.
    """

    def __init__(
        self,
        root: str | pathlib.Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )
        self.imgs = self.samples
