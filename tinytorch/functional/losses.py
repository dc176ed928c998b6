"""Losses that are compositions of other ops."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

from tinytorch._core.autograd import is_grad_enabled
from tinytorch._core.ops import loss as pairs
from tinytorch._core.ops.activation import logsigmoid
from tinytorch._core.ops.arithmetic import add, div, mul, neg, sub
from tinytorch._core.ops.compare import eq, gt, le, lt
from tinytorch._core.ops.pointwise import exp, log, sqrt
from tinytorch._core.ops.power import pow
from tinytorch._core.ops.reduce import mean, sum
from tinytorch._core.ops.select import clamp_min, minimum, where
from tinytorch._core.tensor import Tensor
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.functional.distance import pairwise_distance

__all__ = [
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "hinge_embedding_loss",
    "margin_ranking_loss", "poisson_nll_loss", "triplet_margin_loss",
]
