"""Derivatives of functions: products with the Jacobian and the Hessian, or they whole.

    vjp = v' J      jvp = J v      vhp = v' H      hvp = H v

J v is the derivative of u -> u' J, which is linear in u: two backwards and no
forward mode.
"""

from __future__ import annotations

from collections.abc import Callable

import tinytorch
from tinytorch._core.engine import run_backward
from tinytorch._typing import Any
from tinytorch.autograd.grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Any, ...]


# ---- arguments and results ----


def _as_tuple(x: Any, what: str, name: str) -> tuple[bool, Tensors]:
    """Return whether ``x`` was a tuple, and the tuple."""
    is_tuple = isinstance(x, tuple)
    xs = x if is_tuple else (x,)
    for i, t in enumerate(xs):
        if not isinstance(t, tinytorch.Tensor):
            which = f"the value at index {i}" if is_tuple else f"the given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of "
                f"Tensors but {which} has type {type(t)}."
            )
    return is_tuple, xs


def _fresh(xs: Tensors, create_graph: bool) -> Tensors:
    """New tensors to differentiate by, so that captured ones are told apart."""
    return tuple(
        x.view_as(x)
        if create_graph and x.requires_grad
        else x.detach().requires_grad_()
        for x in xs
    )


def _call(
    func: Callable[..., Any], xs: Tensors, name: str, strict: bool
) -> tuple[bool, Tensors]:
    is_tuple, ys = _as_tuple(func(*xs), "outputs of the user-provided function", name)
    if strict:
        for i, y in enumerate(ys):
            if not y.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require "
                    "gradients. The outputs must be computed in a differentiable "
                    "manner from the input when running in strict mode."
                )
    return is_tuple, ys


def _grad(ys: Tensors, grads: Tensors, xs: Tensors, create_graph: bool) -> Tensors:
    """``autograd.grad`` that takes outputs and inputs without a graph: None then."""
    pairs = [(y, g) for y, g in zip(ys, grads, strict=True) if y.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    return tuple(
        run_backward(
            [y for y, _ in pairs],
            [g for _, g in pairs],
            True,
            create_graph,
            xs,
            allow_unused=True,
            accumulate_into_grad=False,
        )
    )


def _filled(grads: Tensors, like: Tensors, what: str, strict: bool) -> Tensors:
    """Zeros for independent inputs, an error in strict mode."""
    if strict:
        for i, gx in enumerate(grads):
            if gx is None:
                raise RuntimeError(
                    f"{what} is independent of input {i}. This is not allowed in "
                    "strict mode."
                )
    return tuple(
        tinytorch.zeros_like(x) if gx is None else gx
        for gx, x in zip(grads, like, strict=True)
    )


def _result(ts: Tensors, is_tuple: bool, keep_graph: bool) -> Any:
    ts = ts if keep_graph else tuple(t.detach() for t in ts)
    return ts if is_tuple else ts[0]


def _vectors(v: Any, like: Tensors, is_tuple: bool, name: str) -> Tensors:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            condition = (
                "the user-provided function returns"
                if name == "vjp"
                else "the input to the user-provided function is"
            )
            raise RuntimeError(
                f"The vector v can only be None if {condition} a single Tensor with a "
                "single element."
            )
        return (tinytorch.ones_like(like[0]),)
    _, vs = _as_tuple(v, "v", name)
    if len(vs) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}."
            if is_tuple
            else "The given v should contain a single Tensor."
        )
    for i, (a, x) in enumerate(zip(vs, like, strict=True)):
        if a.shape != x.shape:
            entry = f"Entry {i} in " if is_tuple else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {x.shape} but got {a.shape}."
            )
    return vs


def _scalar(ys: Tensors, name: str) -> Any:
    if len(ys) != 1:
        raise RuntimeError(
            f"The function given to {name} should return a single Tensor"
        )
    if ys[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a "
            "single element"
        )
    return ys[0].reshape(())


