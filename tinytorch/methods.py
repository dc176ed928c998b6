"""Methods of Tensor that are no ops: hooks, printing, what others ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinytorch._core.attributes  # noqa: F401  # it binds its members itself
from tinytorch._core.binding import bind
from tinytorch._core.engine import backward
from tinytorch._core.graph import HookHandle
from tinytorch._core.hooks import (
    register_post_accumulate_hook,
    register_tensor_hook,
    retain_grad,
)
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import strided
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


METHODS: dict[str, object] = {
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
