"""Compare derivatives with central differences, of first and second order.

The Jacobian J of every output with respect to every input is found twice: column by
column as (f(x + eps e_j) - f(x - eps e_j)) / 2 eps, and row by row with backward. The
fast mode compares v' J u for one random pair u, v instead.
"""

from __future__ import annotations

import itertools
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator

import tinytorch
from tinytorch._core.engine import run_backward
from tinytorch._typing import Any
from tinytorch.autograd.grad_mode import no_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised when a derivative is wrong."""


# undefined: leave the gradients of the other outputs undefined
_Options = namedtuple(
    "_Options", ("eps", "atol", "rtol", "nondet_tol", "undefined", "dtypes"))


# ---- arguments ----


def _tensors(x: Any) -> tuple[Any, ...]:
    if isinstance(x, tinytorch.Tensor):
        return (x,)
    return tuple(x)


def _differentiable(outputs: Any) -> list[Any]:
    return [
        y
        for y in _tensors(outputs)
        if isinstance(y, tinytorch.Tensor) and y.dtype.is_floating_point
    ]


def _check_inputs(inputs: tuple[Any, ...]) -> list[Any]:
    checked = [x for x in inputs if isinstance(x, tinytorch.Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none "
            "of the them have requires_grad=True."
        )
    for i, x in enumerate(inputs):
        if not isinstance(x, tinytorch.Tensor) or not x.requires_grad:
            continue
        if x.dtype != tinytorch.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating "
                "point or complex. This check will likely fail if all the inputs are "
                "not of double precision floating point or complex. ",
                stacklevel=3,
            )
        if any(s == 0 and n > 1 for s, n in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only "
                "supports inputs that are non-overlapping to be able to compute the "
                "numerical gradients correctly. You should call .contiguous on the "
                "input before passing it to gradcheck."
            )
        if not x.is_leaf:
            x.retain_grad()
    return checked


# ---- both ways to differentiate ----


def _positions(x: Any) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(n) for n in x.shape))


def _evaluate(func: Callable[..., Any], inputs: tuple[Any, ...]) -> list[Any]:
    """Outputs as copies: ``func`` may return its input, which is about to change."""
    with no_grad():
        return [y.detach().clone() for y in _differentiable(func(*inputs))]


def _numerical(
    func: Callable[..., Any], inputs: tuple[Any, ...], x: Any, eps: float
) -> list[Any]:
    """One (numel(x), numel(y)) matrix per output y."""
    data = x.detach()  # the same memory, so that func sees each step
    columns: list[list[Any]] = []
    for at in _positions(x):
        before = data[at].item()
        data[at] = before + eps
        above = _evaluate(func, inputs)
        data[at] = before - eps
        below = _evaluate(func, inputs)
        data[at] = before
        columns.append(
            [
                ((a - b) / (2 * eps)).reshape(-1)
                for a, b in zip(above, below, strict=True)
            ]
        )
    return [tinytorch.stack(column) for column in zip(*columns, strict=True)]


def _backward(outputs: list[Any], grads: list[Any], checked: list[Any]) -> list[Any]:
    if not any(y.requires_grad for y in outputs):
        return [None] * len(checked)
    pairs = [(y, g) for y, g in zip(outputs, grads, strict=True) if y.requires_grad]
    ys, gs = zip(*pairs, strict=True)
    return list(
        run_backward(
            ys, gs, True, False, checked, allow_unused=True, accumulate_into_grad=False
        )
    )


def _row(
    outputs: list[Any], i: int, gy: Any, checked: list[Any], options: _Options
) -> list[Any]:
    """Gradients of the inputs when output ``i`` has gradient ``gy``, others none."""
    if options.undefined:
        return _backward([outputs[i]], [gy], checked)
    grads = [gy if j == i else tinytorch.zeros_like(y) for j, y in enumerate(outputs)]
    return _backward(outputs, grads, checked)


def _check_gradient(x: Any, gx: Any, options: _Options) -> None:
    if gx is None:
        return
    if gx.shape != x.shape:
        raise GradcheckError(
            f"grad is incorrect size: expected {tuple(x.shape)}, got {tuple(gx.shape)}"
        )
    if options.dtypes and gx.dtype != x.dtype:
        raise GradcheckError(f"grad has dtype {gx.dtype} where the input has {x.dtype}")


def _analytical(
    outputs: list[Any], i: int, checked: list[Any], options: _Options
) -> list[Any]:
    """One (numel(x), numel(y_i)) matrix per checked input x."""
    y = outputs[i]
    rows: list[list[Any]] = [[] for _ in checked]
    for at in _positions(y):
        gy = tinytorch.zeros_like(y, memory_format=tinytorch.contiguous_format)
        gy[at] = 1
        for x, gx, found in zip(
            checked, _row(outputs, i, gy, checked, options), rows, strict=True
        ):
            _check_gradient(x, gx, options)
            found.append(
                tinytorch.zeros(x.numel(), dtype=x.dtype)
                if gx is None
                else gx.reshape(-1)
            )
    return [tinytorch.stack(found, 1) for found in rows]


# ---- comparisons ----


def _compare(
    analytical: Any, numerical: Any, i: int, j: int, options: _Options
) -> None:
    numerical = numerical.to(analytical.dtype)
    if tinytorch.allclose(analytical, numerical, options.rtol, options.atol):
        return
    raise GradcheckError(
        f"Jacobian mismatch for output {i} with respect to input {j},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _check_slow(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[Any], o: _Options
) -> None:
    # first, because it writes to the inputs that a graph would have saved
    found = [_numerical(func, inputs, x, o.eps) if x.numel() else None for x in checked]
    outputs = _differentiable(func(*inputs))
    for i, y in enumerate(outputs):
        if not y.numel():
            continue
        matrices = _analytical(outputs, i, checked, o)
        again = _analytical(outputs, i, checked, o)
        for j, (matrix, second) in enumerate(zip(matrices, again, strict=True)):
            numerical = found[j]
            if numerical is None:
                continue
            _check_repeatable(matrix, second, o)
            _compare(matrix, numerical[i], i, j, o)


def _check_repeatable(first: Any, second: Any, o: _Options) -> None:
    if (first - second).abs().max().item() > o.nondet_tol:
        raise GradcheckError(
            "Backward is not reentrant, i.e., running backward with same input and "
            "grad_output multiple times gives different values, although analytical "
            "gradient matches numerical gradient. The tolerance for nondeterminism was "
            f"{o.nondet_tol}."
        )


def _unit_like(x: Any, generator: Any) -> Any:
    """Return a random direction of length 1, so that no element moves by more than eps:
    many elements moved by eps each would step over the kinks of a function."""
    u = tinytorch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return u / u.norm() if x.numel() else u


def _check_fast(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[Any], o: _Options
) -> None:
    outputs = _differentiable(func(*inputs))
    generator = tinytorch.Generator()  # leaves the caller's random numbers alone
    seeds = [_unit_like(y, generator) for y in outputs]
    rows = [
        _row(outputs, i, v, checked, o) if v.numel() else [None] * len(checked)
        for i, v in enumerate(seeds)
    ]
    for j, x in enumerate(checked):
        if not x.numel():
            continue
        u = _unit_like(x, generator)
        data = x.detach()
        before = data.clone()
        data.copy_(before + o.eps * u)
        above = _evaluate(func, inputs)
        data.copy_(before - o.eps * u)
        below = _evaluate(func, inputs)
        data.copy_(before)
        for i, (a, b, v) in enumerate(zip(above, below, seeds, strict=True)):
            gx = rows[i][j]
            _check_gradient(x, gx, o)
            numerical = ((a - b) / (2 * o.eps) * v).sum()
            analytical = (
                tinytorch.zeros_like(numerical) if gx is None else (gx * u).sum()
            )
            # an error of atol in every element of J adds up to this
            atol = o.atol * u.sum().item() * v.sum().item()
            _compare(analytical, numerical, i, j, o._replace(atol=atol))


# ---- public ----


def _refuse(**unsupported: bool) -> None:
    for name, value in unsupported.items():
        if value:
            raise NotImplementedError(f"gradcheck: {name}=True is not supported")


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Return whether backward agrees with central differences; raise where it does not.

    Args:
        func: A function of ``inputs`` that returns a tensor or a tuple of them.
        inputs: Tensors, those to check with ``requires_grad=True`` and in float64.
        eps: Step of the differences.
        atol: Absolute tolerance.
        rtol: Relative tolerance.
        raise_exception: Raise GradcheckError instead of returning False.
        nondet_tol: How much two runs of backward may differ.
        check_undefined_grad: Differentiate one output while the others have no
            gradient; with False they have gradient zero.
        check_grad_dtypes: Require gradients of the dtype of their inputs.
        check_batched_grad: Not supported.
        check_batched_forward_grad: Not supported.
        check_forward_ad: Not supported.
        check_backward_ad: Must be True.
        fast_mode: Compare one random projection instead of the whole Jacobian.
        masked: Has no effect on dense tensors.

    Example:
        >>> x = tinytorch.rand(3, dtype=tinytorch.float64, requires_grad=True)
        >>> gradcheck(tinytorch.exp, x)
        True
    """
    _refuse(
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
    )
    if not check_backward_ad:
        raise ValueError("gradcheck: check_backward_ad=False leaves nothing to check")
    inputs = _tensors(inputs)
    options = _Options(
        eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes
    )
    try:
        checked = _check_inputs(inputs)
        outputs = _differentiable(func(*inputs))
        if not any(y.requires_grad for y in outputs):
            _check_constant(func, inputs, checked, options)
        else:
            check = _check_fast if fast_mode else _check_slow
            check(func, inputs, checked, options)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_constant(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[Any], o: _Options
) -> None:
    """Outputs that claim to have no derivative must not change with the inputs."""
    for j, x in enumerate(checked):
        for i, matrix in enumerate(_numerical(func, inputs, x, o.eps)):
            if matrix.numel() and matrix.abs().max().item() > o.atol:
                raise GradcheckError(
                    f"Numerical gradient for function expected to be zero: output {i} "
                    f"changes with input {j} but does not require grad"
                )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the derivative of backward, in ``inputs`` and in the outputs' gradients.

    Args:
        func: As in ``gradcheck``.
        inputs: As in ``gradcheck``.
        grad_outputs: Gradients of the outputs. Default: random ones.
        gen_non_contig_grad_outputs: Make the random ones non-contiguous.
        check_fwd_over_rev: Not supported.
        check_rev_over_rev: Must be True.

    The other arguments are those of ``gradcheck``.

    Example:
        >>> x = tinytorch.rand(3, dtype=tinytorch.float64, requires_grad=True)
        >>> gradgradcheck(tinytorch.exp, x)
        True
    """
    _refuse(check_fwd_over_rev=check_fwd_over_rev)
    if not check_rev_over_rev:
        raise ValueError(
            "gradgradcheck: check_rev_over_rev=False leaves nothing to check"
        )
    inputs = _tensors(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*inputs))
        grad_outputs = tuple(
            _random_gradient(y, gen_non_contig_grad_outputs) for y in outputs
        )
    else:
        grad_outputs = _tensors(grad_outputs)
    count = len(grad_outputs)

    def first_derivative(*args: Any) -> tuple[Any, ...]:
        xs, seeds = args[:-count], args[-count:]
        xs = tuple(
            x if not isinstance(x, tinytorch.Tensor) or x.requires_grad else x.detach()
            for x in xs
        )
        pairs = [
            (y, g)
            for y, g in zip(_differentiable(func(*xs)), seeds, strict=True)
            if y.requires_grad
        ]
        wanted = [x for x in xs if isinstance(x, tinytorch.Tensor) and x.requires_grad]
        found = run_backward(
            [y for y, _ in pairs],
            [g for _, g in pairs],
            True,
            True,
            wanted,
            allow_unused=True,
            accumulate_into_grad=False,
        )
        return tuple(gx for gx in found if gx is not None)

    def recorded(*args: Any) -> tuple[Any, ...]:
        with tinytorch.enable_grad():  # backward needs the graph of func
            return first_derivative(*args)

    return gradcheck(
        recorded,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        masked=masked,
    )


def _random_gradient(y: Any, strided: bool) -> Any:
    shape = (*y.shape, 2) if strided else y.shape
    gy = tinytorch.rand(shape, dtype=y.dtype, device=y.device)
    return (gy[..., 0] if strided else gy).requires_grad_()
