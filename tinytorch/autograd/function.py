"""User-defined differentiable functions.

The context that ``forward`` and ``backward`` receive *is* the node of the graph, so
what ``forward`` stores on it is seen as ``y.grad_fn.<name>``. Outputs hold the node,
the node holds inputs; saved outputs are detached aliases, so that no cycle arises.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import tinytorch
from tinytorch._core.function import PythonNode
from tinytorch._core.modes import (
    is_anomaly_enabled,
    is_grad_enabled,
    set_grad_enabled_flag,
)
from tinytorch.autograd.grad_mode import no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

F = TypeVar("F", bound=Callable[..., Any])

_RELEASED = (
    "Trying to backward through the graph a second time (or directly access saved "
    "tensors after they have already been freed). Saved intermediate values of the "
    "graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if "
    "you need to access saved tensors after calling backward."
)


# ---- what a context saves ----


class _Saved(NamedTuple):
    tensor: Any  # the tensor itself; of an output, a detached alias
    version: int
    output: int  # which output of the node, or -1


def _check_version(saved: _Saved, source: Any) -> None:
    t = saved.tensor
    if t._version == saved.version:
        return
    origin = f", which is output {t.output_nr} of {source.name()}," if source else ""
    hint = (
        "the backtrace further above shows the operation that failed to compute its "
        "gradient. The variable in question was changed in there or anywhere later. "
        "Good luck!"
        if is_anomaly_enabled()
        else "enable anomaly detection to find the operation that failed to compute "
        "its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an "
        f"inplace operation: [{t.type()} {list(t.shape)}]{origin} is at version "
        f"{t._version}; expected version {saved.version} instead. Hint: {hint}"
    )


class _Info(NamedTuple):
    """What is remembered of an argument or an output; None stands for no tensor."""

    shape: tuple[int, ...]
    dtype: Any
    device: Any

    @classmethod
    def of(cls, x: Any) -> _Info | None:
        if not isinstance(x, tinytorch.Tensor):
            return None
        return cls(tuple(x.shape), x.dtype, x.device)

    def zeros(self) -> Any:
        return tinytorch.zeros(self.shape, dtype=self.dtype, device=self.device)

    def fit(self, gx: Any, name: str, position: int) -> Any:
        """Sum and cast a gradient to what it is the gradient of."""
        if tuple(gx.shape) != self.shape:
            lead = gx.dim() - len(self.shape)
            if lead < 0 or any(
                n not in (1, m)
                for n, m in zip(self.shape, gx.shape[lead:], strict=True)
            ):
                raise RuntimeError(
                    f"Function {name} returned an invalid gradient at index "
                    f"{position} - got {list(gx.shape)} but expected shape compatible "
                    f"with {list(self.shape)}"
                )
            gx = gx.sum_to_size(self.shape)
        return gx if gx.dtype == self.dtype else gx.to(self.dtype)


class FunctionCtx(PythonNode):
    """What ``forward`` and ``backward`` share: saved tensors, marks, any attribute."""

    needs_input_grad: tuple[bool, ...]
    _function: ClassVar[type[Function]]

    def __init__(self) -> None:
        super().__init__()
        self._to_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._materialize = True
        self._outputs: tuple[_Info | None, ...] = ()
        self._inputs: tuple[_Info | None, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep inputs, outputs or intermediate tensors for ``backward``."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, tinytorch.Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument "
                    f"{i} is of type {type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Refuse: forward-mode differentiation does not exist here."""
        raise NotImplementedError("save_for_forward: forward-mode AD is not supported")

    def mark_dirty(self, *tensors: Any) -> None:
        """Declare inputs that ``forward`` wrote in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Declare outputs that never need a gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether missing output gradients arrive as zeros or as None."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors of ``save_for_backward``, checked for later writes."""
        if self.kept is None:
            raise RuntimeError(_RELEASED)
        return tuple(self._unpack(s) for s in self.kept)

    def _unpack(self, saved: _Saved | None) -> Any:
        if saved is None:
            return None
        if saved.output < 0:
            _check_version(saved, saved.tensor.grad_fn)
            return saved.tensor
        _check_version(saved, self)
        return self.revive(saved.tensor, saved.output)

    def _save(self) -> None:
        """Note versions, once the outputs have their node."""

        def record(t: Any) -> _Saved | None:
            if t is None:
                return None
            if t.grad_fn is self:
                alias = t.detach()
                return _Saved(alias, alias._version, t.output_nr)
            return _Saved(t, t._version, -1)

        self.kept = tuple(record(t) for t in self._to_save)
        self._to_save = ()

    def differentiate(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return one gradient per argument of ``forward``; the engine calls this."""
        kind = self._function
        if self._materialize:
            grads = tuple(
                info.zeros() if g is None and info is not None else g
                for g, info in zip(grads, self._outputs, strict=True)
            )
        if kind.vjp is not Function.vjp and kind.backward is not Function.backward:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not "
                "allowed. You should only implement one of them."
            )
        backward = kind.backward if kind.vjp is Function.vjp else kind.vjp
        result = backward(self, *grads)
        return self._checked(result if isinstance(result, tuple) else (result,))

    def _checked(self, result: tuple[Any, ...]) -> tuple[Any, ...]:
        name, expected = type(self).__name__, len(self._inputs)
        while len(result) > expected and result[-1] is None:
            result = result[:-1]
        if len(result) != expected:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients "
                f"(expected {expected}, got {len(result)})"
            )
        return tuple(
            None if gx is None else _checked_gradient(gx, info, name, i)
            for i, (gx, info) in enumerate(zip(result, self._inputs, strict=True))
        )


def _checked_gradient(gx: Any, info: _Info | None, name: str, i: int) -> Any:
    if info is None:
        raise RuntimeError(
            f"function {name} returned a gradient different than None at position "
            f"{i + 1}, but the corresponding forward input was not a Variable"
        )
    if not isinstance(gx, tinytorch.Tensor):
        raise TypeError(
            f"function {name} expected a tensor or None as gradient at position "
            f"{i + 1}, but got {type(gx).__name__}"
        )
    return info.fit(gx, name, i)


# ---- the class that users derive from ----


class _FunctionMeta(type):
    """Give every Function its own class of nodes, named as PyTorch names it."""

    _node: type[FunctionCtx]

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]
    ) -> None:
        cls._node = type(f"{name}Backward", (FunctionCtx,), {"_function": cls})
        super().__init__(name, bases, namespace)


class Function(metaclass=_FunctionMeta):
    """Base of user-defined differentiable functions.

    Define the static methods ``forward(ctx, *args)`` and ``backward(ctx, *grads)``, or
    ``forward(*args)``, ``setup_context(ctx, inputs, output)`` and ``backward``; call
    ``apply``. Backward runs recorded ops, so double backward works.

    Example:
        >>> class Square(Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, gy):
        ...         return 2 * ctx.saved_tensors[0] * gy
        >>> y = Square.apply(x)
    """

    generate_vmap_rule = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. "
            "Please use new-style autograd function with static forward method. "
            "(Example: https://pytorch.org/docs/stable/autograd.html"
            "#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Calculate the outputs."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save what backward needs, where ``forward`` takes no ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradient of each argument of ``forward``."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Another name for ``backward``; define one of them."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Refuse: forward-mode differentiation does not exist here."""
        raise NotImplementedError("Function.jvp: forward-mode AD is not supported")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Refuse: custom rules of vmap are not called here."""
        raise NotImplementedError("Function.vmap is not supported")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` on ``args`` and record the function in the graph."""
        two_step = cls.setup_context is not Function.setup_context
        if two_step:
            import inspect  # slow to import, rarely needed

            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if kwargs:
            raise TypeError(f"{cls.__name__}.apply() takes no keyword arguments")

        ctx = cls._node()
        ctx._inputs = tuple(_Info.of(a) for a in args)
        ctx.needs_input_grad = tuple(
            isinstance(a, tinytorch.Tensor) and a.requires_grad for a in args
        )
        record = set_grad_enabled_flag(False)
        try:
            if two_step:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args)
        finally:
            set_grad_enabled_flag(record)

        single = not isinstance(result, tuple)
        outputs = (result,) if single else result
        outputs = _link(ctx, args, outputs, record and any(ctx.needs_input_grad))
        return outputs[0] if single else outputs


