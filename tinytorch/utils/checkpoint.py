"""Save memory: keep a function's inputs only and calculate it again in backward.

``checkpoint`` is one node of the graph. Its edges lead to the tensor arguments and to
the leaves that the function reads besides (the parameters of a module): these are found
by running forward with recording on and looking at the graph before it is dropped.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tinytorch
from tinytorch._core.engine import run_backward
from tinytorch._core.function import PythonNode
from tinytorch._core.modes import is_grad_enabled
from tinytorch.autograd.grad_mode import enable_grad
from tinytorch.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn"]


class CheckpointError(RuntimeError):
    """Raised when the second run of the function differs from the first."""


def noop_context_fn() -> tuple[Any, Any]:
    """Return the two contexts of the runs in forward and backward: none."""
    return contextlib.nullcontext(), contextlib.nullcontext()


# ---- the node ----


def _is_tensor(x: Any) -> bool:
    return isinstance(x, tinytorch.Tensor)


def _leaves_of(outputs: Iterable[Any], stop: set[Any]) -> list[Any]:
    """Leaf tensors that ``outputs`` depend on; not beyond the nodes ``stop``."""
    todo = [y.grad_fn for y in outputs if y.grad_fn is not None]
    seen = set(stop)
    leaves = []
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        todo.extend(n for n, _ in node.next_functions if n is not None)
    return leaves


class _RandomState:
    """The state of the generators that a function on these arguments may use."""

    def __init__(self, devices: set[Any]) -> None:
        self.devices = sorted(devices, key=str)
        self.cpu = tinytorch.get_rng_state()
        self.cuda = [tinytorch.cuda.get_rng_state(d) for d in self.devices]

    def restore(self) -> None:
        tinytorch.set_rng_state(self.cpu)
        for device, state in zip(self.devices, self.cuda, strict=True):
            tinytorch.cuda.set_rng_state(state, device)

    def now(self) -> _RandomState:
        return _RandomState(set(self.devices))


class _Checkpoint(PythonNode):
    """Run the function again, record it, and differentiate that."""

    def __init__(
        self,
        function: Callable[..., Any],
        flat: list[Any],
        spec: Any,
        context: Any,
        preserve_rng: bool,
        check: bool,
    ) -> None:
        super().__init__()
        self._function = function
        self._spec = spec
        self._context = context
        self._check = check
        self._random = (
            _RandomState({x.device for x in flat if _is_tensor(x) and x.is_cuda})
            if preserve_rng
            else None
        )
        self.kept = (flat, [x._version if _is_tensor(x) else 0 for x in flat])

    def name(self) -> str:
        return "CheckpointFunctionBackward"

    def first_run(self) -> Any:
        flat, _ = self.kept
        with enable_grad():
            args, kwargs = tree_unflatten(flat, self._spec)
            result = self._function(*args, **kwargs)
        values, self._result_spec = tree_flatten(result)
        outputs = [y for y in values if _is_tensor(y) and y.requires_grad]
        if not outputs:
            return result
        own = {x.grad_fn for x in flat if _is_tensor(x) and x.grad_fn is not None}
        inputs = {id(x): x for x in flat if _is_tensor(x) and x.requires_grad}
        for leaf in _leaves_of(outputs, own):
            inputs.setdefault(id(leaf), leaf)
        for y in outputs:  # returned without a graph of its own
            if y.is_leaf:
                inputs.setdefault(id(y), y)
        self._wanted = list(inputs.values())
        self._shapes = [
            (tuple(y.shape), y.dtype) if _is_tensor(y) else None for y in values
        ]
        tracked = tuple(
            y.detach() if _is_tensor(y) and y.requires_grad else None for y in values
        )
        linked = self.connect(tuple(self._wanted), tracked, (False,) * len(tracked))
        return tree_unflatten(
            [y if z is None else z for y, z in zip(values, linked, strict=True)],
            self._result_spec,
        )

    def _second_run(self) -> list[Any]:
        if self.kept is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time: the inputs of a "
                "checkpoint have been freed. Specify retain_graph=True."
            )
        flat, versions = self.kept
        for x, version in zip(flat, versions, strict=True):
            if _is_tensor(x) and x._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been "
                    "modified by an inplace operation: an input of a checkpoint, of "
                    f"shape {list(x.shape)}, is at version {x._version}; expected "
                    f"version {version} instead."
                )
        args, kwargs = tree_unflatten(flat, self._spec)
        before = self._random.now() if self._random is not None else None
        try:
            if self._random is not None:
                self._random.restore()
            with enable_grad(), self._context:
                result = self._function(*args, **kwargs)
        finally:
            if before is not None:
                before.restore()
        values, spec = tree_flatten(result)
        if self._check:
            self._compare(values, spec)
        return values

    def _compare(self, values: list[Any], spec: Any) -> None:
        shapes = [(tuple(y.shape), y.dtype) if _is_tensor(y) else None for y in values]
        if spec != self._result_spec or shapes != self._shapes:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors "
                "have different metadata than during the forward pass.\n"
                f"saved metadata: {self._shapes}\nrecomputed metadata: {shapes}"
            )

    def differentiate(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        create_graph = is_grad_enabled()
        values = self._second_run()
        pairs = [
            (y, gy)
            for y, gy in zip(values, grads, strict=True)
            if gy is not None and y.requires_grad
        ]
        if not pairs:
            return (None,) * len(self._wanted)
        return tuple(
            run_backward(
                [y for y, _ in pairs],
                [gy for _, gy in pairs],
                # What the function captured may lie beyond: it is not ours to free.
                True,
                create_graph,
                self._wanted,
                allow_unused=True,
                accumulate_into_grad=False,
            )
        )


# ---- public ----


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call ``function`` without keeping what its backward needs; it runs again then.

    Args:
        function: Anything callable; it must do the same in both runs.
        args: Its arguments.
        use_reentrant: PyTorch has two implementations; both are this one. With True
            keyword arguments are refused, and only tensors among ``args`` decide
            whether the result requires gradients, as there.
        context_fn: Returns the contexts of the first and of the second run.
        determinism_check: ``"default"`` compares shapes and dtypes of the results of
            both runs, ``"none"`` nothing.
        debug: Must be False.
        early_stop: Accepted; the second run always goes to the end.
        preserve_rng_state: Give both runs the same random numbers.
        kwargs: Keyword arguments of ``function``.

    Example:
        >>> y = checkpoint(block, x, use_reentrant=False)
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed "
            "explicitly. use_reentrant=False is recommended, but if you need to "
            "preserve the current default behavior, you can pass use_reentrant=True.",
            stacklevel=2,
        )
        use_reentrant = True
    if debug:
        raise NotImplementedError("checkpoint: debug=True is not supported")
    if determinism_check not in ("default", "none"):
        raise ValueError(
            "checkpoint: expected determinism_check 'default' or 'none', got "
            f"{determinism_check!r}"
        )
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when "
                "use_reentrant=False."
            )
    first, second = context_fn()
    flat, spec = tree_flatten((args, kwargs))
    record = is_grad_enabled()
    if (
        record
        and use_reentrant
        and not any(_is_tensor(x) and x.requires_grad for x in args)
    ):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None",
            stacklevel=2,
        )
        with tinytorch.no_grad():
            return function(*args)
    with first:
        if not record:
            return function(*args, **kwargs)
        node = _Checkpoint(
            function,
            flat,
            spec,
            second,
            preserve_rng_state,
            determinism_check == "default",
        )
        return node.first_run()


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Run a chain of functions as checkpoints of equal length; the last runs plainly.

    Args:
        functions: An ``nn.Sequential`` or a list of functions.
        segments: How many pieces to cut the chain into.
        input: The argument of the first function.
        use_reentrant: As in ``checkpoint``.
        kwargs: ``preserve_rng_state``, as in ``checkpoint``.

    Example:
        >>> y = checkpoint_sequential(model, 4, x, use_reentrant=False)
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if not isinstance(functions, (list, tuple)):  # a Sequential
        functions = list(functions.children())
    functions = list(functions)

    def chain(start: int, stop: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in functions[start:stop]:
                x = function(x)
            return x

        return run

    size = len(functions) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(
            chain(start, start + size),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )
    return chain(size * (segments - 1), len(functions))(input)
