"""What the data sets of images share: a folder, transforms, a printed form."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

from tinytorch.utils.data.dataset import Dataset

__all__ = ["StandardTransform", "VisionDataset"]

Transform = Callable[[Any], Any]


class VisionDataset(Dataset[Any]):
    """Base of the data sets of images.

    Args:
        root: The folder of the data.
        transforms: Called with image and target; instead of the two below.
        transform: Called with the image.
        target_transform: Called with the target.
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | pathlib.Path | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        if isinstance(root, str):
            root = os.path.expanduser(root)
        self.root: Any = root
        if transforms is not None and (transform or target_transform):
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as "
                "argument"
            )
        self.transform = transform
        self.target_transform = target_transform
        if transform is not None or target_transform is not None:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        head = f"Dataset {type(self).__name__}"
        return "\n".join([head, *(" " * self._repr_indent + line for line in body)])

    def extra_repr(self) -> str:
        """Return further lines of the printed form."""
        return ""


class StandardTransform:
    """A transform of the image and one of the target, as one of both."""

    def __init__(
        self,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        body = [type(self).__name__]
        for head, transform in (
            ("Transform: ", self.transform),
            ("Target transform: ", self.target_transform),
        ):
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                body += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(body)