def _among(t: Any, tensors: tuple[Any, ...]) -> bool:
    return any(t is other for other in tensors)


def _link(
    ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...], record: bool
) -> tuple[Any, ...]:
    """Make ``ctx`` the node of its differentiable outputs."""
    for t in ctx._dirty:
        if not _among(t, args):
            raise RuntimeError("mark_dirty: expected a tensor that is an input")
        if not _among(t, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not "
                "returned as output. The inputs that are modified inplace must all be "
                "outputs of the Function."
            )
    tracked = tuple(
        isinstance(t, tinytorch.Tensor)
        and not _among(t, ctx._non_differentiable)
        and t.dtype.is_floating_point
        for t in outputs
    )
    if not record:
        outputs = tuple(
            t if _among(t, ctx._dirty) and not t.requires_grad else _untracked(t, args)
            for t in outputs
        )
        ctx._dirty = ctx._non_differentiable = ctx._to_save = ()
        return outputs
    ctx._outputs = tuple(_Info.of(t) for t in outputs)
    linked = ctx.connect(
        tuple(a if isinstance(a, tinytorch.Tensor) else None for a in args),
        tuple(t if yes else None for t, yes in zip(outputs, tracked, strict=True)),
        tuple(_among(t, ctx._dirty) for t in outputs),
    )
    outputs = tuple(
        new if yes else _untracked(t, args)
        for new, t, yes in zip(linked, outputs, tracked, strict=True)
    )
    ctx._dirty = ctx._non_differentiable = ()  # they may be outputs: no cycle
    ctx._save()
    return outputs


def _untracked(t: Any, args: tuple[Any, ...]) -> Any:
    if isinstance(t, tinytorch.Tensor) and (t.requires_grad or _among(t, args)):
        return t.detach()
    return t


# ---- once_differentiable ----


class _DelayedError(PythonNode):
    """A node that raises when somebody differentiates through it."""

    def differentiate(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with "
            "@once_differentiable"
        )


def once_differentiable(backward: F) -> F:
    """Mark a ``backward`` whose result must not be differentiated again."""

    @functools.wraps(backward)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            result = backward(ctx, *grads)
        if not is_grad_enabled() or not any(
            isinstance(g, tinytorch.Tensor) and g.requires_grad for g in grads
        ):
            return result
        single = not isinstance(result, tuple)
        outputs = (result,) if single else result
        marked = _DelayedError().connect(
            grads,
            tuple(None if t is None else t.detach() for t in outputs),
            (False,) * len(outputs),
        )
        return marked[0] if single else marked

    return cast(F, wrapper)
