"""Conversions of modules: another dtype, another device, other memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tinytorch._core.ops.creation import empty_like
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bfloat16, device, dtype, float16, float32, float64
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinytorch.nn.modules.module import Module

__all__ = ["Conversions"]

M = TypeVar("M", bound="Conversions")


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return device, dtype, non_blocking and memory format of a call of `to`."""
    args_left = list(args)
    where = kwargs.pop("device", None)
    kind = kwargs.pop("dtype", None)
    non_blocking = kwargs.pop("non_blocking", False)
    memory_format = kwargs.pop("memory_format", None)
    copy = kwargs.pop("copy", None)
    if copy is not None:
        raise RuntimeError("Module.to() does not accept copy argument")
    if kwargs:
        name = next(iter(kwargs))
        raise TypeError(f"to() received an invalid combination of arguments: {name}")
    if args_left and isinstance(args_left[0], Tensor):
        like = args_left.pop(0)
        where, kind = like.device, like.dtype
    elif args_left and isinstance(args_left[0], (str, int, device)):
        where = args_left.pop(0)
    if args_left and (args_left[0] is None or isinstance(args_left[0], dtype)):
        kind = args_left.pop(0)
        if kind is None and args_left and isinstance(args_left[0], dtype):
            kind = args_left.pop(0)
    if args_left and isinstance(args_left[0], bool):
        non_blocking = args_left.pop(0)
    if args_left:
        raise TypeError(
            "to() received an invalid combination of arguments - got "
            f"({', '.join(type(x).__name__ for x in args)})"
        )
    if where is not None and not isinstance(where, device):
        where = device(where)
    return where, kind, non_blocking, memory_format


class Conversions:
    """The part of a module that converts its parameters and buffers."""

    _parameters: Any
    _buffers: Any
    children: Callable[[], Any]

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Call `fn` with every descendant and at last with this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)  # type: ignore[arg-type]
        return self

    def _apply(self: M, fn: Callable[[Any], Any], recurse: bool = True) -> M:
        """Replace the values of all parameters, their gradients and all buffers."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, param in self._parameters.items():
            if param is None:
                continue
            with no_grad():
                new = fn(param)
                grad = None if param.grad is None else fn(param.grad)
            if param.is_meta or new.is_meta:
                # what holds no memory cannot come to hold some: another parameter
                made = Parameter(new, param.requires_grad)
                self._parameters[name] = param = made
            else:
                param.grad = None  # a gradient must be of the parameter's dtype
                param.data = new
            if grad is not None:
                param.grad = grad.requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Convert all: ``to(device)``, ``to(dtype)``, ``to(device, dtype)``, ``to(x)``.

        Only floating-point ones change their dtype; `memory_format` is for those of
        four or five dimensions.
        """
        where, kind, non_blocking, memory_format = _parse_to(args, kwargs)
        if kind is not None and not (kind.is_floating_point or kind.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got "
                f"desired dtype={kind}"
            )

        def convert(x: Any) -> Any:
            to_kind = kind if x.is_floating_point() or x.is_complex() else None
            if memory_format is not None and x.dim() in (4, 5):
                return x.to(where, to_kind, non_blocking, memory_format=memory_format)
            return x.to(where, to_kind, non_blocking)

        return self._apply(convert)

    def _to_floating(self: M, kind: Any) -> M:
        return self._apply(lambda x: x.to(kind) if x.is_floating_point() else x)

    def float(self: M) -> M:
        """Convert floating-point parameters and buffers to float32."""
        return self._to_floating(float32)

    def double(self: M) -> M:
        """Convert floating-point parameters and buffers to float64."""
        return self._to_floating(float64)

    def half(self: M) -> M:
        """Convert floating-point parameters and buffers to float16."""
        return self._to_floating(float16)

    def bfloat16(self: M) -> M:
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._to_floating(bfloat16)

    def type(self: M, dst_type: Any) -> M:
        """Convert all parameters and buffers to a dtype."""
        return self._apply(lambda x: x.type(dst_type))

    def cpu(self: M) -> M:
        """Move parameters and buffers to the CPU."""
        return self._apply(lambda x: x.cpu())

    def cuda(self: M, device: Any = None) -> M:
        """Move parameters and buffers to a GPU."""
        return self._apply(lambda x: x.cuda(device))

    def to_empty(self: M, *, device: Any, recurse: bool = True) -> M:
        """Give parameters and buffers memory on a device without copying values."""
        return self._apply(lambda x: empty_like(x, device=device), recurse=recurse)

    def share_memory(self: M) -> M:
        """Move parameters and buffers to memory that other processes can share."""
        return self._apply(lambda x: x.share_memory_())
