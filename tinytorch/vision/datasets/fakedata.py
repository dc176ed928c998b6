"""Images of noise, for trying a program out."""

from __future__ import annotations

from typing import Any

import tinytorch
from tinytorch.vision import transforms
from tinytorch.vision.datasets.vision import Transform, VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """Random images with random labels; each index gives the same ones again.

    Args:
        size: How many.
        image_size: (C, H, W).
        num_classes: Number of labels.
        transform: Called with the image.
        target_transform: Called with the label.
        random_offset: Added to the index for the seed.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        before = tinytorch.get_rng_state()
        tinytorch.manual_seed(index + self.random_offset)
        noise = tinytorch.randn(*self.image_size)
        drawn = tinytorch.randint(0, self.num_classes, size=(1,), dtype=tinytorch.int64)
        tinytorch.set_rng_state(before)
        image: Any = transforms.ToPILImage()(noise)
        target: Any = drawn[0]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, int(target) if isinstance(target, tinytorch.Tensor) else target

    def __len__(self) -> int:
        return self.size
