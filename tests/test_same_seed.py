"""The same seed gives the same run: weights, batches and losses equal PyTorch's."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from seeded_models import PROGRAMS, Program

torch = pytest.importorskip("torch")

STEPS = 20
RELATIVE = {"float32": 1e-5, "float64": 1e-10}  # how far losses may be apart
ULPS = 2  # how far a weight that was drawn from a normal distribution may be off


@dataclass(frozen=True)
class Run:
    """What a program did."""

    weights: dict[str, np.ndarray]
    normal: tuple[str, ...]
    batches: list[list[np.ndarray]]
    losses: list[float]
    after: list[int]  # what the generator draws next


def run(library: Any, make: Callable[[Any], Program], dtype: str) -> Run:
    """Seed a library, build a program and train it for `STEPS` steps."""
    library.set_default_dtype(getattr(library, dtype))
    try:
        library.manual_seed(0)
        program = make(library)
        weights = {name: p.detach().numpy().copy()
                   for name, p in program.model.named_parameters()}
        batches, losses = [], []
        for batch in endless(program.loader):
            batches.append([x.numpy().copy() for x in batch])
            losses.append(step(library, program, batch))
            if len(losses) == STEPS:
                break
        after = library.randint(1 << 30, (4,)).tolist()
    finally:
        library.set_default_dtype(library.float32)
    return Run(weights, program.normal, batches, losses, after)


def endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def step(library: Any, program: Program, batch: Any) -> float:
    """Update the weights; return the loss."""
    program.optimizer.zero_grad()
    loss = program.loss(*batch)
    loss.backward()
    if program.clip is not None:
        library.nn.utils.clip_grad_norm_(program.model.parameters(), program.clip)
    program.optimizer.step()
    if program.scheduler is not None:
        program.scheduler.step()
    return float(loss.item())


@pytest.mark.parametrize("dtype", RELATIVE)
@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
def test_a_seed_gives_pytorchs_run(make: Callable[[Any], Program], dtype: str) -> None:
    state = torch.get_rng_state()
    ours, theirs = run(tt, make, dtype), run(torch, make, dtype)
    torch.set_rng_state(state)
    assert list(ours.weights) == list(theirs.weights)
    for name, expected in theirs.weights.items():
        normal = any(fnmatch.fnmatch(name, pattern) for pattern in theirs.normal)
        actual = ours.weights[name]
        assert actual.dtype == expected.dtype == dtype, name
        if normal:
            np.testing.assert_array_max_ulp(actual, expected, ULPS)
        else:
            np.testing.assert_array_equal(actual, expected, name)
    for actual, expected in zip_longest(ours.batches, theirs.batches):
        for x, y in zip_longest(actual, expected):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
    assert len(ours.losses) == STEPS and np.isfinite(theirs.losses).all()
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=RELATIVE[dtype], atol=0)
    assert ours.after == theirs.after
