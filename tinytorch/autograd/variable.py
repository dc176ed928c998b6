"""``Variable``: the name that tensors with gradients had in early programs."""

from __future__ import annotations

import tinytorch
from tinytorch._typing import Any

__all__ = ["Variable"]


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, tinytorch.Tensor)


class Variable(metaclass=_VariableMeta):
    """Return the data of a tensor as a new leaf; every tensor is a Variable.

    Example:
        >>> Variable(tinytorch.ones(2), requires_grad=True).is_leaf
        True
    """

    def __new__(
        cls, data: Any = None, requires_grad: bool = False, volatile: bool = False
    ) -> Any:
        if volatile:
            raise ValueError("Variable: volatile was removed; use no_grad()")
        if data is None:
            data = tinytorch.empty(0)
        if not isinstance(data, tinytorch.Tensor):
            raise TypeError(
                f"Variable data has to be a tensor, but got {type(data).__name__}"
            )
        return data.detach().requires_grad_(requires_grad)
