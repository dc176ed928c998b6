"""Epochs of a DataLoader: ``python -m benchmarks.loading``.

The images are those of the shipped MNIST; PyTorch transforms them with the operations
of torchvision's ToTensor and Normalize, sample by sample, since torchvision need not be
installed for this.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Case, main
from tinytorch.vision import datasets, transforms

BATCH = 64
MEAN, STD = 0.1307, 0.3081


def epoch(loader: Any) -> Callable[[], Any]:
    """Return a pass over a loader."""

    def run() -> None:
        for _ in loader:
            pass

    return run


def rows(count: int, batch: int, workers: int = 0) -> Callable[[Any], Any]:
    """Return a case: rows of tensors, shuffled."""

    def build(torch: Any) -> Callable[[], Any]:
        data = importlib.import_module(f"{torch.__name__}.utils.data")
        dataset = data.TensorDataset(torch.zeros(count, 784), torch.zeros(count))
        return epoch(
            data.DataLoader(
                dataset,
                batch,
                shuffle=True,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
        )

    return build


def samples(torch: Any) -> Callable[[], Any]:
    """Return a case: samples of a class that programs write themselves."""
    data = importlib.import_module(f"{torch.__name__}.utils.data")
    x = torch.zeros(6000, 784)

    class Rows(data.Dataset):  # type: ignore[name-defined, misc]
        def __len__(self) -> int:
            return 6000

        def __getitem__(self, index: int) -> Any:
            return x[index], index % 10

    return epoch(data.DataLoader(Rows(), BATCH, shuffle=True))


def digits(torch: Any) -> Callable[[], Any]:
    """Return a case: MNIST as everybody reads it."""
    normalize = transforms.Normalize((MEAN,), (STD,))
    transform = transforms.Compose([transforms.ToTensor(), normalize])
    ours = datasets.SmallMNIST(True, transform)
    data = importlib.import_module(f"{torch.__name__}.utils.data")
    if torch.__name__ == "tinytorch":
        return epoch(data.DataLoader(ours, BATCH, shuffle=True))
    pixels = torch.from_numpy(ours.data.numpy())
    mean, std = torch.tensor([MEAN])[:, None, None], torch.tensor([STD])[:, None, None]

    class Digits(data.Dataset):  # type: ignore[name-defined, misc]
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> Any:
            x = pixels[index][None].to(torch.float32).div(255)
            return x.clone().sub_(mean).div_(std), index % 10

    return epoch(data.DataLoader(Digits(), BATCH, shuffle=True))


CASES = [
    Case("6,000 rows, batches of 64", rows(6000, BATCH)),
    Case("1,000 rows, batches of 16", rows(1000, 16)),
    Case("6,000 rows, 2 workers", rows(6000, BATCH, workers=2)),
    Case("6,000 samples, batches of 64", samples),
    Case("small MNIST, batches of 64", digits),
]

if __name__ == "__main__":
    main(CASES, __doc__ or "")
