"""Gradients of convolutions as functions of what is known in backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tinytorch
from tinytorch.autograd import grad
from tinytorch.autograd.grad_mode import enable_grad
from tinytorch.nn import functional

__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input",
    "conv3d_weight",
]


def _input(
    conv: Callable[..., Any], size: Sequence[int], weight: Any, gy: Any, *options: Any
) -> Any:
    differentiable = tinytorch.is_grad_enabled()
    with enable_grad():
        x = tinytorch.zeros(*size, dtype=weight.dtype, device=weight.device)
        x.requires_grad_()
        y = conv(x, weight, None, *options)
    return grad(y, x, gy, create_graph=differentiable)[0]


def _weight(
    conv: Callable[..., Any], input: Any, size: Sequence[int], gy: Any, *options: Any
) -> Any:
    differentiable = tinytorch.is_grad_enabled()
    with enable_grad():
        weight = tinytorch.zeros(*size, dtype=input.dtype, device=input.device)
        weight.requires_grad_()
        y = conv(input, weight, None, *options)
    return grad(y, weight, gy, create_graph=differentiable)[0]


def conv1d_input(
    input_size: Sequence[int], weight: Any, grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv1d` by its input, whose size is given."""
    return _input(functional.conv1d, input_size, weight, grad_output, stride, padding,
                  dilation, groups)


def conv1d_weight(
    input: Any, weight_size: Sequence[int], grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv1d` by its weight, whose size is given."""
    return _weight(functional.conv1d, input, weight_size, grad_output, stride, padding,
                   dilation, groups)


def conv2d_input(
    input_size: Sequence[int], weight: Any, grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv2d` by its input, whose size is given."""
    return _input(functional.conv2d, input_size, weight, grad_output, stride, padding,
                  dilation, groups)


def conv2d_weight(
    input: Any, weight_size: Sequence[int], grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv2d` by its weight, whose size is given."""
    return _weight(functional.conv2d, input, weight_size, grad_output, stride, padding,
                   dilation, groups)


def conv3d_input(
    input_size: Sequence[int], weight: Any, grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv3d` by its input, whose size is given."""
    return _input(functional.conv3d, input_size, weight, grad_output, stride, padding,
                  dilation, groups)


def conv3d_weight(
    input: Any, weight_size: Sequence[int], grad_output: Any, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Any:
    """Return the gradient of `conv3d` by its weight, whose size is given."""
    return _weight(functional.conv3d, input, weight_size, grad_output, stride, padding,
                   dilation, groups)
