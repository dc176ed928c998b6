"""Learning-rate schedules: all of `optim.schedulers` in one place."""

from __future__ import annotations

from tinytorch.optim.schedulers.combined import ChainedScheduler, SequentialLR
from tinytorch.optim.schedulers.cycles import CyclicLR, OneCycleLR
from tinytorch.optim.schedulers.factors import (
    ExponentialLR,
    LambdaLR,
    MultiplicativeLR,
    MultiStepLR,
    StepLR,
)
from tinytorch.optim.schedulers.plateau import ReduceLROnPlateau
from tinytorch.optim.schedulers.ramps import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LinearLR,
    PolynomialLR,
)
from tinytorch.optim.schedulers.scheduler import (
    LRScheduler,
)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

_LRScheduler = LRScheduler  # the name it had before PyTorch 2.0
