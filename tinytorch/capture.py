"""Record a function of tensors once, then run its kernel calls again without Python."""

from __future__ import annotations

from collections.abc import Callable

from tinytorch._core.executor import Program, feed, taken
from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any
from tinytorch.autograd.grad_mode import no_grad
from tinytorch.utils._pytree import tree_flatten, tree_map


class Captured:
    """A function that records its first call and replays it afterwards.

    The tensors among the arguments are copied into the memory that the first call read,
    and the results are copies of what it wrote, so a replay equals an eager call bit
    for bit.  Everything else the function reads (parameters, their gradients, the state
    of an optimiser) is used where it lies.  Shapes and dtypes must stay as they were.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._program: Program | None = None
        self._inputs: list[Tensor] = []
        self._outputs: Any = None

    def __call__(self, *args: Any) -> Any:
        """Run the function: by Python the first time, by replay from then on."""
        if self._program is None:
            return self._record(args)
        if not feed(self._inputs, args):
            leaves, _ = tree_flatten(args)
            self._copy_in([x for x in leaves if isinstance(x, Tensor)])
        self._program.replay()
        return self._copy_out()

    def _record(self, args: tuple[Any, ...]) -> Any:
        def own(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            mine = x.detach().clone().requires_grad_(x.requires_grad)
            self._inputs.append(mine)
            return mine

        with no_grad():
            args = tree_map(own, args)
        program = Program()
        program.start()
        try:
            self._outputs = self._function(*args)
        finally:
            program.stop()
        self._program = program
        return self._copy_out()

    def _copy_in(self, given: list[Tensor]) -> None:
        if len(given) != len(self._inputs):
            raise RuntimeError(
                f"capture: recorded with {len(self._inputs)} tensors, "
                f"called with {len(given)}"
            )
        with no_grad():
            for mine, x in zip(self._inputs, given, strict=True):
                if mine.shape != x.shape or mine.dtype != x.dtype:
                    raise RuntimeError(
                        f"capture: recorded with {mine.dtype} {list(mine.shape)}, "
                        f"called with {x.dtype} {list(x.shape)}"
                    )
                mine.detach().copy_(x.detach())

    def _copy_out(self) -> Any:
        if isinstance(self._outputs, Tensor):
            single = taken(self._outputs)
            if single is not None:
                return single
        with no_grad():
            return tree_map(
                lambda x: x.detach().clone() if isinstance(x, Tensor) else x,
                self._outputs,
            )

    @property
    def program(self) -> Program:
        """The recorded kernel calls."""
        if self._program is None:
            raise RuntimeError("capture: nothing has been recorded yet")
        return self._program


def capture(function: Callable[..., Any]) -> Captured:
    """Return a function that replays `function` after its first call.

    Example:
        >>> double = capture(lambda x: x * 2.0)
        >>> double(tensor([1.0])).tolist(), double(tensor([3.0])).tolist()
        ([2.0], [6.0])
    """
    return Captured(function)
