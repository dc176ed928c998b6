"""Optimizers as functions: step other parameters by another state, for once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.optim.optimizer import Group, Optimizer

__all__ = ["swap_in_optimizer_params_and_state"]


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer,
    swapin_parameters: dict[str, Tensor],
    swapin_optim_state: dict[str, Any],
) -> Iterator[None]:
    """Let an optimizer work on other parameters and state within a ``with`` block.

    Args:
        optimizer: what is to step; it is as before when the block ends.
        swapin_parameters: by any names, in the order of the optimizer's own.
        swapin_optim_state: as `state_dict()` returns it; its tensors are written.
    """
    own = optimizer.state, optimizer.param_groups
    params = list(swapin_parameters.values())
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    if len(params) != count:
        raise ValueError(
            f"the optimizer has {count} parameters, {len(params)} are swapped in"
        )
    state: defaultdict[Any, Any] = defaultdict(dict)
    for key, value in swapin_optim_state["state"].items():
        state[params[key] if isinstance(key, int) else key] = dict(value)
    groups: list[Group] = []
    for saved in swapin_optim_state["param_groups"]:
        group = dict(saved)
        group["params"] = [params[number] for number in saved["params"]]
        groups.append(group)
    optimizer.state, optimizer.param_groups = state, groups
    try:
        yield
    finally:
        optimizer.state, optimizer.param_groups = own
