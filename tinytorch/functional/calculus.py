"""Differences, gradients and integrals of samples along a dimension."""

from __future__ import annotations

from collections.abc import Sequence

from tinytorch._core.ops.creation import zeros
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.lines import delivered
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import bool_, uint8
from tinytorch._typing import Any

__all__ = ["cumulative_trapezoid", "diff", "gradient", "trapezoid", "trapz"]
METHODS = ["diff"]


def _dim(dim: int, rank: int) -> int:
    most = max(rank, 1)
    if not -most <= dim < most:
        raise IndexError(
            "Dimension out of range (expected to be in range of "
            f"[{-most}, {most - 1}], but got {dim})"
        )
    return dim % most


# ---- differences ----


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the n-th differences of neighbours along `dim`.

    Args:
        prepend: is put before the input, `append` behind it.

    Example:
        >>> diff(tensor([1, 3, 6])).tolist()
        [2, 3]
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    d = _dim(dim, input.ndim)
    for part in (prepend, append):
        if part is not None:
            _check_part(input, part, d)
    if n == 0:
        return delivered(input.clone(), out)
    parts = [part for part in (prepend, input, append) if part is not None]
    y = input if len(parts) == 1 else cat(parts, d)
    for _ in range(min(n, y.shape[d])):
        size = y.shape[d] - 1
        later, earlier = y.narrow(d, 1, size), y.narrow(d, 0, size)
        y = later.logical_xor(earlier) if y.dtype == bool_ else later - earlier
    return delivered(y, out)


def _check_part(x: Tensor, part: Tensor, dim: int) -> None:
    if part.ndim != x.ndim:
        raise RuntimeError(
            "diff expects prepend or append to be the same dimension as input"
        )
    for i, (one, other) in enumerate(zip(x.shape, part.shape, strict=True)):
        if i != dim and one != other:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that "
                f"of input except along the differencing dimension; input.size({i}) = "
                f"{one}, but got tensor.size({i}) = {other}"
            )


# ---- gradients ----


