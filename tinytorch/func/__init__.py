"""Functions of networks: a module as a function of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch.nn.utils.stateless import _functional_call

__all__ = ["functional_call"]


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: dict[str, Any] | Sequence[dict[str, Any]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors as its parameters and buffers.

    Args:
        module: what is called; it is afterwards as before.
        parameter_and_buffer_dicts: tensors by name, in one dict or several.
        args: one argument or a tuple of them.
        kwargs: keyword arguments.
        tie_weights: whether all names of a shared tensor get the value given to one.
        strict: whether all parameters and buffers must be given, and nothing else.
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        values = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        dicts = parameter_and_buffer_dicts
        if not all(isinstance(d, dict) for d in dicts):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        values = {key: x for d in dicts for key, x in d.items()}
        if len(values) != sum(len(d) for d in dicts):
            names = [key for d in dicts for key in d]
            repeated = next(key for key in names if names.count(key) > 1)
            raise ValueError(
                f"{repeated} appears in multiple dictionaries; behavior of functional "
                "call is ambiguous"
            )
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of "
            f"dicts, but got {type(parameter_and_buffer_dicts)}"
        )
    return _functional_call(
        module, values, args, kwargs, tie_weights=tie_weights, strict=strict
    )
