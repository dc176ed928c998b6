"""Tensors that a module counts among its parameters or buffers."""

from __future__ import annotations

from typing import Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.tensor import Tensor
from tinytorch.printing import tensor_repr
from tinytorch.subclass import disabled_torch_function

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A tensor that a module trains: assigned to an attribute, it becomes a parameter.

    Args:
        data: its values; the memory is shared.
        requires_grad: whether it is trained.
    """

    __torch_function__ = disabled_torch_function

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        made: Parameter = Tensor._make_subclass(cls, data.detach(), requires_grad)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        made = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (type(self), self.data, self.requires_grad)

    def _repr(self) -> str:
        return "Parameter containing:\n" + tensor_repr(self)


def _rebuild(cls: type[Parameter], data: Tensor, requires_grad: bool) -> Parameter:
    return cls(data, requires_grad)


class Buffer(Tensor):
    """A tensor that a module keeps in its state but does not train."""

    __torch_function__ = disabled_torch_function
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = empty(0)
        made: Buffer = Tensor._make_subclass(cls, data.detach(), data.requires_grad)
        made.persistent = persistent
        return made
