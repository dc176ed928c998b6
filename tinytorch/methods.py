"""Methods of Tensor that are no ops: hooks, printing, what others ask for."""

from __future__ import annotations

from collections.abc import Callable

import tinytorch._core.attributes  # noqa: F401  # it binds its members itself
import tinytorch._core.fields  # noqa: F401  # so does it
from tinytorch._core.binding import bind
from tinytorch._core.engine import backward
from tinytorch._core.graph import HookHandle
from tinytorch._core.hooks import (
    register_post_accumulate_hook,
    register_tensor_hook,
    retain_grad,
)
from tinytorch._core.ops.data import from_numpy, tensor
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import strided
from tinytorch._typing import Any
from tinytorch.printing import tensor_repr


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set ``requires_grad`` and return the tensor."""
    self.requires_grad = requires_grad
    return self


def register_hook(self: Tensor, hook: Callable[[Tensor], Any]) -> HookHandle:
    """Call ``hook(gradient)`` when the gradient is known; it may return another."""
    return register_tensor_hook(self, hook)


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], Any]
) -> HookHandle:
    """Call ``hook(tensor)`` after a gradient was added to this leaf's ``.grad``."""
    return register_post_accumulate_hook(self, hook)


def _repr(self: Tensor, *, tensor_contents: str | None = None) -> str:
    return tensor_repr(self)


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, (Tensor, int, float)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return bool((self == element).any().item())


def _format(self: Tensor, spec: str) -> str:
    if self.dim() == 0 and not self.is_meta and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


def _share_memory(self: Tensor) -> Tensor:
    """Refuse: tensors live in the memory of one process."""
    raise NotImplementedError("shared memory between processes is not supported")


def _get_label(self: Tensor) -> str | None:
    return getattr(self, "_label", None)


def _set_label(self: Tensor, name: str | None) -> None:
    from tinytorch.viz import label  # after start-up

    label(self, name)


def render(
    self: Tensor, filename: str | None = None, format: str = "svg", **options: Any
) -> Any:
    """Return the picture of this tensor's graph: see ``tinytorch.viz``."""
    from tinytorch.viz import render

    return render(self, filename, format, **options)


def _is_shared(self: Tensor) -> bool:
    """Return False: tensors live in the memory of one process."""
    return False


def _is_pinned(self: Tensor, device: Any = None) -> bool:
    """Return False: no memory is locked for transfers to a device."""
    return False


def _is_coalesced(self: Tensor) -> bool:
    """Return False: there are no sparse tensors, which alone can be coalesced."""
    return False


def _is_distributed(self: Tensor) -> bool:
    """Return False: each tensor belongs to one process."""
    return False


def _array_wrap(
    self: Tensor, array: Any, context: Any = None, return_scalar: bool = False
) -> Tensor:
    """Return what a function of NumPy made of this tensor as a tensor."""
    import numpy

    return from_numpy(numpy.asarray(array))  # type: ignore[no-any-return]


def _reversed(self: Tensor) -> Tensor:
    return self.flip(0) if self.dim() else self


def _each(
    name: str, x: Tensor, others: tuple[Any, ...], fn: Callable[..., Any]
) -> Tensor:
    """Write what `fn` makes of the elements of `x` and those of `others`."""
    if any(t.requires_grad for t in (x, *others)):
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use "
            f"var.detach().{name}() instead."
        )
    for i, other in enumerate(others):
        if other.dtype is not x.dtype:
            argument = "other" if len(others) == 1 else "xy"[i]
            raise TypeError(
                f"{name}: expected {x.type()} for '{argument}' (got {other.type()})"
            )
    columns = [t.expand_as(x).flatten().tolist() for t in (x, *others)]
    made = tensor(list(map(fn, *columns)), dtype=x.dtype, device=x.device)
    return x.copy_(made.view(x.shape))


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it: slow, in Python."""
    return _each("apply_", self, (), callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by ``callable(element, element of tensor)``: slow."""
    return _each("map_", self, (tensor,), callable)


def map2_(
    self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]
) -> Tensor:
    """Replace each element by ``callable(element, of x, of y)``: slow."""
    return _each("map2_", self, (x, y), callable)


def _to_dense(
    self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None
) -> Tensor:
    """Return the tensor, which is dense, of another dtype if one is given."""
    return self if dtype is None else self.to(dtype)


def _dense_dim(self: Tensor) -> int:
    """Return the number of dimensions: all are dense."""
    return self.dim()  # type: ignore[no-any-return]


def _sparse_dim(self: Tensor) -> int:
    """Return 0: no dimension is sparse."""
    return 0


METHODS: dict[str, object] = {
    "apply_": apply_,
    "map_": map_,
    "map2_": map2_,
    "to_dense": _to_dense,
    "dense_dim": _dense_dim,
    "sparse_dim": _sparse_dim,
    "__array_wrap__": _array_wrap,
    "__reversed__": _reversed,
    "label": property(_get_label, _set_label),
    "render": render,
    "backward": backward,
    "requires_grad_": requires_grad_,
    "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
    "retain_grad": retain_grad,
    "share_memory_": _share_memory,
    "is_shared": _is_shared,
    "is_pinned": _is_pinned,
    "is_coalesced": _is_coalesced,
    "is_distributed": _is_distributed,
    "layout": property(lambda self: strided),
    "name": property(lambda self: None),
    "names": property(lambda self: (None,) * self.dim()),
    "is_mkldnn": property(lambda self: False),
    "is_nested": property(lambda self: False),
    "is_xpu": property(lambda self: False),
    "is_mps": property(lambda self: False),
    "_repr": _repr,
    "_contains": _contains,
    "__format__": _format,
    "__array_priority__": 1000,
    "__module__": "torch",
}

for _name, _member in METHODS.items():
    bind(_name, _member)
