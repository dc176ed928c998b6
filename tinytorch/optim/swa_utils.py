"""Averages of weights along a training: AveragedModel, its averages, SWALR."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from tinytorch._core.ops.data import tensor
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import device as Device
from tinytorch._core.types import int64
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.nn.modules.batchnorm import _BatchNorm
from tinytorch.nn.modules.module import Module
from tinytorch.optim.schedulers.swa import SWALR

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Any, Any, Any], None]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] "
            "range."
        )


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """Return the exponential moving average over lists of tensors, in place."""
    _check_decay(decay)

    def update(averages: list[Tensor], current: list[Tensor], _: Any) -> None:
        with no_grad():
            for mean, x in zip(averages, current, strict=True):
                if mean.is_floating_point():
                    mean.lerp_(x.to(mean.dtype), 1 - decay)
                else:
                    mean.copy_(mean * decay + x * (1 - decay))

    return update


def get_swa_multi_avg_fn() -> Averages:
    """Return the plain average over lists of tensors, in place."""

    def update(averages: list[Tensor], current: list[Tensor], number: Any) -> None:
        weight = 1 / (float(number) + 1)
        with no_grad():
            for mean, x in zip(averages, current, strict=True):
                if mean.is_floating_point():
                    mean.lerp_(x.to(mean.dtype), weight)
                else:
                    mean.add_(((x - mean) * weight).to(mean.dtype))

    return update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the exponential moving average of one tensor."""
    _check_decay(decay)

    def update(average: Tensor, current: Tensor, _: Any) -> Tensor:
        with no_grad():
            return decay * average + (1 - decay) * current

    return update


def get_swa_avg_fn() -> Average:
    """Return the plain average of one tensor."""

    def update(average: Tensor, current: Tensor, number: Any) -> Tensor:
        with no_grad():
            return average + (current - average) / (number + 1)

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's over time.

    Args:
        model: what is averaged; call `update_parameters` with it now and then.
        device: where the copy lives; None: where the model does.
        avg_fn: new average of (average, current, number of averaged).
        multi_avg_fn: the same over lists, in place.
        use_buffers: whether buffers are averaged too, or copied.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: int | str | Device | None = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError(
                "Only one of avg_fn and multi_avg_fn should be provided"
            )
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the averaged copy."""
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> list[Tensor]:
        """Return what is averaged of a model, as plain tensors without history."""
        found: Iterable[Tensor] = model.parameters()
        if self.use_buffers:
            found = chain(found, model.buffers())
        return [x.detach() for x in found]

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average."""
        averages, current = self._averaged(self.module), self._averaged(model)
        current = [
            x if x.device == mean.device else x.to(mean.device)
            for mean, x in zip(averages, current, strict=True)
        ]
        if self.n_averaged == 0:
            for mean, x in zip(averages, current, strict=True):
                mean.copy_(x)
        elif self.avg_fn is not None:
            for mean, x in zip(averages, current, strict=True):
                mean.copy_(self.avg_fn(mean, x, self.n_averaged.to(mean.device)))
        else:
            average = self.multi_avg_fn or get_swa_multi_avg_fn()
            average(averages, current, self.n_averaged)
        if not self.use_buffers:
            buffers = zip(self.module.buffers(), model.buffers(), strict=True)
            for mine, its in buffers:
                mine.detach().copy_(its.detach())
        self.n_averaged += 1


def update_bn(
    loader: Iterable[Any],
    model: Module,
    device: int | str | Device | None = None,
) -> None:
    """Recompute the running statistics of all batch norms over one pass of the data.

    Args:
        loader: batches, each a tensor or a list whose first item is one.
        model: the model; it is in training mode meanwhile.
        device: where batches are moved before the model sees them.
    """
    momenta: dict[Any, Any] = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None  # the plain mean over batches
    with no_grad():
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)
