"""Modules without first values, for those that get other values at once."""

from __future__ import annotations

from typing import Any

from tinytorch.nn.modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Build a module whose parameters are memory as it was found.

    Args:
        module_cls: a module class whose ``__init__`` takes `device`.
        args: its arguments, as are `kwargs`.
    """
    import inspect

    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
