"""Folding of batch normalization into the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

import tinytorch
from tinytorch.nn.parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]


def _fused(layer: Any, bn: Any, weights: Any) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    made = copy.deepcopy(layer)
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    made.weight, made.bias = weights(made)
    return made


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Return one convolution that does what `conv` and then `bn` do in evaluation."""

    def weights(made: Any) -> Any:
        return fuse_conv_bn_weights(
            made.weight,
            made.bias,
            bn.running_mean,
            bn.running_var,
            bn.eps,
            bn.weight,
            bn.bias,
            transpose,
        )

    return _fused(conv, bn, weights)


def fuse_conv_bn_weights(
    conv_w: Any,
    conv_b: Any,
    bn_rm: Any,
    bn_rv: Any,
    bn_eps: float,
    bn_w: Any,
    bn_b: Any,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a convolution with a normalization folded in.

    Args:
        transpose: whether the outputs are the weight's second dimension.
    """
    b = tinytorch.zeros_like(bn_rm) if conv_b is None else conv_b
    gain = tinytorch.ones_like(bn_rm) if bn_w is None else bn_w
    shift = tinytorch.zeros_like(bn_rm) if bn_b is None else bn_b
    scale = gain * tinytorch.rsqrt(bn_rv + bn_eps)
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    w = (conv_w * scale.reshape(shape)).to(dtype=conv_w.dtype)
    b = ((b - bn_rm) * scale + shift).to(dtype=b.dtype)
    requires_bias = conv_w.requires_grad if conv_b is None else conv_b.requires_grad
    return Parameter(w, conv_w.requires_grad), Parameter(b, requires_bias)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return one linear layer that does what `linear` and then `bn` do."""
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1"
        )

    def weights(made: Any) -> Any:
        return fuse_linear_bn_weights(
            made.weight,
            made.bias,
            bn.running_mean,
            bn.running_var,
            bn.eps,
            bn.weight,
            bn.bias,
        )

    return _fused(linear, bn, weights)


def fuse_linear_bn_weights(
    linear_w: Any,
    linear_b: Any,
    bn_rm: Any,
    bn_rv: Any,
    bn_eps: float,
    bn_w: Any,
    bn_b: Any,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a linear layer with a normalization folded in."""
    b = tinytorch.zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * tinytorch.rsqrt(bn_rv + bn_eps)
    w = (linear_w * scale.unsqueeze(-1)).to(dtype=linear_w.dtype)
    b = ((b - bn_rm) * scale + bn_b).to(dtype=b.dtype)
    requires_bias = (
        linear_w.requires_grad if linear_b is None else linear_b.requires_grad
    )
    return Parameter(w, linear_w.requires_grad), Parameter(b, requires_bias)
