"""Optimizers, what schedules their learning rates, and averages of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch._later import later as _later
from tinytorch.optim._adafactor import Adafactor
from tinytorch.optim._muon import Muon
from tinytorch.optim._stateless import swap_in_optimizer_params_and_state
from tinytorch.optim.adadelta import Adadelta
from tinytorch.optim.adagrad import Adagrad
from tinytorch.optim.adam import Adam
from tinytorch.optim.adamax import Adamax
from tinytorch.optim.adamw import AdamW
from tinytorch.optim.asgd import ASGD
from tinytorch.optim.lbfgs import LBFGS
from tinytorch.optim.lion import Lion
from tinytorch.optim.nadam import NAdam
from tinytorch.optim.optimizer import Optimizer
from tinytorch.optim.radam import RAdam
from tinytorch.optim.rmsprop import RMSprop
from tinytorch.optim.rprop import Rprop
from tinytorch.optim.sgd import SGD
from tinytorch.optim.sparse_adam import SparseAdam

if TYPE_CHECKING:
    from tinytorch.optim import lr_scheduler, swa_utils

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]

__getattr__, __dir__ = _later(__name__, "lr_scheduler", "swa_utils")
