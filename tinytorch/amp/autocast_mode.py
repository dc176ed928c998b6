"""autocast: it turns itself off for the GPU that is not there; the CPU's is refused."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

from tinytorch._core.types import bfloat16, dtype, float16
from tinytorch._typing import Any

__all__ = [
    "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype",
    "is_autocast_available", "is_autocast_enabled",
]

_DTYPES = {"cuda": float16, "cpu": bfloat16}  # what autocast casts to


def is_autocast_available(device_type: str) -> bool:
    """Return whether autocast knows a type of device."""
    if device_type not in _DTYPES:
        raise RuntimeError(f"unknown device type for autocast: {device_type}")
    return True


def get_autocast_dtype(device_type: str) -> dtype:
    """Return the dtype that autocast would cast to."""
    is_autocast_available(device_type)
    return _DTYPES[device_type]


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether ops cast their inputs: they never do."""
    is_autocast_available(device_type)
    return False


class autocast:
    """A context and a decorator that lets ops choose their precision; it has to be off.

    It turns itself off where PyTorch does: for CUDA, as there is none. On the CPU it
    raises NotImplementedError unless it is given ``enabled=False``.

    Args:
        device_type: ``"cuda"`` or ``"cpu"``.
        dtype: what ops would cast to.
        enabled: whether they should.
        cache_enabled: accepted; there are no casts to be cached.
    """

    def __init__(
        self, device_type: str, dtype: dtype | None = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        _check(device_type)
        if device_type not in _DTYPES:
            raise RuntimeError("User specified an unsupported autocast device_type "
                               f"'{device_type}'")
        self.device = device_type
        self.fast_dtype = _DTYPES[device_type] if dtype is None else dtype
        self._enabled = False
        if not enabled:
            return
        if device_type == "cuda":
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling "
                          "autocast.", stacklevel=2)
        elif self.fast_dtype in _DTYPES.values():
            raise NotImplementedError(
                "autocast on the CPU: tinytorch has no mixed precision. Use "
                "enabled=False, or move the model to bfloat16.")
        else:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling "
                "autocast.\nCPU Autocast only supports dtypes of torch.bfloat16, "
                "torch.float16 currently.", stacklevel=2)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(func):
            raise TypeError(
                "autocast()(func) requires a callable, but got "
                f"{type(func).__name__}. Did you mean to use autocast as a context "
                "manager? For example:\n    with torch.autocast(device_type=...):\n"
                "        output = model(input)")
        return func  # the context changes nothing


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str,
    cast_inputs: dtype | None = None,
) -> Callable[..., Any]:
    """Decorate the forward of an autograd.Function; no inputs are cast.

    Args:
        fwd: the method; without it, a decorator is returned.
        device_type: where autocast would cast.
        cast_inputs: the dtype that inputs would be cast to under autocast.
    """
    _check(device_type)
    if fwd is None:
        return functools.partial(
            custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def run(*args: Any, **kwargs: Any) -> Any:
        args[0]._dtype = get_autocast_dtype(device_type)
        args[0]._fwd_used_autocast = False
        return fwd(*args, **kwargs)

    return run


def custom_bwd(
    bwd: Callable[..., Any] | None = None, *, device_type: str
) -> Callable[..., Any]:
    """Decorate the backward of an autograd.Function, which runs as its forward did."""
    _check(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    return bwd


def _check(device_type: str) -> None:
    if not isinstance(device_type, str):
        raise ValueError("Expected `device_type` of type `str`, got: "
                         f"`{type(device_type)}`")
