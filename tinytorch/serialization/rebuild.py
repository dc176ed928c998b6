"""What files call to make tensors, with every argument checked.

The functions have the arguments that PyTorch writes.  They run on what a stranger's
file says, so nothing is allocated for a size that the file names: a tensor must lie
within the bytes of its storage, which were read from the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch._core import types
from tinytorch._core.ops.creation import empty_strided
from tinytorch._core.tensor import Tensor
from tinytorch.nn.parameter import Buffer, Parameter
from tinytorch.storage import TypedStorage, UntypedStorage

__all__ = [
    "from_type",
    "get_layout",
    "meta_tensor",
    "parameter",
    "parameter_with_state",
    "tensor_v1",
    "tensor_v2",
    "tensor_v3",
]

MAX_DIMS = 64
_LARGEST = 1 << 62


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise RuntimeError(f"invalid {what} in the file: {value!r:.80}")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise RuntimeError(f"invalid requires_grad in the file: {value!r:.80}")
    return value


def _sizes(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > MAX_DIMS:
        raise RuntimeError(f"invalid {what} in the file: {value!r:.80}")
    return tuple([_whole(n, what) for n in value])


def _extent(size: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """Elements from the first of a tensor to behind its last."""
    if len(size) != len(stride):
        raise RuntimeError(
            f"invalid tensor in the file: {len(size)} sizes, {len(stride)} strides")
    elements = 1
    for n in size:
        elements *= max(n, 1)
    if elements >= _LARGEST:
        raise RuntimeError(f"invalid size in the file: {list(size)}")
    if 0 in size:
        return 0
    return 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))


def _tensor(
    storage: UntypedStorage, dtype: types.dtype, storage_offset: Any, size: Any,
    stride: Any, requires_grad: Any,
) -> Tensor:
    offset = _whole(storage_offset, "storage offset")
    size, stride = _sizes(size, "size"), _sizes(stride, "stride")
    extent = _extent(size, stride)
    if max((offset + extent) * dtype.itemsize, max(stride, default=0)) > _LARGEST:
        raise RuntimeError(f"invalid stride in the file: {list(stride)}")
    if extent and (offset + extent) * dtype.itemsize > storage.nbytes():
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{offset}, and itemsize {dtype.itemsize} requiring a storage size of "
            f"{(offset + extent) * dtype.itemsize} are out of bounds for storage of "
            f"size {storage.nbytes()}")
    made = storage._bytes[:0].view(dtype).set_(storage, offset, size, stride)
    if _flag(requires_grad):
        made.requires_grad = True
    return made


def _typed(storage: Any) -> TypedStorage:
    if not isinstance(storage, TypedStorage):
        raise RuntimeError(f"a tensor in the file has no storage: {storage!r:.80}")
    return storage


def tensor_v1(storage: Any, storage_offset: Any, size: Any, stride: Any) -> Tensor:
    """Make a tensor as files of PyTorch's first years state it."""
    typed = _typed(storage)
    return _tensor(
        typed.untyped(), typed.dtype, storage_offset, size, stride, False)


def tensor_v2(
    storage: Any, storage_offset: Any, size: Any, stride: Any, requires_grad: Any,
    backward_hooks: Any, metadata: Any = None,
) -> Tensor:
    """Make a tensor over a storage that knows its dtype."""
    typed = _typed(storage)
    return _tensor(
        typed.untyped(), typed.dtype, storage_offset, size, stride, requires_grad)


def tensor_v3(
    storage: Any, storage_offset: Any, size: Any, stride: Any, requires_grad: Any,
    backward_hooks: Any, dtype: Any, metadata: Any = None,
) -> Tensor:
    """Make a tensor over bytes, with a dtype of its own."""
    if not isinstance(storage, (TypedStorage, UntypedStorage)):
        _typed(storage)
    if not isinstance(dtype, types.dtype):
        raise RuntimeError(f"invalid dtype in the file: {dtype!r:.80}")
    untyped = storage.untyped() if isinstance(storage, TypedStorage) else storage
    return _tensor(untyped, dtype, storage_offset, size, stride, requires_grad)


def meta_tensor(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Tensor:
    """Make a tensor that has a shape and no data."""
    if not isinstance(dtype, types.dtype):
        raise RuntimeError(f"invalid dtype in the file: {dtype!r:.80}")
    size, stride = _sizes(size, "size"), _sizes(stride, "stride")
    if max(_extent(size, stride), *stride, 0) * dtype.itemsize > _LARGEST:
        raise RuntimeError(f"invalid stride in the file: {list(stride)}")
    made = empty_strided(size, stride, dtype=dtype, device="meta")
    if _flag(requires_grad):
        made.requires_grad = True
    return made


def _set_attributes(made: Tensor, state: Any) -> None:
    """Hang attributes on a tensor; none may take the place of one of the class."""
    pair = isinstance(state, tuple) and len(state) == 2  # of __dict__, of __slots__
    for part in state if pair else (state,):
        if part is None:
            continue
        if not isinstance(part, dict):
            raise RuntimeError(f"invalid state of a tensor in the file: {part!r:.80}")
        for name, value in part.items():
            if type(name) is not str or hasattr(type(made), name):
                raise RuntimeError(
                    f"the file sets the attribute {name!r:.80} of a tensor")
            setattr(made, name, value)


def parameter(data: Any, requires_grad: Any, backward_hooks: Any) -> Parameter:
    """Make a parameter of a tensor."""
    if not isinstance(data, Tensor):
        raise RuntimeError(f"a parameter in the file has no tensor: {data!r:.80}")
    return Parameter(data, _flag(requires_grad))


def parameter_with_state(
    data: Any, requires_grad: Any, backward_hooks: Any, state: Any
) -> Parameter:
    """Make a parameter that has attributes of its own."""
    made = parameter(data, requires_grad, backward_hooks)
    _set_attributes(made, state)
    return made


_MAKERS: tuple[Callable[..., Tensor], ...] = (
    tensor_v1, tensor_v2, tensor_v3, parameter, parameter_with_state, meta_tensor)


def from_type(func: Any, new_type: Any, args: Any, state: Any) -> Tensor:
    """Make a tensor of a subclass, or one with attributes."""
    if not any(func is maker for maker in _MAKERS) or not isinstance(args, tuple):
        raise RuntimeError(f"a tensor in the file is made by {func!r:.80}")
    if not (isinstance(new_type, type) and issubclass(new_type, Tensor)):
        raise RuntimeError(f"a tensor in the file is of type {new_type!r:.80}")
    made = func(*args)
    if isinstance(state, dict) and state.get("_is_buffer") is True:
        state = {k: v for k, v in state.items() if k != "_is_buffer"}
        made = Buffer(made, persistent=state.pop("persistent", True) is True)
    elif type(made) is not new_type:
        made = Tensor._make_subclass(new_type, made, made.requires_grad)
    own_way: Any = getattr(type(made), "__setstate__", None)
    if own_way is not getattr(Tensor, "__setstate__", None):
        own_way(made, state)
    else:
        _set_attributes(made, state)
    return made


def get_layout(name: Any) -> types.layout:
    """Return the layout of that name."""
    if name != "torch.strided":
        raise RuntimeError(
            f"the file needs {name!r:.80}, which tinytorch does not have")
    return types.strided
