"""``summary(model, input)``: a table of layers, shapes, parameters and FLOPs.

The model runs once on the input.  FLOPs are those of the kernel calls that it makes, as
the profile counts them, so they hold for any code, not for known layers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tinytorch
from tinytorch._core.executor import Profile
from tinytorch._core.tensor import Tensor
from tinytorch._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinytorch.nn.modules.module import Module

__all__ = ["LayerInfo", "ModelSummary", "summary"]


class LayerInfo:
    """One module of a model, as often as it was called."""

    __slots__ = (
        "calls", "depth", "flops", "input_shape", "name", "output_shape", "parameters",
        "trainable", "type_name",
    )

    def __init__(self, name: str, module: Module, depth: int) -> None:
        self.name = name
        self.type_name = type(module).__name__
        self.depth = depth
        own = list(module.parameters(recurse=False))
        self.parameters = sum(p.numel() for p in own)
        self.trainable = sum(p.numel() for p in own if p.requires_grad)
        self.input_shape: tuple[int, ...] | None = None
        self.output_shape: tuple[int, ...] | None = None
        self.flops = 0.0
        self.calls = 0

    def __repr__(self) -> str:
        return (
            f"LayerInfo({self.name or self.type_name}: {self.output_shape}, "
            f"{self.parameters} parameters, {self.flops:.3g} FLOPs)"
        )


class ModelSummary:
    """The layers of a model and their totals; printing shows the table."""

    def __init__(
        self,
        layers: list[LayerInfo],
        totals: tuple[int, int, int],
        flops: float,
        depth: int | None,
    ) -> None:
        self.layers = layers
        self.total_parameters, self.trainable_parameters, self.parameter_bytes = totals
        self.total_flops = flops
        self._depth = depth

    def __str__(self) -> str:
        head = ("Layer", "Input", "Output", "Parameters", "FLOPs")
        rows = [head]
        for layer in self.layers:
            if self._depth is not None and layer.depth > self._depth:
                continue
            own = layer.name.rpartition(".")[2]
            title = f"{layer.type_name} ({own})" if own else layer.type_name
            rows.append((
                "  " * layer.depth + title,
                _shape_text(layer.input_shape),
                _shape_text(layer.output_shape),
                f"{layer.parameters:,}" if layer.parameters else "-",
                f"{layer.flops:,.0f}" if layer.flops else "-",
            ))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = []
        for row in rows:
            texts = [row[i].ljust(widths[i]) for i in range(3)]
            texts += [row[i].rjust(widths[i]) for i in range(3, 5)]
            lines.append("  ".join(texts).rstrip())
        rule = "-" * max(len(line) for line in lines)
        frozen = self.total_parameters - self.trainable_parameters
        lines = [
            lines[0], rule, *lines[1:], rule,
            f"Parameters: {self.total_parameters:,} "
            f"({self.trainable_parameters:,} trainable, {frozen:,} frozen), "
            f"{self.parameter_bytes / 1e6:,.2f} MB",
            f"FLOPs of one forward pass: {self.total_flops:,.0f}",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def _shape_text(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else str(list(shape))


def _first_shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of the first tensor in what a module takes or gives."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    items: Iterable[Any] = ()
    if isinstance(value, Mapping):
        items = value.values()
    elif isinstance(value, (tuple, list)):
        items = value
    for item in items:
        shape = _first_shape(item)
        if shape is not None:
            return shape
    return None


class _Watch:
    """Hooks on all modules that note shapes and the FLOPs between call and return."""

    def __init__(self, model: Module, profile: Profile) -> None:
        self.layers: list[LayerInfo] = []
        self.profile = profile
        self.started: list[float] = []
        self.handles: list[Any] = []
        for name, module in model.named_modules():
            depth = name.count(".") + 1 if name else 0
            info = LayerInfo(name, module, depth)
            self.layers.append(info)
            self.watch(module, info)

    def flops(self) -> float:
        return float(sum(row[3] for row in self.profile.table().values()))

    def watch(self, module: Module, info: LayerInfo) -> None:
        def enter(module: Any, args: Any, kwargs: Any) -> None:
            if info.input_shape is None:
                info.input_shape = _first_shape(args) or _first_shape(kwargs)
            self.started.append(self.flops())

        def leave(module: Any, args: Any, result: Any) -> None:
            info.flops += self.flops() - self.started.pop()
            info.calls += 1
            info.output_shape = _first_shape(result)

        self.handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        self.handles.append(module.register_forward_hook(leave))

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def summary(
    model: Module,
    input: Any = None,
    *,
    input_size: tuple[int, ...] | list[tuple[int, ...]] | None = None,
    dtype: Any = None,
    depth: int | None = None,
    **kwargs: Any,
) -> ModelSummary:
    """Run a model once and return the table of its layers.

    It runs without gradients, in evaluation mode, and is left as it was found; random
    numbers that it draws are given back.

    Args:
        model: Any module.
        input: What the model is called with: a tensor, or a tuple of arguments.
        input_size: Instead, the shape of a tensor of zeros, or a list of shapes.
        dtype: The dtype of these zeros.
        depth: How many levels of modules within modules the table shows.
        kwargs: Keyword arguments of the call.

    Example:
        >>> print(summary(nn.Linear(2, 3), ones(5, 2)))
        Layer   Input   Output  Parameters  FLOPs
        -----------------------------------------
        Linear  [5, 2]  [5, 3]           9     60
        -----------------------------------------
        Parameters: 9 (9 trainable, 0 frozen), 0.00 MB
        FLOPs of one forward pass: 60
    """
    if input is None and input_size is None:
        raise TypeError("summary: expected an input or an input_size, got neither")
    if input is None:
        sizes = input_size if isinstance(input_size, list) else [input_size]
        arguments = tuple(tinytorch.zeros(size, dtype=dtype) for size in sizes)
    else:
        arguments = tuple(input) if isinstance(input, (tuple, list)) else (input,)
    modes = [(module, module.training) for module in model.modules()]
    random_state = tinytorch.get_rng_state()
    profile = Profile()
    watch = _Watch(model, profile)
    profile.start()
    try:
        model.eval()
        with tinytorch.no_grad():
            model(*arguments, **kwargs)
        flops = watch.flops()
    finally:
        profile.stop()
        watch.remove()
        tinytorch.set_rng_state(random_state)
        for module, training in modes:
            module.training = training
    parameters = list(model.parameters())
    totals = (
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.numel() * p.element_size() for p in parameters),
    )
    return ModelSummary(watch.layers, totals, flops, depth)
