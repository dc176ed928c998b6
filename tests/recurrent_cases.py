"""What the tests of recurrent modules share: states of either kind, comparisons."""

from __future__ import annotations

import pytest

from paired import close, copied, tensors

torch = pytest.importorskip("torch")

KINDS = ["RNN", "LSTM", "GRU"]


def states(kind, *shape):
    """A state, or state and cell of an LSTM, in both libraries."""
    made = [tensors(*shape) for _ in range(2 if kind == "LSTM" else 1)]
    if kind != "LSTM":
        return made[0]
    return tuple(a for a, _ in made), tuple(b for _, b in made)


def flat(result):
    """The tensors of (outputs, state) or (outputs, (state, cell))."""
    found = []
    for part in result:
        found += list(part) if type(part) is tuple else [part]
    return [getattr(x, "data", x) if hasattr(x, "batch_sizes") else x for x in found]


def compare(ours, theirs, ours_in, theirs_in, inputs):
    """Outputs and all gradients of a weighted sum of them."""
    ys, zs = flat(ours(*ours_in)), flat(theirs(*theirs_in))
    assert len(ys) == len(zs)
    total_y, total_z = 0, 0
    for y, z in zip(ys, zs, strict=True):
        close(y, z)
        g = torch.randn_like(z)
        total_y = total_y + (y * copied(g)).sum()
        total_z = total_z + (z * g).sum()
    total_y.backward()
    total_z.backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)
    for a, b in inputs:
        close(a.grad, b.grad)


def zeros(kind, library, *shape):
    z = library.zeros(*shape)
    return (z, z) if kind == "LSTM" else z