# ---- products ----


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product v' J.

    Args:
        func: A function of tensors that returns tensors.
        inputs: A tensor or a tuple of them.
        v: Tensors shaped as the outputs; may be None for a single scalar.
        create_graph: Make the results differentiable.
        strict: Raise where an output does not depend on an input.

    Example:
        >>> vjp(lambda x: x.exp().sum(), tinytorch.zeros(2))
        (tensor(2.), tensor([1., 1.]))
    """
    in_tuple, xs = _as_tuple(inputs, "inputs", "vjp")
    with enable_grad():
        xs = _fresh(xs, create_graph)
        out_tuple, ys = _call(func, xs, "vjp", strict)
        vs = _vectors(v, ys, out_tuple, "vjp")
        grads = _grad(ys, vs, xs, create_graph)
        grads = _filled(grads, xs, "The output of the user-provided function", strict)
    return _result(ys, out_tuple, create_graph), _result(grads, in_tuple, create_graph)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product J v; arguments as in ``vjp``.

    Example:
        >>> jvp(tinytorch.exp, tinytorch.zeros(2), tinytorch.ones(2))
        (tensor([1., 1.]), tensor([1., 1.]))
    """
    in_tuple, xs = _as_tuple(inputs, "inputs", "jvp")
    with enable_grad():
        xs = _fresh(xs, create_graph)
        vs = _vectors(v, xs, in_tuple, "jvp")
        out_tuple, ys = _call(func, xs, "jvp", strict)
        duals = tuple(tinytorch.zeros_like(y, requires_grad=True) for y in ys)
        grads = _grad(ys, duals, xs, create_graph=True)
        grads = _filled(grads, xs, "The output of the user-provided function", strict)
        products = _grad(grads, vs, duals, create_graph)
        products = _filled(products, ys, "Jacobian of the function", False)
    return (
        _result(ys, out_tuple, create_graph),
        _result(products, out_tuple, create_graph),
    )


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, a scalar, and v' H; arguments as in ``vjp``.

    Example:
        >>> vhp(lambda x: (x * x).sum(), tinytorch.ones(2), tinytorch.ones(2))
        (tensor(2.), tensor([2., 2.]))
    """
    in_tuple, xs = _as_tuple(inputs, "inputs", "vhp")
    with enable_grad():
        xs = _fresh(xs, create_graph)
        vs = _vectors(v, xs, in_tuple, "vhp")
        out_tuple, ys = _call(func, xs, "vhp", strict)
        y = _scalar(ys, "vhp")
        grads = _grad((y,), (tinytorch.ones_like(y),), xs, create_graph=True)
        grads = _filled(grads, xs, "The output of the user-provided function", strict)
        products = _grad(grads, vs, xs, create_graph)
        products = _filled(
            products, xs, "The jacobian of the user-provided function", strict
        )
    return (
        _result(ys, out_tuple, create_graph),
        _result(products, in_tuple, create_graph),
    )


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, a scalar, and H v; arguments as in ``vjp``.

    H is symmetric, so this is ``vhp`` in the order of multiplication that does not
    rely on it.

    Example:
        >>> hvp(lambda x: (x * x).sum(), tinytorch.ones(2), tinytorch.ones(2))
        (tensor(2.), tensor([2., 2.]))
    """
    in_tuple, xs = _as_tuple(inputs, "inputs", "hvp")
    with enable_grad():
        xs = _fresh(xs, create_graph)
        vs = _vectors(v, xs, in_tuple, "hvp")
        out_tuple, ys = _call(func, xs, "hvp", strict)
        y = _scalar(ys, "hvp")
        grads = _grad((y,), (tinytorch.ones_like(y),), xs, create_graph=True)
        grads = _filled(grads, xs, "The output of the user-provided function", strict)
        duals = tuple(tinytorch.zeros_like(x, requires_grad=True) for x in xs)
        doubled = _grad(grads, duals, xs, create_graph=True)
        doubled = _filled(
            doubled, xs, "The jacobian of the user-provided function", strict
        )
        products = _filled(
            _grad(doubled, vs, duals, create_graph), xs, "Hessian", False
        )
    return (
        _result(ys, out_tuple, create_graph),
        _result(products, in_tuple, create_graph),
    )


# ---- whole matrices ----


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian: for output shape A and input shape B a tensor of shape A+B.

    Args:
        func: A function of tensors that returns tensors.
        inputs: A tensor or a tuple of them.
        create_graph: Make the result differentiable.
        strict: Raise where an output does not depend on an input.
        vectorize: Accepted; the rows are found one by one either way.
        strategy: ``"reverse-mode"``.

    Returns:
        A tensor; a tuple where inputs or outputs were one, over outputs first.

    Example:
        >>> jacobian(lambda x: x * 2, tinytorch.ones(2))
        tensor([[2., 0.],
                [0., 2.]])
    """
    if strategy != "reverse-mode":
        raise NotImplementedError(f"jacobian: strategy={strategy!r} is not supported")
    in_tuple, xs = _as_tuple(inputs, "inputs", "jacobian")
    with enable_grad():
        xs = _fresh(xs, create_graph)
        out_tuple, ys = _call(func, xs, "jacobian", strict)
        blocks = tuple(
            _rows(y, xs, create_graph, strict, f"Output {i}") for i, y in enumerate(ys)
        )
    results = tuple(_result(block, in_tuple, create_graph) for block in blocks)
    return results if out_tuple else results[0]


def _rows(y: Any, xs: Tensors, create_graph: bool, strict: bool, what: str) -> Tensors:
    """The Jacobians of one output, one per input."""
    n = y.numel()
    basis = tinytorch.eye(n, dtype=y.dtype, device=y.device)
    rows = []
    for i in range(n):
        grads = _grad((y,), (basis[i].reshape(y.shape),), xs, create_graph)
        grads = _filled(grads, xs, f"{what} of the user-provided function", strict)
        if strict and create_graph:
            for j, gx in enumerate(grads):
                if not gx.requires_grad:
                    raise RuntimeError(
                        "The jacobian of the user-provided function is independent of "
                        f"input {j}. This is not allowed in strict mode when "
                        "create_graph=True."
                    )
        rows.append(grads)
    if not rows:
        return tuple(x.new_zeros((*y.shape, *x.shape)) for x in xs)
    return tuple(
        tinytorch.stack(column).reshape((*y.shape, *x.shape))
        for column, x in zip(zip(*rows, strict=True), xs, strict=True)
    )


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a scalar function; arguments as in ``jacobian``.

    Example:
        >>> hessian(lambda x: (x ** 3).sum(), tinytorch.ones(2))
        tensor([[6., 0.],
                [0., 6.]])
    """
    in_tuple, xs = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy != "reverse-mode":
        raise NotImplementedError(
            f"hessian: outer_jacobian_strategy={outer_jacobian_strategy!r} is not "
            "supported"
        )

    def scalar(*args: Any) -> Any:
        out_tuple, ys = _as_tuple(
            func(*args), "outputs of the user-provided function", "hessian"
        )
        y = _scalar(ys, "hessian")
        if strict and not y.requires_grad:
            raise RuntimeError(
                "Output 0 of the user-provided function does not require gradients. "
                "The outputs must be computed in a differentiable manner from the "
                "input when running in strict mode."
            )
        return y

    def gradient(*args: Any) -> Tensors:
        block = jacobian(scalar, args, create_graph=True, strict=strict)
        return tuple(block)

    rows = jacobian(gradient, xs, create_graph=create_graph, strict=strict)
    return rows if in_tuple else rows[0][0]
