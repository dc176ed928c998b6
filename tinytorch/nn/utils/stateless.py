"""Calls of a module with other tensors in the places of its parameters and buffers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tinytorch._core.tensor import Tensor

__all__ = ["functional_call"]

MISSING = object()


def _places(module: Any) -> dict[str, tuple[Any, str]]:
    """Return for each name of a parameter or buffer its module and its last part."""
    places = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        for table in (owner._parameters, owner._buffers):
            for name in table:
                places[f"{path}.{name}" if path else name] = owner, name
    return places


def _table(owner: Any, name: str) -> dict[str, Any]:
    table: dict[str, Any] = owner._parameters
    return table if name in table else owner._buffers


def _untied(
    places: dict[str, tuple[Any, str]], given: dict[str, Any]
) -> dict[str, Any]:
    """Give every name of a shared tensor the value that one of its names has."""
    tensors = {key: _table(*place)[place[1]] for key, place in places.items()}
    names: dict[int, list[str]] = {}
    for key, x in tensors.items():
        if x is not None:
            names.setdefault(id(x), []).append(key)
    values = dict(given)
    for key in given:
        x = tensors.get(key)
        for other in () if x is None else names[id(x)]:
            if other not in given:
                values[other] = given[key]
            elif given[other] is not given[key]:
                raise ValueError(
                    "functional_call got multiple values for keys "
                    f"{sorted(k for k in names[id(x)] if k in given)}, which are tied. "
                    "Consider using tie_weights=False"
                )
    return values


@contextlib.contextmanager
def _reparametrize_module(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    tie_weights: bool = False,
    strict: bool = False,
) -> Iterator[None]:
    """Hold the given tensors in a module for a while."""
    places = _places(module)
    values = parameters_and_buffers
    if tie_weights:
        values = _untied(places, values)
    unexpected = [key for key in values if key not in places]
    if strict:
        missing = [
            key
            for key, (owner, name) in places.items()
            if key not in values and _table(owner, name)[name] is not None
        ]
        if missing or unexpected:
            lines = [f"Error(s) in functional call for {type(module).__name__}:"]
            if unexpected:
                lines.append(f"Unexpected key(s): {', '.join(unexpected)}.")
            if missing:
                lines.append(f"Missing key(s): {', '.join(missing)}.")
            raise RuntimeError("\n\t".join(lines))
    for key in unexpected:  # an attribute for the time of the call
        path, _, name = key.rpartition(".")
        places[key] = module.get_submodule(path), name
    before: dict[str, Any] = {}
    try:
        for key, value in values.items():
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"{value} is not an instance of torch.Tensor")
            owner, name = places[key]
            table = _table(owner, name)
            before[key] = table.get(name, MISSING)
            # written to the table: it may hold what is no parameter
            table[name] = value
        yield
    finally:
        for key, value in before.items():
            owner, name = places[key]
            table = _table(owner, name)
            if key in parameters_and_buffers and name in owner._buffers:
                # a buffer that `forward` replaced goes out the way it came in
                parameters_and_buffers[key] = table[name]
            if value is MISSING:
                del table[name]
            else:
                table[name] = value


def _functional_call(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def functional_call(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other parameters; see ``tinytorch.func.functional_call``."""
    import warnings

    warnings.warn(
        "This API is deprecated as of PyTorch 2.0 and will be removed in a future "
        "version of PyTorch. Please use torch.func.functional_call instead which is a "
        "drop-in replacement for this API.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module,
        parameters_and_buffers,
        args,
        kwargs,
        tie_weights=tie_weights,
        strict=strict,
    )
