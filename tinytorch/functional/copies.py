"""What view ops show, as copies: view_copy, permute_copy, split_copy and the like."""

from __future__ import annotations

from collections.abc import Callable

from tinytorch._core.ops.join import narrow, select
from tinytorch._core.ops.memory import put_into
from tinytorch._core.ops.split import split, split_with_sizes, unbind
from tinytorch._core.ops.strided import as_strided, diagonal, unfold
from tinytorch._core.ops.views import (
    detach,
    expand,
    permute,
    squeeze,
    t,
    transpose,
    unsqueeze,
    view,
)
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any

METHODS = ["narrow_copy"]


def _alias(input: Tensor) -> Tensor:
    return input.view_as(input)


_VIEWS: dict[str, Callable[..., Any]] = {
    "alias": _alias,
    "as_strided": as_strided,
    "detach": detach,
    "diagonal": diagonal,
    "expand": expand,
    "narrow": narrow,
    "permute": permute,
    "select": select,
    "split": split,
    "split_with_sizes": split_with_sizes,
    "squeeze": squeeze,
    "t": t,
    "transpose": transpose,
    "unbind": unbind,
    "unfold": unfold,
    "unsqueeze": unsqueeze,
    "view": view,
}

__all__ = [f"{name}_copy" for name in _VIEWS]


def _copying(name: str, show: Callable[..., Any]) -> Callable[..., Any]:
    def copy(input: Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        shown = show(input, *args, **kwargs)
        if isinstance(shown, Tensor):
            return put_into(shown if out is not None else shown.clone(), out)
        if out is None:
            return tuple(y.clone() for y in shown)
        if len(out) != len(shown):
            raise RuntimeError(
                f"{name}_copy: expected {len(shown)} tensors in out, got {len(out)}"
            )
        for y, target in zip(shown, out, strict=True):
            put_into(y, target)
        return None

    copy.__name__ = copy.__qualname__ = f"{name}_copy"
    copy.__doc__ = f"Return copies of what ``{name}`` shows of the input."
    return copy


for _name, _view in _VIEWS.items():
    globals()[f"{_name}_copy"] = _copying(_name, _view)
