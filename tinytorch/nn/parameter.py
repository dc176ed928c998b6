"""Tensors that a module counts among its parameters or buffers."""

from __future__ import annotations

from typing import Any

from tinytorch._core.ops.creation import empty
from tinytorch._core.tensor import Tensor
from tinytorch.printing import tensor_repr
from tinytorch.subclass import OPERATORS, disabled_torch_function

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "is_lazy",
]


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
        return _rebuild, (type(self), self.data, self.requires_grad, self.__dict__)

    def _repr(self) -> str:
        return "Parameter containing:\n" + tensor_repr(self)


def _rebuild(
    cls: type[Parameter], data: Tensor, requires_grad: bool, fields: dict[str, Any]
) -> Parameter:
    made = cls(data, requires_grad)
    made.__dict__.update(fields)
    return made


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


class UninitializedTensorMixin:
    """A tensor that waits for its shape: nothing can be computed with it before.

    It becomes what `cls_to_become` says when it is materialized; who holds it sees the
    change.
    """

    cls_to_become: type[Any]
    data: Any
    ALLOWED = frozenset(
        {
            "cls_to_become",
            "materialize",
            "data",
            "device",
            "dtype",
            "layout",
            "grad",
            "grad_fn",
            "requires_grad",
            "requires_grad_",
            "is_leaf",
            "is_meta",
            "is_cuda",
            "is_cpu",
            "is_floating_point",
            "is_complex",
            "_is_param",
            "copy_",
            "to",
            "cpu",
            "cuda",
            "float",
            "double",
            "half",
            "bfloat16",
            "type",
            "share_memory_",
            "shape",
            "persistent",
            "new_empty",
            "new_tensor",
            "_repr",
        }
    )

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Take memory for a shape; the values are whatever is there."""
        device = self.data.device if device is None else device
        dtype = self.data.dtype if dtype is None else dtype
        self.data = empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    @property
    def shape(self) -> Any:
        """Refuse: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This "
            "error usually happens in `load_state_dict` when trying to load an "
            "uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def share_memory_(self) -> Any:
        """Refuse: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call "
            "`forward` to initialize the parameters before calling "
            "`module.share_memory()`."
        )

    def __getattribute__(self, name: str) -> Any:
        if name[:2] == "__" or name in UninitializedTensorMixin.ALLOWED:
            return super().__getattribute__(name)
        if hasattr(Tensor, name):
            raise _uninitialized(name)
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        data = self.data
        args = (type(self), self.requires_grad, data.device, data.dtype)
        return _rebuild_uninitialized, args

    requires_grad: bool


def _uninitialized(name: str) -> ValueError:
    return ValueError(
        f"Attempted to use an uninitialized parameter in {name}. This error happens "
        "when you are using a `LazyModule` or explicitly manipulating "
        "`torch.nn.parameter.UninitializedParameter` objects. When using LazyModules "
        "Call `forward` with a dummy batch to initialize the parameters before calling "
        "torch functions"
    )


def _refusal(name: str) -> Any:
    def refuse(self: Any, *args: Any) -> Any:
        raise _uninitialized(name)

    return refuse


for _name in set(OPERATORS) - {"__eq__", "__ne__"}:  # containers compare
    setattr(UninitializedTensorMixin, _name, _refusal(_name))


def is_lazy(param: Any) -> bool:
    """Whether a tensor still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known before the first call of its module."""

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        data = empty(0, device=device, dtype=dtype)
        made: UninitializedParameter = Tensor._make_subclass(cls, data, requires_grad)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        if id(self) not in memo:
            data = self.data
            memo[id(self)] = type(self)(self.requires_grad, data.device, data.dtype)
        return memo[id(self)]  # type: ignore[no-any-return]


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known before the first call of its module."""

    cls_to_become = Buffer  # the class of a compiled type cannot be assigned

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        data = empty(0, device=device, dtype=dtype)
        made: UninitializedBuffer = Tensor._make_subclass(cls, data, requires_grad)
        made.persistent = persistent
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedBuffer:
        if id(self) not in memo:
            data, kept = self.data, self.persistent
            memo[id(self)] = type(self)(
                self.requires_grad, data.device, data.dtype, kept
            )
        return memo[id(self)]  # type: ignore[no-any-return]


def _rebuild_uninitialized(
    cls: Any, requires_grad: bool, device: Any, dtype: Any
) -> Any:
    return cls(requires_grad, device, dtype)
