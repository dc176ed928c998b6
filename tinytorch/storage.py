"""Storages as Python sees them: the bytes that tensors share."""

from __future__ import annotations

from copy import deepcopy
from weakref import WeakValueDictionary

from tinytorch._core.ops.memory import bytes_of, identity, over_bytes
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import device, dtype
from tinytorch._typing import Any

__all__ = ["TypedStorage", "UntypedStorage"]
METHODS = ["storage", "untyped_storage", "__reduce_ex__", "__deepcopy__", "__copy__"]


class UntypedStorage:
    """The bytes of a storage; it lives as long as a tensor or this object holds it.

    One storage has one such object at a time, so that pickle and deepcopy, which go by
    identity, see which tensors share memory.
    """

    __slots__ = ("__weakref__", "_bytes")
    _bytes: Tensor  # (nbytes,) uint8

    def __init__(self, size: int = 0) -> None:
        self._bytes = over_bytes(bytearray(size))

    @property
    def device(self) -> device:
        """Where the bytes are."""
        return self._bytes.device

    @property
    def is_cuda(self) -> bool:
        """Whether they are on a GPU."""
        return bool(self._bytes.is_cuda)

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return int(self._bytes.numel())

    size = nbytes
    __len__ = nbytes

    def element_size(self) -> int:
        """Return 1."""
        return 1

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        return int(self._bytes.data_ptr())

    def tolist(self) -> list[int]:
        """Return the bytes as integers."""
        return self._bytes.tolist()  # type: ignore[no-any-return]

    def __getitem__(self, index: int) -> int:
        return self._bytes[index].item()  # type: ignore[no-any-return]

    def __setitem__(self, index: int, value: int) -> None:
        self._bytes[index] = value

    def clone(self) -> UntypedStorage:
        """Return a copy."""
        return _wrap(self._bytes.clone())

    def copy_(
        self, source: UntypedStorage, non_blocking: bool = False
    ) -> UntypedStorage:
        """Write the source's bytes here."""
        self._bytes.copy_(source._bytes)
        return self

    def cpu(self) -> UntypedStorage:
        """Return the bytes in main memory."""
        return self if self._bytes.is_cpu else _wrap(self._bytes.cpu())

    def __reduce__(self) -> Any:
        return _rebuild_storage, (bytes(memoryview(self._bytes.cpu())),)

    def __deepcopy__(self, memo: dict[int, Any]) -> UntypedStorage:
        if id(self) not in memo:
            memo[id(self)] = self.clone()
        return memo[id(self)]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"[UntypedStorage of {self.nbytes()} bytes on {self.device}]"


class TypedStorage:
    """A storage read as elements of one dtype."""

    __slots__ = ("_untyped", "dtype")

    def __init__(self, untyped: UntypedStorage, dtype: dtype) -> None:
        self._untyped = untyped
        self.dtype = dtype

    @property
    def device(self) -> device:
        """Where the elements are."""
        return self._untyped.device

    def untyped(self) -> UntypedStorage:
        """Return the bytes."""
        return self._untyped

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self._untyped.nbytes()

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self.dtype.itemsize  # type: ignore[no-any-return]

    def size(self) -> int:
        """Return the number of elements."""
        return self.nbytes() // self.element_size()

    __len__ = size

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return self._untyped.data_ptr()

    def _elements(self) -> Tensor:
        n = self.size() * self.element_size()
        return self._untyped._bytes[:n].view(self.dtype)

    def tolist(self) -> list[Any]:
        """Return the elements as numbers."""
        return self._elements().tolist()  # type: ignore[no-any-return]

    def __getitem__(self, index: int) -> Any:
        return self._elements()[index].item()

    def __setitem__(self, index: int, value: Any) -> None:
        self._elements()[index] = value

    def __repr__(self) -> str:
        return (
            f"[TypedStorage(dtype={self.dtype}, device={self.device}) of size "
            f"{self.size()}]"
        )


_live: WeakValueDictionary[int, UntypedStorage] = WeakValueDictionary()


def _wrap(memory: Tensor) -> UntypedStorage:
    made = UntypedStorage.__new__(UntypedStorage)
    made._bytes = memory
    return made


def _rebuild_storage(content: bytes) -> UntypedStorage:
    return _wrap(over_bytes(bytearray(content)))


def untyped_storage(self: Tensor) -> UntypedStorage:
    """Return the tensor's storage as bytes."""
    key = identity(self)
    found = _live.get(key)
    if found is None or found.nbytes() != self._storage_bytes():
        found = _live[key] = _wrap(bytes_of(self))
    return found


def storage(self: Tensor) -> TypedStorage:
    """Return the tensor's storage as elements of its dtype."""
    return TypedStorage(untyped_storage(self), self.dtype)


# ---- pickle and copy ----


def _rebuild(
    cls: type[Tensor],
    held: UntypedStorage,
    kind: dtype,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    attributes: dict[str, Any],
) -> Tensor:
    made = held._bytes[:0].view(kind).set_(held, offset, size, stride)
    if cls is not Tensor:
        made = Tensor._make_subclass(cls, made)
    if requires_grad:
        made.requires_grad = True
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def __reduce_ex__(self: Tensor, protocol: Any) -> Any:
    return _rebuild, (
        type(self),
        untyped_storage(self),
        self.dtype,
        self.storage_offset(),
        tuple(self.shape),
        self.stride(),
        self.requires_grad,
        self.__dict__,
    )


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """Copy a leaf and its gradient; tensors that shared memory share it again."""
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the "
            "deepcopy protocol at the moment.  If you were attempting to deepcopy a "
            "module, this may be because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    held = untyped_storage(self)
    memo.setdefault(-id(held), held)  # alive for as long as its identity counts
    attributes = {k: deepcopy(v, memo) for k, v in self.__dict__.items()}
    made = _rebuild(
        type(self),
        held.__deepcopy__(memo),
        self.dtype,
        self.storage_offset(),
        tuple(self.shape),
        self.stride(),
        self.requires_grad,
        attributes,
    )
    memo[id(self)] = made
    if self.grad is not None:
        made.grad = __deepcopy__(self.grad, memo)
    return made


def __copy__(self: Tensor) -> Tensor:
    """Return another tensor over the same memory, with the same place in the graph."""
    if self.is_leaf:
        return _rebuild(
            type(self),
            untyped_storage(self),
            self.dtype,
            self.storage_offset(),
            tuple(self.shape),
            self.stride(),
            self.requires_grad,
            self.__dict__,
        )
    return self.view_as(self)