def gradient(
    input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Return estimates of the derivatives of samples along each dimension.

    Args:
        spacing: the distance of neighbours, one for each dimension, or the coordinates.
        edge_order: 1 or 2, the order of the estimate at both ends.

    Example:
        >>> gradient(tensor([1.0, 4.0, 9.0]))[0].tolist()
        [3.0, 4.0, 5.0]
    """
    dims = _gradient_dims(input, dim)
    steps = _spacing(input, spacing, dims, dim)
    if input.dtype == uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise RuntimeError(
            "torch.gradient only supports edge_order=1 and edge_order=2."
        )
    for d in dims:
        if (input.shape[d] if input.ndim else 1) < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least "
                "edge_order+1"
            )
    return tuple(
        _along_coordinates(input, d, step, edge_order)
        if isinstance(step, Tensor)
        else _along_steps(input, d, step, edge_order)
        for d, step in zip(dims, steps, strict=True)
    )


def _gradient_dims(x: Tensor, dim: Any) -> list[int]:
    if dim is None:
        return list(range(x.ndim))
    dims = [_dim(d, x.ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return dims


def _spacing(x: Tensor, spacing: Any, dims: list[int], dim: Any) -> list[Any]:
    """One step or one vector of coordinates for each dimension."""
    if spacing is None:
        return [1.0] * len(dims)
    if isinstance(spacing, Tensor) or not isinstance(spacing, Sequence):
        if isinstance(spacing, Tensor):
            raise TypeError(
                "gradient(): argument 'spacing' must be a number or a sequence "
                "of numbers or tensors, not Tensor"
            )
        return [float(spacing)] * len(dims)
    steps = list(spacing)
    if len(steps) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of "
            f"length equal to 'self.dim() = {x.ndim}', since dim argument was not "
            f"given, but got a list of length {len(steps)}"
            if dim is None
            else "torch.gradient expected spacing to be unspecified, a scalar or it's "
            "spacing and dim arguments to have the same length, but got a spacing "
            f"argument of length {len(steps)} and a dim argument of length {len(dims)}."
        )
    devices = {one.device.type for one in [x, *steps] if isinstance(one, Tensor)}
    if len(devices) > 1:
        raise RuntimeError(
            "torch.gradient expected each tensor to be on the same device, "
            f"but got devices {' and '.join(sorted(devices))}!"
        )
    for i, step in enumerate(steps):
        if isinstance(step, Tensor):
            if step.ndim != 1:
                raise RuntimeError(
                    "torch.gradient expected each element of spacing to have one "
                    f"dimension, but got an element with {step.ndim} dimensions!"
                )
        elif not isinstance(step, (int, float)):
            raise TypeError(
                f"expected Tensor as element {i} in argument 1, but got "
                f"{type(step).__name__}"
            )
    return steps


def _part(x: Tensor, dim: int, begin: int, end: int) -> Tensor:
    """x[begin:end] along dim; an end of 0 is that of x."""
    size = x.shape[dim]
    begin %= size
    return x.narrow(dim, begin, (size if end == 0 else end % size) - begin)


def _along_steps(x: Tensor, dim: int, step: float, edge_order: int) -> Tensor:
    """Central differences over 2 step, one-sided ones at the ends."""
    inner = (_part(x, dim, 2, 0) - _part(x, dim, 0, -2)) / (2 * step)
    if edge_order == 1:
        first = (_part(x, dim, 1, 2) - _part(x, dim, 0, 1)) / step
        last = (_part(x, dim, -1, 0) - _part(x, dim, -2, -1)) / step
    else:
        first = (
            _part(x, dim, 0, 1) * -1.5 + _part(x, dim, 1, 2) * 2 - _at(x, dim, 2) * 0.5
        ) / step
        last = (
            _part(x, dim, -1, 0) * 1.5
            - _part(x, dim, -2, -1) * 2
            + _at(x, dim, -3) * 0.5
        ) / step
    return cat([first, inner, last], dim)


def _at(x: Tensor, dim: int, i: int) -> Tensor:
    return x.narrow(dim, i % x.shape[dim], 1)


def _along_coordinates(x: Tensor, dim: int, at: Tensor, edge_order: int) -> Tensor:
    """The derivative of the parabola through three neighbours: weights a, b, c."""
    if at.shape[0] != x.shape[dim]:
        raise RuntimeError(
            "torch.gradient expected the coordinates of a dimension to have its size "
            f"{x.shape[dim]}, but got {at.shape[0]}"
        )
    shape = [1] * x.ndim
    shape[dim] = -1
    step = (at[1:] - at[:-1]).reshape(shape)
    before, after = _part(step, dim, 0, -1), _part(step, dim, 1, 0)
    a = -after / (before * (before + after))
    b = (after - before) / (before * after)
    c = before / (after * (before + after))
    size = x.shape[dim] - 2
    inner = (
        a * x.narrow(dim, 0, size)
        + b * x.narrow(dim, 1, size)
        + c * x.narrow(dim, 2, size)
    )
    first, last = _at(step, dim, 0), _at(step, dim, -1)
    if edge_order == 1:
        begin = (_at(x, dim, 1) - _at(x, dim, 0)) / first
        end = (_at(x, dim, -1) - _at(x, dim, -2)) / last
    else:
        begin = _edge(x, dim, (0, 1, 2), first, _at(step, dim, 1))
        end = -_edge(x, dim, (-1, -2, -3), last, _at(step, dim, -2))
    return cat([begin, inner, end], dim)


def _edge(x: Tensor, dim: int, i: tuple[int, int, int], p: Tensor, q: Tensor) -> Tensor:
    """The parabola's slope at the first of three points that are p and q apart."""
    a = -(2 * p + q) / (p * (p + q))
    b = (p + q) / (p * q)
    c = -p / (q * (p + q))
    return a * _at(x, dim, i[0]) + b * _at(x, dim, i[1]) + c * _at(x, dim, i[2])


# ---- integrals ----


def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Return the integral along `dim` by the trapezoidal rule.

    Args:
        x: the coordinates of the samples; without them neighbours are `dx` apart.

    Example:
        >>> trapezoid(tensor([1.0, 2.0, 4.0])).item()
        4.5
    """
    d = _check_samples("trapezoid", y, x, dx, dim)
    if y.shape[d] == 0:
        return zeros(*[n for i, n in enumerate(y.shape) if i != d], dtype=y.dtype)
    return _areas("trapezoid", y, x, dx, d).sum(d)


def trapz(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Return the same as trapezoid."""
    return trapezoid(y, x, dx=dx, dim=dim)


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Return the running integral along `dim` by the trapezoidal rule.

    Example:
        >>> cumulative_trapezoid(tensor([1.0, 2.0, 4.0])).tolist()
        [1.5, 4.5]
    """
    d = _check_samples("cumulative_trapezoid", y, x, dx, dim)
    return _areas("cumulative_trapezoid", y, x, dx, d).cumsum(d)


def _check_samples(
    name: str, y: Tensor, x: Tensor | None, dx: float | None, dim: int
) -> int:
    if x is not None and dx is not None:
        raise TypeError(
            f"{name}() received an invalid combination of arguments: x and dx "
            "exclude each other"
        )
    if y.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if y.dtype == bool_ or (x is not None and x.dtype == bool_):
        which = "y" if y.dtype == bool_ else "x"
        raise RuntimeError(
            f"{name}: received a bool input for `{which}`, but bool is not supported"
        )
    return _dim(dim, y.ndim)


def _areas(
    name: str, y: Tensor, x: Tensor | None, dx: float | None, dim: int
) -> Tensor:
    """The areas of the trapezoids between neighbours."""
    size = y.shape[dim] - 1
    sides = y.narrow(dim, 1, size) + y.narrow(dim, 0, size)
    if x is None:
        return sides * ((1.0 if dx is None else float(dx)) / 2)
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point"
            )
        shape = [1] * y.ndim
        shape[dim] = -1
        return sides * (x[1:] - x[:-1]).reshape(shape) / 2
    # coordinates broadcast against the samples from the right
    x = x.reshape([1] * (y.ndim - x.ndim) + list(x.shape))
    if x.shape[dim] != y.shape[dim]:
        raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
    return sides * (x.narrow(dim, 1, size) - x.narrow(dim, 0, size)) / 2
