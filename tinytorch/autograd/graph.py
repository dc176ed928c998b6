"""Tools that look at the graph or at several gradients at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import tinytorch
from tinytorch._core.gradients import current_graph_task_id
from tinytorch._core.graph import Node
from tinytorch._later import later as _later
from tinytorch._typing import Any, NoReturn

__all__ = [
    "Node",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]

__getattr__, __dir__ = _later(__name__)


class saved_tensors_hooks:
    """Refuse: nodes keep what they save in typed attributes that hooks cannot see."""

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> None:
        _refuse("saved_tensors_hooks")


class save_on_cpu:
    """Refuse, as ``saved_tensors_hooks``."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        _refuse("save_on_cpu")


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"autograd.graph.{name} is not supported; "
        "tinytorch.utils.checkpoint saves memory instead"
    )


def increment_version(tensor: Any) -> None:
    """Note a write that autograd could not see, so that saved tensors are checked.

    Args:
        tensor: A tensor or an iterable of tensors.
    """
    tensors = (tensor,) if isinstance(tensor, tinytorch.Tensor) else tensor
    for t in tensors:
        t._bump_version()


class _Handles:
    """The hooks of several tensors, removed together."""

    def __init__(self, handles: Iterable[Any]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[..., None], *, mode: str = "all"
) -> _Handles:
    """Call ``fn`` once per backward when the gradients of ``tensors`` are known.

    Args:
        tensors: Tensors that require gradients.
        fn: With ``mode="all"`` it gets the list of gradients, once all of them have
            arrived; with ``"any"`` the first gradient that arrives.
        mode: ``"all"`` or ``"any"``.

    A backward that reaches only some of the tensors does not call an ``"all"`` hook;
    PyTorch would call it with None in the missing places.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    arrived: dict[int, dict[int, Any]] = {}  # by backward pass: {position: gradient}

    def hook(i: int) -> Callable[[Any], None]:
        def receive(gx: Any) -> None:
            run = current_graph_task_id()
            with lock:
                for other in [n for n in arrived if n < run]:  # passes that ended early
                    del arrived[other]
                grads = arrived.setdefault(run, {})
                first = not grads
                grads[i] = gx
                done = len(grads) == len(tensors)
            if mode == "any" and first:
                fn(gx)
            elif mode == "all" and done:
                fn([grads[j] for j in range(len(tensors))])

        return receive

    return _Handles(t.register_hook(hook(i)) for i, t in enumerate(tensors))
