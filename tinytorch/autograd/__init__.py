"""Automatic differentiation: ``grad``, ``backward`` and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

import tinytorch
from tinytorch._core.engine import run_backward
from tinytorch._later import later as _later
from tinytorch._typing import Any
from tinytorch.autograd import functional, graph
from tinytorch.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from tinytorch.autograd.function import Function
from tinytorch.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from tinytorch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from tinytorch.autograd.variable import Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

__getattr__, __dir__ = _later(__name__)


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return (x,) if isinstance(x, tinytorch.Tensor) else tuple(x)


def _seeds(
    outputs: tuple[Any, ...], grads: tuple[Any, ...], batched: bool
) -> tuple[Any, ...]:
    """Check the gradients that backward starts from; None becomes ones."""
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    seeds = []
    for i, (y, gy) in enumerate(zip(outputs, grads, strict=True)):
        if gy is None:
            if y.requires_grad:
                if y.numel() != 1:
                    raise RuntimeError(
                        "grad can be implicitly created only for scalar outputs"
                    )
                if not y.dtype.is_floating_point:
                    raise RuntimeError(
                        "grad can be implicitly created only for real scalar outputs "
                        f"but got {y.dtype}"
                    )
                gy = tinytorch.ones_like(y)
        elif not isinstance(gy, tinytorch.Tensor):
            raise TypeError(
                f"gradients can be either Tensors or None, but got {type(gy).__name__}"
            )
        elif (shape := gy.shape[1:] if batched else gy.shape) != y.shape:
            raise RuntimeError(
                (
                    "If `is_grads_batched=True`, we interpret the first dimension of "
                    "each grad_output as the batch dimension. The sizes of the "
                    "remaining dimensions are expected to match the shape of "
                    "corresponding output, but a mismatch was detected: "
                    if batched
                    else "Mismatch in shape: "
                )
                + f"grad_output[{i}] has a shape of {shape} and output[{i}] has a "
                f"shape of {y.shape}."
            )
        seeds.append(gy)
    return tuple(seeds)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they came from.

    Args:
        tensors: The outputs to differentiate.
        grad_tensors: Their gradients; None for scalars means one.
        retain_graph: Keep the graph for another backward. Default: ``create_graph``.
        create_graph: Record backward itself, for higher derivatives.
        grad_variables: Old name of ``grad_tensors``.
        inputs: Only these tensors get a gradient.

    Example:
        >>> backward((x * x).sum())
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both "
                "passed to `backward()`. Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    tensors = _as_tuple(tensors)
    if inputs is not None:
        inputs = _as_tuple(inputs.values() if isinstance(inputs, dict) else inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    grads = (None,) * len(tensors) if grad_tensors is None else _as_tuple(grad_tensors)
    run_backward(
        tensors,
        _seeds(tensors, grads, batched=False),
        create_graph if retain_graph is None else retain_graph,
        create_graph,
        inputs,
        allow_unused=True,
        accumulate_into_grad=True,
    )


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Return the gradients of ``outputs`` with respect to ``inputs``.

    Args:
        outputs: A tensor or a sequence of them.
        inputs: A tensor, a sequence or a dictionary of them.
        grad_outputs: Gradients of the outputs; None for scalars means one.
        retain_graph: Keep the graph for another backward. Default: ``create_graph``.
        create_graph: Record backward itself, for higher derivatives.
        only_inputs: Must be True.
        allow_unused: Return None for an input that the outputs do not depend on.
        is_grads_batched: ``grad_outputs`` have a leading dimension, one backward each.
        materialize_grads: Return zeros instead of None.

    Example:
        >>> w = ones(2, requires_grad=True)
        >>> grad(w.pow(3).sum(), w)
        (tensor([3., 3.]),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when "
            "materialize_grads=True, but got: allow_unused=False."
        )
    if not only_inputs:
        raise ValueError("grad: only_inputs=False is not supported; use backward")
    names = list(inputs) if isinstance(inputs, dict) else None
    inputs = _as_tuple(inputs.values() if isinstance(inputs, dict) else inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    outputs = _as_tuple(outputs)
    grads = (None,) * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    seeds = _seeds(outputs, grads, is_grads_batched)
    keep = create_graph if retain_graph is None else retain_graph
    unused_is_fine = materialize_grads if allow_unused is None else allow_unused
    run = _run_batched if is_grads_batched else _run
    result = run(outputs, seeds, keep, create_graph, inputs, unused_is_fine)
    if materialize_grads:
        result = tuple(
            tinytorch.zeros_like(x, requires_grad=create_graph) if gx is None else gx
            for x, gx in zip(inputs, result, strict=True)
        )
    return dict(zip(names, result, strict=True)) if names is not None else result


def _run(
    outputs: tuple[Any, ...],
    seeds: tuple[Any, ...],
    keep: bool,
    create_graph: bool,
    inputs: tuple[Any, ...],
    allow_unused: bool,
) -> tuple[Any, ...]:
    return tuple(
        run_backward(
            outputs,
            seeds,
            keep,
            create_graph,
            inputs,
            allow_unused=allow_unused,
            accumulate_into_grad=False,
        )
    )


def _run_batched(
    outputs: tuple[Any, ...],
    seeds: tuple[Any, ...],
    keep: bool,
    create_graph: bool,
    inputs: tuple[Any, ...],
    allow_unused: bool,
) -> tuple[Any, ...]:
    sizes = {gy.shape[0] for gy in seeds if gy is not None}
    if len(sizes) != 1:
        raise ValueError(
            f"grad: expected grad_outputs with one batch size, got {sorted(sizes)}"
        )
    (n,) = sizes
    rows: list[Sequence[Any]] = [
        _run(
            outputs,
            tuple(None if gy is None else gy[i] for gy in seeds),
            keep or i + 1 < n,
            create_graph,
            inputs,
            allow_unused,
        )
        for i in range(n)
    ]
    columns = map(list, zip(*rows, strict=True))
    return tuple(
        None if any(gx is None for gx in column) else tinytorch.stack(column)
        for column in columns
    )
