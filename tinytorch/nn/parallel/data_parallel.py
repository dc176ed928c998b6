"""One module on several GPUs.  There is no GPU here, so the module runs as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tinytorch
from tinytorch.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """Calls `module`, each GPU with its part of the batch; without GPUs, all at once.

    The parameters are named ``module.weight`` and so on, as programs expect.
    """

    def __init__(
        self,
        module: Any,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids = _devices(device_ids)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Any,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Call `module` on GPUs, each with its part of the batch; raise without GPUs.

    Args:
        inputs: one argument or a tuple of them.
        module_kwargs: keyword arguments.
    """
    if not tinytorch.cuda.is_available():
        raise RuntimeError("device type could not be determined")
    _devices(device_ids)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))


def _devices(device_ids: Sequence[Any] | None) -> list[Any]:
    """Return the GPUs to use: none."""
    if tinytorch.cuda.device_count() > 1:
        raise NotImplementedError("modules on several GPUs are not supported")
    return []
