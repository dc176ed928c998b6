"""Data sets of images, as in torchvision.datasets, and one that is shipped."""

from __future__ import annotations

from tinytorch.vision.datasets.cifar import CIFAR10, CIFAR100
from tinytorch.vision.datasets.fakedata import FakeData
from tinytorch.vision.datasets.folder import DatasetFolder, ImageFolder
from tinytorch.vision.datasets.mnist import KMNIST, MNIST, FashionMNIST, SmallMNIST
from tinytorch.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "KMNIST",
    "MNIST",
    "SmallMNIST",
    "VisionDataset",
]
