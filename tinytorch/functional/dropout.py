"""Dropout and other noise as torch.nn.functional has them: keyword defaults, checks."""

from __future__ import annotations

import warnings

from tinytorch._core.ops import dropout as ops
from tinytorch._core.ops.creation import empty_like, zeros_like
from tinytorch._core.ops.dropout import rrelu_
from tinytorch._core.ops.softmax import softmax
from tinytorch._core.tensor import Tensor

FUNCTIONAL = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "gumbel_softmax",
    "rrelu",
    "rrelu_",
]


def _check(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Return the input with elements zeroed with probability p, others scaled up.

    Args:
        input: Any shape.
        p: Probability of an element to be zeroed; the others are divided by ``1 - p``.
        training: False returns the input as it is.
        inplace: Whether the input itself is changed.
    """
    _check(p)
    function = ops.dropout_ if inplace else ops.dropout
    return function(input, p, training)


def alpha_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return `dropout` that keeps mean and variance, for networks of selu units."""
    _check(p)
    function = ops.alpha_dropout_ if inplace else ops.alpha_dropout
    return function(input, p, training)


def feature_alpha_dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return `alpha_dropout` of whole channels, the input's second dimension."""
    _check(p)
    function = ops.feature_alpha_dropout_ if inplace else ops.feature_alpha_dropout
    return function(input, p, training)


def _channels(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    function = ops.feature_dropout_ if inplace else ops.feature_dropout
    return function(input, p, training)


def dropout1d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Return `dropout` of whole channels of (N, C, L) or (C, L)."""
    _check(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            "dropout1d: Expected 2D or 3D input, but received a "
            f"{input.ndim}D input. Note that dropout1d exists to provide channel-wise "
            "dropout on inputs with 1 spatial dimension, a channel dimension, and an "
            "optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.ndim == 3:
        return _channels(input, p, training, inplace)
    if inplace:
        _channels(input.unsqueeze_(0), p, training, True)
        return input.squeeze_(0)
    return _channels(input.unsqueeze(0), p, training, False).squeeze(0)


def dropout2d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Return `dropout` of whole channels of (N, C, H, W)."""
    _check(p)
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is "
            "deprecated and will result in an error in a future release. To retain the "
            "behavior and silence this warning, please use dropout instead. Note that "
            "dropout2d exists to provide channel-wise dropout on inputs with 2 spatial "
            "dimensions, a channel dimension, and an optional batch dimension (i.e. 3D "
            "or 4D inputs).",
            stacklevel=2,
        )
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that "
            "channel-wise 1D dropout behavior is desired - input is interpreted as "
            "shape (N, C, L), where C is the channel dim. This behavior will change in "
            "a future release to interpret the input as one without a batch dimension, "
            "i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, "
            "please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _channels(input, p, training, inplace)


def dropout3d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Return `dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W)."""
    _check(p)
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is "
            "deprecated and will result in an error in a future release. To retain the "
            "behavior and silence this warning, please use dropout instead. Note that "
            "dropout3d exists to provide channel-wise dropout on inputs with 3 spatial "
            "dimensions, a channel dimension, and an optional batch dimension (i.e. 4D "
            "or 5D inputs).",
            stacklevel=2,
        )
    if input.ndim == 5:
        return _channels(input, p, training, inplace)
    if inplace:
        _channels(input.unsqueeze_(0), p, training, True)
        return input.squeeze_(0)
    return _channels(input.unsqueeze(0), p, training, False).squeeze(0)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return x above zero and x times a slope of ``[lower, upper)`` elsewhere.

    Slopes are drawn in training; otherwise all are the mean of the bounds.
    """
    function = rrelu_ if inplace else ops.rrelu
    return function(input, lower, upper, training)


def gumbel_softmax(
    logits: Tensor,
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
) -> Tensor:
    """Return a sample that is nearly one-hot, differentiable in the logits.

    Args:
        logits: Logarithms of unnormalised probabilities.
        tau: Temperature.
        hard: Return one-hot rows; gradients are those of the soft sample.
        eps: Has no effect, as in PyTorch.
        dim: The dimension of the classes.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -empty_like(logits).exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
