"""Backward hooks of modules: an identity around the inputs and one around the outputs.

The gradients of all outputs meet in the node behind the outputs, those of all inputs in
the node before the inputs; hooks on these two nodes see them together, whatever happens
in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch._core.modes import is_grad_enabled
from tinytorch._core.tensor import Tensor
from tinytorch.autograd.function import Function

__all__ = ["BackwardHook", "hook_outputs"]

Hook = Callable[..., Any]


class BackwardHookFunction(Function):
    """The identity, whose node carries the hooks."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        ctx.mark_non_differentiable(*[x for x in args if not x.requires_grad])
        return tuple(x.view_as(x) for x in args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


class BackwardHook:
    """The hooks of one call of a module on their way through the backward pass."""

    def __init__(
        self, module: Any, user_hooks: Sequence[Hook], user_pre_hooks: Sequence[Hook]
    ) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.n_inputs = self.n_outputs = -1
        self.input_places: list[int] | None = None  # None: no input needs a gradient
        self.output_places: list[int] = []
        self.grad_outputs: tuple[Any, ...] | None = None

    def setup_input_hook(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Lead the tensors among `args` through a node that knows their gradients."""
        self.n_inputs = len(args)

        def arrived(grad_input: tuple[Any, ...], _: Any) -> Any:
            if self.grad_outputs is None:
                return None  # the outputs took no part in this pass
            answer = self._run_hooks(self._spread(grad_input, places, self.n_inputs))
            self.grad_outputs = None
            return tuple(answer[i] for i in places)

        args, places = _through_node(args, lambda node: node.register_hook(arrived))
        if places:
            self.input_places = places
        return args

    def setup_output_hook(self, output: Any) -> Any:
        """Lead the tensors of `output` through a node that knows their gradients."""
        outputs = _tuple(output)
        self.n_outputs = len(outputs)

        def arrived(grad_output: tuple[Any, ...]) -> Any:
            grads = self._spread(grad_output, self.output_places, self.n_outputs)
            grads = self._run_pre_hooks(grads)
            self.grad_outputs = grads
            if self.input_places is None:
                warnings.warn(
                    "Full backward hook is firing when gradients are computed with "
                    "respect to module outputs since no inputs require gradients. See "
                    "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                    "#torch.nn.Module.register_full_backward_hook for more details.",
                    stacklevel=5,
                )
                self._run_hooks((None,) * self.n_inputs, keep=False)
                self.grad_outputs = None
            return tuple(grads[i] for i in self.output_places)

        outputs, self.output_places = _through_node(
            outputs, lambda node: node.register_prehook(arrived)
        )
        return outputs if isinstance(output, tuple) else outputs[0]

    @staticmethod
    def _spread(grads: Any, places: Sequence[int], n: int) -> tuple[Any, ...]:
        spread: list[Any] = [None] * n
        for place, grad in zip(places, grads, strict=True):
            spread[place] = grad
        return tuple(spread)

    def _run_pre_hooks(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.user_pre_hooks:
            answer = hook(self.module, grads)
            if answer is not None:
                self._check_length(answer, self.n_outputs, "pre hook", "grad_output")
                grads = _tuple(answer)
        return grads

    def _run_hooks(self, grads: tuple[Any, ...], keep: bool = True) -> tuple[Any, ...]:
        for hook in self.user_hooks:
            answer = hook(self.module, grads, self.grad_outputs)
            if answer is None:
                continue
            if not keep:
                if any(x is not None for x in _tuple(answer)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient "
                        "should always return None or None for all gradients."
                    )
                continue
            self._check_length(answer, self.n_inputs, "hook", "grad_input")
            grads = _tuple(answer)
        return grads

    @staticmethod
    def _check_length(answer: Any, n: int, what: str, name: str) -> None:
        got = len(_tuple(answer))
        if got != n:
            raise RuntimeError(
                f"Backward {what} returned an invalid number of {name}, got {got}, "
                f"but expected {n}"
            )


def _through_node(
    values: tuple[Any, ...], register: Callable[[Any], Any]
) -> tuple[tuple[Any, ...], list[int]]:
    """Return `values` with the tensors led through one node, and their places."""
    places = [i for i, x in enumerate(values) if isinstance(x, Tensor)]
    tensors = [values[i] for i in places]
    if not is_grad_enabled() or not any(x.requires_grad for x in tensors):
        return values, []
    led = _tuple(BackwardHookFunction.apply(*tensors))
    node = next((x.grad_fn for x in led if x.grad_fn is not None), None)
    if node is None:
        raise RuntimeError(
            "Error while setting up backward hooks: an identity without a node"
        )
    register(node)
    new = list(values)
    for place, x in zip(places, led, strict=True):
        new[place] = x
    return tuple(new), places


def hook_outputs(module: Any, hooks: Sequence[Hook], output: Any) -> None:
    """Run old-style hooks with the node that made the (first) output."""
    while not isinstance(output, Tensor):
        if isinstance(output, dict):
            output = next(x for x in output.values() if isinstance(x, Tensor))
        else:
            output = output[0]
    node = output.grad_fn
    if node is None:
        return
    for hook in hooks:

        def call(gx: Any, gy: Any, hook: Hook = hook) -> Any:
            return hook(module, gx, gy)

        node.register_hook(call)
